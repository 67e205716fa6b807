//! [`Account`]: what was lost, came twice or too late, from the headers that came.
//!
//! Nobody tells a receiver what it did not get. It finds out from the numbers: one that is skipped is *missing*; it is lost
//! unless it comes after all, and then it is *reordered*; one that comes again is a *duplicate*. The set of missing numbers is
//! kept, so that every datagram is told for what it is, however late, and for each stream
//!
//! ```text
//!   highest number + 1 - first number = received + lost
//! ```
//!
//! holds at every moment: with the first number 0, and the [end](super::Kind::End) heard, the left side is what was sent.

mod stream;

use super::header::{Header, Kind};
use serde::Serialize;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use stream::Stream;

/// The books of one receiver, over all streams that it hears. One owner.
#[derive(Debug, Default)]
pub struct Account {
    streams: HashMap<Key, Stream>,
    /// Of streams that are no longer kept, and of those that began anew under their own number.
    closed: Vec<StreamReport>,
    /// Of those for which even a line is no longer kept.
    folded: Totals,
    plain: u64,
    malformed: u64,
    bytes: u64,
    /// Streams that began, for an order among them.
    begun: u64,
}

/// A stream is one of a host: whoever else uses its number is another.
type Key = (IpAddr, u64);

/// Streams that are kept at once: more come only from somebody who makes them up.
const MOST_STREAMS: usize = 256;

/// Streams that are told of one by one, when they are over.
const MOST_CLOSED: usize = 256;

/// What a datagram turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The first of a stream. `first` of 0 is its very beginning; what was before is not counted as lost. `again`: the same
    /// host sent another stream before, so its sender has started again.
    Begun {
        /// Its number.
        first: u64,
        /// Its sender was another stream before.
        again: bool,
    },
    /// The one that was due.
    InOrder,
    /// Numbers were skipped: they are missing.
    Gap {
        /// The first of them.
        from: u64,
        /// And how many.
        missing: u64,
    },
    /// One that was missing, after later ones: no longer lost, but reordered.
    Late,
    /// It had come before.
    Duplicate,
    /// So far behind that it cannot be said whether it had come before, or from long before the first that was heard. It is not
    /// counted as received, and stays lost if it was.
    Stale,
    /// The first of a stream, and it says that it is over, after `count` numbers: none was heard, and who knows since when it was
    /// there to be heard.
    OnlyEnded {
        /// How many there were.
        count: u64,
    },
    /// The stream is over. `missing` of its last, from `first` on, never came, or have not come yet.
    Ended {
        /// The first of them.
        first: u64,
        /// How many of the last.
        missing: u64,
    },
}

impl Account {
    /// Empty books.
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters one numbered datagram, and says what it was. `news` is the length of what followed the header, `at` when it came.
    ///
    /// The header is one that was [decoded](Header::decode): no number is 2^64-1.
    pub fn numbered(
        &mut self,
        header: &Header,
        from: SocketAddr,
        news: usize,
        at: Instant,
    ) -> Verdict {
        if header.kind == Kind::News {
            self.bytes += news as u64;
        }
        let key = (from.ip(), header.stream);
        let Some(stream) = self.streams.get_mut(&key) else {
            return self.begin(key, header, from, news, at);
        };
        if stream.began_anew(header) {
            let old = stream.report();
            *stream = Stream::begin(header, from, news, at, stream.order);
            stream.again = true;
            self.close(old);
            return Verdict::Begun {
                first: header.sequence,
                again: true,
            };
        }
        let verdict = stream.enter(header, news, at);
        // Stragglers and the end may come when the sender is gone already.
        let goes_on = matches!(verdict, Verdict::InOrder | Verdict::Gap { .. });
        if goes_on && let Some(other) = stream.successor.take() {
            self.two_senders(key, other);
        }
        verdict
    }

    fn begin(
        &mut self,
        key: Key,
        header: &Header,
        from: SocketAddr,
        news: usize,
        at: Instant,
    ) -> Verdict {
        self.make_room();
        let silent = self.latest(key.0, |_, stream| stream.successor.is_none());
        if let Some(silent) = silent {
            self.follows(silent, key);
        }
        self.begun += 1;
        let mut stream = Stream::begin(header, from, news, at, self.begun);
        stream.again = silent.is_some();
        self.streams.insert(key, stream);
        match header.kind {
            Kind::News => Verdict::Begun {
                first: header.sequence,
                again: silent.is_some(),
            },
            Kind::End => Verdict::OnlyEnded {
                count: header.sequence,
            },
        }
    }

    /// Enters one without a header.
    pub fn plain(&mut self, bytes: usize) {
        self.plain += 1;
        self.bytes += bytes as u64;
    }

    /// Enters one that only begins like a numbered one.
    pub fn malformed(&mut self) {
        self.malformed += 1;
    }

