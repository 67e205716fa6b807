//! [`Phase`]: how far the end of a loop has come.

use crate::stats::Closed;
use std::time::Instant;

/// From serving to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Serving,
    Draining { until: Instant },
    Forced,
}

impl Phase {
    /// What it means that a client's input is over.
    pub(super) fn end_of_input(self) -> Closed {
        match self {
            Self::Serving => Closed::Finished,
            Self::Draining { .. } => Closed::Drained,
            Self::Forced => Closed::Forced,
        }
    }
}
