//! The slow path: waiting in line, and calling who is next.

use super::patience::Patience;
use super::waiter::{Signal, Waiter};
use super::word::{CALL, CLOSED, IN_LINE};
use super::{AcquireError, Discipline, Semaphore};
use crate::primitives::{MutexGuard, yield_now};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// What the semaphore's mutex guards. No fast path comes here.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) waiters: VecDeque<Arc<Waiter>>,
    /// All permits that there are, the held ones included.
    pub(super) permits: usize,
}

/// How it went at the door.
enum Door {
    Taken,
    Queued(Arc<Waiter>),
}

impl Line {
    /// Of those in front, how many can be served with so many permits, and with how many of them.
    fn servable(&self, free: isize) -> (usize, usize) {
        let free = usize::try_from(free).unwrap_or(0);
        let (mut count, mut sum) = (0, 0);
        for waiter in &self.waiters {
            if waiter.n > free - sum {
                break;
            }
            sum += waiter.n;
            count += 1;
        }
        (count, sum)
    }

    /// Takes the first `count` out of the line and tells them so. Gives those that sleep.
    fn tell_first(&mut self, count: usize, signal: Signal) -> Vec<Arc<Waiter>> {
        self.waiters
            .drain(..count)
            .filter(|waiter| waiter.tell(signal))
            .collect()
    }
}

impl Discipline {
    /// What is marked while somebody waits.
    fn marks(self) -> isize {
        match self {
            Self::Fair => IN_LINE | CALL,
            Self::Barging => CALL,
        }
    }
}

impl Semaphore {
    /// Takes `n` permits, which the fast path could not.
    #[cold]
    pub(super) fn wait(&self, n: usize, deadline: Option<Instant>) -> Result<(), AcquireError> {
        assert!(
            n <= self.max,
            "{n} permits asked of a semaphore that can never have more than {}",
            self.max
        );
        match self.discipline {
            Discipline::Fair => self.wait_in_line(n, deadline),
            Discipline::Barging => self.wait_for_a_chance(n, deadline),
        }
    }

    /// Who is called has its permits already: whoever called took them for it.
    fn wait_in_line(&self, n: usize, deadline: Option<Instant>) -> Result<(), AcquireError> {
        let waiter = match self.take_or_queue(n, false)? {
            Door::Taken => return Ok(()),
            Door::Queued(waiter) => waiter,
        };
        match waiter.wait(Patience::IN_LINE, deadline) {
            Signal::Called => Ok(()),
            Signal::Closed => Err(AcquireError::Closed),
            Signal::Waiting | Signal::Asleep => match self.give_up(&waiter) {
                Signal::Called => Ok(()),
                Signal::Closed => Err(AcquireError::Closed),
                Signal::Waiting | Signal::Asleep => Err(AcquireError::TimedOut),
            },
        }
    }

    /// Who is called may try again, and until it has, releases need not call anybody. Then it sees to it that
    /// they do again.
    fn wait_for_a_chance(&self, n: usize, deadline: Option<Instant>) -> Result<(), AcquireError> {
        let mut was_called = false;
        while !self.try_for_a_while(n, deadline) {
            let waiter = match self.take_or_queue(n, was_called)? {
                Door::Taken => break,
                Door::Queued(waiter) => waiter,
            };
            match waiter.wait(Patience::NONE, deadline) {
                Signal::Called => was_called = true,
                Signal::Closed => return Err(AcquireError::Closed),
                Signal::Waiting | Signal::Asleep => return self.try_and_give_up(&waiter),
            }
        }
        if was_called {
            self.call();
        }
        Ok(())
    }

    /// The last try of one whose time is over. Others were called, perhaps, and have not tried yet; or this one was, at
    /// the last moment. In either case somebody has to look into the line after it.
    fn try_and_give_up(&self, waiter: &Arc<Waiter>) -> Result<(), AcquireError> {
        let taken = self.take(waiter.n);
        let signal = self.give_up(waiter);
        if signal == Signal::Called {
            self.call();
        }
        if taken {
            Ok(())
        } else if self.is_closed() {
            Err(AcquireError::Closed)
        } else {
            Err(AcquireError::TimedOut)
        }
    }

