//! What is known of a lock's sections, as data: [`LockStats`], and who is in the way when a wait [`Expired`].

use serde::{Serialize, Serializer};
use std::fmt;
use std::panic::Location;
use std::time::Duration;
use thiserror::Error;

/// How long something took, over many times. Percentiles are upper ends of a bucket: never too small.
///
/// As data, times are whole nanoseconds: `p50_ns` and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// How many times.
    pub count: u64,
    /// Half of them took no longer.
    #[serde(rename = "p50_ns", serialize_with = "nanoseconds")]
    pub p50: Duration,
    /// 99 of 100 took no longer.
    #[serde(rename = "p99_ns", serialize_with = "nanoseconds")]
    pub p99: Duration,
    /// 999 of 1000 took no longer.
    #[serde(rename = "p999_ns", serialize_with = "nanoseconds")]
    pub p999: Duration,
    /// The longest, exactly.
    #[serde(rename = "max_ns", serialize_with = "nanoseconds")]
    pub max: Duration,
    /// Upper ends, ascending, and how many are in each.
    #[serde(skip)]
    buckets: Vec<(Duration, u64)>,
}

impl Spread {
    /// Of `buckets`, in ascending order: how long at most, and how many times that was. Those of the same end become
    /// one. `max` is the longest of all, exactly.
    pub fn new(buckets: impl IntoIterator<Item = (Duration, u64)>, max: Duration) -> Self {
        let mut buckets: Vec<_> = buckets.into_iter().collect();
        buckets.dedup_by(|bucket, last| {
            let same = bucket.0 == last.0;
            if same {
                last.1 += bucket.1;
            }
            same
        });
        let total = buckets.iter().map(|bucket| bucket.1).sum();
        let percentile = |per_mille: u64| {
            let wanted = (u128::from(total) * u128::from(per_mille)).div_ceil(1000);
            let mut reached = 0;
            let bucket = buckets.iter().find(|bucket| {
                reached += u128::from(bucket.1);
                reached >= wanted
            });
            bucket.map_or(Duration::ZERO, |bucket| bucket.0.min(max))
        };
        Self {
            count: total,
            p50: percentile(500),
            p99: percentile(990),
            p999: percentile(999),
            max,
            buckets,
        }
    }

    /// What has come since an `earlier` look at the same. The longest is exact if it is the longest of all, and an
    /// upper end of its bucket otherwise.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut before = earlier.buckets.iter().peekable();
        let mut new = Vec::new();
        for &(end, count) in &self.buckets {
            let mut count = count;
            while let Some(old) = before.next_if(|old| old.0 <= end) {
                count = count.saturating_sub(old.1);
            }
            if count > 0 {
                new.push((end, count));
            }
        }
        let last = new.last().map_or(Duration::ZERO, |bucket| bucket.0);
        let max = if self.max > earlier.max {
            self.max
        } else {
            last.min(self.max)
        };
        Self::new(new, max)
    }
}

fn nanoseconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

/// What has been seen of a lock's sections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LockStats {
    /// From wanting to enter until being inside.
    pub wait: Spread,
    /// From being inside until having left.
    pub hold: Spread,
    /// The most threads that were inside at once.
    pub most_inside: u64,
    /// How often somebody entered before one who had come earlier; [`Timed`](super::Timed) says how exactly that is
    /// known.
    pub overtakings: u64,
    /// The most that one was overtaken.
    pub most_overtaken: u64,
    /// Timed waits that were given up.
    pub expired: u64,
    /// What measuring adds to a section that waits for nobody, on this machine.
    #[serde(rename = "own_cost_ns", serialize_with = "nanoseconds")]
    pub own_cost: Duration,
}

impl LockStats {
    /// What has come since an `earlier` look at the same lock. The two `most_` are of the whole time still.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            wait: self.wait.since(&earlier.wait),
            hold: self.hold.since(&earlier.hold),
            overtakings: self.overtakings.saturating_sub(earlier.overtakings),
            expired: self.expired.saturating_sub(earlier.expired),
            ..*self
        }
    }
}

/// Who is inside a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The name of its thread.
    pub thread: String,
    /// Where the section was entered.
    pub at: &'static Location<'static>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {:?}, which entered at {}", self.thread, self.at)
    }
}

/// A section did not run: the time was over before it could enter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Expired {
    /// For how long it was willing to wait.
    pub patience: Duration,
    /// Who was inside then; known to a lock that is being watched only. Who changes goes before those who
    /// look; of several of these, it is one.
    pub holder: Option<Holder>,
}

impl Expired {
    /// A wait of `patience` that a lock gave up which does not know who is inside.
    pub const fn after(patience: Duration) -> Self {
        Self {
            patience,
            holder: None,
        }
    }
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not enter within {:?}", self.patience)?;
        match &self.holder {
            Some(holder) => write!(f, ": inside is {holder}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(buckets: &[(u64, u64)], max: u64) -> Spread {
        let time = Duration::from_nanos;
        Spread::new(
            buckets.iter().map(|&(end, count)| (time(end), count)),
            time(max),
        )
    }

    #[test]
    fn a_percentile_is_the_end_of_the_bucket_that_it_falls_into() {
        let spread = spread(&[(1, 500), (10, 490), (100, 9), (1000, 1)], 950);
        let percentiles = [spread.p50, spread.p99, spread.p999, spread.max];
        assert_eq!(spread.count, 1000);
        assert_eq!(percentiles.map(|time| time.as_nanos()), [1, 10, 100, 950]);
    }

    #[test]
    fn no_percentile_is_above_the_longest() {
        let one = spread(&[(1023, 1)], 1000);
        assert_eq!(
            [one.p50, one.p99, one.p999, one.max],
            [Duration::from_micros(1); 4]
        );
        assert_eq!(spread(&[], 0), Spread::default());
    }

    #[test]
    fn the_difference_of_two_looks_is_what_came_between() {
        let first = spread(&[(10, 5), (1000, 1)], 990);
        let second = spread(&[(10, 5), (20, 7), (1000, 1)], 990);
        assert_eq!(second.since(&first), spread(&[(20, 7)], 20));
        let third = spread(&[(10, 5), (20, 7), (1000, 2)], 999);
        assert_eq!(third.since(&second), spread(&[(1000, 1)], 999));
        assert_eq!(third.since(&third), Spread::default());
        assert_eq!(third.since(&Spread::default()), third);
    }

    #[test]
    fn buckets_of_one_end_are_one_bucket() {
        let both = spread(&[(6, 1), (6, 5), (7, 1)], 7);
        assert_eq!(both, spread(&[(6, 6), (7, 1)], 7));
        assert_eq!(both.since(&spread(&[(6, 4)], 6)).count, 3);
        assert_eq!(both.since(&spread(&[(6, 1), (6, 3)], 6)).count, 3);
    }

    #[test]
    fn times_are_nanoseconds_as_data() {
        let stats = LockStats {
            wait: spread(&[(15, 2)], 14),
            own_cost: Duration::from_nanos(60),
            ..LockStats::default()
        };
        let data = serde_json::to_value(stats).unwrap();
        assert_eq!(data["own_cost_ns"], 60);
        let wait = serde_json::json!({"count": 2, "p50_ns": 14, "p99_ns": 14, "p999_ns": 14, "max_ns": 14});
        assert_eq!(data["wait"], wait);
    }
}
