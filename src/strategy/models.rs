//! The concurrency models by name.

use super::About;
use crate::executor::Executor;
use crate::model::{
    Accept, Deal, Epoll, Hybrid, Iterative, Kqueue, LeaderFollowers, Model, Poll, Pool, Prefork,
    Process, Program, Select, Thread, Uring, WhenFull,
};
use std::fmt;
use std::num::NonZeroUsize;

/// The concurrency models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelKind {
    /// [`Iterative`]
    Iterative,
    /// [`Process`]
    Process,
    /// [`Prefork`]
    Prefork,
    /// [`Thread`]
    Thread,
    /// [`Pool`]
    Pool,
    /// [`LeaderFollowers`]
    LeaderFollowers,
    /// [`Select`]
    Select,
    /// [`Poll`]
    Poll,
    /// [`Epoll`]
    Epoll,
    /// [`Kqueue`]
    Kqueue,
    /// [`Hybrid`]
    Hybrid,
    /// [`Uring`]
    Uring,
}

impl ModelKind {
    /// All of them, in the order of the textbooks.
    pub const ALL: [Self; 12] = [
        Self::Iterative,
        Self::Process,
        Self::Prefork,
        Self::Thread,
        Self::Pool,
        Self::LeaderFollowers,
        Self::Select,
        Self::Poll,
        Self::Epoll,
        Self::Kqueue,
        Self::Hybrid,
        Self::Uring,
    ];

