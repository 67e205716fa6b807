//! A pool of rayon's threads, of its own: the global one belongs to the program, and may have threads that wait
//! for this server.

use super::{Crew, worker};
use parking_lot::Mutex;
use rayon::{ThreadPoolBuilder, current_thread_index};
use std::io;
use std::iter;
use std::thread;

pub(super) fn run<J: Send, S: Send, R>(
    crew: &Crew<impl Fn() -> S + Sync, impl Fn(J, &mut S) + Sync>,
    door: impl FnOnce(&dyn Fn(J)) -> R,
) -> io::Result<R> {
    let states: Vec<Mutex<Option<S>>> = iter::repeat_with(Mutex::default)
        .take(crew.threads)
        .collect();
    thread::scope(|scope| {
        // Its drop, in whichever way this ends, is what the workers end by. It does not wait for them: the scope does.
        let pool = ThreadPoolBuilder::new()
            .num_threads(crew.threads)
            .spawn_handler(|thread| {
                worker().spawn_scoped(scope, || thread.run())?;
                Ok(())
            })
            .build()
            .map_err(io::Error::other)?;
        Ok(pool.in_place_scope(|jobs| door(&|job| jobs.spawn(|_| work(crew, &states, job)))))
    })
}

/// One job. Its thread may be in the middle of another one, which waits for parts of its own.
fn work<J, S>(
    crew: &Crew<impl Fn() -> S, impl Fn(J, &mut S)>,
    states: &[Mutex<Option<S>>],
    job: J,
) {
    let own = current_thread_index().map(|index| &states[index]);
    let kept = own.and_then(|own| own.lock().take());
    let mut state = kept.unwrap_or_else(|| crew.state());
    crew.work(job, &mut state);
    if let Some(own) = own {
        *own.lock() = Some(state);
    }
}
