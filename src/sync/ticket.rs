//! [`TicketMutex`]: as at the baker's, draw a number and wait until it is served. For learning: **measured, not
//! recommended**.
//!
//! ```text
//!          serving           next
//!   tickets:  3    4   5   6   7
//!          inside  wait....  (drawn next)
//! ```
//!
//! The algorithm is the ticket lock of J. M. Mellor-Crummey and M. L. Scott (*Algorithms for scalable synchronization
//! on shared-memory multiprocessors*, 1991); the two counters are the sequencer and the event count of D. P. Reed and
//! R. K. Kanodia (1979).
//!
//! # Cache lines
//! Drawing is one addition, and never fails; waiting is reading. Each counter is on a line of its own, so that who
//! comes does not disturb those who wait. But all of those read one line: every time the lock changes hands
//! each of them misses, n misses for one entry. A lock in which each waits on a line of its own, as in that
//! paper's second half (MCS), has one.
//!
//! # Who may starve whom
//! Nobody: first come, first served. The timed form is outside that order, see below, and may be starved by all others.
//!
//! # When threads outnumber cores
//! Exactly one of those who wait may enter, and it may be the one that is not running. Then nobody enters until the
//! kernel happens to run it: the order that makes this lock fair makes everyone wait for the slowest. [`Backoff`] gives the
//! processor away after about a hundred pauses, which keeps it from standing still; yet it is often the wrong
//! thread that gets it. With four threads on two cores an empty section took some thirty times as long as behind a
//! [spin lock](super::SpinMutex), where anyone may be next.
//!
//! # Timed
//! A ticket that was drawn cannot be given back: those behind it wait for it to be served. So the timed form draws
//! one only when it would be served at once, and tries again until its time is over. It never overtakes one who
//! waits, and every one who comes to wait overtakes it.
#![allow(unsafe_code)]

use super::retry;
use crossbeam_utils::{Backoff, CachePadded};
use lock_api::{RawMutex, RawMutexTimed};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A value behind a [`RawTicket`]; a [`Lock`](super::Lock) as every `lock_api` mutex. Measured, not recommended.
pub type TicketMutex<T> = lock_api::Mutex<RawTicket, T>;

/// A ticket lock: first come, first served, by spinning. Waiting costs processor time, not a sleep.
#[derive(Debug)]
pub struct RawTicket {
    /// Of 64 bits: with 32, tickets could come round while one who tries is interrupted between its two steps.
    next: CachePadded<AtomicU64>,
    serving: CachePadded<AtomicU64>,
}

/// The ticket being served: what its holder leaves with.
#[derive(Debug)]
pub struct Ticket(u64);

// SAFETY: no two draw the same ticket, for `next` grows with each in one step, and a ticket enters only when `serving`
// has come to it. `serving` grows only by `unlock`, by one, to the ticket after the holder's; so it never
// passes `next`, and one is inside. That store releases what the holder did, and the load that sees it acquires it. Nothing here
// unwinds.
unsafe impl RawMutex for RawTicket {
    const INIT: Self = Self {
        next: CachePadded::new(AtomicU64::new(0)),
        serving: CachePadded::new(AtomicU64::new(0)),
    };

    type Guard = Ticket;

    #[inline]
    fn lock(&self) -> Ticket {
        let mine = self.next.fetch_add(1, Ordering::Relaxed);
        let backoff = Backoff::new();
        while self.serving.load(Ordering::Acquire) != mine {
            backoff.snooze();
        }
        Ticket(mine)
    }

    #[inline]
    fn try_lock(&self) -> Option<Ticket> {
        let serving = self.serving.load(Ordering::Acquire);
        // Succeeds only if the ticket being served is not drawn yet: nobody is inside, nobody waits.
        self.next
            .compare_exchange(serving, serving + 1, Ordering::Relaxed, Ordering::Relaxed)
            .ok()
            .map(Ticket)
    }

    #[inline]
    unsafe fn unlock(&self, Ticket(mine): Ticket) {
        self.serving.store(mine + 1, Ordering::Release);
    }

    fn is_locked(&self) -> bool {
        let serving = self.serving.load(Ordering::Relaxed);
        self.next.load(Ordering::Relaxed) != serving
    }
}

// SAFETY: it enters by `try_lock` and by nothing else.
unsafe impl RawMutexTimed for RawTicket {
    type Duration = Duration;
    type Instant = Instant;

    fn try_lock_for(&self, timeout: Duration) -> Option<Ticket> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.try_lock_until(deadline),
            // Longer than the clock can count.
            None => Some(self.lock()),
        }
    }

    fn try_lock_until(&self, deadline: Instant) -> Option<Ticket> {
        retry::until(deadline, || self.try_lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::thread;

    /// Waits on the thing itself: until `drawn` tickets have been drawn in all.
    fn until_drawn(lock: &RawTicket, drawn: u64) {
        while lock.next.load(Ordering::Relaxed) != drawn {
            thread::yield_now();
        }
    }

    #[test]
    fn tickets_are_served_in_the_order_in_which_they_were_drawn() {
        const WAITING: u64 = if cfg!(miri) { 3 } else { 8 };
        let lock = RawTicket::INIT;
        let served = Mutex::new(Vec::new());
        let first = lock.lock();
        thread::scope(|scope| {
            for n in 1..=WAITING {
                scope.spawn(|| {
                    let ticket = lock.lock();
                    served.lock().push(ticket.0);
                    // SAFETY: it was locked above, and this is its ticket.
                    unsafe { lock.unlock(ticket) };
                });
                until_drawn(&lock, 1 + n);
            }
            // SAFETY: as above.
            unsafe { lock.unlock(first) };
        });
        assert!(served.into_inner().into_iter().eq(1..=WAITING));
        assert!(!lock.is_locked());
    }

    #[test]
    fn who_gives_up_has_drawn_no_ticket() {
        let lock = RawTicket::INIT;
        let first = lock.try_lock().unwrap();
        assert!(lock.try_lock().is_none());
        assert!(lock.try_lock_for(Duration::from_millis(1)).is_none());
        until_drawn(&lock, 1);
        // SAFETY: it was locked above, and this is its ticket.
        unsafe { lock.unlock(first) };
        assert_eq!(lock.try_lock_for(Duration::ZERO).unwrap().0, 1);
    }
}
