//! Whose duty it is to send what a mailbox holds. The states are drawn in the [parent](super).

use crate::primitives::{AtomicU8, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Duty {
    /// The queue is empty and nobody sends.
    Idle,
    /// The same, but a log is followed, and may have grown.
    Following,
    /// The owner sends a reply, and the queue is empty.
    Replying,
    /// Somebody is about to flush.
    Posted,
    /// Somebody sends. (The owner may block in it; a poster never does.)
    Taken,
    /// The socket is full.
    Blocked,
    /// Overflowed, broken or closed: nothing is sent any more.
    CutOff,
}

impl Duty {
    /// In the order of their numbers.
    const ALL: [Self; 7] = [
        Self::Idle,
        Self::Following,
        Self::Replying,
        Self::Posted,
        Self::Taken,
        Self::Blocked,
        Self::CutOff,
    ];
}

/// Who has to send. Leaving [`Duty::Idle`] is a step that two may try at once; every other step is
/// taken by whoever holds the lock, but for the one from [`Duty::Replying`] back to idle.
pub(super) struct AtomicDuty(AtomicU8);

impl AtomicDuty {
    pub(super) fn new(duty: Duty) -> Self {
        Self(AtomicU8::new(duty as u8))
    }

    pub(super) fn get(&self) -> Duty {
        Duty::ALL[usize::from(self.0.load(Ordering::Acquire))]
    }

    pub(super) fn is(&self, duty: Duty) -> bool {
        self.0.load(Ordering::Acquire) == duty as u8
    }

    pub(super) fn set(&self, duty: Duty) {
        self.0.store(duty as u8, Ordering::Release);
    }

    /// Acquire: what the last sender did is seen. Release: what was queued before is seen by the next.
    pub(super) fn step(&self, from: Duty, to: Duty) -> bool {
        self.0
            .compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}
