//! [`Stats`]: what happened, counted. Nothing that a server refuses, drops or cuts off goes uncounted.

mod event;

pub(crate) use event::Event;

use crate::sync::buckets::{self, Buckets};
use crate::sync::{LockStats, Spread};
use parking_lot::Mutex;
use serde::Serialize;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use thiserror::Error;

/// Why a client was not served. The text is what the client is told.
#[derive(Debug, Error)]
pub enum Refusal {
    /// As many are served as may be.
    #[error("server is full: {limit} clients are being served (limit: --max-clients {limit})")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// The queue in front of the pool has no room.
    #[error(
        "server is busy: every worker serves a client and the queue is full (limit: --queue {limit})"
    )]
    QueueFull {
        /// The limit.
        limit: usize,
    },
    /// The process or the system has no descriptor left.
    #[error("server is out of file descriptors: {0}")]
    Descriptors(std::io::Error),
    /// The model's poller cannot watch this descriptor.
    #[error("{0}")]
    Unwatchable(std::io::Error),
    /// No thread could be started.
    #[error("server could not start a thread for you: {0}")]
    NoThread(std::io::Error),
    /// No process could be started.
    #[error("server could not start a process for you: {0}")]
    NoProcess(std::io::Error),
}

impl Refusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Full { .. } => RefusalKind::Full,
            Self::QueueFull { .. } => RefusalKind::QueueFull,
            Self::Descriptors(_) => RefusalKind::Descriptors,
            Self::Unwatchable(_) => RefusalKind::Unwatchable,
            Self::NoThread(_) => RefusalKind::NoThread,
            Self::NoProcess(_) => RefusalKind::NoProcess,
        }
    }
}

/// A [`Refusal`] without its particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    Full,
    QueueFull,
    Descriptors,
    Unwatchable,
    NoThread,
    NoProcess,
}

impl RefusalKind {
    const ALL: [Self; 6] = [
        Self::Full,
        Self::QueueFull,
        Self::Descriptors,
        Self::Unwatchable,
        Self::NoThread,
        Self::NoProcess,
    ];
}

/// Why a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// The client ended its side, and got everything.
    #[error("the client ended")]
    Finished,
    /// The session said so.
    #[error("the service closed it")]
    ByService,
    /// The session panicked.
    #[error("the session panicked")]
    Panicked,
    /// Nothing arrived, or nothing was taken, for the idle time-out.
    #[error("idle for too long")]
    Idle,
    /// Its mailbox overflowed.
    #[error("the client read too slowly")]
    TooSlow,
    /// The connection broke: reset, or unreachable.
    #[error("the connection broke")]
    Lost,
    /// The server drained, and this client got everything.
    #[error("the server drained")]
    Drained,
    /// The server ended before this client got everything.
    #[error("the server was forced to end")]
    Forced,
}

impl Closed {
    /// In the order of their numbers.
    const ALL: [Self; 8] = [
        Self::Finished,
        Self::ByService,
        Self::Panicked,
        Self::Idle,
        Self::TooSlow,
        Self::Lost,
        Self::Drained,
        Self::Forced,
    ];

    /// Whether the last words need the connection read on, so that no RST overtakes them.
    pub(crate) fn lingers(self) -> bool {
        matches!(self, Self::ByService | Self::Panicked)
    }
}

/// Counters of one server. From any thread.
#[derive(Debug, Default)]
pub struct Stats {
    /// By each acceptor. Locked once per client.
    accepted: Mutex<Vec<u64>>,
    woken_in_vain: AtomicU64,
    /// In nanoseconds. Added to once per client.
    queue_wait: Buckets,
    aborted: AtomicU64,
    opened: AtomicU64,
    closed: [AtomicU64; Closed::ALL.len()],
    refused: [AtomicU64; RefusalKind::ALL.len()],
    lost_messages: AtomicU64,
    drain: [AtomicU64; 3],
    teller: Option<Teller>,
}

/// Whom all that is counted is told, too.
struct Teller(Box<dyn Fn(Event) + Send + Sync>);

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Teller")
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

impl Stats {
    /// Counters of a server that is a part of another one, which is to be told of every count. Nothing is logged here:
    /// whoever is told sums up, and logs that.
    pub(crate) fn telling(tell: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self {
            teller: Some(Teller(Box::new(tell))),
            ..Self::default()
        }
    }

    fn tell(&self, event: Event) {
        if let Some(Teller(tell)) = &self.teller {
            tell(event);
        }
    }

    /// Counts what another process was told of its `acceptor`. What the drains of several come to is for who knows
    /// them all to sum up.
    pub(crate) fn count(&self, acceptor: usize, event: Event) {
        match event {
            Event::WokenInVain { times } => add(&self.woken_in_vain, times),
            Event::Accepted => self.accepted(acceptor),
            Event::Aborted => self.aborted(),
            Event::Refused(kind) => self.refused_for(kind),
            Event::Opened => self.opened(),
            Event::Closed { why, lost_messages } => self.closed(why, lost_messages),
            Event::DrainBegan { .. } | Event::DrainForced { .. } => {}
        }
    }

