//! One queue: crossbeam's channel, from which all workers receive.

use super::{Crew, worker};
use crossbeam_channel::{Receiver, unbounded};
use std::io;
use std::thread;

pub(super) fn run<J: Send, S: Send, R>(
    crew: &Crew<impl Fn() -> S + Sync, impl Fn(J, &mut S) + Sync>,
    door: impl FnOnce(&dyn Fn(J)) -> R,
) -> io::Result<R> {
    let (queue, jobs) = unbounded();
    thread::scope(|scope| {
        // Its drop, in whichever way this ends, is what the workers end by.
        let queue = queue;
        for _ in 0..crew.threads {
            let jobs = jobs.clone();
            worker().spawn_scoped(scope, move || work(crew, &jobs))?;
        }
        Ok(door(&|job| {
            let sent = queue.send(job);
            debug_assert!(sent.is_ok(), "this function holds the other end, too");
        }))
    })
}

/// Until the queue is empty and nobody can fill it any more.
fn work<J, S>(crew: &Crew<impl Fn() -> S, impl Fn(J, &mut S)>, jobs: &Receiver<J>) {
    let mut state = crew.state();
    for job in jobs {
        crew.work(job, &mut state);
    }
}
