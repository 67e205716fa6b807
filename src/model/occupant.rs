//! One client of a reactor: its connection and its socket.
//!
//! A reactor of several threads shares the sockets of its clients with those who post to them: then `S` is an
//! `Arc<TcpStream>`.

use super::{Buffers, LAST_CALL};
use crate::client::Client;
use crate::connection::{Connection, Stage};
use crate::mailbox::{Missed, Posters, Sender, Stay};
use crate::net::socket::{self, ACKNOWLEDGED_YET, LINGER, Wait};
use crate::poller::Interest;
use crate::service::Service;
use crate::stats::Closed;
use crate::sync::OwnedPermit;
use std::borrow::Borrow;
use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between the last byte sent and the closing of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// The connection is read on until then, so that no RST overtakes the last words.
    Linger(Instant),
    /// To be looked at then: has everything reached the other side?
    Acknowledgement(Instant),
}

/// Of a client that was busy when a drain began.
#[derive(Clone, Copy, Debug)]
struct LastCall {
    /// How often it may still be found with nothing to say before its input is over.
    left: u32,
    /// When it is to be looked at again, and not before, whatever else comes up.
    next: Instant,
}

pub(super) struct Occupant<S = TcpStream> {
    /// Declared first, dropped first: whoever sees this client's connection close may come in its stead. (One that
    /// is read on for its last words' sake keeps its place for that second.)
    _permit: Option<OwnedPermit>,
    pub(super) connection: Connection,
    pub(super) stream: S,
    /// What the poller was told last.
    pub(super) watched: Interest,
    /// Everything is sent, and what is still to be done before the socket may close.
    pub(super) parting: Option<Parting>,
    /// The drain found it idle and ended it.
    pub(super) was_idle: bool,
    last_call: Option<LastCall>,
    /// When it last sent something or took something of an answer.
    active: Instant,
    /// What it had still to take of an answer when that was last looked at.
    untaken: Option<u64>,
    /// What it never got, as far as that was counted before the end.
    missed: Missed,
}

