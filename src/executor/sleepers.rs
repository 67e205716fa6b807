//! [`Sleepers`]: where workers sleep that find no job, so that none of them is asleep while a job waits.
//!
//! ```text
//!   who finds nothing                          who has put a job somewhere
//!
//!   1. gets on the list                        1. the job can be seen
//!   2. ---- fence ----                         2. ---- fence ----
//!   3. looks again: a job? gets up             3. anybody on the list? takes one off, wakes that one
//!   4. sleeps until taken off
//! ```
//!
//! Whichever fence comes first, one of the two sees the other: the looker the job, or who brought it the list. That
//! is the first half. The second is that one wake-up is not one job:
//!
//! * A job may be under way, in no queue at all, while its thief moves it and others to its own queue. Whoever was woken
//!   for it looks everywhere, finds nothing and is right to sleep again; and then the thief begins a long job on top of the
//!   rest of its batch.
//! * Whoever was woken for one job may find another one.
//!
//! So whoever has found a job, from wherever, looks whether it leaves any behind, and if so wakes one more. That one does
//! the same, until nobody is asleep or nothing is left. A thief does this after its batch can be seen, so step 1 on the right
//! holds for it, too.
//!
//! *Who wakes somebody takes that one off the list.* With a plain count of idle workers that each sleeper lowers when it is
//! up, two jobs in a row count on the same sleeper, and the second waits.
//!
//! The list is a stack: who fell asleep last is woken first, with caches that are still warm.

use crate::primitives::{AtomicBool, Mutex, Ordering, Thread, current, fence, park_until};
use crossbeam_utils::CachePadded;
use std::sync::Arc;

pub(crate) struct Sleepers {
    /// Whether anybody is on the list: what is read for every job. Written under the list's lock only.
    anybody: CachePadded<AtomicBool>,
    list: Mutex<List>,
}

struct List {
    asleep: Vec<Arc<Sleeper>>,
    closed: bool,
}

/// A thread that may sleep.
pub(crate) struct Sleeper {
    thread: Thread,
    /// Not on the list, or not any more. Written under its lock only.
    is_up: AtomicBool,
}

impl Sleepers {
    pub(crate) fn new() -> Self {
        Self {
            anybody: CachePadded::new(AtomicBool::new(false)),
            list: Mutex::new(List {
                asleep: Vec::new(),
                closed: false,
            }),
        }
    }

    /// Sleeps until `look` finds a job. `is_more` says whether others could find one, too. `None` when this is closed
    /// and there is nothing to be found. `me` is the calling thread.
    pub(crate) fn next<J>(
        &self,
        me: &Arc<Sleeper>,
        look: impl Fn() -> Option<J>,
        is_more: impl Fn() -> bool,
    ) -> Option<J> {
        let job = self.find(me, look)?;
        fence(Ordering::SeqCst);
        if self.anybody.load(Ordering::Relaxed) && is_more() {
            self.wake();
        }
        Some(job)
    }

    fn find<J>(&self, me: &Arc<Sleeper>, look: impl Fn() -> Option<J>) -> Option<J> {
        loop {
            if let Some(job) = look() {
                return Some(job);
            }
            if !self.lie_down(me) {
                return look();
            }
            fence(Ordering::SeqCst);
            if let Some(job) = look() {
                // When somebody was quicker and has woken this one, `next` passes that on.
                self.get_up(me);
                return Some(job);
            }
            me.sleep();
        }
    }

    /// There is one job more that others can find.
    pub(crate) fn wake_one(&self) {
        fence(Ordering::SeqCst);
        if self.anybody.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    /// There will be no more jobs.
    pub(crate) fn close(&self) {
        let asleep = {
            let mut list = self.list.lock();
            list.closed = true;
            let asleep = std::mem::take(&mut list.asleep);
            self.took_off(&list, &asleep);
            asleep
        };
        for sleeper in asleep {
            sleeper.thread.unpark();
        }
    }

    /// `false` when this is closed: nobody would wake it.
    fn lie_down(&self, me: &Arc<Sleeper>) -> bool {
        let mut list = self.list.lock();
        if list.closed {
            return false;
        }
        me.is_up.store(false, Ordering::Relaxed);
        list.asleep.push(Arc::clone(me));
        self.anybody.store(true, Ordering::Relaxed);
        true
    }

    fn get_up(&self, me: &Arc<Sleeper>) {
        let mut list = self.list.lock();
        list.asleep.retain(|sleeper| !Arc::ptr_eq(sleeper, me));
        self.took_off(&list, &[]);
    }

    fn wake(&self) {
        let sleeper = {
            let mut list = self.list.lock();
            let sleeper = list.asleep.pop();
            self.took_off(&list, sleeper.as_slice());
            sleeper
        };
        if let Some(sleeper) = sleeper {
            sleeper.thread.unpark();
        }
    }

    fn took_off(&self, list: &List, sleepers: &[Arc<Sleeper>]) {
        for sleeper in sleepers {
            sleeper.is_up.store(true, Ordering::Release);
        }
        self.anybody
            .store(!list.asleep.is_empty(), Ordering::Relaxed);
    }
}

impl Sleeper {
    /// The calling thread.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            thread: current(),
            is_up: AtomicBool::new(true),
        })
    }

    /// Until somebody has taken this one off the list. (A thread may also be unparked for what is long over.)
    fn sleep(&self) {
        while !self.is_up.load(Ordering::Acquire) {
            park_until(None);
        }
    }
}
