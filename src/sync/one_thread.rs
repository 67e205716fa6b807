//! [`OneThread`]: no lock, where one thread owns everything. Sound because it looks who enters.
//!
//! The first thread that enters becomes the owner, and every other one that tries panics. So this guards nothing
//! *between* threads: it proves that there is nothing to guard, as under a model that is one loop. What is left is the
//! price of the proof, a comparison per section, and measuring against it tells what a lock costs.
//!
//! # Who may starve whom
//! Nobody: nobody waits.
//!
//! # When
//! Under [`Iterative`](crate::model::Iterative) and [`Select`](crate::model::Select), as long as nothing outside of the
//! server enters its registry.
#![allow(unsafe_code)]

use super::{Expired, Lock, TimedLock, TryLock};
use std::cell::RefCell;
use std::fmt;
use std::sync::OnceLock;
use std::thread::{self, Thread, ThreadId};
use std::time::Duration;

thread_local! {
    /// To ask who is running, without touching the count of references to it.
    static ME: ThreadId = thread::current().id();
}

/// A value that only one thread enters: the first that does. From any other thread every section panics with a sentence,
/// and so does a section inside another, unless both only look.
///
/// It may be made and dropped by any thread.
pub struct OneThread<T> {
    owner: OnceLock<Thread>,
    value: RefCell<T>,
}

// SAFETY: of a shared `OneThread`, the value is reached by `cell` only, which lets exactly one thread pass; `owner` is `Sync`
// itself. That thread need not be the one that made the value, nor the one that drops it: hence `T: Send`.
unsafe impl<T: Send> Sync for OneThread<T> {}

impl<T> OneThread<T> {
    /// The cell, for its owner.
    #[inline]
    #[track_caller]
    fn cell(&self) -> &RefCell<T> {
        let owner = self.owner.get_or_init(thread::current);
        if owner.id() != ME.with(|&id| id) {
            refuse(owner);
        }
        &self.value
    }
}

#[cold]
#[track_caller]
fn refuse(owner: &Thread) -> ! {
    panic!(
        "{} wants to enter what belongs to {} alone, since that entered it first: nothing guards it between threads; \
         choose a lock, like parking_lot::Mutex or --sync mutex",
        called(&thread::current()),
        called(owner)
    );
}

/// Its name, and what tells it from others of that name.
fn called(thread: &Thread) -> String {
    let name = thread.name().unwrap_or("unnamed");
    format!("thread {name:?} ({:?})", thread.id())
}

#[cold]
#[track_caller]
fn nested() -> ! {
    panic!(
        "a section that changes the value cannot run inside another section of the same OneThread"
    );
}

/// Does not show the value: it may be asked for by any thread.
impl<T> fmt::Debug for OneThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneThread")
            .field("owner", &self.owner.get())
            .finish_non_exhaustive()
    }
}

impl<T: Send> Lock for OneThread<T> {
    type Value = T;
    const NAME: &'static str = "none";

    fn new(value: T) -> Self {
        Self {
            owner: OnceLock::new(),
            value: RefCell::new(value),
        }
    }

    #[inline]
    fn shared<R: Send>(&self, section: impl FnOnce(&T) -> R + Send) -> R {
        match self.cell().try_borrow() {
            Ok(value) => section(&value),
            Err(_) => nested(),
        }
    }

    #[inline]
    fn exclusive<R: Send>(&self, section: impl FnOnce(&mut T) -> R + Send) -> R {
        match self.cell().try_borrow_mut() {
            Ok(mut value) => section(&mut value),
            Err(_) => nested(),
        }
    }
}

/// Says no inside another section. Panics on another thread, as the sections that wait do.
impl<T: Send> TryLock for OneThread<T> {
    #[inline]
    fn try_shared<R: Send>(&self, section: impl FnOnce(&T) -> R + Send) -> Option<R> {
        Some(section(&*self.cell().try_borrow().ok()?))
    }

    #[inline]
    fn try_exclusive<R: Send>(&self, section: impl FnOnce(&mut T) -> R + Send) -> Option<R> {
        Some(section(&mut *self.cell().try_borrow_mut().ok()?))
    }
}

/// Expires at once inside another section: that cannot end while this one waits for it.
impl<T: Send> TimedLock for OneThread<T> {
    #[inline]
    fn shared_for<R: Send>(
        &self,
        patience: Duration,
        section: impl FnOnce(&T) -> R + Send,
    ) -> Result<R, Expired> {
        self.try_shared(section).ok_or(Expired::after(patience))
    }

    #[inline]
    fn exclusive_for<R: Send>(
        &self,
        patience: Duration,
        section: impl FnOnce(&mut T) -> R + Send,
    ) -> Result<R, Expired> {
        self.try_exclusive(section).ok_or(Expired::after(patience))
    }
}
