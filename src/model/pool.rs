//! [`Pool`]: N workers behind a bounded queue.

use super::warden::Place;
use super::{Buffers, Context, Model, blocking};
use crate::net::Listener;
use crate::stats::Refusal;
use crossbeam_channel::{TrySendError, bounded};
use std::io;
use std::num::NonZeroUsize;
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
}

/// What the acceptor does with a client for whom the queue has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Waits for room, and accepts nobody meanwhile: they wait in the kernel's backlog.
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
        }
    }

    /// Sets how many clients may wait for a worker. With 0, a client is handed over hand to hand.
    #[must_use]
    pub fn queue(mut self, clients: usize) -> Self {
        self.queue = clients;
        self
    }

    /// Sets what happens to a client for whom there is no room.
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }
}

impl Model for Pool {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn run(&self, listener: Listener, context: Context<'_>) -> io::Result<()> {
        blocking::run(listener, context, |scope, house, acceptor| {
            let (queue, handed_over) = bounded::<Place>(self.queue);
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
                let place = house.seat(newcomer);
                let full = match self.when_full {
                    // During a drain the workers end their clients and come back to the queue, so this
                    // wait ends, too.
                    WhenFull::Wait => queue.send(place).map_err(|error| error.0),
                    WhenFull::Reject => queue.try_send(place).map_err(TrySendError::into_inner),
                };
                if let Err(place) = full {
                    house.refuse(&place.seat, &Refusal::QueueFull { limit: self.queue });
                }
            })
        })
    }
}
