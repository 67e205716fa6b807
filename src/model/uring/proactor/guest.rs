//! One client of a completion loop: an [`Occupant`], and what the kernel is doing for it.
//!
//! ```text
//!                 asked                  the end, an error, no buffer
//!      Resting ----------> Receiving ---------------------------------> Resting
//!                              \                                           ^
//!                               +-- cancelled --> Ending --- the last -----+
//! ```
//!
//! A client that does not read is not read from: its receive is cancelled. What had been received by then is *held*, and
//! served before it is received from again. It is no more than the kernel had buffers for until it was told: 2 MiB, if all
//! of them were filled by this one client (it does not count towards its mailbox).
//!
//! Its bytes go out in one of two ways: gathered, as long as they are few, to be submitted with everybody else's; or by
//! a call of their own, when they are many, when the last ones were refused, and at the end.

use super::outgoing::{Gathered, Outgoing};
use super::registration::Registration;
use super::send::Target;
use crate::client::ClientId;
use crate::connection::Stage;
use crate::log::Segment;
use crate::mailbox::{Flushed, Sender};
use crate::model::Buffers;
use crate::model::occupant::{Occupant, Socket};
use crate::net::socket::{self, Wait};
use crate::stats::Closed;
use rustix::io::Errno;
use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Where a client's receive stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receive {
    Resting,
    Receiving,
    Ending,
}

pub(super) struct Guest {
    pub(super) occupant: Occupant,
    pub(super) receive: Receive,
    /// It is asked for room.
    pub(super) watched: bool,
    pub(super) registration: Registration,
    pub(super) gathered: Gathered,
    /// See [`is_steady`](Self::is_steady).
    steady: bool,
    /// What came while it was not to be read from, and whether that was all.
    held: Vec<u8>,
    held_end: Option<Result<(), Errno>>,
}

/// How its bytes leave.
struct Way<'a> {
    outgoing: &'a mut Outgoing,
    gathered: &'a mut Gathered,
    /// They may not be gathered.
    at_once: bool,
}

impl Way<'_> {
    #[cold]
    fn send(&mut self, stream: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.at_once
            && let Some(all) = self.outgoing.gather(self.gathered, slices)
        {
            return Ok(all);
        }
        self.send_gathered(stream)?;
        socket::send(stream, slices, Wait::Never)
    }

    /// What was gathered goes first.
    fn send_gathered(&mut self, stream: BorrowedFd<'_>) -> io::Result<()> {
        if self.gathered.cut_short.is_some() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let Some(bytes) = self.outgoing.find(self.gathered) else {
            return Ok(());
        };
        match socket::send(stream, &[IoSlice::new(bytes)], Wait::Never) {
            Ok(sent) if sent == bytes.len() => {
                self.outgoing.withdraw(self.gathered);
                Ok(())
            }
            Ok(sent) => {
                self.gathered.cut_short = Some(sent);
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) => {
                self.gathered.cut_short = Some(0);
                Err(error)
            }
        }
    }
}

/// To the socket of one client.
struct WayTo<'w, 'a, 's> {
    way: &'w mut Way<'a>,
    stream: BorrowedFd<'s>,
}

impl Sender for WayTo<'_, '_, '_> {
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.way.send(self.stream, slices)
    }

    fn gather(&mut self, bytes: &[u8]) -> bool {
        let Way {
            outgoing,
            gathered,
            at_once,
        } = &mut *self.way;
        !*at_once && outgoing.gather_first(gathered, bytes)
    }

    fn send_segment(&mut self, segment: &Segment, skip: usize) -> io::Result<usize> {
        let Way {
            outgoing,
            gathered,
            at_once,
        } = &mut *self.way;
        if !*at_once && let Some(all) = outgoing.borrow(gathered, segment, skip) {
            return Ok(all);
        }
        self.send(&[IoSlice::new(&segment.as_bytes()[skip..])])
    }
}

/// A way that is made when it is needed: for most answers, gathering them is all there is to it.
struct Straight<'a> {
    outgoing: &'a mut Outgoing,
    gathered: &'a mut Gathered,
    stream: BorrowedFd<'a>,
}

