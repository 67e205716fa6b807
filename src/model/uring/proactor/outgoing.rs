//! [`Outgoing`]: what a turn has to send, gathered client by client, until it is submitted.
//!
//! However often a client is answered or posted to in one turn, it has one send at most, and its bytes lie together: a
//! second send could overtake the rest of a first one that the kernel took in part.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Bytes that are gathered before they must be submitted. Small enough to stay in a processor's cache.
const ROOM: usize = 256 * 1024;

/// Bytes gathered for one client. More is not worth a copy: it is sent by a call of its own.
const LONGEST: usize = 64 * 1024;

/// Where a client's bytes are, if they are gathered and not submitted yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gathered {
    /// Of which [`Outgoing::round`]; others are over.
    round: u32,
    index: u32,
}

/// One client's bytes.
pub(super) struct Parcel {
    pub(super) key: u32,
    pub(super) fd: RawFd,
    at: usize,
    len: usize,
    /// Messages in it. Where there are several, their lengths are in [`Outgoing::lengths`].
    messages: usize,
}

pub(super) struct Outgoing {
    bytes: Vec<u8>,
    parcels: Vec<Parcel>,
    /// Of the messages of parcels with several: which parcel, and how long.
    lengths: Vec<(u32, usize)>,
    round: u32,
}

