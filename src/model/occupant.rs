//! One client of a reactor: its connection and its socket.
//!
//! What it sends and receives is here; when it is looked at without having said anything, and what then, is in `looks.rs`.
//!
//! A reactor of several threads shares the sockets of its clients with those who post to them: then `S` is an
//! `Arc<TcpStream>`.

mod looks;

use super::Buffers;
use crate::client::Client;
use crate::connection::{Connection, Stage};
use crate::mailbox::{Missed, Posters, Sender, Stay};
use crate::net::socket::{self, Wait};
use crate::poller::Interest;
use crate::service::Service;
use crate::stats::Closed;
use crate::sync::OwnedPermit;
use looks::{Called, Parting};
use std::borrow::Borrow;
use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

// In this order: what every message needs lies in the last 64 bytes, one line of a cache for whoever begins it on one, as a
// reactor does. Where clients are many, that is fetched anew for each message.
#[repr(C)]
pub(super) struct Occupant<S = TcpStream> {
    /// Declared before the socket, dropped before it: whoever sees this client's connection close may come in its stead.
    /// (One that is read on for its last words' sake keeps its place for that second.)
    _permit: Option<OwnedPermit>,
    /// When it last sent something or took something of an answer.
    active: Instant,
    /// Everything is sent, and what is still to be done before the socket may close.
    pub(super) parting: Option<Parting>,
    called: Option<Called>,
    /// What it never got, as far as that was counted before the end.
    missed: Missed,
    /// The drain found it idle and ended it.
    pub(super) was_idle: bool,
    /// Of no use but to have the rest where it is said to be.
    _space: u64,
    pub(super) connection: Connection,
    pub(super) stream: S,
    /// What the poller was told last.
    pub(super) watched: Interest,
    /// For a [reactor](super::reactor), which keeps this up: its conversation flows and there is no idle time-out, so
    /// there is nothing to see to but what it says.
    pub(super) steady: bool,
    /// What it had still to take of an answer when that was last looked at. (Among its values is the one by which a table
    /// tells an empty place.)
    untaken: Option<u64>,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    let often = std::mem::offset_of!(Occupant, connection) + Connection::OFTEN;
    assert!(often.is_multiple_of(64) && size_of::<Occupant>() <= often + 64);
};

/// The end of a client's input, or what broke it.
#[derive(Debug)]
pub(super) struct End(io::Result<()>);

/// The socket of an occupant: its own, or shared with those who post to it.
pub(super) trait Socket: Borrow<TcpStream> {
    const POSTERS: Posters;
}

impl Socket for TcpStream {
    const POSTERS: Posters = Posters::Ring;
}

impl Socket for Arc<TcpStream> {
    const POSTERS: Posters = Posters::Send;
}

impl<S: Socket> Occupant<S> {
    pub(super) fn new(
        service: &dyn Service,
        client: Client,
        stream: S,
        permit: Option<OwnedPermit>,
    ) -> Self {
        Self {
            connection: Connection::open(service, client, Stay::AWhile),
            _permit: permit,
            _space: 0,
            stream,
            watched: Interest::READ,
            steady: false,
            parting: None,
            was_idle: false,
            called: None,
            active: Instant::now(),
            untaken: None,
            missed: Missed::default(),
        }
    }

