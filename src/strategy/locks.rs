//! The sync strategies by name.

use super::{About, ModelKind, ModelOptions};
use crate::sync::SemaphoreLock;
use std::fmt;
use std::num::NonZeroUsize;

/// The sync strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// [`parking_lot::Mutex`]
    Mutex,
    /// [`parking_lot::FairMutex`]
    FairMutex,
    /// [`parking_lot::RwLock`]
    RwLock,
    /// [`std::sync::Mutex`]
    StdMutex,
    /// [`std::sync::RwLock`]
    StdRwLock,
    /// [`SemaphoreLock`]
    Semaphore,
    /// [`TicketMutex`](crate::sync::TicketMutex)
    Ticket,
    /// [`SpinMutex`](crate::sync::SpinMutex)
    Spin,
    /// [`Snapshot`](crate::sync::Snapshot)
    Snapshot,
    /// [`ShardedLock`](crossbeam_utils::sync::ShardedLock)
    Sharded,
    /// [`Actor`](crate::sync::Actor)
    Actor,
    /// [`OneThread`](crate::sync::OneThread)
    None,
}

impl LockKind {
    /// All of them, in the order of the textbooks: what everyone has, how it is made, how to do without.
    pub const ALL: [Self; 12] = [
        Self::Mutex,
        Self::FairMutex,
        Self::RwLock,
        Self::StdMutex,
        Self::StdRwLock,
        Self::Semaphore,
        Self::Ticket,
        Self::Spin,
        Self::Snapshot,
        Self::Sharded,
        Self::Actor,
        Self::None,
    ];

    /// What to tell people about it.
    pub const fn about(self) -> About {
        match self {
            Self::Mutex => About {
                name: "mutex",
                known_as: "parking_lot::Mutex",
                cost: "one atomic step to enter, one to leave; lookers exclude each other, too",
                starvation: "who just left may enter again before a waiter, without bound",
            },
            Self::FairMutex => About {
                name: "fair-mutex",
                known_as: "parking_lot::FairMutex",
                cost: "as mutex while nobody waits; a context switch per section as soon as somebody does",
                starvation: "nobody who sleeps: who leaves hands over to the one who sleeps longest; one that still spins may be overtaken",
            },
            Self::RwLock => About {
                name: "rwlock",
                known_as: "parking_lot::RwLock",
                cost: "as mutex, and all lookers write to one counter; worth it when sections that look are long",
                starvation: "a waiting writer holds back new readers; writers may starve readers and each other, without bound",
            },
            Self::StdMutex => About {
                name: "std-mutex",
                known_as: "std::sync::Mutex",
                cost: "one atomic step to enter, one to leave; lookers exclude each other, too",
                starvation: "no order among waiters: who comes may overtake who waits, without bound",
            },
            Self::StdRwLock => About {
                name: "std-rwlock",
                known_as: "std::sync::RwLock",
                cost: "as std-mutex, and all lookers write to one counter",
                starvation: "std promises no order; on Linux a waiting writer holds back new readers, and writers may starve readers and each other, without bound",
            },
            Self::Semaphore => About {
                name: "semaphore",
                known_as: "counting semaphore of N permits: a look takes 1, a change takes all",
                cost: "one atomic step to enter, one to leave; all lookers write to one counter; at most N of them at once",
                starvation: "nobody: first come, first served, so a waiting change holds back later looks",
            },
            Self::Ticket => About {
                name: "ticket",
                known_as: "ticket lock (Mellor-Crummey and Scott 1991); measured, not recommended",
                cost: "measured, not recommended: who waits burns its processor, and every hand-over disturbs all who wait",
                starvation: "nobody: first come, first served; but one that is not running holds up all behind it",
            },
            Self::Spin => About {
                name: "spin",
                known_as: "test and test-and-set lock (Rudolph and Segall 1984); measured, not recommended",
                cost: "measured, not recommended: who waits burns its processor, the one that the holder needs, too",
                starvation: "no order among waiters: whose core is nearest enters, without bound",
            },
            Self::Snapshot => About {
                name: "snapshot",
                known_as: "copy on write, read-copy-update: arc_swap and a mutex for writers",
                cost: "a look takes two atomic steps on a cache line of its own, and may see yesterday's list; a change copies it",
                starvation: "readers wait for nobody; a writer who just left may enter again before a waiting one, without bound",
            },
            Self::Sharded => About {
                name: "sharded",
                known_as: "crossbeam_utils::sync::ShardedLock, big-reader lock: 8 std::sync::RwLock",
                cost: "a look takes its thread's one of 8 locks and disturbs no other core; a change takes all 8",
                starvation: "as std-rwlock, without bound; a writer that waits for one shard keeps readers out of those it has",
            },
            Self::Actor => About {
                name: "actor",
                known_as: "an owner thread that is sent closures: message passing, active object",
                cost: "two messages between threads per section, microseconds; looks wait, too; no lock at all",
                starvation: "nobody: the owner takes sections first come, first served",
            },
            Self::None => About {
                name: "none",
                known_as: "one thread owns everything; checked when it enters",
                cost: "a comparison per section; only for models of one thread",
                starvation: "nobody: nobody waits",
            },
        }
    }

    /// Whether a registry behind it can serve a `model` with these options: not when several threads would enter what
    /// one must own.
    pub const fn goes_with(self, model: ModelKind, options: &ModelOptions) -> bool {
        !matches!(self, Self::None) || !options.has_many_threads(model)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.about().name
    }
}

impl fmt::Display for LockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the locks need beyond their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockOptions {
    /// Permits of a semaphore, at most [`Semaphore::MAX_PERMITS`](crate::sync::Semaphore::MAX_PERMITS).
    pub permits: NonZeroUsize,
    /// Whether its sections are watched, by [`Timed`](crate::sync::Timed): [`Handle::stats`](crate::Handle::stats) has them then.
    pub stats: bool,
}

impl Default for LockOptions {
    fn default() -> Self {
        const PERMITS: NonZeroUsize =
            NonZeroUsize::new(SemaphoreLock::<()>::DEFAULT_PERMITS).unwrap();
        Self {
            permits: PERMITS,
            stats: false,
        }
    }
}
