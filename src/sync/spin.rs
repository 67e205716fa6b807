//! [`SpinMutex`]: one flag, and whoever finds it set looks again. For learning: **measured, not recommended**.
//!
//! The algorithm is *test and test-and-set* (L. Rudolph and Z. Segall, 1984): wait by reading, and swap only when
//! the flag looks free. A swap takes the flag's cache line away from every other core, even when it fails; a read
//! shares it. So those who wait read their own cached copy and cost nobody anything, until the holder's store
//! takes the line back and all of them miss at once, swap at once, and all but one in vain. T. E. Anderson (1990)
//! measured that storm; the pauses between looks, which grow, are his cure.
//!
//! # Who may starve whom
//! There is no order among those who wait: whose core gets the line first enters. On machines whose cores are not
//! equally near to each other, the near ones can keep the far ones out without a bound.
//!
//! # When threads outnumber cores
//! The holder may be interrupted, and those who wait then spin through the very time it needs to go on. A lock
//! that only spins loses whole time slices, milliseconds, to a section of nanoseconds. [`Backoff`] pauses about a
//! hundred times and then gives its processor away on each look, which avoids the worst; but the kernel does not know
//! who waits for whom, and may give it to another who spins. A lock that sleeps tells it. That is why user programs
//! should not spin, and why `parking_lot::Mutex` spins a little and then sleeps.
#![allow(unsafe_code)]

use super::retry;
use crossbeam_utils::Backoff;
use lock_api::{GuardSend, RawMutex, RawMutexTimed};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A value behind a [`RawSpin`]; a [`Lock`](super::Lock) as every `lock_api` mutex. Measured, not recommended.
pub type SpinMutex<T> = lock_api::Mutex<RawSpin, T>;

/// A spin lock: test and test-and-set, with pauses that grow. Waiting costs processor time, not a sleep.
#[derive(Debug)]
pub struct RawSpin {
    held: AtomicBool,
}

// SAFETY: `held` goes from false to true in one step, so of several that try one succeeds; it goes back only by
// `unlock`. That store releases what the holder did, and the successful swap acquires it. Nothing here unwinds.
unsafe impl RawMutex for RawSpin {
    const INIT: Self = Self {
        held: AtomicBool::new(false),
    };

    // Any thread may clear a flag, so a guard may be sent to one.
    type Guard = GuardSend;

    #[inline]
    fn lock(&self) -> GuardSend {
        let backoff = Backoff::new();
        loop {
            if let Some(guard) = self.try_lock() {
                return guard;
            }
            backoff.snooze();
        }
    }

    #[inline]
    fn try_lock(&self) -> Option<GuardSend> {
        let free = !self.is_locked() && !self.held.swap(true, Ordering::Acquire);
        free.then(GuardSend::new)
    }

    #[inline]
    unsafe fn unlock(&self, _: GuardSend) {
        self.held.store(false, Ordering::Release);
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }
}

// SAFETY: it enters by `try_lock` and by nothing else.
unsafe impl RawMutexTimed for RawSpin {
    type Duration = Duration;
    type Instant = Instant;

    fn try_lock_for(&self, timeout: Duration) -> Option<GuardSend> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.try_lock_until(deadline),
            // Longer than the clock can count.
            None => Some(self.lock()),
        }
    }

    fn try_lock_until(&self, deadline: Instant) -> Option<GuardSend> {
        retry::until(deadline, || self.try_lock())
    }
}
