//! One thread that waits, and how it sleeps.

use super::patience::Patience;
use crate::primitives::{AtomicU8, Ordering, Thread, current, park_until};
use std::time::Instant;

/// ```text
///            falls asleep              called, closed
///  Waiting --------------> Asleep ---------------------> Called, Closed
///     |                                                       ^
///     +-------------------------------------------------------+
/// ```
/// The waiter itself takes the first step; whoever holds the line takes the others, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Signal {
    /// Awake, and looking here again and again.
    Waiting,
    /// Has to be unparked.
    Asleep,
    /// It is this waiter's turn. It is no longer in line.
    Called,
    /// Nobody gets in any more. It is no longer in line.
    Closed,
}

impl Signal {
    /// In the order of their numbers.
    const ALL: [Self; 4] = [Self::Waiting, Self::Asleep, Self::Called, Self::Closed];
}

#[derive(Debug)]
pub(super) struct Waiter {
    /// How many permits it wants.
    pub(super) n: usize,
    signal: AtomicU8,
    thread: Thread,
}

impl Waiter {
    /// Of the calling thread.
    pub(super) fn new(n: usize) -> Self {
        Self {
            n,
            signal: AtomicU8::new(Signal::Waiting as u8),
            thread: current(),
        }
    }

    /// Acquire: what was done before the call is seen by who was called.
    pub(super) fn signal(&self) -> Signal {
        Signal::ALL[usize::from(self.signal.load(Ordering::Acquire))]
    }

    /// Says so to the waiter; `true` when it is asleep and has to be [woken](Self::wake).
    pub(super) fn tell(&self, signal: Signal) -> bool {
        self.signal.swap(signal as u8, Ordering::AcqRel) == Signal::Asleep as u8
    }

    pub(super) fn wake(&self) {
        self.thread.unpark();
    }

    /// Waits to be told something, or for the deadline: then the signal is still [`Signal::Asleep`]. Only for
    /// the waiter's own thread.
    pub(super) fn wait(&self, patience: Patience, deadline: Option<Instant>) -> Signal {
        if patience.spend(deadline, || self.signal() != Signal::Waiting) {
            return self.signal();
        }
        let asleep = self.signal.compare_exchange(
            Signal::Waiting as u8,
            Signal::Asleep as u8,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if asleep.is_err() {
            return self.signal();
        }
        // An unpark that was meant for something else wakes us, too.
        while self.signal() == Signal::Asleep && park_until(deadline) {}
        self.signal()
    }
}
