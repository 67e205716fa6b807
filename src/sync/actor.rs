//! [`Actor`]: a thread owns the value, and sections are sent to it. No lock at all.
//!
//! ```text
//!   caller                          owner
//!   job on its stack --- errand --> section(&mut value), its panics caught
//!   sleeps           <-- done ----- outcome in the job
//!   takes the outcome
//! ```
//!
//! A section borrows from its caller's stack, and yet runs on another thread. That is sound as
//! [`std::thread::scope`] is: the caller does not leave before the section has ended.
//!
//! # Who may starve whom
//! Nobody: a channel is first come, first served. But everyone waits for one thread, looks too.
//!
//! # Cost
//! Two messages between cores per section, and often two context switches: microseconds where a mutex takes
//! nanoseconds. What it buys is that the value stays in one core's cache, and that the owner may do without `Sync`. It pays
//! where sections are long, or where callers send and do not wait for an answer; here they always wait.
//!
//! # No try, no time-out
//! It is no [`TryLock`](super::TryLock) and no [`TimedLock`](super::TimedLock): a section that was sent cannot be taken
//! back while the owner may be about to run it, and whether it would run at once nobody knows before it is sent.
#![allow(unsafe_code)]

use super::Lock;
use crossbeam_channel::{Receiver, Sender, unbounded};
use crossbeam_utils::Backoff;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, Thread, ThreadId};
use std::{io, ptr};

/// A value that a thread of its own owns. Sections run there, one at a time: what they find in thread-local
/// storage is the owner's. A panic inside a section goes on in its caller.
///
/// Dropping it ends the thread, waits for it, and passes on the panic if the value's own drop does.
///
/// # Panics
/// A section inside a section of the same actor would wait for itself for ever, and panics instead.
#[derive(Debug)]
pub struct Actor<T> {
    // Fields are dropped in this order: without a sender the owner ends, and then it is joined. As many errands wait
    // as there are threads that wait for them, so the channel needs no bound.
    errands: Sender<Errand<T>>,
    owner: Owner,
}

#[derive(Debug)]
struct Owner {
    id: ThreadId,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Actor<T> {
    /// An owner for `value`.
    ///
    /// # Errors
    /// The system's, when it has no thread to give. The value is dropped then.
    pub fn try_new(value: T) -> io::Result<Self> {
        let (errands, received) = unbounded();
        let thread = thread::Builder::new()
            .name("gh-registry".into())
            .spawn(move || own(value, &received))?;
        Ok(Self {
            errands,
            owner: Owner {
                id: thread.thread().id(),
                thread: Some(thread),
            },
        })
    }

    #[track_caller]
    fn run<R, F>(&self, section: F) -> R
    where
        R: Send,
        F: FnOnce(&mut T) -> R + Send,
    {
        let caller = thread::current();
        assert!(
            caller.id() != self.owner.id,
            "a section inside a section of the same actor would wait for itself for ever: end the outer one first"
        );
        let job = Job {
            section: Cell::new(Some(section)),
            outcome: Cell::new(None),
            done: AtomicBool::new(false),
        };
        // If the owner is gone the errand comes back, and dropping it is what ends the wait.
        drop(self.errands.send(Errand {
            run: run_job::<T, R, F>,
            job: ptr::from_ref(&job).cast(),
            done: &raw const job.done,
            caller,
        }));
        // From here to the end of the wait nothing panics: the owner has a pointer to this stack.
        let backoff = Backoff::new();
        while !job.done.load(Ordering::Acquire) {
            if backoff.is_completed() {
                thread::park();
            } else {
                backoff.snooze();
            }
        }
        match job.outcome.into_inner() {
            Some(Ok(result)) => result,
            Some(Err(panic)) => resume_unwind(panic),
            None => unreachable!("the owner of an actor ends after its last caller"),
        }
    }
}

/// A section on its caller's stack, and where what comes of it is put. The owner alone touches it until `done`, and the
/// caller alone afterwards.
struct Job<R, F> {
    section: Cell<Option<F>>,
    outcome: Cell<Option<thread::Result<R>>>,
    done: AtomicBool,
}

/// # Safety
/// `job` is a `Job<R, F>` that lives, and that no other thread touches meanwhile.
unsafe fn run_job<T, R, F: FnOnce(&mut T) -> R>(job: *const (), value: &mut T) {
    // SAFETY: as the caller promises.
    let job = unsafe { &*job.cast::<Job<R, F>>() };
    if let Some(section) = job.section.take() {
        // One poisoning policy: the value is as the section left it.
        let outcome = catch_unwind(AssertUnwindSafe(|| section(value)));
        job.outcome.set(Some(outcome));
    }
}

/// A job on its way to the owner, of whatever section. Dropping it, run or not, lets the caller go on: the pointers
/// are good until then.
struct Errand<T> {
    run: unsafe fn(*const (), &mut T),
    job: *const (),
    done: *const AtomicBool,
    caller: Thread,
}

// SAFETY: an errand is made in `Actor::run` only, and there the section and what it returns are `Send`.
unsafe impl<T> Send for Errand<T> {}

impl<T> Drop for Errand<T> {
    fn drop(&mut self) {
        // SAFETY: the caller waits for this store, so the flag lives until it is made; what may vanish right after
        // it is not touched again. The handle to wake it by is our own.
        unsafe { &*self.done }.store(true, Ordering::Release);
        self.caller.unpark();
    }
}

/// The life of an owner: until nobody can send any more.
fn own<T>(mut value: T, errands: &Receiver<Errand<T>>) {
    for errand in errands {
        // SAFETY: its caller waits until the errand is dropped, at the end of this turn, and touches nothing before.
        unsafe { (errand.run)(errand.job, &mut value) };
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let ended = self.thread.take().map(JoinHandle::join);
        // It catches what sections do, so it can only have been the drop of the value.
        if let Some(Err(panic)) = ended
            && !thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

impl<T: Send + 'static> Lock for Actor<T> {
    type Value = T;
    const NAME: &'static str = "actor";

    /// # Panics
    /// When the system has no thread to give; [`Actor::try_new`] returns an error then.
    fn new(value: T) -> Self {
        Self::try_new(value).unwrap_or_else(|error| {
            panic!("cannot start the thread that is to own the value: {error}")
        })
    }

    fn shared<R: Send>(&self, section: impl FnOnce(&T) -> R + Send) -> R {
        self.run(|value| section(value))
    }

    fn exclusive<R: Send>(&self, section: impl FnOnce(&mut T) -> R + Send) -> R {
        self.run(section)
    }
}
