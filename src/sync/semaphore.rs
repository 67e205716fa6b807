#![doc = include_str!("semaphore/README.md")]

mod error;
mod line;
mod patience;
mod permit;
mod supply;
#[cfg(all(test, not(any(model_check = "loom", model_check = "shuttle"))))]
mod tests;
mod waiter;
mod word;

pub use error::{AcquireError, Closed, TooFew, TooMany, TryAcquireError};
pub use permit::{Held, OwnedPermit, Permit};

use crate::primitives::{Mutex, const_fn};
use crossbeam_utils::CachePadded;
use line::Line;
use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};
use word::{CALL, CLOSED, IN_LINE, Seen, Word};

/// Who gets the permits that come free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// First come, first served.
    Fair,
    /// Whoever is there, even when others wait.
    Barging,
}

/// A counting semaphore: n permits are taken in one step, and given back by dropping them.
///
/// ```
/// use guardhouse::sync::Semaphore;
/// use std::time::Duration;
///
/// static TABLES: Semaphore = Semaphore::new(3);
///
/// let party = TABLES.acquire(2)?;
/// assert_eq!(TABLES.available(), 1);
/// assert!(TABLES.try_acquire(2).is_err());
/// assert!(TABLES.acquire_timeout(2, Duration::from_millis(1)).is_err());
/// drop(party);
/// assert_eq!(TABLES.available(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Two disciplines
/// | | [`new`](Self::new): fair | [`barging`](Self::barging) |
/// |---|---|---|
/// | who waits | gets in line, and is served in the order of the line | tries for a while, then sleeps in line |
/// | who comes | gets in line while anybody waits | takes what is free, whoever waits |
/// | `try_acquire` | fails while anybody waits: it overtakes nobody | takes what is free |
/// | a large request | holds back all that come later, until there is enough for it | may be overtaken without bound; in line it holds back those behind it, and no newcomer |
/// | who may starve whom | nobody | newcomers those that wait, and small requests large ones |
/// | a permit that comes free | belongs to the first in line at once, asleep or not | is there for whoever takes it; the first in line is woken to try |
/// | choose it for | bounded waiting | throughput |
///
/// To ask for 0 permits is a request like any other: it waits for its turn, and while there is a debt.
///
/// A semaphore is no lock: any thread may give back, and nothing is guarded by it. See
/// [`SemaphoreLock`](super::SemaphoreLock) for the one way to make a lock of it.
#[derive(Debug)]
pub struct Semaphore {
    /// On a cache line of its own: the guess is read at every entry, and must not go back and forth with it.
    word: CachePadded<Word>,
    /// How the word looks when nobody holds anything, unless permits were added or forgotten. A guess that is
    /// right saves a look at the word, which has to wait for the last step on it to be over.
    guess: Seen,
    discipline: Discipline,
    max: usize,
    line: Mutex<Line>,
}

// No value is ever left half changed: a panic cannot happen between two steps.
impl RefUnwindSafe for Semaphore {}
impl UnwindSafe for Semaphore {}

impl Semaphore {
    /// The most permits that any semaphore can have.
    pub const MAX_PERMITS: usize = word::MOST;

    const_fn! {
        /// A fair semaphore of `permits` permits, all free: first come, first served.
        ///
        /// # Panics
        /// When `permits` exceeds [`MAX_PERMITS`](Self::MAX_PERMITS).
        pub const fn new(permits: usize) -> Self {
            Self::with(permits, Discipline::Fair)
        }
    }

    const_fn! {
        /// A barging semaphore of `permits` permits, all free: whoever is there takes what is free.
        ///
        /// # Panics
        /// As [`new`](Self::new).
        pub const fn barging(permits: usize) -> Self {
            Self::with(permits, Discipline::Barging)
        }
    }

    const_fn! {
        /// A semaphore of `permits` permits, all free.
        ///
        /// # Panics
        /// As [`new`](Self::new).
        pub const fn with(permits: usize, discipline: Discipline) -> Self {
            Self::bounded(permits, Self::MAX_PERMITS, discipline)
        }
    }

    const_fn! {
        /// A semaphore of `permits` permits, all free, of which there can never be more than `max` in all:
        /// [`add_permits`](Self::add_permits) of one more is an error.
        ///
        /// # Panics
        /// When `permits` exceeds `max`, or `max` [`MAX_PERMITS`](Self::MAX_PERMITS).
        pub const fn bounded(permits: usize, max: usize, discipline: Discipline) -> Self {
            assert!(permits <= max, "a semaphore of more permits than its bound");
            assert!(
                max <= Self::MAX_PERMITS,
                "a bound of more permits than Semaphore::MAX_PERMITS"
            );
            Self {
                word: CachePadded::new(Word::new(permits)),
                guess: Seen::of(permits),
                discipline,
                max,
                line: Mutex::new(Line {
                    waiters: VecDeque::new(),
                    permits,
                }),
            }
        }
    }

