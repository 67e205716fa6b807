//! Critical sections, and the strategies that guard them.
//!
//! A *critical section* is a stretch of code that touches shared data and must not be interleaved with
//! another such stretch. [`Lock`] makes that stretch a closure: indentation shows where the
//! section begins and ends, and no reference to the data can leave it.
//!
//! ```
//! use guardhouse::sync::Lock;
//!
//! let visitors = parking_lot::Mutex::new(0);
//! visitors.exclusive(|count| *count += 1);
//! assert_eq!(visitors.shared(|count| *count), 1);
//! ```
//!
//! What the compiler refuses is half of the lesson. A reference cannot outlive its section:
//!
//! ```compile_fail
//! use guardhouse::sync::Lock;
//!
//! let visitors = parking_lot::Mutex::new(vec![1]);
//! let escaped = visitors.exclusive(|list| list);
//! escaped.push(2);
//! ```
//!
//! and a section that only looks cannot change anything:
//!
//! ```compile_fail
//! use guardhouse::sync::Lock;
//!
//! let visitors = parking_lot::RwLock::new(0);
//! visitors.shared(|count| *count += 1);
//! ```
//!
//! # Strategies
//!
//! | `--sync` | type | who may starve whom | choose it for |
//! |---|---|---|---|
//! | `mutex` | [`parking_lot::Mutex`] | who just left may enter again before a waiter, without bound | most things: as `std-mutex`, and waits can have an end |
//! | `fair-mutex` | [`parking_lot::FairMutex`] | nobody who sleeps: it is handed the lock in its turn; one that still spins may be overtaken | bounded waiting |
//! | `rwlock` | [`parking_lot::RwLock`] | a waiting writer holds back new readers; writers may starve readers and each other, without bound | long looks, few changes |
//! | `std-mutex` | [`std::sync::Mutex`] | as `mutex` | no dependency |
//! | `std-rwlock` | [`std::sync::RwLock`] | unstated; on Linux as `rwlock` | no dependency |
//! | `semaphore` | [`SemaphoreLock`] | nobody: first come, first served | a bound on how many look |
//! | `ticket` | [`TicketMutex`] | nobody; but all wait for one that is not running | learning: measured, not recommended |
//! | `spin` | [`SpinMutex`] | the near ones the far ones, without bound | learning: measured, not recommended |
//! | `snapshot` | [`Snapshot`] | readers wait for nobody; writers for each other, as behind `mutex` | many looks, few changes |
//! | `sharded` | [`ShardedLock`](crossbeam_utils::sync::ShardedLock) | as `std-rwlock`, shard by shard | short looks from many cores |
//! | `actor` | [`Actor`] | nobody: first come, first served | a value that is not `Sync` |
//! | `none` | [`OneThread`] | nobody: nobody waits | one thread |
//!
//! All but `actor` have [`TryLock`]. All but `actor`, `std-mutex`, `std-rwlock` and `sharded` have [`TimedLock`].
//!
//! # Poisoning
//! One policy on every strategy: there is none. A panic inside a section releases the lock and leaves the
//! value as the section left it; the next section runs. The registry can afford that because no
//! user code runs inside its sections.

mod actor;
mod lock_api_locks;
mod one_thread;
mod retry;
pub mod semaphore;
mod semaphore_lock;
mod snapshot;
mod spin;
mod stats;
mod std_locks;
mod ticket;
mod timed;

pub use actor::Actor;
pub use one_thread::OneThread;
pub use semaphore::{Discipline, OwnedPermit, Permit, Semaphore};
pub use semaphore_lock::SemaphoreLock;
pub use snapshot::Snapshot;
pub use spin::{RawSpin, SpinMutex};
pub use stats::{Expired, Holder, LockStats, Spread};
pub use ticket::{RawTicket, Ticket, TicketMutex};
pub use timed::Timed;
pub(crate) use timed::buckets;

use std::time::Duration;

/// A value that threads enter one critical section at a time, or several when they only look.
///
/// Implemented for every [`lock_api`] lock (so for all of `parking_lot`), for the locks of `std`, for crossbeam's
/// `ShardedLock`, and for the types of this module. A strategy of one's own is three functions.
///
/// Sections are [`Send`], and so is what they return: a strategy may run them on a thread that owns the
/// value. Sections do not nest: entering the same lock again from inside a section may deadlock.
pub trait Lock: Send + Sync {
    /// What is guarded.
    type Value;

    /// The kind of lock, for people: `mutex`, `rwlock`, ... An impl for many locks has one name for all of them,
    /// that of their family: every `lock_api` mutex is a `mutex` here.
    const NAME: &'static str;

    /// A lock around `value`.
    fn new(value: Self::Value) -> Self;

    /// Runs `section` with a look at the value; other `shared` sections may run at the same time. What it
    /// looks at does not change until it ends. Blocks until it may enter. From any thread.
    #[track_caller]
    fn shared<R: Send>(&self, section: impl FnOnce(&Self::Value) -> R + Send) -> R;

    /// Runs `section` alone with the value: no other `exclusive` section runs, and no `shared` one sees
    /// half of what it does. Blocks until it may enter. From any thread.
    #[track_caller]
    fn exclusive<R: Send>(&self, section: impl FnOnce(&mut Self::Value) -> R + Send) -> R;

    /// What has been seen of its sections, by a lock that watches them.
    fn stats(&self) -> Option<LockStats> {
        None
    }
}

/// A [`Lock`] that can say no instead of making its caller wait.
pub trait TryLock: Lock {
    /// Runs `section` as [`shared`](Lock::shared) does, or gives `None` when it would have to wait. From any
    /// thread.
    #[track_caller]
    fn try_shared<R: Send>(&self, section: impl FnOnce(&Self::Value) -> R + Send) -> Option<R>;

    /// Runs `section` as [`exclusive`](Lock::exclusive) does, or gives `None` when it would have to wait.
    /// From any thread.
    #[track_caller]
    fn try_exclusive<R: Send>(
        &self,
        section: impl FnOnce(&mut Self::Value) -> R + Send,
    ) -> Option<R>;
}

/// A [`Lock`] whose waiting has an end.
pub trait TimedLock: TryLock {
    /// Runs `section` as [`shared`](Lock::shared) does, if it may enter within `patience`. From any thread.
    ///
    /// # Errors
    /// [`Expired`] when it may not; `section` has not run then, and never will.
    #[track_caller]
    fn shared_for<R: Send>(
        &self,
        patience: Duration,
        section: impl FnOnce(&Self::Value) -> R + Send,
    ) -> Result<R, Expired>;

    /// Runs `section` as [`exclusive`](Lock::exclusive) does, if it may enter within `patience`. From any
    /// thread.
    ///
    /// # Errors
    /// [`Expired`] when it may not; `section` has not run then, and never will.
    #[track_caller]
    fn exclusive_for<R: Send>(
        &self,
        patience: Duration,
        section: impl FnOnce(&mut Self::Value) -> R + Send,
    ) -> Result<R, Expired>;
}
