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
//! # Poisoning
//! One policy on every strategy: there is none. A panic inside a section releases the lock and leaves the
//! value as the section left it; the next section runs. The registry can afford that because no
//! user code runs inside its sections.

mod semaphore;
mod semaphore_lock;
mod strategies;

pub use semaphore::{OwnedPermit, Permit, Semaphore};
pub use semaphore_lock::SemaphoreLock;

/// A value that threads enter one critical section at a time, or several when they only look.
///
/// Implemented for every [`lock_api`] lock (so for all of `parking_lot`), for the locks of `std`, and
/// for [`SemaphoreLock`]. A strategy of one's own is these three functions.
///
/// Sections do not nest: entering the same lock again from inside a section may deadlock.
pub trait Lock: Send + Sync {
    /// What is guarded.
    type Value;

    /// The kind of lock, for people: `mutex`, `rwlock`, ...
    const NAME: &'static str;

    /// A lock around `value`.
    fn new(value: Self::Value) -> Self;

    /// Runs `section` with a look at the value; other `shared` sections may run at the same time, an
    /// `exclusive` one cannot. Blocks until it may enter. From any thread.
    fn shared<R>(&self, section: impl FnOnce(&Self::Value) -> R) -> R;

    /// Runs `section` alone with the value. Blocks until it may enter. From any thread.
    fn exclusive<R>(&self, section: impl FnOnce(&mut Self::Value) -> R) -> R;
}
