//! One acceptor and a queue: workers that wait for it to hand them a client.

use super::{Pool, WhenFull};
use crate::executor::Executor;
use crate::model::warden::Place;
use crate::model::{Buffers, Context, blocking, only};
use crate::net::Listener;
use crate::stats::Refusal;
use crate::sync::Semaphore;
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// A client on its way to a worker.
struct Queued {
    place: Place,
    since: Instant,
}

impl Pool {
    pub(super) fn run_behind_a_queue(
        &self,
        listeners: Vec<Listener>,
        context: Context<'_>,
    ) -> io::Result<()> {
        if self.executor == Executor::Rayon {
            tracing::warn!(
                "a session that uses rayon may be held up in this pool, until a client that its worker took meanwhile has \
                 left; sessions that do not are not (see Executor::Rayon)"
            );
        }
        blocking::run(only(listeners), context, |_, house, acceptor| {
            // Room is counted by permits and not by the executor, whose count would leave out a worker that is
            // on its way back to it.
            let room = Arc::new(Semaphore::new(self.workers.get() + self.queue));
            let serve = |client: Queued, buffers: &mut Buffers| {
                context.stats.dequeued(client.since.elapsed());
                house.serve(client.place, buffers);
            };
            let accepting = |hand_over: &dyn Fn(Queued)| {
                // The workers end when the clients do.
                let _closing = house.closing();
                let mut own_buffers = Buffers::new();
                acceptor.run(|newcomer| {
                    let since = Instant::now();
                    let mut place = house.seat(newcomer);
                    // Nobody closes it.
                    place.room = match self.when_full {
                        // During a drain the workers end their clients, so this wait ends, too.
                        WhenFull::Wait => room.acquire_owned(1).ok(),
                        WhenFull::Reject | WhenFull::CallerRuns => room.try_acquire_owned(1).ok(),
                    };
                    if place.room.is_some() {
                        hand_over(Queued { place, since });
                    } else if self.when_full == WhenFull::CallerRuns {
                        house.serve(place, &mut own_buffers);
                    } else {
                        house.refuse(&place.seat, &Refusal::QueueFull { limit: self.queue });
                    }
                })
            };
            self.executor
                .run(self.workers, Buffers::new, serve, accepting)?
        })
    }
}