impl Sender for Straight<'_> {
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut way = Way {
            outgoing: &mut *self.outgoing,
            gathered: &mut *self.gathered,
            at_once: false,
        };
        way.send(self.stream, slices)
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // Once per message: see `gather_first`.
    fn gather(&mut self, bytes: &[u8]) -> bool {
        self.outgoing.gather_first(self.gathered, bytes)
    }

    #[inline]
    fn in_memory(self) -> impl Sender {
        // A move would do, but what is moved there is there from the beginning.
        Straight {
            outgoing: self.outgoing,
            gathered: self.gathered,
            stream: self.stream,
        }
    }
}

impl Guest {
    pub(super) fn new(occupant: Occupant, key: u32) -> Self {
        let target = Target::descriptor(occupant.stream.as_fd());
        Self {
            occupant,
            receive: Receive::Resting,
            watched: false,
            registration: Registration::None,
            gathered: Gathered::of(key, target),
            steady: false,
            held: Vec::new(),
            held_end: None,
        }
    }

    /// Lends the occupant a way for its bytes.
    #[inline]
    fn with_way<R>(
        &mut self,
        outgoing: &mut Outgoing,
        at_once: bool,
        act: impl FnOnce(&mut Occupant, &mut Way<'_>) -> R,
    ) -> R {
        let done = act(
            &mut self.occupant,
            &mut Way {
                outgoing,
                gathered: &mut self.gathered,
                at_once,
            },
        );
        self.take_back_cut_short(outgoing);
        done
    }

    /// Something was received, and it [is steady](Self::is_steady). Says whether it still flows; if not, it is still to
    /// be [flushed](Self::flush).
    #[inline]
    pub(super) fn converse(
        &mut self,
        bytes: &[u8],
        reply: &mut Vec<u8>,
        outgoing: &mut Outgoing,
    ) -> bool {
        let sender = Straight {
            outgoing: &mut *outgoing,
            gathered: &mut self.gathered,
            stream: self.occupant.stream.as_fd(),
        };
        let connection = &mut self.occupant.connection;
        if connection.receive(bytes, reply, TcpStream::POSTERS, sender) {
            return true;
        }
        self.take_back_cut_short(outgoing);
        false
    }

    /// Its conversation flows, and it is received from, as nearly all are nearly always.
    #[inline]
    pub(super) fn is_steady(&self) -> bool {
        self.steady
    }

    /// The kernel was asked for what is wanted: takes note of whether it is steady now.
    #[inline]
    pub(super) fn steady_now(&mut self) {
        let flows = self.occupant.connection.is_flowing();
        self.steady = self.receive == Receive::Receiving && flows && !self.holds();
    }

    /// Something was received, or the end of it.
    pub(super) fn received(
        &mut self,
        received: Result<&[u8], Errno>,
        reply: &mut Vec<u8>,
        ended: Closed,
        outgoing: &mut Outgoing,
    ) {
        if !self.is_read() {
            self.hold(received);
            return;
        }
        let received = received.map_err(io::Error::from);
        self.with_way(outgoing, false, |occupant, way| {
            occupant.received(received, reply, ended, |stream, slices| {
                way.send(stream, slices)
            });
        });
    }

    /// Whether what arrives is served at once.
    #[inline]
    fn is_read(&self) -> bool {
        self.occupant.wants_read() && !self.holds()
    }

    fn holds(&self) -> bool {
        !self.held.is_empty() || self.held_end.is_some()
    }

    fn hold(&mut self, received: Result<&[u8], Errno>) {
        if self.occupant.parting.is_some() {
            // What comes now comes too late. Only a connection that breaks matters, while its last words travel.
            if received.is_err() {
                self.occupant.connection.abandon(Closed::Lost);
            }
            return;
        }
        match received {
            Ok([]) => self.held_end = Some(Ok(())),
            Ok(bytes) => self.held.extend_from_slice(bytes),
            Err(errno) => self.held_end = Some(Err(errno)),
        }
    }

    /// Serves what was held, as far as its client reads.
    pub(super) fn serve_held(
        &mut self,
        reply: &mut Vec<u8>,
        ended: Closed,
        outgoing: &mut Outgoing,
    ) {
        if self.occupant.wants_read() && !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            let end = self.held_end.take();
            self.received(Ok(&held), reply, ended, outgoing);
            self.held_end = end;
        }
        if self.occupant.wants_read()
            && self.held.is_empty()
            && let Some(end) = self.held_end.take()
        {
            self.received(end.map(|()| [].as_slice()), reply, ended, outgoing);
        }
    }

