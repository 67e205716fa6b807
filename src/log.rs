//! [`Log`]: what was said in a room, once. Whoever listens is a position in it.
//!
//! ```text
//!   given up      sealed segments, shared, never changed again         growing
//!   ~~~~~~~~ | one turn's lines | one turn's lines | one turn's lines | lines...
//!            ^ first            ^ a listener       ^ another          ^ end of what is sealed
//! ```
//!
//! Appending copies a line to the end, whoever many listen. A listener reads by asking for everything behind its position:
//! that seals what has grown, and gives it the segments themselves. So everything that was appended between two readings
//! lies in one piece, and goes to every listener in one slice, without a copy of its own.
//!
//! The log keeps so many bytes and gives up the oldest beyond that. Who comes for what was given up has *fallen off*.

use crate::primitives::{AtomicUsize, Mutex, Ordering};
use memchr::memchr_iter;
use std::collections::VecDeque;
use std::sync::Arc;

/// A place between two bytes of a log, and between two of its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    bytes: u64,
    lines: u64,
}

/// A piece of a log that is never changed again.
#[derive(Clone, Debug)]
pub(crate) struct Segment(Arc<Vec<u8>>);

impl Segment {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether both are the same piece.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What a listener found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// Everything before is read or missed: where to read on.
    pub(crate) to: Position,
    /// Lines that it has fallen off from.
    pub(crate) missed: u64,
}

/// See the [module](self).
pub(crate) struct Log {
    /// Bytes, with what each segment costs besides.
    keep: usize,
    state: Mutex<State>,
    /// Bytes that were ever appended, as far as they fit: to see without the lock that nothing is new.
    appended: AtomicUsize,
}

/// What a segment costs besides its bytes: many short ones are not to take many times the memory that one long one does.
const OVERHEAD: usize = 128;

struct State {
    /// Oldest first, each with its beginning.
    sealed: VecDeque<(Position, Segment)>,
    /// What they cost.
    kept: usize,
    /// Where what has grown begins.
    grown_from: Position,
    grown: Vec<u8>,
}

impl Log {
    /// An empty log that keeps `keep` bytes, what its segments cost besides included, or the last that were appended between two readings if those are more.
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            keep,
            state: Mutex::new(State {
                sealed: VecDeque::new(),
                kept: 0,
                grown_from: Position::default(),
                grown: Vec::new(),
            }),
            appended: AtomicUsize::new(0),
        }
    }

    /// Appends whole lines. Says how many bytes nobody has read yet.
    pub(crate) fn append(&self, lines: &[u8]) -> usize {
        let mut state = self.state.lock();
        state.grown.extend_from_slice(lines);
        self.appended.store(state.end() as usize, Ordering::Release);
        state.grown.len()
    }

    /// Bytes that were ever appended, as far as they fit.
    pub(crate) fn appended(&self) -> usize {
        self.appended.load(Ordering::Acquire)
    }

    /// Lines behind `from`, given up or not.
    pub(crate) fn lines_since(&self, from: Position) -> u64 {
        self.end().lines - from.lines
    }

    /// Whether something was appended behind `from`. Of two threads that do not otherwise meet, one may not see yet what
    /// the other has just appended.
    #[inline]
    pub(crate) fn has_grown(&self, from: Position) -> bool {
        self.appended.load(Ordering::Acquire) != from.bytes as usize
    }

    /// Where whoever begins to listen now begins.
    pub(crate) fn end(&self) -> Position {
        let mut state = self.state.lock();
        state.seal(self.keep);
        state.grown_from
    }

    /// Bytes behind `from`, given up or not.
    pub(crate) fn behind(&self, from: Position) -> usize {
        (self.state.lock().end() - from.bytes) as usize
    }

    /// Hands `take` everything behind `from`, a position that this log gave; of more than `at_most` bytes only the newest
    /// segments that are no more. `take` is told before its first segment if it misses any.
    pub(crate) fn read(
        &self,
        from: Position,
        at_most: usize,
        mut take: impl FnMut(Segment),
    ) -> Read {
        let mut state = self.state.lock();
        state.seal(self.keep);
        let to = state.grown_from;
        // As a rule, everybody has read everything but the newest.
        if let Some((begin, newest)) = state.sealed.back()
            && *begin == from
        {
            take(newest.clone());
            return Read { to, missed: 0 };
        }
        let wanted = state.sealed.partition_point(|(begin, _)| *begin < from);
        let affordable = state
            .sealed
            .partition_point(|(begin, _)| to.bytes - begin.bytes > at_most as u64);
        let newest = state.sealed.len().saturating_sub(1);
        let first = wanted.max(affordable.min(newest));
        let begin = state.sealed.get(first).map_or(to, |(begin, _)| *begin);
        for (_, segment) in state.sealed.range(first..) {
            take(segment.clone());
        }
        Read {
            to,
            missed: begin.lines.saturating_sub(from.lines),
        }
    }
}

