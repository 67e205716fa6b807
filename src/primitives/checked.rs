//! The checkers' ones, in the shape of the ordinary ones.

#[cfg(model_check = "loom")]
use loom as checker;
#[cfg(model_check = "shuttle")]
use shuttle as checker;

pub(crate) use checker::hint::spin_loop;
pub(crate) use checker::sync::atomic::{AtomicBool, AtomicIsize, AtomicU8, Ordering};
pub(crate) use checker::thread::{Thread, current, yield_now};

use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::time::Instant;

/// Time does not pass in a model. A deadline passes at the first look at the clock: the checker tries every
/// place for that look, so every order of time-out and wake-up comes up.
pub(crate) fn park_until(deadline: Option<Instant>) -> bool {
    match deadline {
        None => {
            checker::thread::park();
            true
        }
        Some(_) => {
            yield_now();
            false
        }
    }
}

/// Looking again is no new step to a checker, only more of the same.
pub(crate) const fn looks(_pausing: u32, _yielding: u32) -> (u32, u32) {
    (0, 0)
}

#[derive(Debug)]
pub(crate) struct Mutex<T>(checker::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(checker::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard {
            mutex: self,
            guard: Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// `None` only while [`unlocked`](Self::unlocked) runs, or a condition variable has it.
    guard: Option<checker::sync::MutexGuard<'a, T>>,
}

impl<T> MutexGuard<'_, T> {
    pub(crate) fn unlocked<R>(this: &mut Self, section: impl FnOnce() -> R) -> R {
        this.guard = None;
        let outcome = section();
        this.guard = this.mutex.lock().guard.take();
        outcome
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("locked while it can be reached")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("locked while it can be reached")
    }
}

#[derive(Debug)]
pub(crate) struct Condvar(checker::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(checker::sync::Condvar::new())
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let inner = guard.guard.take().expect("locked while it can be reached");
        guard.guard = Some(self.0.wait(inner).unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }
}