    /// Everything so far. `dropped` as [`Receiver::dropped`](super::Receiver::dropped) tells it.
    pub fn report(&self, dropped: Option<u32>) -> Report {
        let mut streams = self.closed.clone();
        let mut open: Vec<&Stream> = self.streams.values().collect();
        open.sort_unstable_by_key(|stream| stream.order);
        streams.extend(open.into_iter().map(Stream::report));
        let mut totals = self.folded.clone();
        for stream in &streams {
            totals.add(stream);
        }
        Report {
            plain: self.plain,
            malformed: self.malformed,
            bytes: self.bytes,
            dropped_here: dropped,
            totals,
            streams,
        }
    }

    /// Of a host's streams, the one that was heard last.
    fn latest(&self, host: IpAddr, which: impl Fn(Key, &Stream) -> bool) -> Option<Key> {
        let of_host = self.streams.iter().filter(|(key, _)| key.0 == host);
        let which = of_host.filter(|(key, stream)| which(**key, stream));
        let latest = which.max_by_key(|(_, stream)| (stream.heard, stream.order));
        latest.map(|(key, _)| *key)
    }

    fn follows(&mut self, of: Key, successor: Key) {
        if let Some(stream) = self.streams.get_mut(&of) {
            stream.successor = Some(successor);
        }
    }

    /// A stream goes on that another seemed to follow: a host of two senders. If a third fell silent before that other began, it
    /// is the one that started again.
    fn two_senders(&mut self, goes_on: Key, other: Key) {
        let Some(began) = self.streams.get(&other).map(|stream| stream.began) else {
            return;
        };
        let silent = self.latest(other.0, |key, stream| {
            key != goes_on && key != other && stream.successor.is_none() && stream.heard <= began
        });
        match silent {
            Some(silent) => self.follows(silent, other),
            None => {
                if let Some(stream) = self.streams.get_mut(&other) {
                    stream.again = false;
                }
            }
        }
    }

    /// Those of a single datagram go first: whoever makes streams up drives out none that is alive.
    fn make_room(&mut self) {
        if self.streams.len() < MOST_STREAMS {
            return;
        }
        let streams = self.streams.iter();
        let least = streams.min_by_key(|(_, stream)| (stream.is_more_than_one(), stream.heard));
        let key = least.map(|(key, _)| *key);
        if let Some(stream) = key.and_then(|key| self.streams.remove(&key)) {
            self.close(stream.report());
        }
    }

    fn close(&mut self, report: StreamReport) {
        if self.closed.len() >= MOST_CLOSED {
            self.folded.add(&self.closed.remove(0));
        }
        self.closed.push(report);
    }
}

/// What came, and what did not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Datagrams without a header: nothing can be said about those that did not come.
    pub plain: u64,
    /// Datagrams that only began like numbered ones.
    pub malformed: u64,
    /// Bytes of news, without headers.
    pub bytes: u64,
    /// Datagrams that reached this host and found the receiver's buffer full. They are among the lost. None where the system
    /// does not tell.
    pub dropped_here: Option<u32>,
    /// Of all streams together.
    #[serde(flatten)]
    pub totals: Totals,
    /// Each stream, in the order in which they began; of more than 500, only the last, and the others in the totals.
    pub streams: Vec<StreamReport>,
}

/// Sums over streams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// As [`StreamReport::received`].
    pub received: u64,
    /// As [`StreamReport::lost`].
    pub lost: u64,
    /// As [`StreamReport::duplicates`].
    pub duplicates: u64,
    /// As [`StreamReport::reordered`].
    pub reordered: u64,
    /// As [`StreamReport::stale`].
    pub stale: u64,
    /// Streams whose sender had sent another before: how often senders started again.
    pub restarts: u64,
}

impl Totals {
    fn add(&mut self, stream: &StreamReport) {
        // Numbers that somebody made up can be of any size.
        let add = |sum: &mut u64, count: u64| *sum = sum.saturating_add(count);
        add(&mut self.received, stream.received);
        add(&mut self.lost, stream.lost);
        add(&mut self.duplicates, stream.duplicates);
        add(&mut self.reordered, stream.reordered);
        add(&mut self.stale, stream.stale);
        add(&mut self.restarts, stream.restarted.into());
    }
}

/// What came of one stream, and what did not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamReport {
    /// Its number, in hexadecimal: it does not fit the numbers of every reader of JSON.
    pub stream: String,
    /// Who sends it.
    pub from: SocketAddr,
    /// The lowest number that came. What was before is not counted as lost: perhaps nobody listened yet.
    pub first: u64,
    /// One more than the highest that came, or, at the end, how many were sent.
    pub next: u64,
    /// Different datagrams that came.
    pub received: u64,
    /// Numbers between the first and the next that did not come.
    pub lost: u64,
    /// Those that came again.
    pub duplicates: u64,
    /// Of the received, those that came after a later one.
    pub reordered: u64,
    /// Those so far behind that nobody knows whether they had come before, or that are from long before the first: they are in
    /// none of the other counts.
    pub stale: u64,
    /// Bytes of news, duplicates and all.
    pub bytes: u64,
    /// How unevenly they came, compared with how they were sent: the mean deviation of RFC 3550, 6.4.1, in microseconds.
    pub jitter_us: f64,
    /// The sender said that it was over.
    pub ended: bool,
    /// The same host had sent another stream before.
    pub restarted: bool,
}

#[cfg(test)]
mod tests;
