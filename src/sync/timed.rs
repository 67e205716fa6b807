//! [`Timed`]: any lock, with its sections watched.

pub(crate) mod buckets;
mod clock;
mod cost;
mod watch;
mod who;

use super::{Expired, Lock, LockStats, TimedLock, TryLock};
use parking_lot::Mutex;
use std::fmt;
use std::panic::Location;
use std::sync::OnceLock;
use std::time::Duration;
use watch::{Access, Watch};

/// The lock `L`, and how its sections go: how long they wait and hold, how many are inside, who overtakes whom.
///
/// It wraps; `L` is entered and left as it would be without, and what was seen is written down after `L` is
/// released. Watching locks nothing and waits for nobody, but for a thread's first section, and its end: either takes a
/// mutex of the whole process, to write the thread down in a table and to strike it off. It takes three reads of the
/// processor's counter and five atomic steps, some 75 ns per section; what it takes on this machine is part of the
/// [`stats`](Lock::stats), as `own_cost`. Where the processor has no steady counter, the system's clock takes its
/// place, at twice that.
///
/// ```
/// use guardhouse::sync::{Lock, Timed};
///
/// let visitors = Timed::<parking_lot::Mutex<_>>::new(0);
/// visitors.exclusive(|count| *count += 1);
/// assert_eq!(visitors.shared(|count| *count), 1);
///
/// let stats = visitors.stats().expect("this lock is watched");
/// assert_eq!((stats.wait.count, stats.hold.count), (2, 2));
/// assert_eq!((stats.most_inside, stats.overtakings), (1, 0));
/// println!("the longest wait took {:?}", stats.wait.max);
/// ```
///
/// In a server, `Registry::new(Timed::<parking_lot::Mutex<_>>::new(Clients::new()))` is all it takes:
/// [`Handle::stats`](crate::Handle::stats) then has it in `lock`.
///
/// # What is counted
/// - **Waits and holds**, each in buckets whose upper end is at most 1/8 above their lower end. A percentile is the
///   upper end: never too small, and at most 12.5 % too large. The longest is exact.
/// - **Inside at most**: exact.
/// - **Overtakings**: how often one entered before another that had arrived earlier, as seen at the door: whoever it was,
///   and whether it was in the way or not. Nobody keeps a list of who waits, so this is a bound: never more than there
///   were, and, where nobody gives up waiting, at least half of them once all have entered. Two lookers that pass each
///   other at a reader-writer lock count, although neither waits; and so does everybody who looks at a
///   [`Snapshot`](super::Snapshot) while one waits to change it, although it holds up no change.
/// - **Expired waits**, and failed tries, are no waits: only what entered is in the buckets.
/// - **What a lock does on its own account** counts as it lies. A [`Snapshot`](super::Snapshot) clones its value before
///   a changing section is entered, so that is part of the wait, also where nobody else is there; and publishes after
///   the section has left, so that is part of neither. Who waits for it meanwhile waits, of course.
///
/// The first [`stats`](Lock::stats) of a process measures what watching costs, for a few milliseconds; the first
/// `Timed` compares the processor's counter to the system's clock, for about one, and for 200 where the two will not
/// agree.
///
/// # Who is inside
/// When a timed wait expires, [`Expired`] names thread and call site of whoever is inside, also where a strategy runs the
/// section on a thread of its own: the one that changes, or, where none does, one of those that look. It is not known of
/// more than some thousand call sites in one program, nor of a thread that is ending; and of several lookers one may hide
/// another, where they count in the same stripe. Who waits to change a [`Snapshot`](super::Snapshot) and
/// expires while that clones or publishes may be told of a looker, who is in nobody's way.
///
/// # Memory
/// 64 KiB per lock: two histograms of 496 counters for each of 8 stripes. A thread counts in one stripe, so that
/// threads seldom write to the same cache line. A line in a table per thread, until it ends.
pub struct Timed<L> {
    lock: L,
    watch: Watch,
}

impl<L: Lock> Timed<L> {
    /// Watches `lock`, for one that needs more than a value to be made.
    pub fn around(lock: L) -> Self {
        Self {
            lock,
            watch: Watch::new(),
        }
    }
}

impl<L: Lock> Lock for Timed<L> {
    type Value = L::Value;
    /// That of the lock inside.
    const NAME: &'static str = L::NAME;

    fn new(value: L::Value) -> Self {
        Self::around(L::new(value))
    }

    #[inline]
    #[track_caller]
    fn shared<R: Send>(&self, section: impl FnOnce(&L::Value) -> R + Send) -> R {
        let mut visit = self.watch.arrive(Access::Shared, Location::caller());
        self.lock.shared(|value| visit.inside(|| section(value)))
    }

    #[inline]
    #[track_caller]
    fn exclusive<R: Send>(&self, section: impl FnOnce(&mut L::Value) -> R + Send) -> R {
        let mut visit = self.watch.arrive(Access::Exclusive, Location::caller());
        self.lock.exclusive(|value| visit.inside(|| section(value)))
    }

    /// From any thread. Each number is exact; together they are not one moment.
    fn stats(&self) -> Option<LockStats> {
        Some(self.watch.stats(own_cost()))
    }
}

/// What watching adds to a section, measured once per process.
fn own_cost() -> Duration {
    static COST: OnceLock<Duration> = OnceLock::new();
    *COST.get_or_init(|| cost::added(&Mutex::new(0), &Timed::around(Mutex::new(0))))
}

impl<L: TryLock> TryLock for Timed<L> {
    #[inline]
    #[track_caller]
    fn try_shared<R: Send>(&self, section: impl FnOnce(&L::Value) -> R + Send) -> Option<R> {
        let mut visit = self.watch.arrive(Access::Shared, Location::caller());
        self.lock
            .try_shared(|value| visit.inside(|| section(value)))
    }

    #[inline]
    #[track_caller]
    fn try_exclusive<R: Send>(&self, section: impl FnOnce(&mut L::Value) -> R + Send) -> Option<R> {
        let mut visit = self.watch.arrive(Access::Exclusive, Location::caller());
        self.lock
            .try_exclusive(|value| visit.inside(|| section(value)))
    }
}

impl<L: TimedLock> TimedLock for Timed<L> {
    #[inline]
    #[track_caller]
    fn shared_for<R: Send>(
        &self,
        patience: Duration,
        section: impl FnOnce(&L::Value) -> R + Send,
    ) -> Result<R, Expired> {
        let mut visit = self.watch.arrive(Access::Shared, Location::caller());
        self.lock
            .shared_for(patience, |value| visit.inside(|| section(value)))
            .map_err(|expired| self.explain(expired))
    }

    #[inline]
    #[track_caller]
    fn exclusive_for<R: Send>(
        &self,
        patience: Duration,
        section: impl FnOnce(&mut L::Value) -> R + Send,
    ) -> Result<R, Expired> {
        let mut visit = self.watch.arrive(Access::Exclusive, Location::caller());
        self.lock
            .exclusive_for(patience, |value| visit.inside(|| section(value)))
            .map_err(|expired| self.explain(expired))
    }
}

impl<L> Timed<L> {
    /// Counts it, and adds who is inside.
    #[cold]
    fn explain(&self, expired: Expired) -> Expired {
        self.watch.expired();
        Expired {
            holder: self.watch.holder().or(expired.holder),
            ..expired
        }
    }
}

impl<L: fmt::Debug> fmt::Debug for Timed<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timed")
            .field("lock", &self.lock)
            .finish_non_exhaustive()
    }
}