    /// Whether there is something that its client may be served now.
    pub(super) fn has_held(&self) -> bool {
        self.holds() && self.occupant.wants_read()
    }

    /// Whether it is to be received from, once it no longer is.
    pub(super) fn wants_receive(&self) -> bool {
        self.occupant.wants_read() && self.held_end.is_none()
    }

    /// Input is over.
    pub(super) fn end(&mut self, reply: &mut Vec<u8>, why: Closed, outgoing: &mut Outgoing) {
        self.with_way(outgoing, false, |occupant, way| {
            occupant.end_through(reply, why, |stream, slices| way.send(stream, slices));
        });
    }

    /// Its time has come to be looked at.
    pub(super) fn look(
        &mut self,
        now: Instant,
        idle_timeout: Option<Duration>,
        buffers: &mut Buffers,
        outgoing: &mut Outgoing,
    ) -> Option<Instant> {
        self.with_way(outgoing, false, |occupant, way| {
            occupant.look_through(now, idle_timeout, buffers, |stream, slices| {
                way.send(stream, slices)
            })
        })
    }

    /// Sends what waits in its mailbox.
    pub(super) fn flush(&mut self, outgoing: &mut Outgoing) {
        let at_once = self.occupant.connection.is_blocked();
        self.with_way(outgoing, at_once, |occupant, way| {
            occupant.flush_by(|stream| WayTo { way, stream });
        });
    }

    /// Sends what was gathered for it, before it is looked after whether everything is sent.
    pub(super) fn send_gathered(&mut self, outgoing: &mut Outgoing) {
        if outgoing.find(&self.gathered).is_none() {
            return;
        }
        let sent = self.with_way(outgoing, true, |occupant, way| {
            way.send_gathered(occupant.stream.as_fd())
        });
        if let Err(error) = sent
            && error.kind() != io::ErrorKind::WouldBlock
        {
            self.occupant.connection.flushed(Err(error));
        }
    }

    /// What was gathered and submitted was not sent in full.
    pub(super) fn refused(&mut self, result: Result<u32, Errno>, outgoing: &mut Outgoing) {
        let sent = result.unwrap_or(0) as usize;
        self.take_back(outgoing, sent);
        if let Err(errno) = result
            && !matches!(errno, Errno::AGAIN | Errno::INTR)
        {
            self.occupant.connection.flushed(Err(errno.into()));
        }
    }

    /// What was gathered was sent by a call of its own, if it was, and not all of it.
    fn take_back_cut_short(&mut self, outgoing: &mut Outgoing) {
        if let Some(sent) = self.gathered.cut_short.take() {
            self.take_back(outgoing, sent);
        }
    }

    /// Puts what was gathered and not sent back to where it came from.
    fn take_back(&mut self, outgoing: &mut Outgoing, sent: usize) {
        let rest = outgoing.rest(&self.gathered, sent);
        outgoing.withdraw(&mut self.gathered);
        let connection = &mut self.occupant.connection;
        connection.client().mailbox().take_back(rest);
        connection.flushed(Ok(Flushed::Blocked));
    }

    /// Nothing unanswered, nothing unsent.
    pub(super) fn is_idle(&self, outgoing: &Outgoing) -> bool {
        self.occupant.is_idle() && !self.holds() && outgoing.find(&self.gathered).is_none()
    }

    /// How many operations on its socket the kernel has.
    pub(super) fn in_flight(&self) -> u8 {
        u8::from(self.receive != Receive::Resting) + u8::from(self.watched)
    }

    pub(super) fn stage(&self) -> Stage {
        self.occupant.connection.stage()
    }

    pub(super) fn id(&self) -> ClientId {
        self.occupant.connection.client().id()
    }
}
