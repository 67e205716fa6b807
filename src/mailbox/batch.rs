//! What a sender took out of a mailbox, to send it without the mailbox's lock.

use crate::log::Segment;
use crate::message::Message;
use memchr::memchr_iter;
use std::collections::VecDeque;
use std::io::{self, IoSlice};

/// Slices handed to the kernel in one call.
const SLICES: usize = 64;

/// Something to send.
pub(super) enum Parcel {
    /// From another client, and counted against the mailbox's limit.
    Post(Message),
    /// The client's own answer.
    Reply(Box<[u8]>),
    /// What is left of something of which a part may be out already.
    Rest(Box<[u8]>),
    /// From the log that it follows. Counted like a post.
    Lines(Segment),
}

impl Parcel {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Post(message) => message.as_bytes(),
            Self::Reply(bytes) | Self::Rest(bytes) => bytes,
            Self::Lines(segment) => segment.as_bytes(),
        }
    }

    /// How many messages it is.
    pub(super) fn messages(&self) -> u64 {
        match self {
            Self::Lines(segment) => memchr_iter(b'\n', segment.as_bytes()).count() as u64,
            _ => 1,
        }
    }

    /// Bytes that are held against the mailbox's limit.
    pub(super) fn counted(&self) -> usize {
        match self {
            Self::Post(_) | Self::Lines(_) => self.as_bytes().len(),
            Self::Reply(_) | Self::Rest(_) => 0,
        }
    }
}

/// A way out for what a mailbox holds.
pub(crate) trait Sender {
    /// Sends from `slices`, and says how many bytes were taken.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room; anything else is the end of the connection.
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Takes a copy of `bytes`, to send them together with what others say, and says whether it did. Whoever sends at once
    /// does not.
    #[inline]
    fn gather(&mut self, _bytes: &[u8]) -> bool {
        false
    }

    /// The same sender, to be handed to what is seldom done and is not inlined. One that nearly always
    /// [gathers](Self::gather) consists of registers until then.
    #[inline]
    fn in_memory(self) -> impl Sender
    where
        Self: Sized,
    {
        self
    }

    /// Sends from `bytes`, all that there is to be sent.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    #[inline]
    fn send_one(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gather(bytes) {
            return Ok(bytes.len());
        }
        self.send(&[IoSlice::new(bytes)])
    }

    /// Sends what is in a segment behind its first `skip` bytes. Whoever does not send at once may keep it: its bytes are
    /// never changed.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    fn send_segment(&mut self, segment: &Segment, skip: usize) -> io::Result<usize> {
        self.send_one(&segment.as_bytes()[skip..])
    }
}

impl<F: FnMut(&[IoSlice<'_>]) -> io::Result<usize>> Sender for F {
    #[inline]
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self(slices)
    }
}

/// Parcels on their way out, and how much of the first is gone.
pub(super) struct Batch {
    pub(super) parcels: VecDeque<Parcel>,
    pub(super) sent_of_first: usize,
    /// Bytes of the posts that were sent in full.
    pub(super) posts_sent: usize,
}

impl Batch {
    /// Sends until nothing is left or `send` fails.
    pub(super) fn send(&mut self, sender: &mut impl Sender) -> io::Result<()> {
        while !self.parcels.is_empty() {
            if self.parcels.len() == 1 {
                let skip = self.sent_of_first;
                let sent = match &self.parcels[0] {
                    Parcel::Lines(segment) => sender.send_segment(segment, skip)?,
                    other => sender.send_one(&other.as_bytes()[skip..])?,
                };
                self.advance(sent);
                continue;
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut filled = 0;
            let mut skip = self.sent_of_first;
            for (slice, parcel) in slices.iter_mut().zip(&self.parcels) {
                *slice = IoSlice::new(&parcel.as_bytes()[skip..]);
                skip = 0;
                filled += 1;
            }
            let sent = sender.send(&slices[..filled])?;
            self.advance(sent);
        }
        Ok(())
    }

    fn advance(&mut self, sent: usize) {
        self.sent_of_first += sent;
        while let Some(first) = self.parcels.front()
            && self.sent_of_first >= first.as_bytes().len()
        {
            self.sent_of_first -= first.as_bytes().len();
            self.posts_sent += first.counted();
            self.parcels.pop_front();
        }
    }
}
