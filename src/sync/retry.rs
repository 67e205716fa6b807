//! Trying again until it is too late: the timed form of the locks that spin.

use crossbeam_utils::Backoff;
use std::time::Instant;

/// What the first `attempt` that succeeds gives; `None` when none has by the `deadline`. There is at least one.
pub(super) fn until<G>(deadline: Instant, mut attempt: impl FnMut() -> Option<G>) -> Option<G> {
    let backoff = Backoff::new();
    loop {
        if let Some(entered) = attempt() {
            return Some(entered);
        }
        if Instant::now() >= deadline {
            return None;
        }
        backoff.snooze();
    }
}
