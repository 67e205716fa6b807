//! [`Snapshot`]: the counters at one look.

use crate::sync::{LockStats, Spread};
use serde::Serialize;

/// What a drain met: counted in clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DrainReport {
    /// Had nothing unanswered and nothing unsent: closed at once.
    pub idle: u64,
    /// Were given time.
    pub busy: u64,
    /// Did not finish in that time, and were cut off.
    pub forced: u64,
}

/// [`Stats`](super::Stats) at one look. Every number counts clients, except `woken_in_vain`,
/// `lost_messages` and `dropped_lines`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Connections that accept returned.
    pub accepted: u64,
    /// The same, by each of those who accept.
    pub accepted_by: Vec<u64>,
    /// How often one of several workers that accept by themselves was woken by a client that another took, and got as far as
    /// accept. That is a small part of the thundering herd, and may be 0 while it is there: poll(2) looks again before it
    /// returns, and lets who comes too late sleep on. The rest shows only in the context switches.
    pub woken_in_vain: u64,
    /// How long the clients that a worker of a [`Pool`](crate::model::Pool) took out of the queue had waited, from accept on.
    /// (Those of workers that accept by themselves wait in the kernel's backlog, where nobody sees for how long.)
    pub queue_wait: Spread,
    /// Connections that broke before accept returned them.
    pub aborted: u64,
    /// Clients whose service began.
    pub opened: u64,
    /// Clients being served now.
    pub open: u64,
    /// Refused: the server was full.
    pub refused_full: u64,
    /// Refused: the pool's queue was full.
    pub refused_queue_full: u64,
    /// Refused: no descriptor was left.
    pub refused_descriptors: u64,
    /// Refused: the poller could not watch the descriptor.
    pub refused_unwatchable: u64,
    /// Refused: no thread could be started.
    pub refused_no_thread: u64,
    /// Refused: no process could be started.
    pub refused_no_process: u64,
    /// Closed: the client ended.
    pub finished: u64,
    /// Closed: the session said so.
    pub by_service: u64,
    /// Closed: the session panicked.
    pub panicked: u64,
    /// Closed: idle for too long.
    pub idle: u64,
    /// Closed: the client read too slowly.
    pub too_slow: u64,
    /// Closed: the connection broke.
    pub lost: u64,
    /// Closed: by a drain, with everything answered.
    pub drained: u64,
    /// Closed: by force.
    pub forced: u64,
    /// Messages and answers that waited for a client and never left for it in full.
    pub lost_messages: u64,
    /// Lines that were dropped for clients that read too slowly, counted when those are closed. They were told how many.
    pub dropped_lines: u64,
    /// The drain, once there was one.
    pub drain: DrainReport,
    /// The lock that the service's sessions share, where that is watched.
    pub lock: Option<LockStats>,
}

impl Snapshot {
    /// All clients that were refused, for whatever reason.
    pub fn refused(&self) -> u64 {
        self.refused_full
            + self.refused_queue_full
            + self.refused_descriptors
            + self.refused_unwatchable
            + self.refused_no_thread
            + self.refused_no_process
    }

    /// How evenly the clients fell to those who accept, as Jain's index: 1 when all accepted as many, 1/n when one of n
    /// accepted all. `None` when only one accepts, or nobody came.
    ///
    /// R. Jain, D. Chiu, W. Hawe, *A Quantitative Measure of Fairness*, DEC-TR-301, 1984.
    pub fn accept_fairness(&self) -> Option<f64> {
        let shares = &self.accepted_by;
        if shares.len() < 2 || self.accepted == 0 {
            return None;
        }
        let squares: f64 = shares.iter().map(|&n| (n as f64).powi(2)).sum();
        Some((self.accepted as f64).powi(2) / (shares.len() as f64 * squares))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(by: &[u64]) -> Snapshot {
        Snapshot {
            accepted: by.iter().sum(),
            accepted_by: by.to_vec(),
            ..Snapshot::default()
        }
    }

    #[test]
    fn accepting_is_fair_when_all_accept_as_many_and_least_when_one_accepts_all() {
        assert_eq!(accepted(&[5, 5, 5, 5]).accept_fairness(), Some(1.0));
        assert_eq!(accepted(&[20, 0, 0, 0]).accept_fairness(), Some(0.25));
        assert_eq!(accepted(&[20]).accept_fairness(), None);
        assert_eq!(accepted(&[0, 0]).accept_fairness(), None);
    }
}
