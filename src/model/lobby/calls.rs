//! Who looks after a guest, and what for: one word.
//!
//! ```text
//!            call                 take                    leave, when nobody has called
//!   parked -------> owned, called -----> owned, at work ---------------------------------> parked
//!                     ^     ^              |       |
//!                     |     +---- call ----+       | gone
//!                     +------ call, again          v
//!                                                owned, for ever
//! ```
//!
//! To *call* sets bits that say what for. Whoever finds the guest parked owns it from then on, and nobody else does:
//! it serves the guest, or passes it on to a thread that will. Everybody else only leaves the bits, for the owner to
//! find. The owner gives the guest back in one step that fails when there are bits. So no call is ever lost, there is
//! never more than one owner, and nobody waits for one.

use crate::primitives::{AtomicU32, Ordering};
use std::ops::{BitAnd, BitOr};

/// What a guest is called for; several at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call(u32);

impl Call {
    pub(crate) const NOTHING: Self = Self(0);
    /// Something has arrived, or the end.
    pub(crate) const READABLE: Self = Self(1);
    /// What has arrived may be more than bytes: read until nothing comes.
    pub(crate) const SINGULAR: Self = Self(1 << 1);
    /// Its socket has room again.
    pub(crate) const WRITABLE: Self = Self(1 << 2);
    /// A poster could not send everything.
    pub(crate) const RUNG: Self = Self(1 << 3);
    /// Its time has come to be looked at.
    pub(crate) const LOOK: Self = Self(1 << 4);
    /// A drain has found it idle.
    pub(crate) const CLOSE: Self = Self(1 << 5);
    /// A drain has found it busy.
    pub(crate) const LAST_CALL: Self = Self(1 << 6);
    /// It is cut off.
    pub(crate) const FORCE: Self = Self(1 << 7);

    /// Whether it is for any of `others`.
    pub(crate) fn any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl BitOr for Call {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Call {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// All bits of [`Call`].
const CALLS: u32 = 0xff;
const OWNED: u32 = 1 << 8;
/// Its owner may have read what is not answered yet, or may be sending.
const AT_WORK: u32 = 1 << 9;
/// The drain has found it idle.
const WAS_IDLE: u32 = 1 << 10;

/// The word.
pub(crate) struct Calls(AtomicU32);

impl Calls {
    /// Of a guest that its maker owns.
    pub(crate) fn owned() -> Self {
        Self(AtomicU32::new(OWNED))
    }

    /// Calls the guest; `true` when it was parked: the caller owns it now. Release: what the caller did before is seen
    /// by whoever takes the call. Acquire: the new owner sees what the last one did.
    #[must_use = "the caller may own the guest now"]
    pub(crate) fn call(&self, what: Call) -> bool {
        self.0.fetch_or(what.0 | OWNED, Ordering::AcqRel) & OWNED == 0
    }

    /// Takes what the guest was called for. Only its owner.
    pub(crate) fn take(&self) -> Call {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            // In one step: whoever looks meanwhile sees it readable or at work.
            let mut next = seen & !CALLS;
            if Call(seen).any(Call::READABLE | Call::WRITABLE | Call::RUNG) {
                next |= AT_WORK;
            }
            match self.step(seen, next) {
                Ok(()) => return Call(seen & CALLS),
                Err(now) => seen = now,
            }
        }
    }

    /// Parks the guest; `false` when it was called meanwhile, and the owner must go on. Only its owner.
    #[must_use = "the guest may have been called again"]
    pub(crate) fn leave(&self) -> bool {
        let mut seen = self.0.load(Ordering::Relaxed);
        while seen & CALLS == 0 {
            match self.step(seen, seen & !(OWNED | AT_WORK)) {
                Ok(()) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Whether something of it is unanswered or unsent, as far as its owner's doings show.
    pub(crate) fn is_busy(&self) -> bool {
        let busy = Call::READABLE | Call::WRITABLE | Call::RUNG;
        self.0.load(Ordering::Acquire) & (busy.0 | AT_WORK) != 0
    }

    /// The drain has found it idle: nothing of it can be unanswered.
    pub(crate) fn set_was_idle(&self) {
        self.0.fetch_or(WAS_IDLE, Ordering::Relaxed);
    }

    /// The drain was wrong about it: something has come since.
    pub(crate) fn was_busy_after_all(&self) {
        self.0.fetch_and(!WAS_IDLE, Ordering::Relaxed);
    }

    pub(crate) fn was_idle(&self) -> bool {
        self.0.load(Ordering::Relaxed) & WAS_IDLE != 0
    }

    fn step(&self, from: u32, to: u32) -> Result<(), u32> {
        self.0
            .compare_exchange_weak(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .map(drop)
    }
}
