//! [`Stream`]: the books of one sender, since it started.

use super::super::header::{Header, Kind};
use super::{Key, StreamReport, Verdict};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Runs of missing numbers that are kept. Beyond that, the oldest is lost for good.
const MOST_GAPS: usize = 10_000;

/// How far before the first that was heard one may have been overtaken. Before that, it is from before this receiver's time, and
/// whatever lay between is not missed.
const OVERTAKEN: u64 = 1000;

#[derive(Debug)]
pub(super) struct Stream {
    id: u64,
    from: SocketAddr,
    /// The how-manieth to begin.
    pub(super) order: u64,
    first: u64,
    next: u64,
    /// Missing numbers: where each run begins, and the first number after it. Runs do not touch.
    gaps: BTreeMap<u64, u64>,
    /// Numbers below this are no longer told apart.
    horizon: u64,
    received: u64,
    duplicates: u64,
    reordered: u64,
    stale: u64,
    bytes: u64,
    jitter: Jitter,
    newest: Duration,
    pub(super) began: Instant,
    pub(super) heard: Instant,
    ended: bool,
    pub(super) again: bool,
    /// The stream that this host began after this one.
    pub(super) successor: Option<Key>,
}

impl Stream {
    /// With its first datagram, which may be its end.
    pub(super) fn begin(
        header: &Header,
        from: SocketAddr,
        news: usize,
        at: Instant,
        order: u64,
    ) -> Self {
        let one = u64::from(header.kind == Kind::News);
        Self {
            id: header.stream,
            from,
            order,
            first: header.sequence,
            next: header.sequence + one,
            gaps: BTreeMap::new(),
            horizon: 0,
            received: one,
            duplicates: 0,
            reordered: 0,
            stale: 0,
            bytes: one * news as u64,
            jitter: Jitter::begin(at, header.sent_at),
            newest: header.sent_at,
            began: at,
            heard: at,
            ended: header.kind == Kind::End,
            again: false,
            successor: None,
        }
    }

    /// A number that was used before, sent later than all so far: its sender counts from the beginning again.
    pub(super) fn began_anew(&self, header: &Header) -> bool {
        header.kind == Kind::News && header.sequence < self.next && header.sent_at > self.newest
    }

    pub(super) fn enter(&mut self, header: &Header, news: usize, at: Instant) -> Verdict {
        self.heard = at;
        if header.kind == Kind::End {
            self.newest = self.newest.max(header.sent_at);
            let first = self.next;
            let missing = self.skip_to(header.sequence);
            self.ended = true;
            return Verdict::Ended { first, missing };
        }
        self.bytes += news as u64;
        let sequence = header.sequence;
        if sequence < self.next {
            return self.old(sequence);
        }
        self.received += 1;
        self.ended = false;
        self.newest = self.newest.max(header.sent_at);
        self.jitter.enter(at, header.sent_at);
        let from = self.next;
        let missing = self.skip_to(sequence);
        self.next = sequence + 1;
        match missing {
            0 => Verdict::InOrder,
            missing => Verdict::Gap { from, missing },
        }
    }

    /// Everything up to `sequence` is missing; says how many.
    fn skip_to(&mut self, sequence: u64) -> u64 {
        let missing = sequence.saturating_sub(self.next);
        if missing > 0 {
            self.miss(self.next, sequence);
            self.next = sequence;
        }
        missing
    }

    fn miss(&mut self, from: u64, to: u64) {
        // After an end, what goes on misses from where the end has.
        match self.gaps.last_entry() {
            Some(mut last) if *last.get() == from => {
                last.insert(to);
            }
            _ => self.keep(from, to),
        }
    }

    /// Keeps a run of missing numbers, and no more of them than there is room for.
    fn keep(&mut self, from: u64, to: u64) {
        if from < to {
            self.gaps.insert(from, to);
        }
        while self.gaps.len() > MOST_GAPS
            && let Some((_, end)) = self.gaps.pop_first()
        {
            self.horizon = end;
        }
    }

    /// One that is no news to the numbers: late, or a duplicate.
    fn old(&mut self, sequence: u64) -> Verdict {
        let oldest = self.first.saturating_sub(OVERTAKEN);
        if sequence < self.horizon.max(oldest) {
            self.stale += 1;
            return Verdict::Stale;
        }
        if sequence < self.first {
            // This receiver's first came before it.
            self.keep(sequence + 1, self.first);
            self.first = sequence;
        } else if !self.fill(sequence) {
            self.duplicates += 1;
            return Verdict::Duplicate;
        }
        self.received += 1;
        self.reordered += 1;
        Verdict::Late
    }

    /// Takes a number out of the missing ones; says whether it was among them.
    fn fill(&mut self, sequence: u64) -> bool {
        let Some((&from, &to)) = self.gaps.range(..=sequence).next_back() else {
            return false;
        };
        if sequence >= to {
            return false;
        }
        self.gaps.remove(&from);
        self.keep(sequence + 1, to);
        self.keep(from, sequence);
        true
    }

    #[cfg(test)]
    pub(super) fn runs(&self) -> usize {
        self.gaps.len()
    }

    pub(super) fn is_more_than_one(&self) -> bool {
        self.received + self.duplicates > 1
    }

    pub(super) fn report(&self) -> StreamReport {
        StreamReport {
            stream: format!("{:016x}", self.id),
            from: self.from,
            first: self.first,
            next: self.next,
            received: self.received,
            lost: self.next - self.first - self.received,
            duplicates: self.duplicates,
            reordered: self.reordered,
            stale: self.stale,
            bytes: self.bytes,
            jitter_us: self.jitter.micros(),
            ended: self.ended,
            restarted: self.again,
        }
    }
}

/// Interarrival jitter (RFC 3550, 6.4.1): a mean of how much more or less time lay between two arrivals than between their
/// sendings. The two clocks need not agree, since only differences count.
#[derive(Debug)]
struct Jitter {
    arrived: Instant,
    sent: Duration,
    nanos: f64,
}

impl Jitter {
    fn begin(arrived: Instant, sent: Duration) -> Self {
        Self {
            arrived,
            sent,
            nanos: 0.0,
        }
    }

    fn enter(&mut self, arrived: Instant, sent: Duration) {
        let between_arrivals = arrived.saturating_duration_since(self.arrived).as_nanos() as f64;
        let between_sendings = sent.as_nanos() as f64 - self.sent.as_nanos() as f64;
        let difference = (between_arrivals - between_sendings).abs();
        self.nanos += (difference - self.nanos) / 16.0;
        (self.arrived, self.sent) = (arrived, sent);
    }

    fn micros(&self) -> f64 {
        self.nanos / 1e3
    }
}
