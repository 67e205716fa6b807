//! What every executor promises.

use super::Executor;
use crate::broken_log::BrokenLog;
use parking_lot::{Condvar, Mutex};
use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

const THREADS: NonZeroUsize = NonZeroUsize::new(4).unwrap();
const PATIENCE: Duration = Duration::from_secs(20);

/// Where threads wait until so many are there.
#[derive(Default)]
struct Meeting {
    here: Mutex<usize>,
    changed: Condvar,
}

impl Meeting {
    /// Whether `count` came.
    fn attend(&self, count: usize) -> bool {
        let mut here = self.here.lock();
        *here += 1;
        self.changed.notify_all();
        let mut late = false;
        while *here < count && !late {
            late = self.changed.wait_for(&mut here, PATIENCE).timed_out();
        }
        *here >= count
    }
}

#[test]
fn every_job_is_done_once_and_on_none_but_its_own_threads() {
    for executor in Executor::ALL {
        const JOBS: usize = 10_000;
        let done: Vec<AtomicUsize> = (0..JOBS).map(|_| AtomicUsize::new(0)).collect();
        let workers: Mutex<HashSet<ThreadId>> = Mutex::default();
        let note = |job: usize, own: &mut Option<ThreadId>| {
            done[job].fetch_add(1, Ordering::Relaxed);
            let here = thread::current();
            assert_eq!(here.name(), Some("gh-worker"));
            assert_eq!(
                *own.get_or_insert(here.id()),
                here.id(),
                "a state per thread"
            );
            workers.lock().insert(here.id());
        };
        let answer = executor
            .run(
                THREADS,
                || None,
                note,
                |hand_over| {
                    (0..JOBS).for_each(hand_over);
                    "what the door says"
                },
            )
            .unwrap();
        assert_eq!(answer, "what the door says");
        for (job, done) in done.iter().enumerate() {
            assert_eq!(done.load(Ordering::Relaxed), 1, "{executor:?}, job {job}");
        }
        assert!(workers.lock().len() <= THREADS.get());
    }
}

/// Jobs that each wait for all the others of their round: a worker that sleeps while one waits in somebody's batch shows.
#[test]
fn no_job_waits_while_a_worker_has_none() {
    for executor in Executor::ALL {
        let everybody = THREADS.get() + 1;
        let rounds: Vec<Meeting> = (0..2_000).map(|_| Meeting::default()).collect();
        let attend = |round: usize, (): &mut ()| {
            rounds[round].attend(everybody);
        };
        let met = executor
            .run(
                THREADS,
                || (),
                attend,
                |hand_over| {
                    // Some workers are asleep when the next round begins, and some on their way there.
                    rounds.iter().enumerate().all(|(round, meeting)| {
                        (0..THREADS.get()).for_each(|_| hand_over(round));
                        meeting.attend(everybody)
                    })
                },
            )
            .unwrap();
        assert!(met, "{executor:?}");
    }
}

#[test]
fn a_panic_costs_its_job_and_the_state_it_may_have_spoilt() {
    for executor in Executor::ALL {
        let states = AtomicUsize::new(0);
        let done = AtomicUsize::new(0);
        let work = |job: usize, spoilt: &mut bool| {
            assert!(!*spoilt, "a state that a panic went through");
            if job.is_multiple_of(10) {
                *spoilt = true;
                resume_unwind(Box::new("planned"));
            }
            done.fetch_add(1, Ordering::Relaxed);
        };
        let state = || {
            states.fetch_add(1, Ordering::Relaxed);
            false
        };
        executor
            .run(THREADS, state, work, |hand_over| {
                (0..100).for_each(hand_over);
            })
            .unwrap();
        assert_eq!(done.load(Ordering::Relaxed), 90, "{executor:?}");
        assert!(states.load(Ordering::Relaxed) <= THREADS.get() + 10);
    }
}

#[test]
fn a_log_that_panics_costs_no_worker() {
    for executor in Executor::ALL {
        let everybody = THREADS.get() + 1;
        let (broke, all_there) = (Meeting::default(), Meeting::default());
        let work = |breaks: bool, (): &mut ()| {
            if breaks {
                // Each worker breaks once.
                broke.attend(everybody);
                tracing::error!("planned");
            }
            all_there.attend(everybody);
        };
        let state = || {
            // Of this thread, until it ends.
            std::mem::forget(tracing::subscriber::set_default(BrokenLog(|| true)));
        };
        let left = executor.run(THREADS, state, work, |hand_over| {
            (0..THREADS.get()).for_each(|_| hand_over(true));
            let broke = broke.attend(everybody);
            (0..THREADS.get()).for_each(|_| hand_over(false));
            broke && all_there.attend(everybody)
        });
        assert!(left.unwrap(), "{executor:?}: a worker is missing");
    }
}

#[test]
fn a_panic_at_the_door_waits_for_the_jobs_and_goes_on() {
    for executor in Executor::ALL {
        let done = AtomicUsize::new(0);
        let count = |(), (): &mut ()| {
            done.fetch_add(1, Ordering::Relaxed);
        };
        let left = catch_unwind(AssertUnwindSafe(|| {
            executor.run(
                THREADS,
                || (),
                count,
                |hand_over| {
                    (0..10).for_each(|_| hand_over(()));
                    resume_unwind(Box::new("the door fell off its hinges"))
                },
            )
        }));
        assert!(left.is_err());
        assert_eq!(done.load(Ordering::Relaxed), 10, "{executor:?}");
    }
}
