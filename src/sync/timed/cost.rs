//! What watching costs: a section of a [`Timed`] lock against the same of the bare one.

use super::Timed;
use crate::sync::Lock;
use parking_lot::Mutex;
use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Taken in turn, so that whatever disturbs one disturbs the other.
const ROUNDS: usize = 15;
const SECTIONS: u32 = 1_000;

/// What watching adds to an uncontended section on this machine: the difference of two medians. Measured once per
/// process, in a few milliseconds.
pub(super) fn own_cost() -> Duration {
    static COST: OnceLock<Duration> = OnceLock::new();
    *COST.get_or_init(|| {
        let bare = Mutex::new(0);
        let watched = Timed::around(Mutex::new(0));
        let mut times: [_; ROUNDS] = std::array::from_fn(|_| (round(&bare), round(&watched)));
        let mut median = |of: fn(&(Duration, Duration)) -> Duration| {
            times.sort_unstable_by_key(of);
            of(&times[ROUNDS / 2])
        };
        let bare = median(|times| times.0);
        let watched = median(|times| times.1);
        watched.saturating_sub(bare) / SECTIONS
    })
}

fn round(lock: &impl Lock<Value = u64>) -> Duration {
    let began = Instant::now();
    for _ in 0..SECTIONS {
        black_box(lock).exclusive(|count| *count += 1);
    }
    began.elapsed()
}