impl State {
    fn end(&self) -> u64 {
        self.grown_from.bytes + self.grown.len() as u64
    }

    fn seal(&mut self, keep: usize) {
        if self.grown.is_empty() {
            return;
        }
        // The next turn's lines are about as many.
        let room = Vec::with_capacity(self.grown.len());
        let mut bytes = std::mem::replace(&mut self.grown, room);
        bytes.shrink_to(2 * bytes.len());
        let begin = self.grown_from;
        self.grown_from = Position {
            bytes: begin.bytes + bytes.len() as u64,
            lines: begin.lines + memchr_iter(b'\n', &bytes).count() as u64,
        };
        self.kept += bytes.len() + OVERHEAD;
        self.sealed.push_back((begin, Segment(Arc::new(bytes))));
        while self.sealed.len() > 1
            && let Some((_, oldest)) = self.sealed.front()
            && let cost = oldest.as_bytes().len() + OVERHEAD
            && self.kept - cost >= keep
        {
            self.kept -= cost;
            self.sealed.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(log: &Log, from: Position, at_most: usize) -> (String, Read) {
        let mut text = Vec::new();
        let read = log.read(from, at_most, |segment| {
            text.extend_from_slice(segment.as_bytes());
        });
        (String::from_utf8(text).unwrap(), read)
    }

    #[test]
    fn who_begins_to_listen_gets_what_is_said_from_then_on_once_and_in_one_piece() {
        let log = Log::new(99);
        log.append(b"before\n");
        let begin = log.end();
        assert_eq!(log.append(b"one\n"), 4);
        assert_eq!(log.append(b"two\n"), 8);
        let mut pieces = Vec::new();
        let read = log.read(begin, 99, |segment| pieces.push(segment));
        assert_eq!(pieces.len(), 1);
        assert_eq!(pieces[0].as_bytes(), b"one\ntwo\n");
        assert_eq!((read.to, read.missed), (log.end(), 0));
        assert_eq!(log.behind(read.to), 0);
        assert_eq!(log.read(read.to, 99, |_| panic!("nothing is new")), read);
    }

    #[test]
    fn two_listeners_are_handed_the_same_bytes() {
        let log = Log::new(99);
        let begin = log.end();
        log.append(b"said once\n");
        let mut pieces = Vec::new();
        for _ in 0..2 {
            log.read(begin, 99, |segment| pieces.push(segment));
        }
        assert!(std::ptr::eq(pieces[0].as_bytes(), pieces[1].as_bytes()));
    }

    #[test]
    fn who_comes_for_what_was_given_up_is_told_how_many_lines_that_were() {
        let log = Log::new(3 * (OVERHEAD + 2) + 2 + OVERHEAD);
        let begin = log.end();
        for line in ["1\n", "2\n3\n", "4\n", "5\n", "6\n"] {
            log.append(line.as_bytes());
            log.end();
        }
        let (text, found) = read(&log, begin, 99);
        assert_eq!((text.as_str(), found.missed), ("2\n3\n4\n5\n6\n", 1));
        let (text, found) = read(&log, begin, 4);
        assert_eq!((text.as_str(), found.missed), ("5\n6\n", 4));
        let (text, _) = read(&log, begin, 1);
        assert_eq!(text, "6\n", "the newest is never given up");
    }

    proptest! {
        // In Miri's interpreter a case takes seconds.
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]
        #[test]
        fn whatever_is_read_when_nothing_is_missed_or_told_as_missed_and_in_order(
            steps in proptest::collection::vec((0_usize..3, 0_usize..5), 1..60),
            keep in 0_usize..10 * OVERHEAD,
        ) {
            let log = Log::new(keep);
            let mut listeners = [(log.end(), 0_u64); 3];
            let mut said = 0_u64;
            for (who, lines) in steps {
                for _ in 0..lines {
                    log.append(format!("{said}\n").as_bytes());
                    said += 1;
                }
                let (at, next) = &mut listeners[who];
                let (text, found) = read(&log, *at, 30);
                *next += found.missed;
                for line in text.lines() {
                    prop_assert_eq!(line, next.to_string());
                    *next += 1;
                }
                prop_assert_eq!(*next, said);
                *at = found.to;
            }
        }
    }
}
