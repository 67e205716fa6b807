//! A thread's conversation with one client, from its first byte to its last, blocking.
//!
//! ```text
//!              the drain                      silence
//!   talking -------------> hearing out -------------------------> parting
//!      |                        |                                    ^
//!      +------------------------+------------------------------------+
//!           the end of input, the session's close, a failure
//! ```
//!
//! Where clients are thousands, each message finds little of its thread's memory in the processor's caches, and fetches it
//! anew. So what a message needs lies close together on the stack: [`Conversation`], a few words of input beside it (above it,
//! in the builds that were looked at), and below it the frame of [`Conversation::talk`], which has no room for anything rarer.

use super::House;
use crate::client::Client;
use crate::connection::{Connection, Stage};
use crate::mailbox::{Mailbox, Missed, Posters, Sender, Stay};
use crate::model::last_call::LastCall;
use crate::model::warden::{Doing, Place, Seat};
use crate::model::{Buffers, FEW_WORDS};
use crate::net::socket::{self, Wait};
use crate::shutdown::Shutdown;
use crate::stats::{Closed, Stats};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

/// A client's stay, whose end is counted, also when that is a panic.
struct StayCounted<'a> {
    stats: &'a Stats,
    mailbox: &'a Mailbox,
}

impl<'a> StayCounted<'a> {
    fn begin(stats: &'a Stats, mailbox: &'a Mailbox) -> Self {
        stats.opened();
        Self { stats, mailbox }
    }

    fn end(self, why: Closed, missed: Missed) {
        self.stats.closed(why, missed);
        std::mem::forget(self);
    }
}

impl Drop for StayCounted<'_> {
    fn drop(&mut self) {
        // Nothing is said here: it may have been the log that panicked.
        self.stats.closed(Closed::Panicked, self.mailbox.close());
    }
}

impl House<'_> {
    /// Serves one client from its first byte to its last, blocking.
    ///
    /// # Panics
    /// When something beside its session does, like the log: the client is closed and counted then.
    pub(in crate::model) fn serve(&self, place: Place, buffers: &mut Buffers) {
        let seat = Arc::clone(&place.seat);
        let stay = StayCounted::begin(self.context.stats, &seat.mailbox);
        tracing::info!(client = %seat.id, addr = %seat.addr, "connected");

        let mut why = self.converse(&seat, buffers);
        let missed = seat.mailbox.close();
        if why.lingers() {
            socket::linger(&seat.stream);
        }
        if why == Closed::Drained && !seat.was_idle() {
            why = self.see_out(&seat, buffers);
        }
        tracing::info!(
            client = %seat.id,
            addr = %seat.addr,
            %why,
            lost = missed.messages,
            dropped_lines = missed.dropped_lines,
            "closed"
        );
        stay.end(why, missed);
        drop(place);
        // Not only dropped: a poster may hold the socket for a moment longer.
        socket::hang_up(&seat.stream);
    }

    fn converse(&self, seat: &Seat, buffers: &mut Buffers) -> Closed {
        let patience = self.context.limits.idle_timeout;
        if patience.is_some()
            && let Err(error) = seat.stream.set_read_timeout(patience)
        {
            tracing::error!(client = %seat.id, %error, "no idle time-out for this client");
        }
        seat.now(Doing::Listening);
        let client = Client::new(seat.id, seat.addr, Arc::clone(&seat.mailbox));
        let Buffers { input, reply } = buffers;
        let mut few = [0; FEW_WORDS];
        let (input, larger) = if input.is_empty() {
            (&mut few[..], Some(input))
        } else {
            (&mut input[..], None)
        };
        let mut conversation = Conversation {
            house: self,
            larger,
            connection: Connection::open(self.context.service, client, Stay::ToTheEnd),
            shutdown: self.context.shutdown,
            input,
            reply,
            seat,
            outward: Outward {
                stream: seat.stream.as_fd(),
                mailbox: &seat.mailbox,
                patience,
            },
        };
        conversation.talk();
        conversation.hear_out();
        conversation.part()
    }

    /// A client that knows nothing of the drain may go on sending. What it was sent is safe from the RST that it
    /// gets for that only once it has arrived there.
    fn see_out(&self, seat: &Seat, buffers: &mut Buffers) -> Closed {
        if socket::await_acknowledgement(&seat.stream, || self.warden.is_forced()) {
            socket::discard_unread(&seat.stream, Buffers::whole(&mut buffers.input));
            Closed::Drained
        } else if self.warden.is_forced() {
            Closed::Forced
        } else {
            Closed::Lost
        }
    }
}

