//! [`Pace`]: when the next line is due.

use std::time::{Duration, Instant};

/// A line every so often. What was a little late is made up for, so that the rate holds where lines come faster than a thread can
/// sleep; what was long late is not, or a pause would be followed by a burst.
pub(super) struct Pace {
    interval: Duration,
    due: Option<Instant>,
}

/// How late lines are still made up for.
const CATCH_UP: Duration = Duration::from_millis(100);

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            due: None,
        }
    }

    /// When the next is due. Asked once for each.
    pub(super) fn next(&mut self, now: Instant) -> Instant {
        let due = match self.due {
            None => now,
            Some(last) => {
                let due = last + self.interval;
                let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
                due.max(earliest)
            }
        };
        self.due = Some(due);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENTH: Duration = Duration::from_millis(10);

    #[test]
    fn the_first_is_due_at_once_and_each_other_after_its_interval() {
        let now = Instant::now();
        let mut pace = Pace::new(TENTH);
        assert_eq!(pace.next(now), now);
        assert_eq!(pace.next(now), now + TENTH);
        assert_eq!(pace.next(now + TENTH), now + 2 * TENTH);
    }

    #[test]
    fn a_little_late_is_made_up_for_and_a_pause_is_not() {
        let start = Instant::now();
        let mut pace = Pace::new(TENTH);
        pace.next(start);
        assert_eq!(pace.next(start + 5 * TENTH), start + TENTH);
        let pause = Duration::from_mins(1);
        let long = start + pause;
        let earliest = start + pause.saturating_sub(CATCH_UP);
        assert_eq!(pace.next(long), earliest);
        assert_eq!(pace.next(long), earliest + TENTH);
    }
}
