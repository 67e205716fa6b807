//! [`Pool`]: N workers, behind a bounded queue or at the door themselves.

mod doorways;
mod queue;
#[cfg(target_os = "linux")]
mod unattended;

use super::{Accept, Context, Model, Unsupported};
use crate::executor::Executor;
use crate::net::Listener;
use std::io;
use std::num::NonZeroUsize;

/// N workers, each of which serves a client to its end. One acceptor hands sockets to them through a bounded queue
/// (UNP 8), or they [accept](Accept) by themselves (UNP 7).
///
/// N clients that stay connected hold all workers, however idle they are: the next one waits. That
/// is the classic starvation of a pool, and the reason for [`WhenFull`].
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    workers: NonZeroUsize,
    queue: usize,
    when_full: WhenFull,
    accept: Accept,
    executor: Executor,
}

/// What the acceptor does with a client for whom the queue has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Waits for room with this one client in hand, and accepts nobody else meanwhile: they wait in the
    /// kernel's backlog.
    #[default]
    Wait,
    /// Refuses the client with a sentence.
    Reject,
    /// The acceptor serves this client by itself, to its end, and accepts nobody else meanwhile: one worker more when
    /// there are too few, and a door that is shut for as long as that client stays, also when others have left. At a drain,
    /// too, the listener is closed only when that client is gone.
    CallerRuns,
}

impl Pool {
    /// Clients that wait for a worker, unless another number is set.
    pub const DEFAULT_QUEUE: usize = 128;

    /// A pool of `workers` threads.
    pub fn new(workers: NonZeroUsize) -> Self {
        Self {
            workers,
            queue: Self::DEFAULT_QUEUE,
            when_full: WhenFull::default(),
            accept: Accept::default(),
            executor: Executor::default(),
        }
    }

    /// The most clients that can be allowed to wait for a worker.
    pub const LONGEST_QUEUE: usize = 1 << 20;

    /// Sets how many clients may wait for a worker. With 0, only a worker without a client takes one.
    ///
    /// # Panics
    /// When `clients` exceeds [`LONGEST_QUEUE`](Self::LONGEST_QUEUE).
    #[must_use]
    pub fn queue(mut self, clients: usize) -> Self {
        assert!(
            clients <= Self::LONGEST_QUEUE,
            "a queue of {clients} clients is longer than {}",
            Self::LONGEST_QUEUE
        );
        self.queue = clients;
        self
    }

    /// Sets what happens to a client for whom there is no room.
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Sets who accepts. Without an acceptor there is no queue and no executor: clients wait in the kernel's backlog.
    #[must_use]
    pub fn accept(mut self, accept: Accept) -> Self {
        self.accept = accept;
        self
    }

    /// Sets what hands clients to the workers.
    #[must_use]
    pub fn executor(mut self, executor: Executor) -> Self {
        self.executor = executor;
        self
    }
}

impl Model for Pool {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn check(&self) -> Result<(), Unsupported> {
        if self.accept == Accept::ReusePort && !cfg!(target_os = "linux") {
            return Err(Unsupported(
                "of several sockets on one address (SO_REUSEPORT), only Linux deals the clients out: take --accept \
                 acceptor, mutex or free"
                    .into(),
            ));
        }
        Ok(())
    }

    fn listeners(&self) -> usize {
        match self.accept {
            Accept::ReusePort => self.workers.get(),
            Accept::Acceptor | Accept::Mutex | Accept::Free => 1,
        }
    }

    fn waits_for_clients(&self) -> bool {
        true
    }

    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()> {
        match self.accept {
            Accept::Acceptor => self.run_behind_a_queue(listeners, context),
            Accept::Mutex | Accept::Free | Accept::ReusePort => {
                self.run_at_the_door(listeners, context)
            }
        }
    }
}
