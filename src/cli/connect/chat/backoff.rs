//! [`Backoff`]: how long to wait before the next attempt, and whether there is one.
//!
//! The wait doubles from attempt to attempt. Half of it is left to chance: those who lost the same server at the same
//! moment are not to come back at the same moment.

use std::num::NonZeroU32;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);

/// No wait is longer.
pub(super) const LONGEST: Duration = Duration::from_secs(10);

pub(super) struct Backoff {
    /// For ever, if there is none.
    limit: Option<NonZeroU32>,
    made: u32,
}

/// An attempt to come.
pub(super) struct Attempt {
    pub(super) number: u32,
    pub(super) wait: Duration,
}

impl Backoff {
    pub(super) fn new(limit: Option<NonZeroU32>) -> Self {
        Self { limit, made: 0 }
    }

    /// The next attempt, unless there were as many as there may be. `chance` is in 0..1.
    pub(super) fn next(&mut self, chance: f64) -> Option<Attempt> {
        if self.limit.is_some_and(|limit| self.made >= limit.get()) {
            return None;
        }
        let doubled = FIRST.saturating_mul(1_u32.checked_shl(self.made).unwrap_or(u32::MAX));
        self.made = self.made.saturating_add(1);
        let wait = doubled.min(LONGEST);
        Some(Attempt {
            number: self.made,
            wait: wait / 2 + (wait / 2).mul_f64(chance),
        })
    }

    /// It went well: the row of attempts is over.
    pub(super) fn reset(&mut self) {
        self.made = 0;
    }

    pub(super) fn limit(&self) -> Option<NonZeroU32> {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_chance_halves_them_at_most() {
        let mut backoff = Backoff::new(None);
        let waits: Vec<u128> = (0..40)
            .map(|_| backoff.next(1.0).unwrap().wait.as_millis())
            .collect();
        assert_eq!(waits[..7], [250, 500, 1000, 2000, 4000, 8000, 10_000]);
        assert!(waits[7..].iter().all(|&wait| wait == 10_000));
        backoff.reset();
        assert_eq!(backoff.next(0.0).unwrap().wait, Duration::from_millis(125));
    }

    #[test]
    fn there_are_as_many_attempts_as_were_asked_for() {
        let mut backoff = Backoff::new(NonZeroU32::new(2));
        assert_eq!(backoff.next(0.5).unwrap().number, 1);
        assert_eq!(backoff.next(0.5).unwrap().number, 2);
        assert!(backoff.next(0.5).is_none());
        backoff.reset();
        assert_eq!(backoff.next(0.5).unwrap().number, 1);
    }
}
