//! [`Snapshot`]: copy on write. Who looks never waits, and may see yesterday's value.
//!
//! ```text
//!   current --> value 7 <--- looks that began before 8 was published
//!                  | clone
//!               value 8     one section changes it, unseen; then `current` points here
//! ```
//!
//! A look takes the value that is current when it begins, and that one never changes; a change makes another and
//! publishes it whole. This is the idea of *read-copy-update* (P. E. McKenney and J. D. Slingwine, 1998), with reference
//! counts in place of grace periods; the pointer is [`arc_swap`]'s.
//!
//! # Who may starve whom
//! Nobody starves those who look: they wait for nothing, not even for a change that is running. Changes come one at a
//! time through a [`parking_lot::Mutex`]: who has just changed may change again before one who waits to, without a
//! bound. Those who look cannot hold up a change.
//!
//! # Cost
//! A look is about an uncontended mutex, and does not slow down other looks. A change is a clone of the whole value,
//! however little of it changes: dear when the list is long and clients come and go. To a
//! [`Timed`](super::Timed) around it, that clone is part of the wait, and publishing is part of neither wait nor hold. An
//! old value lives as long as the last look at it.
//!
//! # When
//! Many looks, few changes, and looks that may miss a change that is just happening. A broadcast may: it posts to who was
//! there when it began, and a mailbox whose client has left since takes nothing.
#![allow(clippy::doc_markdown, reason = "a person's name")]

use super::{Expired, Lock, TimedLock, TryLock};
use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::time::Duration;

/// A value that is replaced whole: `shared` looks at the one that is current, `exclusive` changes a copy and
/// publishes it.
///
/// A section that only looks inside one that changes is not blocked, and sees the value as it was before the change.
#[derive(Debug)]
pub struct Snapshot<T> {
    current: ArcSwap<T>,
    turn: Mutex<()>,
}

impl<T: Clone> Snapshot<T> {
    #[inline]
    fn change<R>(&self, turn: MutexGuard<'_, ()>, section: impl FnOnce(&mut T) -> R) -> R {
        let mut draft = Draft {
            next: Some(T::clone(&self.current.load())),
            current: &self.current,
            _turn: turn,
            old: None,
        };
        section(draft.next.as_mut().expect("a draft is whole until dropped"))
    }
}

/// The value of tomorrow. Dropping it publishes it, also when the section panics: the value is then as the section
/// left it, as behind every other lock.
struct Draft<'a, T> {
    next: Option<T>,
    current: &'a ArcSwap<T>,
    // Fields are dropped in this order: yesterday's value goes when the next change may already come.
    _turn: MutexGuard<'a, ()>,
    old: Option<Arc<T>>,
}

impl<T> Drop for Draft<'_, T> {
    fn drop(&mut self) {
        self.old = self
            .next
            .take()
            .map(|next| self.current.swap(Arc::new(next)));
    }
}

impl<T: Clone + Send + Sync> Lock for Snapshot<T> {
    type Value = T;
    const NAME: &'static str = "snapshot";

    fn new(value: T) -> Self {
        Self {
            current: ArcSwap::from_pointee(value),
            turn: Mutex::new(()),
        }
    }

    #[inline]
    fn shared<R: Send>(&self, section: impl FnOnce(&T) -> R + Send) -> R {
        section(&self.current.load())
    }

    #[inline]
    fn exclusive<R: Send>(&self, section: impl FnOnce(&mut T) -> R + Send) -> R {
        self.change(self.turn.lock(), section)
    }
}

/// `try_shared` always enters.
impl<T: Clone + Send + Sync> TryLock for Snapshot<T> {
    #[inline]
    fn try_shared<R: Send>(&self, section: impl FnOnce(&T) -> R + Send) -> Option<R> {
        Some(self.shared(section))
    }

    #[inline]
    fn try_exclusive<R: Send>(&self, section: impl FnOnce(&mut T) -> R + Send) -> Option<R> {
        Some(self.change(self.turn.try_lock()?, section))
    }
}

/// `shared_for` always enters.
impl<T: Clone + Send + Sync> TimedLock for Snapshot<T> {
    #[inline]
    fn shared_for<R: Send>(
        &self,
        _: Duration,
        section: impl FnOnce(&T) -> R + Send,
    ) -> Result<R, Expired> {
        Ok(self.shared(section))
    }

    #[inline]
    fn exclusive_for<R: Send>(
        &self,
        patience: Duration,
        section: impl FnOnce(&mut T) -> R + Send,
    ) -> Result<R, Expired> {
        let turn = self
            .turn
            .try_lock_for(patience)
            .ok_or(Expired::after(patience))?;
        Ok(self.change(turn, section))
    }
}