impl Outgoing {
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(ROOM),
            parcels: Vec::new(),
            lengths: Vec::new(),
            round: 1,
        }
    }

    /// Takes a copy of all `slices`, or of none when that is too much. The descriptor is to stay open until the
    /// parcel is submitted or withdrawn.
    #[inline]
    pub(super) fn gather(
        &mut self,
        mine: &mut Gathered,
        key: u32,
        stream: BorrowedFd<'_>,
        slices: &[IoSlice<'_>],
    ) -> bool {
        let total = slices.iter().map(|slice| slice.len()).sum::<usize>();
        if total > LONGEST || self.bytes.len() + total > ROOM {
            return false;
        }
        if mine.round == self.round {
            return self.gather_more(mine.index, slices, total);
        }
        let index = self.parcels.len() as u32;
        self.parcels.push(Parcel {
            key,
            fd: stream.as_raw_fd(),
            at: self.bytes.len(),
            len: total,
            messages: slices.len(),
        });
        *mine = Gathered {
            round: self.round,
            index,
        };
        if let [one] = slices {
            self.bytes.extend_from_slice(one);
        } else {
            self.append(index, slices);
        }
        true
    }

    fn gather_more(&mut self, index: u32, slices: &[IoSlice<'_>], total: usize) -> bool {
        let end = self.bytes.len();
        let parcel = &mut self.parcels[index as usize];
        let moved = if parcel.at + parcel.len == end {
            0
        } else {
            parcel.len
        };
        if parcel.len + total > LONGEST || end + moved + total > ROOM {
            return false;
        }
        if moved > 0 {
            self.bytes
                .extend_from_within(parcel.at..parcel.at + parcel.len);
            parcel.at = end;
        }
        if parcel.messages == 1 {
            self.lengths.push((index, parcel.len));
        }
        parcel.len += total;
        parcel.messages += slices.len();
        self.append(index, slices);
        true
    }

    fn append(&mut self, index: u32, slices: &[IoSlice<'_>]) {
        for slice in slices {
            self.bytes.extend_from_slice(slice);
            self.lengths.push((index, slice.len()));
        }
    }

    /// Whether one client more might not find room: it is time to submit.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() > ROOM - LONGEST
    }

    /// All that is to be submitted, each with its number.
    #[inline]
    pub(super) fn parcels(&self) -> impl Iterator<Item = (u32, &Parcel)> {
        (0..)
            .zip(&self.parcels)
            .filter(|(_, parcel)| parcel.len > 0)
    }

    /// The parcel of a number.
    pub(super) fn parcel(&self, index: u32) -> &Parcel {
        &self.parcels[index as usize]
    }

    pub(super) fn bytes(&self, parcel: &Parcel) -> &[u8] {
        &self.bytes[parcel.at..parcel.at + parcel.len]
    }

    /// The parcel of a client, if it has one.
    pub(super) fn find(&self, mine: Gathered) -> Option<u32> {
        (mine.round == self.round && self.parcels[mine.index as usize].len > 0)
            .then_some(mine.index)
    }

    /// Takes a parcel out, so that it is not submitted. Its bytes stay until the round is over.
    pub(super) fn withdraw(&mut self, mine: &mut Gathered) {
        if let Some(index) = self.find(*mine) {
            self.parcels[index as usize].len = 0;
        }
        *mine = Gathered::default();
    }

    /// What is left of the messages of a parcel of which the kernel took the first `sent` bytes.
    pub(super) fn rest(&self, index: u32, sent: usize) -> Vec<Box<[u8]>> {
        let parcel = &self.parcels[index as usize];
        let mut rest = Vec::new();
        let mut leave = |from: usize, to: usize| {
            if to > sent {
                rest.push(self.bytes[parcel.at + from.max(sent)..parcel.at + to].into());
            }
        };
        if parcel.messages == 1 {
            leave(0, parcel.len);
            return rest;
        }
        let mut from = 0;
        for (_, length) in self.lengths.iter().filter(|(of, _)| *of == index) {
            leave(from, from + length);
            from += length;
        }
        rest
    }

    /// Everything was submitted, and whatever was not sent has been taken back.
    pub(super) fn begin_anew(&mut self) {
        self.bytes.clear();
        self.parcels.clear();
        self.lengths.clear();
        // Round 0 is nobody's.
        self.round = self.round.checked_add(1).unwrap_or(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    fn gather(outgoing: &mut Outgoing, mine: &mut Gathered, key: u32, messages: &[&[u8]]) -> bool {
        let null = File::open("/dev/null").unwrap();
        let slices: Vec<IoSlice<'_>> = messages.iter().map(|m| IoSlice::new(m)).collect();
        outgoing.gather(mine, key, null.as_fd(), &slices)
    }

    #[test]
    fn a_client_has_one_parcel_and_its_bytes_lie_together() {
        let mut outgoing = Outgoing::new();
        let (mut ann, mut bob) = (Gathered::default(), Gathered::default());
        assert!(gather(&mut outgoing, &mut ann, 1, &[b"one"]));
        assert!(gather(&mut outgoing, &mut bob, 2, &[b"two", b"three"]));
        assert!(gather(&mut outgoing, &mut ann, 1, &[b"four", b"five"]));
        assert!(gather(&mut outgoing, &mut ann, 1, &[b"six"]));
        let found: Vec<(u32, &[u8])> = outgoing
            .parcels()
            .map(|(_, parcel)| (parcel.key, outgoing.bytes(parcel)))
            .collect();
        assert_eq!(
            found,
            [
                (1, b"onefourfivesix".as_slice()),
                (2, b"twothree".as_slice())
            ]
        );
    }

    #[test]
    fn what_was_not_sent_is_found_again_message_by_message() {
        let mut outgoing = Outgoing::new();
        let (mut ann, mut bob) = (Gathered::default(), Gathered::default());
        assert!(gather(&mut outgoing, &mut ann, 1, &[b"one"]));
        assert!(gather(&mut outgoing, &mut bob, 2, &[b"else"]));
        assert!(gather(&mut outgoing, &mut ann, 1, &[b"two", b"three"]));
        let rest = |sent| -> Vec<String> {
            let pieces = outgoing.rest(outgoing.find(ann).unwrap(), sent);
            let text = |piece: &Box<[u8]>| String::from_utf8(piece.to_vec()).unwrap();
            pieces.iter().map(text).collect()
        };
        assert_eq!(rest(0), ["one", "two", "three"]);
        assert_eq!(rest(1), ["ne", "two", "three"]);
        assert_eq!(rest(3), ["two", "three"]);
        assert_eq!(rest(10), ["e"]);
        assert_eq!(outgoing.rest(1, 2), [b"se".as_slice().into()]);
    }

    #[test]
    fn too_much_for_one_client_or_for_the_turn_is_not_taken_at_all() {
        let mut outgoing = Outgoing::new();
        let long = vec![b'x'; LONGEST];
        assert!(!gather(
            &mut outgoing,
            &mut Gathered::default(),
            0,
            &[&long, b"more"]
        ));
        assert_eq!(outgoing.parcels().count(), 0);
        let mut clients = 0;
        while !outgoing.is_full() {
            let mut mine = Gathered::default();
            assert!(gather(&mut outgoing, &mut mine, clients, &[&long]));
            assert!(!gather(&mut outgoing, &mut mine, clients, &[b"more"]));
            clients += 1;
        }
        assert_eq!(clients as usize, ROOM / LONGEST);
        assert!(!gather(
            &mut outgoing,
            &mut Gathered::default(),
            clients,
            &[b"one byte more"]
        ));
    }

    #[test]
    fn what_is_withdrawn_or_of_an_earlier_round_is_not_found() {
        let mut outgoing = Outgoing::new();
        let (mut ann, mut bob) = (Gathered::default(), Gathered::default());
        assert!(gather(&mut outgoing, &mut ann, 1, &[b"one"]));
        assert!(gather(&mut outgoing, &mut bob, 2, &[b"two"]));
        outgoing.withdraw(&mut ann);
        assert!(outgoing.find(ann).is_none());
        let keys: Vec<u32> = outgoing.parcels().map(|(_, parcel)| parcel.key).collect();
        assert_eq!(keys, [2], "the other is not submitted");
        outgoing.begin_anew();
        assert!(outgoing.find(bob).is_none());
        assert!(gather(&mut outgoing, &mut bob, 2, &[b"again"]));
        assert_eq!(outgoing.bytes(outgoing.parcel(0)), b"again");
    }
}
