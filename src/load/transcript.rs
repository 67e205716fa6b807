//! [`Transcript`]: what was said, in the order in which the first who heard it did.

use super::line::{Form, Line};

/// Grown by so many bytes, it looks for what everybody has heard.
const GROWTH: usize = 1 << 20;

/// Whole lines of one size, none of them lost. Places in it are bytes since its beginning, and lie between two lines.
#[derive(Debug)]
pub(super) struct Transcript {
    line: usize,
    bytes: Vec<u8>,
    /// The place of the first that is still there.
    first: u64,
    /// Per talker: the number of its line that must come next.
    awaited: Vec<u64>,
    /// Per talker: the place behind its last line.
    behind: Vec<u64>,
    forget_at: usize,
}

impl Transcript {
    /// Nothing said yet; `awaited` comes next.
    pub(super) fn new(line: usize, awaited: Vec<u64>) -> Self {
        Self {
            line,
            bytes: Vec::new(),
            first: 0,
            behind: vec![0; awaited.len()],
            awaited,
            forget_at: GROWTH,
        }
    }

    pub(super) fn end(&self) -> u64 {
        self.first + self.bytes.len() as u64
    }

    fn from(&self, place: u64) -> &[u8] {
        &self.bytes[(place - self.first) as usize..]
    }

    /// How many of the whole lines at the beginning of `bytes` are those that follow `place`: all that can be compared, or
    /// none.
    pub(super) fn repeated(&self, place: u64, bytes: &[u8]) -> usize {
        let known = self.from(place);
        let most = known.len().min(bytes.len());
        let lines = most / self.line;
        let most = lines * self.line;
        if known[..most] == bytes[..most] {
            lines
        } else {
            0
        }
    }

    /// The place so many lines behind another.
    pub(super) fn after(&self, place: u64, lines: usize) -> u64 {
        place + (lines * self.line) as u64
    }

    /// Whether the last line of `talker` is among those between two places.
    pub(super) fn ends_between(&self, talker: usize, from: u64, to: u64) -> bool {
        let behind = self.behind.get(talker);
        behind.is_some_and(|behind| (from + 1..=to).contains(behind))
    }

    /// Appends a line, if it is the one that must come next from its sender.
    pub(super) fn append(&mut self, line: Line, bytes: &[u8]) -> bool {
        let is_next = self.awaited.get(line.sender) == Some(&line.number);
        if is_next {
            self.bytes.extend_from_slice(bytes);
            self.awaited[line.sender] = line.number + 1;
            self.behind[line.sender] = self.end();
        }
        is_next
    }

    /// Per talker: the number of the line that must come next for whoever has heard everything before `place`.
    pub(super) fn awaited_at(&self, place: u64, form: &Form) -> Vec<u64> {
        let mut awaited = self.awaited.clone();
        for bytes in self.from(place).chunks(self.line).rev() {
            if let Some(line) = form.read(bytes) {
                awaited[line.sender] = line.number;
            }
        }
        awaited
    }

    /// Whether it is time to [`forget`](Self::forget).
    pub(super) fn is_long(&self) -> bool {
        self.bytes.len() >= self.forget_at
    }

    /// What lies before `place` is not asked for again.
    pub(super) fn forget(&mut self, place: u64) {
        let forgotten = (place - self.first) as usize;
        self.bytes.drain(..forgotten);
        self.first = place;
        self.forget_at = 2 * self.bytes.len() + GROWTH;
    }
}
