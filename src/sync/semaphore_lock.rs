//! [`SemaphoreLock`]: a counting semaphore as a strategy.
//!
//! A semaphore of N permits guards data in one sound way: to look costs one permit, to change costs all N in
//! one step. With N = 1 it is a mutex; with N large it comes close to a reader-writer lock, and N is
//! the most readers there can be at once. Handing `&mut` to whoever holds one of several
//! permits would be the classic lost update.
#![allow(unsafe_code)]

use super::{Lock, Semaphore};
use std::cell::UnsafeCell;

/// A value behind a [`Semaphore`]: `shared` takes one permit, `exclusive` takes them all.
#[derive(Debug)]
pub struct SemaphoreLock<T> {
    semaphore: Semaphore,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by `&mut` only while every permit is held, and by `&` only while at least one
// is, so the rules of a reader-writer lock hold, and with them its bounds.
unsafe impl<T: Send + Sync> Sync for SemaphoreLock<T> {}

impl<T> SemaphoreLock<T> {
    /// Permits of a lock that is made without a number.
    pub const DEFAULT_PERMITS: usize = 8;

    /// A lock that lets `permits` look at once.
    ///
    /// # Panics
    /// When `permits` is 0: nobody could ever enter.
    pub const fn with_permits(value: T, permits: usize) -> Self {
        assert!(permits > 0, "a lock of 0 permits can never be entered");
        Self {
            semaphore: Semaphore::new(permits),
            value: UnsafeCell::new(value),
        }
    }
}

impl<T: Send + Sync> Lock for SemaphoreLock<T> {
    type Value = T;
    const NAME: &'static str = "semaphore";

    fn new(value: T) -> Self {
        Self::with_permits(value, Self::DEFAULT_PERMITS)
    }

    fn shared<R: Send>(&self, section: impl FnOnce(&T) -> R + Send) -> R {
        let _one = self.semaphore.acquire(1);
        // SAFETY: one permit is held until the end of this function, so no `exclusive` section, which
        // needs all of them, can be running.
        section(unsafe { &*self.value.get() })
    }

    fn exclusive<R: Send>(&self, section: impl FnOnce(&mut T) -> R + Send) -> R {
        let _all = self.semaphore.acquire(self.semaphore.permits());
        // SAFETY: all permits are held until the end of this function, so no other section, which needs
        // at least one, can be running.
        section(unsafe { &mut *self.value.get() })
    }
}
