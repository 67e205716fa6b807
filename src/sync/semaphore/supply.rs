//! How many permits there are, and what can be seen of them.

use super::word::{CLOSED, IN_LINE};
use super::{Discipline, Permit, Semaphore, TooFew, TooMany};

impl Semaphore {
    /// Takes all permits that are free at this moment, by the rule of [`try_acquire`](Self::try_acquire);
    /// there may be none. From any thread.
    pub fn drain(&self) -> Permit<'_> {
        let mut seen = self.word.look();
        loop {
            let n = if seen.has(CLOSED | IN_LINE) {
                0
            } else {
                usize::try_from(seen.free()).unwrap_or(0)
            };
            match self.word.step(seen, seen.minus(n)) {
                Ok(()) => return Permit::of(self, n),
                Err(now) => seen = now,
            }
        }
    }

    /// Makes `n` more permits, and says how many were free before. Those that come into being are given to
    /// whoever waits. From any thread.
    ///
    /// # Errors
    /// [`TooMany`] when there were more than there may be; none is added then.
    pub fn add_permits(&self, n: usize) -> Result<usize, TooMany> {
        let mut line = self.line.lock();
        if n > self.max - line.permits {
            return Err(TooMany {
                added: n,
                permits: line.permits,
                max: self.max,
            });
        }
        line.permits += n;
        let before = self.word.give(n);
        self.call_from(line);
        Ok(usize::try_from(before.free()).unwrap_or(0))
    }

    /// Takes `n` permits out of existence at once. Those that are not free become a debt: so many that are given
    /// back are not free again. From any thread.
    ///
    /// # Errors
    /// [`TooFew`] when there are not so many in all; none is taken away then.
    pub fn reduce(&self, n: usize) -> Result<(), TooFew> {
        let mut line = self.line.lock();
        if n > line.permits {
            return Err(TooFew {
                removed: n,
                permits: line.permits,
            });
        }
        line.permits -= n;
        self.word.owe(n);
        Ok(())
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.word.look().has(CLOSED)
    }

    /// How many permits are free. Out of date as soon as it is read.
    pub fn available(&self) -> usize {
        usize::try_from(self.word.look().free()).unwrap_or(0)
    }

    /// How many of the permits that are given back will not be free again, because of
    /// [`reduce`](Self::reduce). Out of date as soon as it is read.
    pub fn debt(&self) -> usize {
        usize::try_from(-self.word.look().free()).unwrap_or(0)
    }

    /// How many permits there are in all, the held ones included. Locks the line.
    pub fn permits(&self) -> usize {
        self.line.lock().permits
    }

    /// How many permits there can ever be.
    pub const fn max_permits(&self) -> usize {
        self.max
    }

    /// How many threads stand in line. Out of date as soon as it is read. Locks the line.
    pub fn waiters(&self) -> usize {
        self.line.lock().waiters.len()
    }

    /// Who gets the permits that come free.
    pub const fn discipline(&self) -> Discipline {
        self.discipline
    }

    /// `n` permits that were held are no more. When fewer than that are left in existence, the others had been
    /// taken away before, and pay for it now.
    pub(super) fn forgotten(&self, n: usize) {
        let mut line = self.line.lock();
        let gone = n.min(line.permits);
        line.permits -= gone;
        drop(line);
        if n > gone {
            self.give_back(n - gone);
        }
    }
}
