//! [`LastCall`]: for how long a draining server still waits for what a client may have said before the drain.
//!
//! ```text
//!            more unread than one read takes         silent for long, in all
//!      soon ---------------------------------> held up ----------------------> over
//!        \_________________ silent for a moment, in all ______________________/
//! ```

use super::CHUNK;
use std::time::Duration;

/// What was on its way arrives within this.
const SOON: Duration = Duration::from_millis(50);

/// The client's own kernel may be silent for a while though there is room here: a lost segment is sent again after 200 ms
/// at the earliest (`TCP_RTO_MIN` of Linux), and a kernel that keeps a pace (BBR) was seen to rest for 100 ms.
const HELD_UP: Duration = Duration::from_millis(500);

/// How much silence of a client that was busy at a drain is borne, in all.
///
/// When more lies unread than one read takes, its window may be shut, or have been so a moment ago, and the rest of what
/// the client said is held up in its own kernel. The sign is a rough one: how much fits a window differs.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastCall {
    pub(super) left: Duration,
    held_up: Duration,
}

impl LastCall {
    /// In a drain that takes `drain` at most: whoever is silent in the end is to be seen out in order, and not cut off.
    pub(super) fn new(drain: Duration) -> Self {
        Self {
            left: SOON,
            held_up: HELD_UP.min(drain / 2),
        }
    }

    /// So many bytes lie here that were not read.
    pub(super) fn unread(&mut self, unread: u64) {
        if unread > CHUNK as u64 {
            self.left = self.left.max(self.held_up);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORE: u64 = CHUNK as u64 + 1;

    #[test]
    fn who_may_be_held_up_is_waited_for_until_a_lost_segment_has_come() {
        let mut call = LastCall::new(Duration::from_secs(5));
        call.unread(MORE - 1);
        assert_eq!(call.left, SOON);
        call.left /= 2;
        call.unread(MORE);
        assert!(call.left > Duration::from_millis(200));
        call.left = Duration::ZERO;
        // It came on: what follows may be held up again.
        call.unread(MORE);
        assert_eq!(call.left, HELD_UP);
    }

    #[test]
    fn a_short_drain_leaves_time_to_part_in_order() {
        let mut call = LastCall::new(Duration::from_millis(300));
        call.unread(MORE);
        assert_eq!(call.left, Duration::from_millis(150));
        let mut shorter = LastCall::new(Duration::from_millis(2));
        shorter.unread(MORE);
        assert_eq!(shorter.left, SOON);
    }
}
