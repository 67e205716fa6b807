//! [`Buckets`]: a histogram that many threads add to without a lock.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};

/// So many buckets between one power of two and the next: 8. Below 8, every number has a bucket of its own.
const FINENESS: u32 = 3;
const PER_OCTAVE: usize = 1 << FINENESS;
/// Enough for every `u64`.
const COUNT: usize = (64 - FINENESS as usize + 1) * PER_OCTAVE;

/// Counts numbers by their size. A bucket's upper end is at most 1/8 above its lower end, so what is read from
/// it is never too small, and at most 12.5 % too large. Takes 4 KiB.
///
/// The buckets are those of `HdrHistogram` with 3 bits of precision.
#[derive(Debug)]
pub(crate) struct Buckets {
    counts: [AtomicU64; COUNT],
    max: AtomicU64,
}

impl Default for Buckets {
    fn default() -> Self {
        Self::new()
    }
}

impl Buckets {
    pub(crate) fn new() -> Self {
        Self {
            counts: array::from_fn(|_| AtomicU64::new(0)),
            max: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn add(&self, value: u64) {
        self.counts[index(value)].fetch_add(1, Ordering::Relaxed);
        // A new longest one is rare: mostly this is a load.
        if value > self.max.load(Ordering::Relaxed) {
            self.max.fetch_max(value, Ordering::Relaxed);
        }
    }

    pub(crate) fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }
}

/// Upper end and count of every bucket in which anything is, from the smallest on.
pub(crate) fn sum<'a>(all: impl Iterator<Item = &'a Buckets>) -> impl Iterator<Item = (u64, u64)> {
    let mut counts = [0; COUNT];
    for buckets in all {
        for (sum, count) in counts.iter_mut().zip(&buckets.counts) {
            *sum += count.load(Ordering::Relaxed);
        }
    }
    let indexed = counts.into_iter().enumerate();
    indexed
        .filter(|&(_, count)| count > 0)
        .map(|(index, count)| (upper_end(index), count))
}

#[inline]
fn index(value: u64) -> usize {
    let Some(octave) = (value >> FINENESS).checked_ilog2() else {
        return value as usize;
    };
    // The highest bit says which octave; the bits after it, which bucket of that.
    octave as usize * PER_OCTAVE + (value >> octave) as usize
}

fn upper_end(index: usize) -> u64 {
    let octave = (index / PER_OCTAVE).saturating_sub(1);
    let lower_end = ((index - octave * PER_OCTAVE) as u64) << octave;
    lower_end + ((1 << octave) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_buckets_cover_every_number_without_a_gap() {
        for bucket in 0..COUNT {
            assert_eq!(index(upper_end(bucket)), bucket);
            if bucket + 1 < COUNT {
                assert_eq!(index(upper_end(bucket) + 1), bucket + 1);
            }
        }
        assert_eq!(upper_end(COUNT - 1), u64::MAX);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 8 } else { 256 },
            // An interpreter has no files to write failures to.
            failure_persistence: None,
            ..ProptestConfig::default()
        })]
        #[test]
        fn an_upper_end_is_never_too_small_and_at_most_an_eighth_too_large(
            value: u64,
            shift in 0..64_u32,
        ) {
            let value = value >> shift;
            let end = upper_end(index(value));
            prop_assert!(end >= value);
            prop_assert!(end - value <= value / 8);
        }
    }

    #[test]
    fn what_several_hold_is_summed_by_bucket() {
        let both = [Buckets::new(), Buckets::new()];
        for (buckets, values) in both.iter().zip([&[3, 1000][..], &[3, 5]]) {
            for &value in values {
                buckets.add(value);
            }
        }
        let thousand = upper_end(index(1000));
        assert_eq!(
            sum(both.iter()).collect::<Vec<_>>(),
            [(3, 2), (5, 1), (thousand, 1)]
        );
        assert_eq!(both.each_ref().map(Buckets::max), [1000, 5]);
    }
}
