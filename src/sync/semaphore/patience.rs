//! How long to look again before sleeping.

use crate::primitives::{looks, spin_loop, yield_now};
use std::time::Instant;

/// A number of looks: first with a pause of 2, 4, 8 ... processor hints between them, then with other threads let
/// run between them.
///
/// To fall asleep and be woken takes longer than most sections last. But who looks takes a processor that the
/// holder may need, so it soon lets others run, and then sleeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pausing: u32,
    yielding: u32,
}

impl Patience {
    /// For who tries to take. Without pauses: each look takes the cache line away from the holder, so the fewer
    /// the better, and letting others run is the longest pause.
    pub(super) const TO_TAKE: Self = Self::of(0, 20);
    /// For who stands in line and is handed its permits: it looks at a line of its own, which bothers nobody, and its
    /// turn comes within a few turns of the scheduler.
    pub(super) const IN_LINE: Self = Self::of(5, 20);
    /// For who tried already.
    pub(super) const NONE: Self = Self::of(0, 0);

    const fn of(pausing: u32, yielding: u32) -> Self {
        let (pausing, yielding) = looks(pausing, yielding);
        Self { pausing, yielding }
    }

    /// Looks until it sees what it waits for; `false` when the patience is spent.
    ///
    /// Who lets others run may be away for as long as those like, so one look is all that a deadline allows
    /// beyond the pauses.
    pub(super) fn spend(self, deadline: Option<Instant>, mut seen: impl FnMut() -> bool) -> bool {
        let yielding = match deadline {
            None => self.yielding,
            Some(_) => self.yielding.min(1),
        };
        for look in 0..self.pausing + yielding {
            if seen() {
                return true;
            }
            if look < self.pausing {
                for _ in 0..2 << look {
                    spin_loop();
                }
            } else if deadline.is_none() {
                yield_now();
            }
        }
        false
    }
}