    /// Only barging: whoever is in line does not matter.
    fn try_for_a_while(&self, n: usize, deadline: Option<Instant>) -> bool {
        let mut taken = false;
        Patience::TO_TAKE.spend(deadline, || {
            let seen = self.word.look();
            taken = !seen.has(CLOSED) && seen.covers(n) && {
                self.word.step(seen, seen.minus(n)).is_ok()
            };
            taken || seen.has(CLOSED)
        });
        taken
    }

    /// Takes `n` permits if they may be taken; gets in line otherwise, in the same step of the word, so that no
    /// release can go between.
    fn take_or_queue(&self, n: usize, in_front: bool) -> Result<Door, AcquireError> {
        let mut line = self.line.lock();
        let may_take = self.discipline == Discipline::Barging || line.waiters.is_empty();
        let mut seen = self.word.look();
        loop {
            if seen.has(CLOSED) {
                return Err(AcquireError::Closed);
            }
            let takes = may_take && seen.covers(n);
            let next = if takes {
                seen.minus(n)
            } else {
                seen.with(self.discipline.marks())
            };
            match self.word.step(seen, next) {
                Ok(()) if takes => return Ok(Door::Taken),
                Ok(()) => break,
                Err(now) => seen = now,
            }
        }
        let waiter = Arc::new(Waiter::new(n));
        if in_front {
            line.waiters.push_front(Arc::clone(&waiter));
        } else {
            line.waiters.push_back(Arc::clone(&waiter));
        }
        Ok(Door::Queued(waiter))
    }

    /// Calls who is next, if there is enough for it.
    #[cold]
    pub(super) fn call(&self) {
        self.call_from(self.line.lock());
    }

    pub(super) fn call_from(&self, mut line: MutexGuard<'_, Line>) {
        let mut seen = self.word.look();
        let count = loop {
            let (count, sum) = line.servable(seen.free());
            let everyone = count == line.waiters.len();
            let next = match self.discipline {
                Discipline::Fair if everyone => seen.minus(sum).without(IN_LINE | CALL),
                Discipline::Fair => seen.minus(sum),
                Discipline::Barging if everyone || count > 0 => seen.without(CALL),
                Discipline::Barging => seen.with(CALL),
            };
            if next == seen {
                break count;
            }
            match self.word.step(seen, next) {
                Ok(()) => break count,
                Err(now) => seen = now,
            }
        };
        let asleep = line.tell_first(count, Signal::Called);
        let handed_to_the_last = self.discipline == Discipline::Fair && line.waiters.is_empty();
        drop(line);
        let awake = count - asleep.len();
        // Not while others wait for the line.
        for waiter in asleep {
            waiter.wake();
        }
        if handed_to_the_last && awake > 0 {
            // Were we back before it has left, it would have to hand over to us, and so on for ever: two threads
            // that meet once would meet at every section. The kernel, too, lets run whom one wakes.
            yield_now();
        }
    }

    /// Leaves the line without a trace. What was told at the last moment counts.
    fn give_up(&self, waiter: &Arc<Waiter>) -> Signal {
        let mut line = self.line.lock();
        let place = line
            .waiters
            .iter()
            .position(|other| Arc::ptr_eq(other, waiter));
        if let Some(place) = place {
            line.waiters.remove(place);
            // Whoever is next may want less.
            self.call_from(line);
        }
        waiter.signal()
    }

    /// Lets nobody in any more: everyone who waits, and everyone who comes, gets [`Closed`](super::Closed). Permits that are held
    /// stay valid, and can be given back. From any thread.
    pub fn close(&self) {
        let mut line = self.line.lock();
        let mut seen = self.word.look();
        while let Err(now) = self
            .word
            .step(seen, seen.with(CLOSED).without(IN_LINE | CALL))
        {
            seen = now;
        }
        let everyone = line.waiters.len();
        let asleep = line.tell_first(everyone, Signal::Closed);
        drop(line);
        for waiter in asleep {
            waiter.wake();
        }
    }
}