// In this order: what every message needs lies together, around the connection's end.
#[repr(C)]
struct Conversation<'c> {
    house: &'c House<'c>,
    /// Where to read to once `input` was filled.
    larger: Option<&'c mut Box<[u8]>>,
    connection: Connection,
    shutdown: &'c Shutdown,
    input: &'c mut [u8],
    reply: &'c mut Vec<u8>,
    seat: &'c Seat,
    outward: Outward<'c>,
}

impl Conversation<'_> {
    /// Until it does not flow, or the drain begins.
    #[inline(never)]
    fn talk(&mut self) {
        while self.connection.is_flowing() && !self.shutdown.is_draining() {
            self.seat.now(Doing::Listening);
            let received = socket::receive(self.outward.stream, self.input, Wait::Block);
            self.take(received);
        }
    }

    /// Until nothing more comes. Whoever has seen the drain is not to be woken for it.
    fn hear_out(&mut self) {
        let mut last_call = LastCall::new(self.house.context.limits.drain);
        while self.connection.is_flowing() {
            let stream = &self.seat.stream;
            last_call.unread(socket::unread(stream));
            let received = socket::receive_within(stream.as_fd(), self.input, &mut last_call.left);
            self.take(received);
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // Once per message, and little besides a call of the session and a send.
    fn take(&mut self, received: io::Result<usize>) {
        self.seat.now(Doing::Working);
        let Ok(received @ 1..) = received else {
            return self.input_ended(received);
        };
        let bytes = &self.input[..received];
        let flows = self
            .connection
            .receive(bytes, self.reply, Posters::Send, &self.outward);
        if received == self.input.len() {
            self.input_filled();
        }
        // A client that does not read is not read from: its own posts may lie in its mailbox.
        if flows
            && let Some(flushed) = self
                .connection
                .client()
                .mailbox()
                .flush_if_blocked(Stay::ToTheEnd, &self.outward)
        {
            self.connection.flushed(flushed);
        }
    }

    #[cold]
    fn input_filled(&mut self) {
        if let Some(larger) = self.larger.take() {
            self.input = Buffers::whole(larger);
        }
    }

    #[cold]
    fn input_ended(&mut self, received: io::Result<usize>) {
        match received {
            Ok(_) => match self.why_input_ended() {
                Ok(why) => self
                    .connection
                    .end(why, self.reply, Posters::Send, &self.outward),
                Err(why) => self.connection.abandon(why),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.connection.abandon(Closed::Idle);
            }
            Err(error) => {
                tracing::debug!(client = %self.seat.id, %error, "receive failed");
                self.connection.abandon(Closed::Lost);
            }
        }
    }

    /// `recv` says "end" when the client ended its side, and when somebody here made it: `Ok` when what was
    /// received is still to be answered, `Err` when the connection is cut.
    fn why_input_ended(&self) -> Result<Closed, Closed> {
        if self.seat.mailbox.overflowed() {
            Err(Closed::TooSlow)
        } else if !self.shutdown.is_draining() {
            Ok(Closed::Finished)
        } else if self.house.warden.is_forced() && !self.seat.was_idle() {
            Err(Closed::Forced)
        } else {
            Ok(Closed::Drained)
        }
    }

    /// Sends what is left.
    fn part(mut self) -> Closed {
        let connection = &mut self.connection;
        // Whatever is sent waits for room, so there is none only when the idle time-out is over.
        if connection.is_blocked() {
            connection.abandon(Closed::Idle);
        }
        if let Stage::Leaving(_) = connection.stage() {
            connection.flushed(self.seat.mailbox.flush_to_the_end(&self.outward));
            if connection.is_blocked() {
                connection.abandon(Closed::Idle);
            }
            connection.finish();
        }
        match connection.stage() {
            // Somebody here ended the reading of an idle client: what it meets then is no loss.
            Stage::Gone(Closed::Lost | Closed::Forced) if self.seat.was_idle() => Closed::Drained,
            Stage::Gone(Closed::Lost) if self.house.warden.is_forced() => Closed::Forced,
            Stage::Gone(why) | Stage::Leaving(why) => why,
            Stage::Talking => unreachable!("it flows until it leaves"),
        }
    }
}

/// The way out to a client: waits for room.
// In this order: it ends what every message needs of the conversation, with what is rarely needed.
#[repr(C)]
struct Outward<'c> {
    stream: BorrowedFd<'c>,
    mailbox: &'c Mailbox,
    /// For how long the client may take nothing.
    patience: Option<Duration>,
}

impl Outward<'_> {
    #[cold]
    fn wait(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.mailbox.socket_is_full(true);
        let sent = match self.patience {
            None => socket::send(self.stream, slices, Wait::Block),
            Some(patience) => socket::send_within(self.stream, slices, patience),
        };
        self.mailbox.socket_is_full(false);
        sent
    }
}

impl Sender for &Outward<'_> {
    #[inline]
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match socket::send(self.stream, slices, Wait::Never) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(slices),
            done => done,
        }
    }
}
