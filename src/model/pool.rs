//! [`Pool`]: N workers behind a bounded queue.

use super::warden::Place;
use super::{Accept, Buffers, Context, Model, blocking, only};
use crate::executor::Executor;
use crate::net::Listener;
use crate::stats::Refusal;
use crate::sync::Semaphore;
use crossbeam_channel::bounded;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::Builder;

/// One acceptor hands sockets to N workers through a bounded queue; a worker serves its client to the end
/// (UNP 8).
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

    /// Sets who accepts. Without an acceptor there is no queue: clients wait in the kernel's backlog.
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

    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()> {
        blocking::run(only(listeners), context, |scope, house, acceptor| {
            // Room is counted by permits and not by the channel, whose count would leave out a worker that is
            // on its way back to it.
            let places = self.workers.get() + self.queue;
            let room = Arc::new(Semaphore::new(places));
            let (queue, handed_over) = bounded::<Place>(places);
            for _ in 0..self.workers.get() {
                let handed_over = handed_over.clone();
                let house = house.clone();
                Builder::new()
                    .name("gh-worker".into())
                    .spawn_scoped(scope, move || {
                        let mut buffers = Buffers::new();
                        for place in handed_over {
                            house.serve(place, &mut buffers);
                        }
                    })?;
            }
            drop(handed_over);
            acceptor.run(|newcomer| {
                let mut place = house.seat(newcomer);
                // Nobody closes it.
                place.room = match self.when_full {
                    // During a drain the workers end their clients, so this wait ends, too.
                    WhenFull::Wait => room.acquire_owned(1).ok(),
                    WhenFull::Reject => room.try_acquire_owned(1).ok(),
                };
                if place.room.is_none() {
                    house.refuse(&place.seat, &Refusal::QueueFull { limit: self.queue });
                } else if queue.send(place).is_err() {
                    // The workers hold the other end for as long as this scope lasts.
                    tracing::error!("no worker is left");
                }
            })
        })
    }
}
