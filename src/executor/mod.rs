//! Executors: what hands jobs to the threads behind a model.
//!
//! Each is one file with the same functions in the same order, so that a diff of two shows what differs:
//!
//! ```text
//!   channel                      stealing                              rayon
//!
//!   door                         door                                  door
//!     | send                       | push, wake a sleeper                | spawn, a box per job
//!     v                            v                                     v
//!   [ a b c d ]                  [ a b c d ]                           [ a b c d ]
//!     |      \                     | a batch    \                        | one       \
//!     v       v                    v             v                       v            v
//!   worker   worker              [ a b ]<-steal-[ ]                    [ ]<--steal--[ ]
//!                                worker         worker                 worker       worker
//! ```
//!
//! | | an idle worker | a job costs | order |
//! |---|---|---|---|
//! | channel | sleeps in the queue | a step on each end of one queue | first come, first served |
//! | stealing | sleeps on a list | the same, and less on the queue of all: a batch is taken at once | nearly |
//! | rayon | sleeps by rayon's protocol | an allocation | nearly |

mod channel;
mod rayon;
pub(crate) mod sleepers;
mod stealing;

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::Builder;

/// What hands jobs to worker threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Executor {
    /// One queue that all workers take from.
    #[default]
    Channel,
    /// A queue per worker; who has nothing to do steals from the others.
    Stealing,
    /// A pool of rayon's threads.
    ///
    /// A session that uses rayon itself (`join`, `par_iter`, `scope`) does so in this pool. While it waits for its parts,
    /// its thread takes other jobs, and has to finish each of them before it looks at its own again. Behind
    /// [`Hybrid`](crate::model::Hybrid) such a job is one turn of a client: short. Behind
    /// [`Pool`](crate::model::Pool) it is a *whole client*: the session that waits gets on when that client has left,
    /// which may be never (rayon-rs/rayon#904 is the same from another side). Sessions that do not
    /// use rayon do not meet this. The pool warns when it starts.
    Rayon,
}

impl Executor {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Channel, Self::Stealing, Self::Rayon];

    /// As `--executor` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Stealing => "stealing",
            Self::Rayon => "rayon",
        }
    }

    /// Runs `door` on this thread. Every job that it hands over is worked on by one of `threads` threads, with what
    /// `state` made for that thread. Returns when the door has ended and all jobs are done; every
    /// thread has ended then.
    ///
    /// How many jobs wait is not limited here: whoever hands them over sees to that. When the door ends, also by a panic,
    /// the jobs have to come to an end without it.
    ///
    /// A panic in `work` costs that job and its thread's state, which is made anew. It is logged; a log that panics, too,
    /// costs no more than that.
    ///
    /// # Errors
    /// When a thread cannot be started. The door was not called then.
    pub(crate) fn run<J: Send, S: Send, R>(
        self,
        threads: NonZeroUsize,
        state: impl Fn() -> S + Sync,
        work: impl Fn(J, &mut S) + Sync,
        door: impl FnOnce(&dyn Fn(J)) -> R,
    ) -> io::Result<R> {
        let crew = Crew {
            threads: threads.get(),
            state,
            work,
        };
        match self {
            Self::Channel => channel::run(&crew, door),
            Self::Stealing => stealing::run(&crew, door),
            Self::Rayon => rayon::run(&crew, door),
        }
    }
}

/// The threads of an executor: how many, what each needs, and what they do.
struct Crew<State, Work> {
    threads: usize,
    state: State,
    work: Work,
}

impl<State, Work> Crew<State, Work> {
    fn state<S>(&self) -> S
    where
        State: Fn() -> S,
    {
        (self.state)()
    }

    /// Does one job. Never panics: a worker that is lost would be missed by nobody but the clients who wait for it.
    fn work<J, S>(&self, job: J, state: &mut S)
    where
        State: Fn() -> S,
        Work: Fn(J, &mut S),
    {
        let done = catch_unwind(AssertUnwindSafe(|| (self.work)(job, state)));
        if let Err(panic) = done {
            // What was thrown may panic again when it is dropped.
            std::mem::forget(panic);
            *state = self.state();
            // It may have been the log that panicked, and it may do so again.
            let said = catch_unwind(|| tracing::error!("a job panicked; its worker goes on"));
            std::mem::forget(said);
        }
    }
}

fn worker() -> Builder {
    Builder::new().name("gh-worker".into())
}

#[cfg(test)]
mod tests;
