//! A queue per worker and one at the door: crossbeam's deques. A worker looks into its own, then takes a batch from
//! the one at the door, then steals from the others.
//!
//! # When a worker may sleep
//! Looking into all queues and finding nothing is no reason to sleep: a job may come right behind one's back,
//! or be on its way in somebody's batch, in no queue at all. Counting idle workers instead, so that whoever pushes
//! knows whether to wake one, has a trap of its own: until the one who was woken has taken itself off the
//! count, the next job counts on it, too, and nobody is woken for that one.
//!
//! So it is *jobs* that are counted, by the permits of a semaphore. A push comes before its permit, and a worker takes
//! a permit before it looks:
//!
//! ```text
//!   door:    push a job, add a permit
//!   worker:  take a permit --> look everywhere --found--> work --> take a permit ...
//!              (or sleep)          ^     |
//!                                  +-----+ nothing: a batch is on its way; look again
//! ```
//!
//! At any time there are at least as many jobs that nobody has found as permits, free or in the hand of one who looks.
//! Whoever has a permit will find a job, and whoever has none is right to sleep. Which worker finds which job does not
//! matter, and a batch changes neither number. A permit that comes wakes a sleeper: that no wake-up gets lost is
//! the [semaphore](crate::sync::semaphore)'s own promise, and checked there by models.
//!
//! When the door has ended, the semaphore is closed, and nobody needs a permit any more: a worker ends when it finds
//! nothing. A batch that is on its way then is done by who took it.

use super::{Crew, worker};
use crate::sync::Semaphore;
use crossbeam_deque::{Injector, Steal, Stealer, Worker};
use crossbeam_utils::Backoff;
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
        ready: Semaphore::barging(0),
        door: Injector::new(),
        workers: own.iter().map(Worker::stealer).collect(),
    };
    thread::scope(|scope| {
        // Its drop, in whichever way this ends, is what the workers end by.
        let _closing = Closing(&queues.ready);
        for (index, own) in own.into_iter().enumerate() {
            let queues = &queues;
            worker().spawn_scoped(scope, move || work(crew, queues, &own, index))?;
        }
        Ok(door(&|job| queues.push(job)))
    })
}

/// Until the door has ended and there is nothing to be found.
fn work<J, S>(
    crew: &Crew<impl Fn() -> S, impl Fn(J, &mut S)>,
    queues: &Queues<J>,
    own: &Worker<J>,
    index: usize,
) {
    let mut state = crew.state();
    while let Some(job) = queues.next(own, index) {
        crew.work(job, &mut state);
    }
}

struct Queues<J> {
    /// A permit per job that nobody is after yet.
    ready: Semaphore,
    door: Injector<J>,
    workers: Vec<Stealer<J>>,
}

impl<J> Queues<J> {
    fn push(&self, job: J) {
        self.door.push(job);
        let added = self.ready.add_permits(1);
        debug_assert!(added.is_ok(), "more jobs than memory has room for");
    }

    /// Waits for a job. `None` when there will be none.
    fn next(&self, own: &Worker<J>, index: usize) -> Option<J> {
        match self.ready.acquire(1) {
            Ok(permit) => permit.forget(),
            Err(_closed) => return self.look(own, index),
        }
        let backoff = Backoff::new();
        loop {
            let found = self.look(own, index);
            // Once it is closed, others look without a permit, and may have found what was meant for this one.
            if found.is_some() || self.ready.is_closed() {
                return found;
            }
            backoff.snooze();
        }
    }

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
}

struct Closing<'a>(&'a Semaphore);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
