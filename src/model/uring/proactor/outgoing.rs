//! [`Outgoing`]: what a turn has to send, gathered client by client, until it is submitted.
//!
//! However often a client is answered or posted to in one turn, it has one send at most, and its bytes lie together: a
//! second send could overtake the rest of a first one that the kernel took in part.
//!
//! What many clients are sent, a segment of a log, is not copied for each: its bytes are borrowed from where they lie, until
//! they are submitted.

use super::send::Send;
use crate::log::Segment;
use std::io::IoSlice;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Bytes that are gathered before they must be submitted. Small enough to stay in a processor's cache.
const ROOM: usize = 256 * 1024;

/// Bytes gathered for one client. More is not worth a copy: it is sent by a call of its own.
const LONGEST: usize = 64 * 1024;

/// Where a client's bytes are, if they are gathered and not submitted yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gathered {
    /// Of which [`Outgoing::round`]; others are over.
    round: u64,
    index: u32,
}

pub(super) struct Outgoing {
    bytes: Box<[u8]>,
    /// So many of them, from the first.
    used: usize,
    /// One for each client with bytes.
    sends: Vec<Send>,
    /// Of sends with several messages: which send, and how long a message.
    lengths: Vec<(u32, u32)>,
    /// Where borrowed bytes lie.
    borrowed: Vec<Segment>,
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
    pub(super) fn gather_first(
        &mut self,
        mine: &mut Gathered,
        key: u32,
        stream: BorrowedFd<'_>,
        bytes: &[u8],
    ) -> bool {
        // In one comparison: nothing is a matter for `gather`, too.
        let is_small = bytes.len().wrapping_sub(1) < LONGEST;
        if mine.round == self.round || !is_small {
            return false;
        }
        let Some(room) = self.bytes.get_mut(self.used..self.used + bytes.len()) else {
            return false;
        };
        room.copy_from_slice(bytes);
        self.begin(mine, key, stream, bytes.len());
        self.used += bytes.len();
        true
    }

