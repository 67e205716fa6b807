//! From names to values: the one place where `--model`, `--sync` and the service are matched.

use crate::model::{Iterative, Model, Pool, Select, Thread, WhenFull};
use crate::registry::{Clients, Registry};
use crate::service::{Chat, Echo, Registered, Service};
use crate::sync::{Actor, Lock, OneThread, SemaphoreLock, Snapshot, SpinMutex, TicketMutex, Timed};
use crossbeam_utils::sync::ShardedLock;
use serde::Serialize;
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// A kind of thing that a flag chooses, and what to tell people about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct About {
    /// As the flag calls it.
    pub name: &'static str,
    /// Which design of the textbooks it is.
    pub known_as: &'static str,
    /// What it costs.
    pub cost: &'static str,
    /// Who may starve whom.
    pub starvation: &'static str,
}

/// The concurrency models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelKind {
    /// [`Iterative`]
    Iterative,
    /// [`Thread`]
    Thread,
    /// [`Pool`]
    Pool,
    /// [`Select`]
    Select,
}

impl ModelKind {
    /// All of them, in the order of the textbooks.
    pub const ALL: [Self; 4] = [Self::Iterative, Self::Thread, Self::Pool, Self::Select];

    /// What to tell people about it.
    pub const fn about(self) -> About {
        match self {
            Self::Iterative => About {
                name: "iterative",
                known_as: "UNP 0, muduo 0",
                cost: "one thread, no switch, no lock contended; no concurrency",
                starvation: "the client being served starves everyone else until it leaves",
            },
            Self::Thread => About {
                name: "thread",
                known_as: "UNP 6, muduo 2",
                cost: "a thread and its stack per client, a context switch per message",
                starvation: "nobody, up to the number of threads the system allows",
            },
            Self::Pool => About {
                name: "pool",
                known_as: "UNP 8",
                cost: "N threads; a client holds its worker for as long as it stays",
                starvation: "N clients that stay, however idle, starve all who come after them",
            },
            Self::Select => About {
                name: "select",
                known_as: "muduo 5",
                cost: "one thread; each turn scans every descriptor up to the highest, 1024 at most",
                starvation: "a session that computes for long starves everyone; clients do not starve each other",
            },
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.about().name
    }

    /// Whether several threads run sessions at the same time.
    pub const fn has_many_threads(self) -> bool {
        matches!(self, Self::Thread | Self::Pool)
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the models need beyond their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelOptions {
    /// Workers of a pool.
    pub workers: NonZeroUsize,
    /// Clients that may wait for a worker.
    pub queue: usize,
    /// What happens to one more.
    pub when_full: WhenFull,
    /// Bytes of stack per client; `None` is Rust's default.
    pub stack_size: Option<usize>,
}

impl ModelOptions {
    /// Workers of a pool that is made without a number.
    pub const DEFAULT_WORKERS: NonZeroUsize = NonZeroUsize::new(8).unwrap();
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self {
            workers: Self::DEFAULT_WORKERS,
            queue: Pool::DEFAULT_QUEUE,
            when_full: WhenFull::default(),
            stack_size: None,
        }
    }
}

/// The model of a kind.
pub fn model(kind: ModelKind, options: ModelOptions) -> Box<dyn Model> {
    match kind {
        ModelKind::Iterative => Box::new(Iterative),
        ModelKind::Thread => Box::new(match options.stack_size {
            Some(bytes) => Thread::new().stack_size(bytes),
            None => Thread::new(),
        }),
        ModelKind::Pool => Box::new(
            Pool::new(options.workers)
                .queue(options.queue)
                .when_full(options.when_full),
        ),
        ModelKind::Select => Box::new(Select),
    }
}

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
    /// [`TicketMutex`]
    Ticket,
    /// [`SpinMutex`]
    Spin,
    /// [`Snapshot`]
    Snapshot,
    /// [`ShardedLock`]
    Sharded,
    /// [`Actor`]
    Actor,
    /// [`OneThread`]
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

    /// Whether a registry behind it can serve `model`: not when several threads would enter what one must own.
    pub const fn goes_with(self, model: ModelKind) -> bool {
        !matches!(self, Self::None) || !model.has_many_threads()
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

/// The services that come with the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// [`Echo`]
    Echo,
    /// [`Chat`]
    Chat {
        /// The longest line, in bytes, newline not counted.
        max_line: usize,
    },
}

/// What the locks need beyond their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockOptions {
    /// Permits of a semaphore, at most [`Semaphore::MAX_PERMITS`](crate::sync::Semaphore::MAX_PERMITS).
    pub permits: NonZeroUsize,
    /// Whether its sections are watched, by [`Timed`]: [`Handle::stats`](crate::Handle::stats) has them then.
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

/// The service of a kind, with its registry behind the lock of a kind.
///
/// Serve it under a model that the lock [goes with](LockKind::goes_with): under another, `none` panics for all
/// clients but those of the thread that came first, and they are closed.
///
/// # Errors
/// The system's, when it has no thread to give to an actor.
///
/// # Panics
/// When a semaphore is to have more permits than [`Semaphore::MAX_PERMITS`](crate::sync::Semaphore::MAX_PERMITS).
pub fn service(
    kind: ServiceKind,
    lock: LockKind,
    options: LockOptions,
) -> io::Result<Box<dyn Service>> {
    let stats = options.stats;
    let clients = Clients::new();
    Ok(match lock {
        LockKind::Mutex => behind(kind, parking_lot::Mutex::new(clients), stats),
        LockKind::FairMutex => behind(kind, parking_lot::FairMutex::new(clients), stats),
        LockKind::RwLock => behind(kind, parking_lot::RwLock::new(clients), stats),
        LockKind::StdMutex => behind(kind, std::sync::Mutex::new(clients), stats),
        LockKind::StdRwLock => behind(kind, std::sync::RwLock::new(clients), stats),
        LockKind::Semaphore => {
            let permits = options.permits.get();
            behind(kind, SemaphoreLock::with_permits(clients, permits), stats)
        }
        LockKind::Ticket => behind(kind, TicketMutex::new(clients), stats),
        LockKind::Spin => behind(kind, SpinMutex::new(clients), stats),
        LockKind::Snapshot => behind(kind, Snapshot::new(clients), stats),
        LockKind::Sharded => behind(kind, ShardedLock::new(clients), stats),
        LockKind::Actor => behind(kind, Actor::try_new(clients)?, stats),
        LockKind::None => behind(kind, OneThread::new(clients), stats),
    })
}

fn behind<L>(kind: ServiceKind, lock: L, stats: bool) -> Box<dyn Service>
where
    L: Lock<Value = Clients> + 'static,
{
    if stats {
        with(kind, Registry::new(Timed::around(lock)))
    } else {
        with(kind, Registry::new(lock))
    }
}

fn with<L>(kind: ServiceKind, registry: Arc<Registry<L>>) -> Box<dyn Service>
where
    L: Lock<Value = Clients> + 'static,
{
    match kind {
        ServiceKind::Echo => Box::new(Registered::new(registry, Echo)),
        ServiceKind::Chat { max_line } => Box::new(Chat::new(registry).max_line(max_line)),
    }
}