    /// Reads once, and answers. `ended` is what the end of input means at present. Says how many bytes came; after
    /// none, there are no more for now, or for ever.
    pub(super) fn receive(&mut self, buffers: &mut Buffers, ended: Closed) -> usize {
        let Buffers { input, reply } = buffers;
        match socket::receive(self.fd(), input, Wait::Never) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            received => {
                let count = *received.as_ref().unwrap_or(&0);
                let received = received.map(|received| &input[..received]);
                self.received(received, reply, ended, send_now);
                count
            }
        }
    }

    /// [`receive`](Self::receive) of a client that is [flowing](Connection::is_flowing), as nearly all are nearly always.
    /// Says whether it still is; if not, it is still to be [flushed](Self::flush).
    ///
    /// # Errors
    /// At the end of its input, which is [to be answered](Self::received_end).
    #[inline(always)]
    #[allow(clippy::inline_always)] // Once per message, and little besides two calls into the kernel.
    pub(super) fn receive_flowing(&mut self, buffers: &mut Buffers) -> Result<bool, End> {
        let Buffers { input, reply } = buffers;
        let stream = self.stream.borrow().as_fd();
        // It is here when the call is back.
        self.connection.client().mailbox().prefetch();
        match socket::receive(stream, input, Wait::Never) {
            Ok(received @ 1..) => Ok(self.connection.receive(
                &input[..received],
                reply,
                S::POSTERS,
                |slices: &[IoSlice<'_>]| send_now(stream, slices),
            )),
            Ok(0) => Err(End(Ok(()))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(End(Err(error))),
        }
    }

    /// The end of input was received; answers it.
    pub(super) fn received_end(&mut self, end: End, buffers: &mut Buffers, ended: Closed) {
        let End(end) = end;
        self.received(end.map(|()| &[][..]), &mut buffers.reply, ended, send_now);
    }

    /// Something was received, at the end of input nothing; answers it through `send`.
    pub(super) fn received(
        &mut self,
        received: io::Result<&[u8]>,
        reply: &mut Vec<u8>,
        ended: Closed,
        mut send: impl FnMut(BorrowedFd<'_>, &[IoSlice<'_>]) -> io::Result<usize>,
    ) {
        if self.parting.is_some() {
            if !matches!(received, Ok([_, ..])) {
                self.connection.finish();
            }
            return;
        }
        match received {
            Ok([]) => self.end_through(reply, ended, send),
            Ok(bytes) => {
                let stream = self.stream.borrow().as_fd();
                self.connection
                    .receive(bytes, reply, S::POSTERS, |slices: &[IoSlice<'_>]| {
                        send(stream, slices)
                    });
                // Its own posts, or others', may wait for the end of the turn; what the session said last
                // must not be cut off by them.
                if self.connection.stage() != Stage::Talking {
                    self.flush_through(send);
                }
            }
            Err(error) => {
                tracing::debug!(client = %self.connection.client().id(), %error, "receive failed");
                self.connection.abandon(Closed::Lost);
            }
        }
    }

    /// Input is over.
    pub(super) fn end(&mut self, buffers: &mut Buffers, why: Closed) {
        self.end_through(&mut buffers.reply, why, send_now);
    }

    /// Input is over; what there is to say to that goes through `send`.
    pub(super) fn end_through(
        &mut self,
        reply: &mut Vec<u8>,
        why: Closed,
        mut send: impl FnMut(BorrowedFd<'_>, &[IoSlice<'_>]) -> io::Result<usize>,
    ) {
        let stream = self.stream.borrow().as_fd();
        self.connection
            .end(why, reply, S::POSTERS, |slices: &[IoSlice<'_>]| {
                send(stream, slices)
            });
        self.flush_through(send);
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self) {
        self.flush_through(send_now);
    }

    /// Sends what waits, through `send`.
    pub(super) fn flush_through(
        &mut self,
        mut send: impl FnMut(BorrowedFd<'_>, &[IoSlice<'_>]) -> io::Result<usize>,
    ) {
        self.flush_by(|stream| move |slices: &[IoSlice<'_>]| send(stream, slices));
    }

    /// Sends what waits, through the sender that `to` makes of its socket.
    pub(super) fn flush_by<'s, T: Sender>(&'s mut self, to: impl FnOnce(BorrowedFd<'s>) -> T) {
        if matches!(self.connection.stage(), Stage::Gone(_)) || self.parting.is_some() {
            return;
        }
        let stream = self.stream.borrow().as_fd();
        let mailbox = self.connection.client().mailbox();
        // Who leaves must not be closed while a poster on another thread sends on its socket.
        let outcome = match self.connection.stage() {
            Stage::Talking => mailbox.flush_by(to(stream)),
            _ => mailbox.flush_when_free(to(stream)),
        };
        self.connection.flushed(outcome);
    }

    /// Nothing more is posted to it. Returns what it never got.
    pub(super) fn close(&mut self) -> Missed {
        self.missed += self.connection.client().mailbox().close();
        self.missed
    }

    /// Tells the log that it was closed.
    pub(super) fn tell_closed(&self, why: Closed) {
        let client = self.connection.client();
        let Missed {
            messages: lost,
            dropped_lines,
        } = self.missed;
        tracing::info!(client = %client.id(), addr = %client.addr(), %why, lost, dropped_lines, "closed");
    }

    /// The client has shown that it is there, at `now` if somebody will ask when.
    #[inline]
    pub(super) fn touch(&mut self, now: Option<Instant>) {
        if let Some(now) = now {
            self.active = now;
            self.untaken = None;
        }
    }

    /// The socket, without the client: its place is free, and its session is gone.
    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.stream.borrow().as_fd()
    }

    /// A client that does not read is not read from.
    pub(super) fn wants_read(&self) -> bool {
        match self.parting {
            Some(Parting::Linger(_)) => true,
            Some(Parting::Acknowledgement(_)) => false,
            None => self.connection.is_flowing(),
        }
    }

    pub(super) fn interest(&self) -> Interest {
        Interest {
            read: self.wants_read(),
            write: self.connection.is_blocked(),
        }
    }

    /// Nothing has come from it that was not read, and nothing is in the way of its last words.
    pub(super) fn has_nothing_to_say(&self) -> bool {
        self.connection.stage() == Stage::Talking
            && !self.connection.is_blocked()
            && socket::unread(self.stream.borrow()) == 0
    }

    /// Nothing unanswered, nothing unsent.
    pub(super) fn is_idle(&self) -> bool {
        self.connection.stage() == Stage::Talking
            && socket::is_quiet(self.stream.borrow())
            && self.connection.client().mailbox().is_idle()
    }
}

/// The way of those who wait for readiness: by a system call each, at once.
#[inline]
fn send_now(stream: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    socket::send(stream, slices, Wait::Never)
}
