//! From names to values: the one place where `--model`, `--sync` and the service are matched.

use crate::model::{Iterative, Model, Pool, Select, Thread, WhenFull};
use crate::registry::{Clients, Registry};
use crate::service::{Chat, Echo, Registered, Service};
use crate::sync::{Lock, SemaphoreLock};
use serde::Serialize;
use std::fmt;
use std::num::NonZeroUsize;

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
    /// [`parking_lot::RwLock`]
    RwLock,
    /// [`SemaphoreLock`]
    Semaphore,
    /// [`std::sync::Mutex`]
    StdMutex,
    /// [`std::sync::RwLock`]
    StdRwLock,
}

impl LockKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Mutex,
        Self::RwLock,
        Self::Semaphore,
        Self::StdMutex,
        Self::StdRwLock,
    ];

    /// What to tell people about it.
    pub const fn about(self) -> About {
        match self {
            Self::Mutex => About {
                name: "mutex",
                known_as: "parking_lot::Mutex",
                cost: "one atomic step to enter, one to leave; lookers exclude each other, too",
                starvation: "who just left may enter again before a waiter; every 0.5 ms or so a waiter gets its turn",
            },
            Self::RwLock => About {
                name: "rwlock",
                known_as: "parking_lot::RwLock",
                cost: "as mutex, and all lookers write to one counter; worth it when sections that look are long",
                starvation: "a waiting writer holds back new readers; readers do not starve writers",
            },
            Self::Semaphore => About {
                name: "semaphore",
                known_as: "counting semaphore of N permits: a look takes 1, a change takes all",
                cost: "a mutex and a condition variable per entry and exit; at most N lookers at once",
                starvation: "nobody: first come, first served, so a waiting change holds back later looks",
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
                starvation: "on Linux a waiting writer holds back new readers; std promises no order",
            },
        }
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

/// The service of a kind, with its registry behind the lock of a kind. `permits` is for the semaphore.
pub fn service(kind: ServiceKind, lock: LockKind, permits: NonZeroUsize) -> Box<dyn Service> {
    let clients = Clients::new();
    match lock {
        LockKind::Mutex => behind(kind, parking_lot::Mutex::new(clients)),
        LockKind::RwLock => behind(kind, parking_lot::RwLock::new(clients)),
        LockKind::Semaphore => behind(kind, SemaphoreLock::with_permits(clients, permits.get())),
        LockKind::StdMutex => behind(kind, std::sync::Mutex::new(clients)),
        LockKind::StdRwLock => behind(kind, std::sync::RwLock::new(clients)),
    }
}

fn behind<L>(kind: ServiceKind, lock: L) -> Box<dyn Service>
where
    L: Lock<Value = Clients> + 'static,
{
    let registry = Registry::new(lock);
    match kind {
        ServiceKind::Echo => Box::new(Registered::new(registry, Echo)),
        ServiceKind::Chat { max_line } => Box::new(Chat::new(registry).max_line(max_line)),
    }
}
