//! [`Outgoing`]: what a turn has to send, gathered client by client, until it is submitted.
//!
//! However often a client is answered or posted to in one turn, it has one send at most, and its bytes lie together: a
//! second send could overtake the rest of a first one that the kernel took in part.
//!
//! What many clients are sent, a segment of a log, is not copied for each: its bytes are borrowed from where they lie, until
//! they are submitted.

#[cfg(test)]
mod tests;

use super::send::{Send, Target};
use crate::log::Segment;
use std::io::IoSlice;
use std::ops::Range;

/// Bytes that are gathered before they must be submitted. Small enough to stay in a processor's cache.
const ROOM: usize = 256 * 1024;

/// Bytes gathered for one client. More is not worth a copy: it is sent by a call of its own.
const LONGEST: usize = 64 * 1024;

const _: () = assert!(LONGEST <= Send::LONGEST);

/// Where a client's bytes are, if they are gathered and not submitted yet.
#[derive(Debug)]
pub(super) struct Gathered {
    /// Whose they are. It comes back with what they could not all be sent.
    key: u32,
    /// Where they go.
    pub(super) target: Target,
    index: u32,
    /// Of which [`Outgoing::round`]; others are over.
    round: u64,
    /// They were sent by a call of their own, which came as far as this, and not to the end.
    pub(super) cut_short: Option<usize>,
}

impl Gathered {
    /// Nothing yet.
    pub(super) fn of(key: u32, target: Target) -> Self {
        Self {
            key,
            target,
            index: 0,
            round: 0,
            cut_short: None,
        }
    }

    pub(super) fn key(&self) -> u32 {
        self.key
    }
}

pub(super) struct Outgoing {
    bytes: Box<[u8]>,
    /// So many of them, from the first.
    used: usize,
    /// One for each client with bytes.
    sends: Vec<Send>,
    /// Of sends with several messages: which send, and how long a message.
    lengths: Vec<(u32, u32)>,
    /// Where borrowed bytes lie: from this send on, up to the next one's, of those that borrow.
    borrowed: Vec<(u32, Segment)>,
    /// From 1: round 0 is nobody's.
    round: u64,
}

