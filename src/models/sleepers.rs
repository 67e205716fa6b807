//! The sleep of idle workers. The queues are numbers of jobs here, without any order that a lock would give them: what
//! a real one promises is that a job which was put before a fence is seen behind a later one.

use super::check;
use crate::executor::sleepers::{Sleeper, Sleepers};
use crate::primitives::{AtomicIsize, Condvar, Mutex, Ordering};
use loom::thread;
use std::sync::Arc;

struct Queues {
    door: AtomicIsize,
    workers: [AtomicIsize; 2],
    sleepers: Sleepers,
    /// Jobs that a worker has begun, and what tells of it.
    begun: Mutex<isize>,
    changed: Condvar,
    done: AtomicIsize,
}

impl Queues {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            door: AtomicIsize::new(0),
            workers: [AtomicIsize::new(0), AtomicIsize::new(0)],
            sleepers: Sleepers::new(),
            begun: Mutex::new(0),
            changed: Condvar::new(),
            done: AtomicIsize::new(0),
        })
    }

    fn push(&self) {
        self.door.fetch_add(1, Ordering::Release);
        self.sleepers.wake_one();
    }

    /// Takes all that are at the door at once, and puts what it does not do at once where the other can steal it.
    fn look(&self, own: usize) -> Option<()> {
        if take_one(&self.workers[own]) {
            return Some(());
        }
        if self.door.load(Ordering::Relaxed) > 0 {
            let batch = self.door.swap(0, Ordering::AcqRel);
            if batch > 1 {
                self.workers[own].fetch_add(batch - 1, Ordering::Release);
            }
            if batch > 0 {
                return Some(());
            }
        }
        take_one(&self.workers[1 - own]).then_some(())
    }

    fn have_any(&self) -> bool {
        let any = |queue: &AtomicIsize| queue.load(Ordering::Relaxed) > 0;
        any(&self.door) || self.workers.iter().any(any)
    }

    /// A worker. Each of its jobs ends when all `jobs` have begun; with the last of them, it closes.
    fn work(&self, own: usize, jobs: isize) {
        let me = Sleeper::new();
        let look = || self.look(own);
        while self.sleepers.next(&me, look, || self.have_any()).is_some() {
            let mut begun = self.begun.lock();
            *begun += 1;
            self.changed.notify_one();
            while *begun < jobs {
                self.changed.wait(&mut begun);
            }
            drop(begun);
            if self.done.fetch_add(1, Ordering::AcqRel) + 1 == jobs {
                self.sleepers.close();
            }
        }
    }
}

fn take_one(queue: &AtomicIsize) -> bool {
    queue
        .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |jobs| {
            (jobs > 0).then(|| jobs - 1)
        })
        .is_ok()
}

/// As many workers as jobs, and no job ends before all have begun: were one asleep while a job waits, this would not
/// end.
fn all_jobs_are_begun(jobs: usize) {
    check(move || {
        let queues = Queues::new();
        let workers: Vec<_> = (0..jobs)
            .map(|own| {
                let queues = Arc::clone(&queues);
                thread::spawn(move || queues.work(own, jobs as isize))
            })
            .collect();
        for _ in 0..jobs {
            queues.push();
        }
        for worker in workers {
            worker.join().unwrap();
        }
        assert_eq!(queues.done.load(Ordering::Relaxed), jobs as isize);
        assert!(!queues.have_any());
    });
}

#[test]
fn a_worker_does_not_sleep_while_a_job_waits() {
    all_jobs_are_begun(1);
}

#[test]
fn no_worker_sleeps_while_a_job_waits_in_the_others_batch() {
    all_jobs_are_begun(2);
}

#[test]
fn closing_wakes_all_who_sleep() {
    check(|| {
        let queues = Queues::new();
        let workers: Vec<_> = (0..2)
            .map(|own| {
                let queues = Arc::clone(&queues);
                thread::spawn(move || queues.work(own, 0))
            })
            .collect();
        queues.sleepers.close();
        for worker in workers {
            worker.join().unwrap();
        }
    });
}
