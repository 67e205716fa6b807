//! [`Clock`]: ticks that cost little to read, and what they are in time.

use std::time::Duration;

/// The processor's counter where that is steady, and the system's clock elsewhere. The first of a process compares
/// the two, for about a millisecond.
#[cfg(not(miri))]
#[derive(Debug)]
pub(super) struct Clock(quanta::Clock);

#[cfg(not(miri))]
impl Clock {
    pub(super) fn new() -> Self {
        Self(quanta::Clock::new())
    }

    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.0.raw()
    }

    pub(super) fn time(&self, ticks: u64) -> Duration {
        self.0.delta(0, ticks)
    }
}

/// An interpreter has no counter: nanoseconds.
#[cfg(miri)]
#[derive(Debug)]
pub(super) struct Clock(std::time::Instant);

#[cfg(miri)]
impl Clock {
    pub(super) fn new() -> Self {
        Self(std::time::Instant::now())
    }

    pub(super) fn now(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }

    #[allow(clippy::unused_self, reason = "as the other")]
    pub(super) fn time(&self, ticks: u64) -> Duration {
        Duration::from_nanos(ticks)
    }
}