    /// So many acceptors stand at the door.
    pub(crate) fn acceptors(&self, count: usize) {
        self.accepted.lock().resize(count, 0);
    }

    pub(crate) fn accepted(&self, acceptor: usize) {
        self.accepted.lock()[acceptor] += 1;
        self.tell(Event::Accepted);
    }

    /// One of several who accept was woken by a client, and another had taken it.
    pub(crate) fn woken_in_vain(&self) {
        add(&self.woken_in_vain, 1);
        self.tell(Event::WokenInVain { times: 1 });
    }

    /// A client was taken out of a queue, in which it was for so long.
    pub(crate) fn dequeued(&self, wait: Duration) {
        let nanoseconds = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        self.queue_wait.add(nanoseconds);
    }

    pub(crate) fn aborted(&self) {
        add(&self.aborted, 1);
        self.tell(Event::Aborted);
    }

    pub(crate) fn refused(&self, why: &Refusal) {
        self.refused_for(why.kind());
    }

    fn refused_for(&self, kind: RefusalKind) {
        add(&self.refused[kind as usize], 1);
        self.tell(Event::Refused(kind));
    }

    pub(crate) fn opened(&self) {
        add(&self.opened, 1);
        self.tell(Event::Opened);
    }

    pub(crate) fn closed(&self, why: Closed, lost_messages: u64) {
        add(&self.lost_messages, lost_messages);
        // Last, and released: who sees this client closed sees what it lost, too.
        self.closed[why as usize].fetch_add(1, Ordering::Release);
        self.tell(Event::Closed { why, lost_messages });
    }

    /// A drain has begun for some of the clients: so many had nothing unanswered, so many are given time.
    pub(crate) fn drain_began(&self, idle: u64, busy: u64, patience: Duration) {
        add(&self.drain[0], idle);
        add(&self.drain[1], busy);
        if self.teller.is_some() {
            return self.tell(Event::DrainBegan { idle, busy });
        }
        tracing::info!(
            idle,
            busy,
            ?patience,
            "draining: idle clients are closed, busy ones may finish"
        );
    }

    /// The time is over for so many.
    pub(crate) fn drain_forced(&self, forced: u64) {
        add(&self.drain[2], forced);
        if self.teller.is_some() {
            return self.tell(Event::DrainForced { forced });
        }
        tracing::warn!(forced, "cutting off the clients that are left");
    }

    /// The counters now, without those of a lock. Each is exact; together they are not one moment.
    pub fn snapshot(&self) -> Snapshot {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let refused = |kind: RefusalKind| of(&self.refused[kind as usize]);
        let why = |why: Closed| self.closed[why as usize].load(Ordering::Acquire);
        let closed: u64 = self.closed.iter().map(|c| c.load(Ordering::Acquire)).sum();
        let opened = of(&self.opened);
        let accepted_by = self.accepted.lock().clone();
        Snapshot {
            accepted: accepted_by.iter().sum(),
            accepted_by,
            woken_in_vain: of(&self.woken_in_vain),
            queue_wait: spread(&self.queue_wait),
            aborted: of(&self.aborted),
            opened,
            open: opened.saturating_sub(closed),
            refused_full: refused(RefusalKind::Full),
            refused_queue_full: refused(RefusalKind::QueueFull),
            refused_descriptors: refused(RefusalKind::Descriptors),
            refused_unwatchable: refused(RefusalKind::Unwatchable),
            refused_no_thread: refused(RefusalKind::NoThread),
            refused_no_process: refused(RefusalKind::NoProcess),
            finished: why(Closed::Finished),
            by_service: why(Closed::ByService),
            panicked: why(Closed::Panicked),
            idle: why(Closed::Idle),
            too_slow: why(Closed::TooSlow),
            lost: why(Closed::Lost),
            drained: why(Closed::Drained),
            forced: why(Closed::Forced),
            lost_messages: of(&self.lost_messages),
            drain: DrainReport {
                idle: of(&self.drain[0]),
                busy: of(&self.drain[1]),
                forced: of(&self.drain[2]),
            },
            lock: None,
        }
    }
}

/// What buckets of nanoseconds hold.
fn spread(buckets: &Buckets) -> Spread {
    let ends = buckets::sum(std::iter::once(buckets));
    Spread::new(
        ends.map(|(end, count)| (Duration::from_nanos(end), count)),
        Duration::from_nanos(buckets.max()),
    )
}

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

/// [`Stats`] at one look. Every number counts clients, except `woken_in_vain` and `lost_messages`.
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