    /// Appends bytes for which there is room.
    fn append(&mut self, bytes: &[u8]) {
        self.bytes[self.used..][..bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }

    #[inline]
    fn begin(&mut self, mine: &mut Gathered, key: u32, stream: BorrowedFd<'_>, len: usize) {
        *mine = Gathered {
            round: self.round,
            index: self.sends.len() as u32,
        };
        let address = self.bytes.as_ptr().addr() + self.used;
        self.sends
            .push(Send::new(key, stream.as_raw_fd(), address, len));
    }

    /// Takes a reference to what is in `segment` behind its first `skip` bytes, and says how many bytes that are. Of nothing
    /// when there is something of this client already: that has to lie together.
    pub(super) fn borrow(
        &mut self,
        mine: &mut Gathered,
        key: u32,
        stream: BorrowedFd<'_>,
        segment: &Segment,
        skip: usize,
    ) -> Option<usize> {
        if mine.round == self.round || self.borrowed.len() >= Send::MOST_BORROWED {
            return None;
        }
        let bytes = &segment.as_bytes()[skip..];
        if !self.borrowed.last().is_some_and(|last| last.is(segment)) {
            self.borrowed.push(segment.clone());
        }
        *mine = Gathered {
            round: self.round,
            index: self.sends.len() as u32,
        };
        let mut send = Send::new(key, stream.as_raw_fd(), bytes.as_ptr().addr(), bytes.len());
        send.borrows(self.borrowed.len() - 1);
        self.sends.push(send);
        Some(bytes.len())
    }

    /// Takes a copy of all `slices` and says how many bytes that were, or of none when that is too much. The descriptor
    /// is to stay open until they are submitted or withdrawn.
    #[inline(never)]
    pub(super) fn gather(
        &mut self,
        mine: &mut Gathered,
        key: u32,
        stream: BorrowedFd<'_>,
        slices: &[IoSlice<'_>],
    ) -> Option<usize> {
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
            self.begin(mine, key, stream, more);
            self.sends[mine.index as usize].becomes_several();
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
        let (borrows, here) = (send.borrowed().is_some(), self.range(index));
        let moves = borrows || here.end != end;
        let moved = if moves { len } else { 0 };
        if len + more > LONGEST || end + moved + more > ROOM {
            return None;
        }
        if moves {
            if let Some(place) = send.borrowed() {
                let bytes = &self.borrowed[place].as_bytes()[here];
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

    /// Where a client's bytes are, in what they are borrowed from or in ours.
    fn range(&self, index: u32) -> Range<usize> {
        let send = &self.sends[index as usize];
        let memory = match send.borrowed() {
            Some(place) => self.borrowed[place].as_bytes(),
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

    /// The bytes of a client, if it has any here.
    pub(super) fn find(&self, mine: Gathered) -> Option<&[u8]> {
        if mine.round != self.round {
            return None;
        }
        let send = &self.sends[mine.index as usize];
        if send.len() == 0 {
            return None;
        }
        let range = self.range(mine.index);
        let found = match send.borrowed() {
            Some(place) => &self.borrowed[place].as_bytes()[range],
            None => &self.bytes[range],
        };
        (!found.is_empty()).then_some(found)
    }

    /// Takes a client's bytes out, so that they are not submitted.
    pub(super) fn withdraw(&mut self, mine: &mut Gathered) {
        if self.find(*mine).is_some() {
            self.sends[mine.index as usize].withdraw();
        }
        *mine = Gathered::default();
    }

    /// What is left of each message of a client, when the first `sent` bytes went out.
    pub(super) fn rest(&self, mine: Gathered, sent: usize) -> Vec<Box<[u8]>> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Log;
    use std::fs::File;
    use std::os::fd::AsFd;

    fn gather(outgoing: &mut Outgoing, mine: &mut Gathered, messages: &[&[u8]]) -> bool {
        let null = File::open("/dev/null").unwrap();
        let slices: Vec<IoSlice<'_>> = messages.iter().map(|m| IoSlice::new(m)).collect();
        let all: usize = messages.iter().map(|message| message.len()).sum();
        if let [one] = messages
            && outgoing.gather_first(mine, 7, null.as_fd(), one)
        {
            return true;
        }
        let gathered = outgoing.gather(mine, 7, null.as_fd(), &slices);
        assert!(gathered.is_none_or(|bytes| bytes == all));
        gathered.is_some()
    }

    #[test]
    fn a_client_has_one_send_and_its_bytes_lie_together() {
        let mut outgoing = Outgoing::new();
        let (mut ann, mut bob) = (Gathered::default(), Gathered::default());
        assert!(gather(&mut outgoing, &mut ann, &[b"one"]));
        assert!(gather(&mut outgoing, &mut bob, &[b"two", b"three"]));
        assert!(gather(&mut outgoing, &mut ann, &[b"four", b"five"]));
        assert!(gather(&mut outgoing, &mut ann, &[b"six"]));
        assert_eq!(outgoing.find(ann).unwrap(), b"onefourfivesix");
        assert_eq!(outgoing.find(bob).unwrap(), b"twothree");
        assert_eq!(outgoing.sends().len(), 2);
    }

    #[test]
    fn nothing_takes_no_place_and_what_follows_is_not_mixed_up() {
        let mut outgoing = Outgoing::new();
        let (mut ann, mut bob) = (Gathered::default(), Gathered::default());
        assert!(gather(&mut outgoing, &mut ann, &[b""]));
        assert!(outgoing.sends().is_empty());
        assert!(gather(&mut outgoing, &mut bob, &[b"bob's"]));
        assert!(gather(&mut outgoing, &mut ann, &[b"ann's"]));
        assert!(gather(&mut outgoing, &mut ann, &[b" too"]));
        assert_eq!(outgoing.find(ann).unwrap(), b"ann's too");
        assert_eq!(outgoing.find(bob).unwrap(), b"bob's");
        assert_eq!(
            outgoing.rest(ann, 1),
            [b"nn's".as_slice().into(), b" too".as_slice().into()] as [Box<[u8]>; 2]
        );
    }

    #[test]
    fn what_was_not_sent_is_found_again_message_by_message() {
        let mut outgoing = Outgoing::new();
        let (mut ann, mut bob) = (Gathered::default(), Gathered::default());
        assert!(gather(&mut outgoing, &mut ann, &[b"one"]));
        assert!(gather(&mut outgoing, &mut bob, &[b"else"]));
        assert!(gather(&mut outgoing, &mut ann, &[b"two", b"three"]));
        let rest = |sent| -> Vec<String> {
            let text = |piece: Box<[u8]>| String::from_utf8(piece.into()).unwrap();
            outgoing.rest(ann, sent).into_iter().map(text).collect()
        };
        assert_eq!(rest(0), ["one", "two", "three"]);
        assert_eq!(rest(1), ["ne", "two", "three"]);
        assert_eq!(rest(3), ["two", "three"]);
        assert_eq!(rest(10), ["e"]);
        assert_eq!(outgoing.rest(bob, 2), [b"se".as_slice().into()]);
    }

    #[test]
    fn what_many_are_sent_is_borrowed_and_copied_only_when_more_is_to_follow_it() {
        let log = Log::new(99);
        let begin = log.end();
        log.append(b"said once\n");
        let mut segments = Vec::new();
        log.read(begin, 99, |segment| segments.push(segment));
        let null = File::open("/dev/null").unwrap();
        let mut outgoing = Outgoing::new();
        let (mut ann, mut bob) = (Gathered::default(), Gathered::default());
        for (mine, skip, len) in [(&mut ann, 0, 10), (&mut bob, 5, 5)] {
            let taken = outgoing.borrow(mine, 7, null.as_fd(), &segments[0], skip);
            assert_eq!(taken, Some(len));
        }
        let there = outgoing.find(ann).unwrap();
        assert!(std::ptr::eq(there, segments[0].as_bytes()));
        assert!(
            outgoing
                .borrow(&mut ann, 7, null.as_fd(), &segments[0], 0)
                .is_none()
        );
        assert!(gather(&mut outgoing, &mut ann, &[b"more"]));
        assert_eq!(outgoing.find(ann).unwrap(), b"said once\nmore");
        assert_eq!(outgoing.find(bob).unwrap(), b"once\n");
        let rest: Vec<_> = outgoing.rest(ann, 12);
        assert_eq!(rest, [b"re".as_slice().into()]);
        assert_eq!(outgoing.rest(bob, 2), [b"ce\n".as_slice().into()]);
        outgoing.withdraw(&mut bob);
        assert!(outgoing.find(bob).is_none());
    }

    #[test]
    fn too_much_for_one_client_or_for_the_turn_is_not_taken_at_all() {
        let mut outgoing = Outgoing::new();
        let long = vec![b'x'; LONGEST];
        assert!(!gather(
            &mut outgoing,
            &mut Gathered::default(),
            &[&long, b"more"]
        ));
        assert!(outgoing.sends().is_empty());
        let mut clients = 0;
        while !outgoing.is_full() {
            let mut mine = Gathered::default();
            assert!(gather(&mut outgoing, &mut mine, &[&long]));
            assert!(!gather(&mut outgoing, &mut mine, &[b"more"]));
            clients += 1;
        }
        assert_eq!(clients, ROOM / LONGEST);
        let one_more = gather(&mut outgoing, &mut Gathered::default(), &[b"one byte more"]);
        assert!(!one_more);
    }

    #[test]
    fn what_is_withdrawn_or_of_an_earlier_round_is_not_found() {
        let mut outgoing = Outgoing::new();
        let (mut ann, mut bob) = (Gathered::default(), Gathered::default());
        assert!(gather(&mut outgoing, &mut ann, &[b"one"]));
        assert!(gather(&mut outgoing, &mut bob, &[b"two"]));
        let before = ann;
        outgoing.withdraw(&mut ann);
        assert!(outgoing.find(ann).is_none() && outgoing.find(before).is_none());
        assert_eq!(outgoing.find(bob).unwrap(), b"two");
        outgoing.begin_anew();
        assert!(outgoing.find(bob).is_none());
        assert!(gather(&mut outgoing, &mut bob, &[b"again"]));
        assert_eq!(outgoing.find(bob).unwrap(), b"again");
    }
}
