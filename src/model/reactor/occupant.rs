//! One client of a reactor: its connection and its socket.

use crate::client::Client;
use crate::connection::{Connection, Stage};
use crate::mailbox::Stay;
use crate::model::Buffers;
use crate::net::socket::{self, LINGER, Wait};
use crate::poller::Interest;
use crate::service::Service;
use crate::stats::Closed;
use crate::sync::OwnedPermit;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

pub(super) struct Occupant {
    /// Declared first, dropped first: whoever sees this client's connection end may come in its stead.
    _permit: Option<OwnedPermit>,
    pub(super) connection: Connection,
    pub(super) stream: TcpStream,
    /// What the poller was told last.
    pub(super) watched: Interest,
    /// Everything is sent, and the connection is read on until then.
    pub(super) lingers_until: Option<Instant>,
    /// When it last sent something or took something of an answer.
    active: Instant,
}

impl Occupant {
    pub(super) fn new(
        service: &dyn Service,
        client: Client,
        stream: TcpStream,
        permit: Option<OwnedPermit>,
    ) -> Self {
        Self {
            _permit: permit,
            connection: Connection::open(service, client, Stay::AWhile),
            stream,
            watched: Interest::READ,
            lingers_until: None,
            active: Instant::now(),
        }
    }

    /// Reads once, and answers. `ended` is what the end of input means at present.
    pub(super) fn receive(&mut self, buffers: &mut Buffers, ended: Closed) {
        let received = socket::receive(self.stream.as_fd(), &mut buffers.input, Wait::Never);
        if self.lingers_until.is_some() {
            match received {
                Ok(0) => self.connection.finish(),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.connection.finish(),
            }
            return;
        }
        match received {
            Ok(0) => self.end(buffers, ended),
            Ok(received) => {
                let stream = self.stream.as_fd();
                self.connection
                    .receive(&buffers.input[..received], &mut buffers.reply, |slices| {
                        socket::send(stream, slices, Wait::Never)
                    });
                // Its own posts, or others', may wait for the end of the turn; what the session said last
                // must not be cut off by them.
                if self.connection.stage() != Stage::Talking {
                    self.flush();
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                tracing::debug!(client = %self.connection.client().id(), %error, "receive failed");
                self.connection.abandon(Closed::Lost);
            }
        }
    }

    /// Input is over.
    pub(super) fn end(&mut self, buffers: &mut Buffers, why: Closed) {
        let stream = self.stream.as_fd();
        self.connection.end(why, &mut buffers.reply, |slices| {
            socket::send(stream, slices, Wait::Never)
        });
        self.flush();
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self) {
        if let Stage::Gone(_) = self.connection.stage() {
            return;
        }
        let stream = self.stream.as_fd();
        let outcome = self
            .connection
            .client()
            .mailbox()
            .flush(|slices| socket::send(stream, slices, Wait::Never));
        self.connection.flushed(outcome);
    }

    /// Ends writing; says until when to read on.
    pub(super) fn linger(&mut self) -> Instant {
        socket::end_writing(&self.stream);
        let until = Instant::now() + LINGER;
        self.lingers_until = Some(until);
        until
    }

    /// The client has just shown that it is there. `timed`: somebody will ask when.
    pub(super) fn touch(&mut self, timed: bool) {
        if timed {
            self.active = Instant::now();
        }
    }

    /// When this client's time is up, if ever.
    pub(super) fn deadline(&self, idle_timeout: Option<Duration>) -> Option<Instant> {
        self.lingers_until
            .or_else(|| Some(self.active + idle_timeout?))
    }

    /// A client that does not read is not read from.
    pub(super) fn wants_read(&self) -> bool {
        self.lingers_until.is_some()
            || (self.connection.stage() == Stage::Talking && !self.connection.is_blocked())
    }

    pub(super) fn interest(&self) -> Interest {
        Interest {
            read: self.wants_read(),
            write: self.connection.is_blocked(),
        }
    }

    /// Nothing unanswered, nothing unsent.
    pub(super) fn is_idle(&self) -> bool {
        self.connection.stage() == Stage::Talking
            && socket::unread(&self.stream) == 0
            && self.connection.client().mailbox().bytes() == 0
    }
}