impl Outgoing {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; ROOM].into_boxed_slice(),
            used: 0,
            sends: Vec::new(),
            lengths: Vec::new(),
            borrowed: Vec::new(),
            round: 1,
        }
    }

    /// Takes a copy of the bytes of a client who has none here yet, and says whether they found room.
    #[inline(always)]
    #[allow(clippy::inline_always)] // Once per message, and nothing but a few comparisons around a copy.
    pub(super) fn gather_first(&mut self, mine: &mut Gathered, bytes: &[u8]) -> bool {
        // In one comparison: nothing is a matter for `gather`, too.
        let is_small = bytes.len().wrapping_sub(1) < LONGEST;
        if mine.round == self.round || !is_small {
            return false;
        }
        let Self { used, sends, .. } = self;
        let Some(room) = self.bytes.get_mut(*used..*used + bytes.len()) else {
            return false;
        };
        // A list that has to grow is a matter for `gather`, too: whoever might do that here keeps more on its stack.
        if sends.len() == sends.capacity() {
            return false;
        }
        mine.round = self.round;
        mine.index = sends.len() as u32;
        let address = room.as_ptr().addr();
        sends.push(Send::new(mine.key, mine.target, address, bytes.len()));
        *used += bytes.len();
        room.copy_from_slice(bytes);
        true
    }

    /// Appends bytes for which there is room.
    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        self.bytes[self.used..][..bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }

    /// Begins a client's send with bytes that lie at `address`.
    fn begin(&mut self, mine: &mut Gathered, address: usize, len: usize) -> &mut Send {
        mine.round = self.round;
        mine.index = self.sends.len() as u32;
        self.sends
            .push(Send::new(mine.key, mine.target, address, len));
        &mut self.sends[mine.index as usize]
    }

    /// Takes a reference to what is in `segment` behind its first `skip` bytes, and says how many bytes that are. Of nothing
    /// when there is something of this client already: that has to lie together.
    pub(super) fn borrow(
        &mut self,
        mine: &mut Gathered,
        segment: &Segment,
        skip: usize,
    ) -> Option<usize> {
        let bytes = &segment.as_bytes()[skip..];
        if mine.round == self.round || bytes.len() > Send::LONGEST {
            return None;
        }
        let last = self.borrowed.last();
        if !last.is_some_and(|(_, last)| last.is(segment)) {
            let from = self.sends.len() as u32;
            self.borrowed.push((from, segment.clone()));
        }
        self.begin(mine, bytes.as_ptr().addr(), bytes.len())
            .borrows();
        Some(bytes.len())
    }

    /// Takes a copy of all `slices` and says how many bytes that were, or of none when that is too much. Their target is
    /// to stay open until they are submitted or withdrawn.
    #[inline(never)]
    pub(super) fn gather(&mut self, mine: &mut Gathered, slices: &[IoSlice<'_>]) -> Option<usize> {
        let more = slices.iter().map(|slice| slice.len()).sum::<usize>();
        if more > LONGEST || self.used + more > ROOM {
            return None;
        }
        if more == 0 {
            return Some(0);
        }
        if mine.round == self.round {
            self.make_longer(mine.index, more)?;
        } else {
            let address = self.bytes.as_ptr().addr() + self.used;
            self.begin(mine, address, more).becomes_several();
        }
        for slice in slices {
            self.append(slice);
            self.lengths.push((mine.index, slice.len() as u32));
        }
        Some(more)
    }

    /// Lets a send have `more` bytes, which come to lie at the end.
    fn make_longer(&mut self, index: u32, more: usize) -> Option<()> {
        let end = self.used;
        let send = &self.sends[index as usize];
        let len = send.len();
        let (lender, here) = (self.lender(index), self.range(index));
        let moves = lender.is_some() || here.end != end;
        let moved = if moves { len } else { 0 };
        if len + more > LONGEST || end + moved + more > ROOM {
            return None;
        }
        if moves {
            if let Some(lender) = lender {
                let bytes = &self.borrowed[lender].1.as_bytes()[here];
                self.bytes[end..end + len].copy_from_slice(bytes);
            } else {
                self.bytes.copy_within(here, end);
            }
            self.used += len;
        }
        let send = &mut self.sends[index as usize];
        if moves {
            send.move_to(self.bytes.as_ptr().addr() + end);
        }
        if !send.becomes_several() {
            self.lengths.push((index, len as u32));
        }
        send.lengthen(more);
        Some(())
    }

    /// Which of `borrowed` a client's bytes are borrowed from, if they are.
    fn lender(&self, index: u32) -> Option<usize> {
        if !self.sends[index as usize].is_borrowed() {
            return None;
        }
        let up_to_here = self.borrowed.partition_point(|(from, _)| *from <= index);
        Some(up_to_here - 1)
    }

    /// Where a client's bytes are, in what they are borrowed from or in ours.
    fn range(&self, index: u32) -> Range<usize> {
        let send = &self.sends[index as usize];
        let memory = match self.lender(index) {
            Some(lender) => self.borrowed[lender].1.as_bytes(),
            None => &self.bytes,
        };
        let at = send.address() - memory.as_ptr().addr();
        at..at + send.len()
    }

    /// Whether one client more might not find room: it is time to submit.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.used > ROOM - LONGEST
    }

    /// All that is to be submitted.
    #[inline]
    pub(super) fn sends(&self) -> &[Send] {
        &self.sends
    }

    /// Hushes a send that is the only one, and says whether there is one.
    pub(super) fn hush_one_alone(&mut self) -> bool {
        let [alone] = &mut self.sends[..] else {
            return false;
        };
        alone.hush();
        true
    }

    /// The bytes of a client, if it has any here.
    pub(super) fn find(&self, mine: &Gathered) -> Option<&[u8]> {
        if mine.round != self.round {
            return None;
        }
        let send = &self.sends[mine.index as usize];
        if send.len() == 0 {
            return None;
        }
        let range = self.range(mine.index);
        let found = match self.lender(mine.index) {
            Some(lender) => &self.borrowed[lender].1.as_bytes()[range],
            None => &self.bytes[range],
        };
        (!found.is_empty()).then_some(found)
    }

    /// Takes a client's bytes out, so that they are not submitted.
    pub(super) fn withdraw(&mut self, mine: &mut Gathered) {
        if self.find(mine).is_some() {
            self.sends[mine.index as usize].withdraw();
        }
        mine.round = 0;
    }

    /// What is left of each message of a client, when the first `sent` bytes went out.
    pub(super) fn rest(&self, mine: &Gathered, sent: usize) -> Vec<Box<[u8]>> {
        let mut rest = Vec::new();
        let Some(bytes) = self.find(mine) else {
            return rest;
        };
        let mut leave = |from: usize, to: usize| {
            if to > sent {
                rest.push(bytes[from.max(sent)..to].into());
            }
        };
        if !self.sends[mine.index as usize].is_several() {
            leave(0, bytes.len());
            return rest;
        }
        let mut from = 0;
        for (_, length) in self.lengths.iter().filter(|(of, _)| *of == mine.index) {
            let to = from + *length as usize;
            leave(from, to);
            from = to;
        }
        rest
    }

    /// Everything was submitted, and whatever was not sent has been taken back.
    pub(super) fn begin_anew(&mut self) {
        self.used = 0;
        self.sends.clear();
        self.lengths.clear();
        self.borrowed.clear();
        self.round += 1;
    }
}
