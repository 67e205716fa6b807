//! [`Stats`]: what happened, counted. Nothing that a server refuses, drops or cuts off goes uncounted.

mod event;
mod snapshot;

pub(crate) use event::Event;
pub use snapshot::{DrainReport, Snapshot};

use crate::mailbox::Missed;
use crate::sync::Spread;
use crate::sync::buckets::{self, Buckets};
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
    dropped_lines: AtomicU64,
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
            Event::Closed { why, missed } => self.closed(why, missed),
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

    pub(crate) fn closed(&self, why: Closed, missed: Missed) {
        add(&self.lost_messages, missed.messages);
        add(&self.dropped_lines, missed.dropped_lines);
        // Last, and released: who sees this client closed sees what it lost, too.
        self.closed[why as usize].fetch_add(1, Ordering::Release);
        self.tell(Event::Closed { why, missed });
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
            dropped_lines: of(&self.dropped_lines),
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
