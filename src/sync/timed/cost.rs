//! What watching costs: a section of a lock that is watched against the same of the bare one.

use crate::sync::Lock;
use std::array;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Taken in turn, so that whatever disturbs one disturbs the other.
const ROUNDS: usize = 15;
const SECTIONS: u32 = 1_000;

/// What `watched` adds to an uncontended section of `bare`, on this machine: the difference of two medians.
/// Takes a few milliseconds.
pub(super) fn added(bare: &impl Lock<Value = u64>, watched: &impl Lock<Value = u64>) -> Duration {
    let mut times: [_; ROUNDS] = array::from_fn(|_| (round(bare), round(watched)));
    let mut median = |of: fn(&(Duration, Duration)) -> Duration| {
        times.sort_unstable_by_key(of);
        of(&times[ROUNDS / 2])
    };
    let bare = median(|times| times.0);
    let watched = median(|times| times.1);
    watched.saturating_sub(bare) / SECTIONS
}

fn round(lock: &impl Lock<Value = u64>) -> Duration {
    let began = Instant::now();
    for _ in 0..SECTIONS {
        black_box(lock).exclusive(|count| *count += 1);
    }
    began.elapsed()
}
