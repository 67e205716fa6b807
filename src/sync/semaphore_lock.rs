//! [`SemaphoreLock`]: a counting semaphore as a strategy.
//!
//! A semaphore of N permits guards data in one sound way: to look costs one permit, to change costs all N in
//! one step. With N = 1 it is a mutex; with N large it comes close to a reader-writer lock, and N is
//! the most readers there can be at once. Handing `&mut` to whoever holds one of several
//! permits would be the classic lost update.
#![allow(unsafe_code)]

use super::semaphore::{AcquireError, Closed};
use super::{Discipline, Expired, Lock, Permit, Semaphore, TimedLock, TryLock};
use crate::primitives::const_fn;
use std::cell::UnsafeCell;
use std::time::Duration;

/// A value behind a [`Semaphore`]: `shared` takes one permit, `exclusive` takes them all.
///
/// Fair unless made otherwise: who waits to change holds back those who come later to look.
#[derive(Debug)]
pub struct SemaphoreLock<T> {
    semaphore: Semaphore,
    permits: usize,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by `&mut` only while every permit is held, and by `&` only while at least one
// is, so the rules of a reader-writer lock hold, and with them its bounds.
unsafe impl<T: Send + Sync> Sync for SemaphoreLock<T> {}

impl<T> SemaphoreLock<T> {
    /// Permits of a lock that is made without a number.
    pub const DEFAULT_PERMITS: usize = 8;

    const_fn! {
        /// A fair lock that lets `permits` look at once.
        ///
        /// # Panics
        /// When `permits` is 0: nobody could ever enter. When it exceeds [`Semaphore::MAX_PERMITS`].
        pub const fn with_permits(value: T, permits: usize) -> Self {
            Self::with_discipline(value, permits, Discipline::Fair)
        }
    }

    const_fn! {
        /// A lock that lets `permits` look at once, with its waiters under `discipline`. A barging one lets those who
        /// look keep out for ever who wants to change.
        ///
        /// # Panics
        /// As [`with_permits`](Self::with_permits).
        pub const fn with_discipline(value: T, permits: usize, discipline: Discipline) -> Self {
            assert!(permits > 0, "a lock of 0 permits can never be entered");
            Self {
                semaphore: Semaphore::with(permits, discipline),
                permits,
                value: UnsafeCell::new(value),
            }
        }
    }

    #[inline]
    fn look<R>(&self, _one: &Permit<'_>, section: impl FnOnce(&T) -> R) -> R {
        // SAFETY: one permit is held until this returns, so no `exclusive` section, which needs all of
        // them, can be running.
        section(unsafe { &*self.value.get() })
    }

    #[inline]
    fn change<R>(&self, _all: &Permit<'_>, section: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: all permits are held until this returns, so no other section, which needs at least one,
        // can be running.
        section(unsafe { &mut *self.value.get() })
    }

    #[inline]
    fn wait_for(&self, n: usize) -> Permit<'_> {
        match self.semaphore.acquire(n) {
            Ok(permit) => permit,
            Err(Closed) => unreachable!("nobody can reach this semaphore to close it"),
        }
    }

    fn wait_for_no_longer(&self, n: usize, patience: Duration) -> Result<Permit<'_>, Expired> {
        self.semaphore
            .acquire_timeout(n, patience)
            .map_err(|error| match error {
                AcquireError::TimedOut => Expired::after(patience),
                AcquireError::Closed => {
                    unreachable!("nobody can reach this semaphore to close it")
                }
            })
    }
}

impl<T: Send + Sync> Lock for SemaphoreLock<T> {
    type Value = T;
    const NAME: &'static str = "semaphore";

    fn new(value: T) -> Self {
        Self::with_permits(value, Self::DEFAULT_PERMITS)
    }

    #[inline]
    fn shared<R: Send>(&self, section: impl FnOnce(&T) -> R + Send) -> R {
        self.look(&self.wait_for(1), section)
    }

    #[inline]
    fn exclusive<R: Send>(&self, section: impl FnOnce(&mut T) -> R + Send) -> R {
        self.change(&self.wait_for(self.permits), section)
    }
}

impl<T: Send + Sync> TryLock for SemaphoreLock<T> {
    fn try_shared<R: Send>(&self, section: impl FnOnce(&T) -> R + Send) -> Option<R> {
        let one = self.semaphore.try_acquire(1).ok()?;
        Some(self.look(&one, section))
    }

    fn try_exclusive<R: Send>(&self, section: impl FnOnce(&mut T) -> R + Send) -> Option<R> {
        let all = self.semaphore.try_acquire(self.permits).ok()?;
        Some(self.change(&all, section))
    }
}

impl<T: Send + Sync> TimedLock for SemaphoreLock<T> {
    fn shared_for<R: Send>(
        &self,
        patience: Duration,
        section: impl FnOnce(&T) -> R + Send,
    ) -> Result<R, Expired> {
        let one = self.wait_for_no_longer(1, patience)?;
        Ok(self.look(&one, section))
    }

    fn exclusive_for<R: Send>(
        &self,
        patience: Duration,
        section: impl FnOnce(&mut T) -> R + Send,
    ) -> Result<R, Expired> {
        let all = self.wait_for_no_longer(self.permits, patience)?;
        Ok(self.change(&all, section))
    }
}