    /// Takes `n` permits in one step; blocks until they are there and it is this caller's turn. From any
    /// thread.
    ///
    /// # Errors
    /// [`Closed`] when the semaphore is, or becomes so while this waits.
    ///
    /// # Panics
    /// When `n` exceeds what there can ever be: it would wait for ever.
    #[inline]
    pub fn acquire(&self, n: usize) -> Result<Permit<'_>, Closed> {
        self.enter(n)?;
        Ok(Permit::of(self, n))
    }

    /// Takes `n` permits in one step if they are free, by the rule of its discipline. Never blocks. From any
    /// thread.
    ///
    /// # Errors
    /// [`TryAcquireError`] when they are not, or the semaphore is closed.
    #[inline]
    pub fn try_acquire(&self, n: usize) -> Result<Permit<'_>, TryAcquireError> {
        self.try_enter(n)?;
        Ok(Permit::of(self, n))
    }

    /// [`acquire`](Self::acquire), but for no longer than `timeout`. Permits that come at the last moment
    /// are taken. From any thread.
    ///
    /// # Errors
    /// [`AcquireError`] when the time was over, or the semaphore is closed.
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    #[inline]
    pub fn acquire_timeout(&self, n: usize, timeout: Duration) -> Result<Permit<'_>, AcquireError> {
        self.enter_within(n, timeout)?;
        Ok(Permit::of(self, n))
    }

    /// [`acquire`](Self::acquire), but no later than `deadline`.
    ///
    /// # Errors
    /// As [`acquire_timeout`](Self::acquire_timeout).
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    #[inline]
    pub fn acquire_deadline(
        &self,
        n: usize,
        deadline: Instant,
    ) -> Result<Permit<'_>, AcquireError> {
        self.enter_before(n, deadline)?;
        Ok(Permit::of(self, n))
    }

    /// [`acquire`](Self::acquire), with permits that keep the semaphore alive.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    pub fn acquire_owned(self: &Arc<Self>, n: usize) -> Result<OwnedPermit, Closed> {
        self.enter(n)?;
        Ok(OwnedPermit::of(Arc::clone(self), n))
    }

    /// [`try_acquire`](Self::try_acquire), with permits that keep the semaphore alive.
    ///
    /// # Errors
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_owned(self: &Arc<Self>, n: usize) -> Result<OwnedPermit, TryAcquireError> {
        self.try_enter(n)?;
        Ok(OwnedPermit::of(Arc::clone(self), n))
    }

    /// [`acquire_timeout`](Self::acquire_timeout), with permits that keep the semaphore alive.
    ///
    /// # Errors
    /// As [`acquire_timeout`](Self::acquire_timeout).
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    pub fn acquire_timeout_owned(
        self: &Arc<Self>,
        n: usize,
        timeout: Duration,
    ) -> Result<OwnedPermit, AcquireError> {
        self.enter_within(n, timeout)?;
        Ok(OwnedPermit::of(Arc::clone(self), n))
    }

    /// [`acquire_deadline`](Self::acquire_deadline), with permits that keep the semaphore alive.
    ///
    /// # Errors
    /// As [`acquire_timeout`](Self::acquire_timeout).
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    pub fn acquire_deadline_owned(
        self: &Arc<Self>,
        n: usize,
        deadline: Instant,
    ) -> Result<OwnedPermit, AcquireError> {
        self.enter_before(n, deadline)?;
        Ok(OwnedPermit::of(Arc::clone(self), n))
    }

    #[inline]
    fn enter(&self, n: usize) -> Result<(), Closed> {
        if self.take(n) {
            return Ok(());
        }
        // Without a deadline, there is no other reason.
        self.wait(n, None).map_err(|_| Closed)
    }

    #[inline]
    fn enter_before(&self, n: usize, deadline: Instant) -> Result<(), AcquireError> {
        if self.take(n) {
            return Ok(());
        }
        self.wait(n, Some(deadline))
    }

    #[inline]
    fn enter_within(&self, n: usize, timeout: Duration) -> Result<(), AcquireError> {
        if self.take(n) {
            return Ok(());
        }
        // A deadline beyond what the clock can count is none.
        self.wait(n, Instant::now().checked_add(timeout))
    }

    #[inline]
    fn try_enter(&self, n: usize) -> Result<(), TryAcquireError> {
        if self.take(n) {
            Ok(())
        } else if self.is_closed() {
            Err(TryAcquireError::Closed)
        } else {
            Err(TryAcquireError::NoPermits)
        }
    }

    /// The fast path: one step when the guess is right, and otherwise one more for each that was too late.
    #[inline]
    fn take(&self, n: usize) -> bool {
        let guess = self.guess;
        let seen = if guess.covers(n) {
            match self.word.step(guess, guess.minus(n)) {
                Ok(()) => return true,
                Err(now) => now,
            }
        } else {
            self.word.look()
        };
        self.take_from(seen, n)
    }

    /// One step for each that was too late. (Cold: the guess is to be what is laid out straight.)
    #[cold]
    fn take_from(&self, mut seen: Seen, n: usize) -> bool {
        while seen.covers(n) && !seen.has(CLOSED | IN_LINE) {
            match self.word.step(seen, seen.minus(n)) {
                Ok(()) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    #[inline]
    fn give_back(&self, n: usize) {
        if self.word.give(n).has(CALL) {
            self.call();
        }
    }
}
