//! The checkers' ones, in the shape of the ordinary ones.

#[cfg(model_check = "loom")]
use loom as checker;
#[cfg(model_check = "shuttle")]
use shuttle as checker;

#[cfg(target_os = "linux")]
pub(crate) use checker::sync::atomic::AtomicU32;
pub(crate) use checker::sync::atomic::{
    AtomicBool, AtomicIsize, AtomicU8, AtomicUsize, Ordering, fence,
};
pub(crate) use checker::thread::{Thread, current};

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
        Some(_) => false,
    }
}

/// Nothing: to a checker every step is a place where another thread may go on, and its own `yield_now` would even rule
/// out that this one goes on first.
pub(crate) fn yield_now() {}

/// As [`yield_now`].
pub(crate) fn spin_loop() {}

/// One look where there are some: more would be more of the same.
pub(crate) const fn looks(pausing: u32, yielding: u32) -> (u32, u32) {
    (0, if pausing + yielding > 0 { 1 } else { 0 })
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

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}