    /// What to tell people about it.
    pub const fn about(self) -> About {
        match self {
            Self::Iterative => About {
                name: "iterative",
                known_as: "UNP 0, muduo 0",
                cost: "one thread, no switch, no lock contended; no concurrency",
                starvation: "the client being served starves everyone else until it leaves",
            },
            Self::Process => About {
                name: "process",
                known_as: "UNP 1, muduo 1",
                cost: "a process per client: milliseconds to start it, megabytes to keep it; nothing is shared",
                starvation: "nobody, up to the number of processes the system allows",
            },
            Self::Prefork => About {
                name: "prefork",
                known_as: "UNP 2, muduo 3",
                cost: "N processes that accept on one listener; a client holds its process for as long as it stays",
                starvation: "N clients that stay, however idle, starve all who come after them",
            },
            Self::Thread => About {
                name: "thread",
                known_as: "UNP 6, muduo 2",
                cost: "a thread and its stack per client, a context switch per message",
                starvation: "nobody, up to the number of threads the system allows",
            },
            Self::Pool => About {
                name: "pool",
                known_as: "UNP 8, and with --accept mutex, free or reuseport UNP 7, muduo 4",
                cost: "N threads; a client holds its worker for as long as it stays",
                starvation: "N clients that stay, however idle, starve all who come after them",
            },
            Self::LeaderFollowers => About {
                name: "leader-followers",
                known_as: "POSA2, leader/followers",
                cost: "N threads take turns at epoll: no hand-over between threads, a lock around every wait",
                starvation: "N sessions that compute for long starve everyone; idle clients starve nobody",
            },
            Self::Select => About {
                name: "select",
                known_as: "muduo 5",
                cost: "one thread; each turn scans every descriptor up to the highest, 1024 at most",
                starvation: "a session that computes for long starves everyone; clients do not starve each other",
            },
            Self::Poll => About {
                name: "poll",
                known_as: "muduo 5",
                cost: "one thread; each turn scans the list of all descriptors",
                starvation: "a session that computes for long starves everyone; clients do not starve each other",
            },
            Self::Epoll => About {
                name: "epoll",
                known_as: "muduo 5, and with --loops muduo 9",
                cost: "one thread, or one per loop; a turn costs what is ready, not what is connected",
                starvation: "a session that computes for long starves everyone in its loop",
            },
            Self::Kqueue => About {
                name: "kqueue",
                known_as: "muduo 5, and with --loops muduo 9; BSD and macOS",
                cost: "one thread, or one per loop; a turn costs what is ready, not what is connected",
                starvation: "a session that computes for long starves everyone in its loop",
            },
            Self::Hybrid => About {
                name: "hybrid",
                known_as: "POSA2, half-sync/half-async; muduo 8, 11",
                cost: "a reactor and N workers; a hand-over between threads per message",
                starvation: "N sessions that compute for long starve everyone; idle clients starve nobody",
            },
            Self::Uring => About {
                name: "uring",
                known_as: "POSA2, proactor; overlapped I/O",
                cost: "one thread, or one per loop; a system call per turn, not per message",
                starvation: "a session that computes for long starves everyone in its loop",
            },
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.about().name
    }

    /// Whether several threads run sessions at the same time. So can an epoll, kqueue or uring model of several
    /// loops: see [`ModelOptions::has_many_threads`].
    pub const fn has_many_threads(self) -> bool {
        matches!(
            self,
            Self::Thread | Self::Pool | Self::LeaderFollowers | Self::Hybrid
        )
    }

    /// Whether this system has the calls that it is made of. (A kernel may refuse them all the same:
    /// [`Model::check`] asks it.)
    pub const fn is_here(self) -> bool {
        match self {
            Self::Process
            | Self::Prefork
            | Self::Epoll
            | Self::Hybrid
            | Self::LeaderFollowers
            | Self::Uring => {
                cfg!(target_os = "linux")
            }
            Self::Kqueue => cfg!(any(
                target_vendor = "apple",
                target_os = "freebsd",
                target_os = "dragonfly",
                target_os = "netbsd",
                target_os = "openbsd"
            )),
            _ => true,
        }
    }

    /// Whether all of its sessions live in one memory, as those of a chat must.
    pub const fn shares_memory(self) -> bool {
        !matches!(self, Self::Process | Self::Prefork)
    }

    /// Whether a thread that serves a client may wait for another's.
    pub const fn waits_for_clients(self) -> bool {
        matches!(
            self,
            Self::Iterative | Self::Thread | Self::Pool | Self::Process | Self::Prefork
        )
    }

    /// Whether it runs as many loops as it is told to.
    pub const fn has_loops(self) -> bool {
        matches!(self, Self::Epoll | Self::Kqueue | Self::Uring)
    }

    /// Whether a client keeps its worker for as long as it stays, so that it takes a worker for each to serve them all.
    pub const fn keeps_workers(self) -> bool {
        matches!(self, Self::Prefork | Self::Pool)
    }

    /// Whether it has as many workers as it is told to.
    pub const fn has_workers(self) -> bool {
        matches!(
            self,
            Self::Prefork | Self::Pool | Self::LeaderFollowers | Self::Hybrid
        )
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
    /// Workers of a pool, of a hybrid, or of leader and followers; processes of a prefork.
    pub workers: NonZeroUsize,
    /// Clients that may wait for a worker of a pool.
    pub queue: usize,
    /// What happens to one more.
    pub when_full: WhenFull,
    /// Who accepts for a pool.
    pub accept: Accept,
    /// What hands work to the workers of a pool or a hybrid.
    pub executor: Executor,
    /// Bytes of stack per client of a thread model; `None` is Rust's default.
    pub stack_size: Option<usize>,
    /// Loops of an epoll, kqueue or uring model.
    pub loops: NonZeroUsize,
    /// How clients get to several loops.
    pub deal: Deal,
}

impl ModelOptions {
    /// Workers of a pool that is made without a number.
    pub const DEFAULT_WORKERS: NonZeroUsize = NonZeroUsize::new(8).unwrap();

    /// Whether several threads run the sessions of a model of `kind`.
    pub const fn has_many_threads(self, kind: ModelKind) -> bool {
        kind.has_many_threads() || (kind.has_loops() && self.loops.get() > 1)
    }
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self {
            workers: Self::DEFAULT_WORKERS,
            queue: Pool::DEFAULT_QUEUE,
            when_full: WhenFull::default(),
            accept: Accept::default(),
            executor: Executor::default(),
            stack_size: None,
            loops: NonZeroUsize::MIN,
            deal: Deal::default(),
        }
    }
}

/// The model of a kind. One that serves from several processes cannot run before it knows what those run: see
/// [`model_with`].
pub fn model(kind: ModelKind, options: ModelOptions) -> Box<dyn Model> {
    build(kind, options, None)
}

/// The model of a kind, with the program that its processes run if it serves from several.
pub fn model_with(kind: ModelKind, options: ModelOptions, program: Program) -> Box<dyn Model> {
    build(kind, options, Some(program))
}

fn build(kind: ModelKind, options: ModelOptions, program: Option<Program>) -> Box<dyn Model> {
    let ModelOptions { workers, loops, .. } = options;
    match kind {
        ModelKind::Iterative => Box::new(Iterative),
        ModelKind::Process => Box::new(program.into_iter().fold(Process::new(), Process::program)),
        ModelKind::Prefork => Box::new(
            program
                .into_iter()
                .fold(Prefork::new(workers), Prefork::program),
        ),
        ModelKind::Thread => Box::new(match options.stack_size {
            Some(bytes) => Thread::new().stack_size(bytes),
            None => Thread::new(),
        }),
        ModelKind::Pool => Box::new(
            Pool::new(workers)
                .queue(options.queue)
                .when_full(options.when_full)
                .accept(options.accept)
                .executor(options.executor),
        ),
        ModelKind::LeaderFollowers => Box::new(LeaderFollowers::new(workers)),
        ModelKind::Select => Box::new(Select),
        ModelKind::Poll => Box::new(Poll),
        ModelKind::Epoll => Box::new(Epoll::new().loops(loops).deal(options.deal)),
        ModelKind::Kqueue => Box::new(Kqueue::new().loops(loops).deal(options.deal)),
        ModelKind::Hybrid => Box::new(Hybrid::new(workers).executor(options.executor)),
        ModelKind::Uring => Box::new(Uring::new().loops(loops).deal(options.deal)),
    }
}
