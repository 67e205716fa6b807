//! A queue per worker and one at the door: crossbeam's deques. A worker looks into its own, then takes a batch from
//! the one at the door, then steals from the others. One that finds nothing sleeps: [`sleepers`](super::sleepers) tells
//! how it does that without missing a job.

use super::sleepers::{Sleeper, Sleepers};
use super::{Crew, worker};
use crossbeam_deque::{Injector, Steal, Stealer, Worker};
use std::io;
use std::iter;
use std::thread;

pub(super) fn run<J: Send, S: Send, R>(
    crew: &Crew<impl Fn() -> S + Sync, impl Fn(J, &mut S) + Sync>,
    door: impl FnOnce(&dyn Fn(J)) -> R,
) -> io::Result<R> {
    let own: Vec<Worker<J>> = iter::repeat_with(Worker::new_fifo)
        .take(crew.threads)
        .collect();
    let queues = Queues {
        door: Injector::new(),
        workers: own.iter().map(Worker::stealer).collect(),
        sleepers: Sleepers::new(),
    };
    thread::scope(|scope| {
        // Its drop, in whichever way this ends, is what the workers end by.
        let _closing = Closing(&queues.sleepers);
        for (index, own) in own.into_iter().enumerate() {
            let queues = &queues;
            worker().spawn_scoped(scope, move || work(crew, queues, &own, index))?;
        }
        Ok(door(&|job| {
            queues.door.push(job);
            queues.sleepers.wake_one();
        }))
    })
}

/// Until the door has ended and there is nothing to be found. (What another worker is moving then, it does itself.)
fn work<J, S>(
    crew: &Crew<impl Fn() -> S, impl Fn(J, &mut S)>,
    queues: &Queues<J>,
    own: &Worker<J>,
    index: usize,
) {
    let mut state = crew.state();
    let me = Sleeper::new();
    let look = || queues.look(own, index);
    while let Some(job) = queues.sleepers.next(&me, look, || queues.have_any()) {
        crew.work(job, &mut state);
    }
}

struct Queues<J> {
    door: Injector<J>,
    workers: Vec<Stealer<J>>,
    sleepers: Sleepers,
}

impl<J> Queues<J> {
    /// Looks everywhere once. The neighbours' queues are looked at in turn, each worker beginning with its next.
    fn look(&self, own: &Worker<J>, index: usize) -> Option<J> {
        own.pop().or_else(|| {
            let (before, after) = self.workers.split_at(index);
            let others = || after[1..].iter().chain(before);
            let steal = || {
                self.door
                    .steal_batch_and_pop(own)
                    .or_else(|| others().map(Stealer::steal).collect())
            };
            iter::repeat_with(steal)
                .find(|stolen| !stolen.is_retry())
                .and_then(Steal::success)
        })
    }

    fn have_any(&self) -> bool {
        !self.door.is_empty() || self.workers.iter().any(|queue| !queue.is_empty())
    }
}

struct Closing<'a>(&'a Sleepers);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