impl Parting {
    fn at(self) -> Instant {
        match self {
            Self::Linger(at) | Self::Acknowledgement(at) => at,
        }
    }
}

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
            _permit: permit,
            connection: Connection::open(service, client, Stay::AWhile),
            stream,
            watched: Interest::READ,
            parting: None,
            was_idle: false,
            last_call: None,
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
    #[inline]
    pub(super) fn receive_flowing(
        &mut self,
        buffers: &mut Buffers,
        ended: impl FnOnce() -> Closed,
    ) -> bool {
        let Buffers { input, reply } = buffers;
        let stream = self.stream.borrow().as_fd();
        match socket::receive(stream, input, Wait::Never) {
            Ok(received @ 1..) => {
                self.connection
                    .receive(&input[..received], reply, S::POSTERS, |slices| {
                        send_now(stream, slices)
                    })
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            over => {
                self.received(over.map(|_| &[][..]), reply, ended(), send_now);
                false
            }
        }
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
                    .receive(bytes, reply, S::POSTERS, |slices| send(stream, slices));
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
            .end(why, reply, S::POSTERS, |slices| send(stream, slices));
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

    /// Everything is sent: does what `why` asks for before the socket is closed. `Some` is when to look at
    /// this client again; with `None`, it is done.
    pub(super) fn part(&mut self, why: Closed) -> Option<Instant> {
        let parting = if why.lingers() {
            // What comes now comes too late.
            self.close();
            socket::end_writing(self.stream.borrow());
            Parting::Linger(Instant::now() + LINGER)
        } else if why == Closed::Drained && socket::unacknowledged(self.fd()) > 0 {
            Parting::Acknowledgement(Instant::now() + ACKNOWLEDGED_YET)
        } else {
            self.connection.finish();
            return None;
        };
        self.parting = Some(parting);
        Some(parting.at())
    }

    /// Its time has come to be looked at: draws the consequences, and says when to look again, if ever.
    pub(super) fn look(
        &mut self,
        now: Instant,
        idle_timeout: Option<Duration>,
        buffers: &mut Buffers,
    ) -> Option<Instant> {
        self.look_through(now, idle_timeout, buffers, send_now)
    }

    /// [`look`](Self::look), where what is to be sent goes through `send`.
    pub(super) fn look_through(
        &mut self,
        now: Instant,
        idle_timeout: Option<Duration>,
        buffers: &mut Buffers,
        send: impl FnMut(BorrowedFd<'_>, &[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Option<Instant> {
        match self.parting {
            Some(Parting::Linger(until)) if until > now => Some(until),
            Some(Parting::Linger(_)) => {
                self.connection.finish();
                None
            }
            Some(Parting::Acknowledgement(_)) => {
                self.look_for_acknowledgement(now, &mut buffers.input)
            }
            None => match self.last_call {
                Some(call) => self.look_for_more(call, now, &mut buffers.reply, send),
                None => self.look_for_life(now, idle_timeout?),
            },
        }
    }

    fn look_for_acknowledgement(&mut self, now: Instant, scrap: &mut [u8]) -> Option<Instant> {
        if socket::unacknowledged(self.fd()) == 0 {
            socket::discard_unread(self.stream.borrow(), scrap);
            self.connection.finish();
            return None;
        }
        if !matches!(self.stream.borrow().take_error(), Ok(None)) {
            self.connection.abandon(Closed::Lost);
            return None;
        }
        let again = now + ACKNOWLEDGED_YET;
        self.parting = Some(Parting::Acknowledgement(again));
        Some(again)
    }

    /// A drain has begun, and this client is busy: says when to look again whether it still is.
    pub(super) fn call_last(&mut self, now: Instant) -> Instant {
        let left = (LAST_CALL.as_millis() / ACKNOWLEDGED_YET.as_millis()) as u32;
        let next = now + ACKNOWLEDGED_YET;
        self.last_call = Some(LastCall { left, next });
        next
    }

    fn look_for_more(
        &mut self,
        mut call: LastCall,
        now: Instant,
        reply: &mut Vec<u8>,
        send: impl FnMut(BorrowedFd<'_>, &[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Option<Instant> {
        if now < call.next {
            // An idle time-out that was set before the drain. Were it followed up, it would be a second series of looks.
            return None;
        }
        if self.connection.stage() == Stage::Talking
            && !self.connection.is_blocked()
            && socket::unread(self.stream.borrow()) == 0
        {
            let Some(left) = call.left.checked_sub(1) else {
                self.last_call = None;
                self.end_through(reply, Closed::Drained, send);
                return None;
            };
            call.left = left;
        }
        call.next = now + ACKNOWLEDGED_YET;
        self.last_call = Some(call);
        Some(call.next)
    }

    fn look_for_life(&mut self, now: Instant, idle_timeout: Duration) -> Option<Instant> {
        let deadline = self.active + idle_timeout;
        if deadline > now {
            return Some(deadline);
        }
        let alive = if self.connection.is_blocked() {
            // Writable is only what has room for a third of its buffer. Who reads slowly reads.
            let untaken = socket::unacknowledged(self.fd());
            self.untaken
                .replace(untaken)
                .is_none_or(|before| untaken < before)
        } else {
            // It may have spoken while a session kept everybody waiting.
            self.wants_read() && socket::unread(self.stream.borrow()) > 0
        };
        if alive {
            return Some(now + idle_timeout);
        }
        self.connection.abandon(Closed::Idle);
        None
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientId;
    use crate::mailbox::{Mailbox, Outlet};
    use crate::service::Echo;
    use std::net::TcpListener;

    struct Nowhere;

    impl Outlet for Nowhere {
        fn ring(&self, _: &Arc<Mailbox>) {}
    }

    #[test]
    fn an_idle_time_out_that_comes_up_in_a_drain_does_not_shorten_the_last_call() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, addr) = listener.accept().unwrap();
        let mailbox = Arc::new(Mailbox::new(16, Box::new(Nowhere)));
        let client = Client::new(ClientId(1), addr, mailbox);
        let mut occupant = Occupant::new(&Echo, client, stream, None);
        let mut buffers = Buffers::new();
        let idle_timeout = Some(Duration::from_secs(9));

        let began = Instant::now();
        // The idle time-out comes up between two looks. Whoever is to be looked at again, is.
        let idle = began + ACKNOWLEDGED_YET * 3 / 2;
        let mut times = vec![idle, occupant.call_last(began)];
        let mut last = began;
        while let Some(first) = (0..times.len()).min_by_key(|&n| times[n]) {
            let now = times.swap_remove(first);
            if occupant.connection.stage() == Stage::Talking {
                last = now;
                times.extend(occupant.look(now, idle_timeout, &mut buffers));
            }
        }
        assert_ne!(occupant.connection.stage(), Stage::Talking);
        assert!(last - began >= LAST_CALL, "{:?}", last - began);
    }
}
