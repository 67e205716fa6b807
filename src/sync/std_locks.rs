//! The locks of `std` as strategies, and crossbeam's [`ShardedLock`], which is made of them.
//!
//! They are poisoned by a panic inside a section; here that is ignored, as the [one policy](super#poisoning)
//! wants it. They have no timed forms, so they are no [`TimedLock`](super::TimedLock).
//!
//! Who may starve whom, std does not say. On Linux each stands on futexes: whoever comes may overtake those who
//! wait, without a bound. Its reader-writer lock prefers those who change: while one waits, no new looker enters, and
//! who leaves wakes a changer first. So changers may starve lookers, and each other, and lookers starve nobody.
//!
//! # Sharded
//! An `RwLock` is one word that every looker writes to, so its cache line travels from core to core with every
//! look: lookers do not wait for each other, and yet slow each other down. A `ShardedLock` is eight such locks, each
//! on lines of its own. A look takes the one of its thread, a change takes all eight, one after the other in the same
//! order. Looks become cheaper with every core, changes eight times as dear. Worth it where looks are short,
//! frequent and from many cores, and changes are rare. Starvation is that of `std::sync::RwLock`, shard by shard:
//! changes may starve looks, and each other, without a bound; and one that waits for a shard keeps the lookers out of
//! those that it has already.

use super::{Lock, TryLock};
use crossbeam_utils::sync::ShardedLock;
use std::sync::{LockResult, PoisonError, RwLock, TryLockError, TryLockResult};

/// The guard, whether or not a section has panicked before.
#[inline]
fn inside<G>(entered: LockResult<G>) -> G {
    entered.unwrap_or_else(PoisonError::into_inner)
}

/// The guard, if it could be had without waiting.
#[inline]
fn inside_at_once<G>(entered: TryLockResult<G>) -> Option<G> {
    match entered {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl<T: Send> Lock for std::sync::Mutex<T> {
    type Value = T;
    const NAME: &'static str = "std-mutex";

    fn new(value: T) -> Self {
        Self::new(value)
    }

    #[inline]
    fn shared<U: Send>(&self, section: impl FnOnce(&T) -> U + Send) -> U {
        section(&*inside(self.lock()))
    }

    #[inline]
    fn exclusive<U: Send>(&self, section: impl FnOnce(&mut T) -> U + Send) -> U {
        section(&mut *inside(self.lock()))
    }
}

impl<T: Send> TryLock for std::sync::Mutex<T> {
    #[inline]
    fn try_shared<U: Send>(&self, section: impl FnOnce(&T) -> U + Send) -> Option<U> {
        Some(section(&*inside_at_once(self.try_lock())?))
    }

    #[inline]
    fn try_exclusive<U: Send>(&self, section: impl FnOnce(&mut T) -> U + Send) -> Option<U> {
        Some(section(&mut *inside_at_once(self.try_lock())?))
    }
}

/// `ShardedLock` has the functions of `RwLock`, but no trait says so.
macro_rules! reader_writer_lock {
    ($lock:ident, $name:literal) => {
        impl<T: Send + Sync> Lock for $lock<T> {
            type Value = T;
            const NAME: &'static str = $name;

            fn new(value: T) -> Self {
                Self::new(value)
            }

            #[inline]
            fn shared<U: Send>(&self, section: impl FnOnce(&T) -> U + Send) -> U {
                section(&*inside(self.read()))
            }

            #[inline]
            fn exclusive<U: Send>(&self, section: impl FnOnce(&mut T) -> U + Send) -> U {
                section(&mut *inside(self.write()))
            }
        }

        impl<T: Send + Sync> TryLock for $lock<T> {
            #[inline]
            fn try_shared<U: Send>(&self, section: impl FnOnce(&T) -> U + Send) -> Option<U> {
                Some(section(&*inside_at_once(self.try_read())?))
            }

            #[inline]
            fn try_exclusive<U: Send>(
                &self,
                section: impl FnOnce(&mut T) -> U + Send,
            ) -> Option<U> {
                Some(section(&mut *inside_at_once(self.try_write())?))
            }
        }
    };
}

reader_writer_lock!(RwLock, "std-rwlock");
reader_writer_lock!(ShardedLock, "sharded");
