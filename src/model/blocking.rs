//! What the blocking models share: a house with a warden, and a thread's conversation with one client.

use super::acceptor::{self, Acceptor, Newcomer};
use super::last_call::LastCall;
use super::warden::{Doing, Place, Seat, Warden};
use super::{Buffers, Context};
use crate::client::Client;
use crate::connection::{Connection, Stage};
use crate::mailbox::{Mailbox, Missed, Posters, Stay};
use crate::net::Listener;
use crate::net::socket::{self, Wait};
use crate::stats::{Closed, Refusal, Stats};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::{self, Builder, Scope};

/// Clients, and the warden who looks after them.
#[derive(Clone)]
pub(super) struct House<'a> {
    context: Context<'a>,
    warden: Arc<Warden>,
}

/// Runs `door` with the one acceptor of a server: see [`open`].
pub(super) fn run<'env>(
    listener: Listener,
    context: Context<'env>,
    door: impl for<'scope> FnOnce(
        &'scope Scope<'scope, 'env>,
        &House<'env>,
        Acceptor<'env>,
    ) -> io::Result<()>,
) -> io::Result<()> {
    open(context, |scope, house| {
        let acceptor = Acceptor::alone(listener, context)?;
        door(scope, house, acceptor)
    })
}

/// Runs `door`, which accepts until shutdown, in a scope that no thread outlives. When `door` ends for whatever
/// reason, the clients that are left are drained.
pub(super) fn open<'env>(
    context: Context<'env>,
    door: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>, &House<'env>) -> io::Result<()>,
) -> io::Result<()> {
    run_without_a_door(context, |scope, house| {
        let _closing = house.closing();
        door(scope, house)
    })
}

/// Runs `inside` in a scope that no thread outlives: for clients that somebody else has accepted.
pub(super) fn run_without_a_door<'env>(
    context: Context<'env>,
    inside: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>, &House<'env>) -> io::Result<()>,
) -> io::Result<()> {
    let house = House {
        context,
        warden: Warden::new()?,
    };
    thread::scope(|scope| {
        let warden = Arc::clone(&house.warden);
        Builder::new()
            .name("gh-warden".into())
            .spawn_scoped(scope, move || warden.run(context))?;
        let _left = Left(&house);
        inside(scope, &house)
    })
}

/// Lets the warden go when the house is left, also by a panic: the scope would wait for it for ever.
struct Left<'h, 'a>(&'h House<'a>);

impl Drop for Left<'_, '_> {
    fn drop(&mut self) {
        self.0.warden.close_to_newcomers();
    }
}

/// Drains the house when it is dropped, also by a panic. Who waits for clients to leave, or for the warden, would
/// wait for ever otherwise.
pub(super) struct Closing<'h, 'a>(&'h House<'a>);

impl Drop for Closing<'_, '_> {
    fn drop(&mut self) {
        self.0.context.shutdown.drain();
        self.0.warden.close_to_newcomers();
    }
}

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

impl<'a> House<'a> {
    /// For a door that ends before the clients do.
    pub(super) fn closing(&self) -> Closing<'_, 'a> {
        Closing(self)
    }

    pub(super) fn seat(&self, newcomer: Newcomer) -> Place {
        self.warden.seat(newcomer, self.context.limits)
    }

    pub(super) fn refuse(&self, seat: &Seat, why: &Refusal) {
        acceptor::refuse(self.context, &seat.stream, seat.addr, why);
    }

    /// Serves one client from its first byte to its last, blocking.
    ///
    /// # Panics
    /// When something beside its session does, like the log: the client is closed and counted then.
    pub(super) fn serve(&self, place: Place, buffers: &mut Buffers) {
        let seat = Arc::clone(&place.seat);
        let stay = StayCounted::begin(self.context.stats, &seat.mailbox);
        tracing::info!(client = %seat.id, addr = %seat.addr, "connected");

        let mut why = self.converse(&seat, buffers);
        let missed = seat.mailbox.close();
        if why.lingers() {
            socket::linger(&seat.stream, &mut buffers.input);
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
        let stream = seat.stream.as_fd();
        let Buffers { input, reply } = buffers;
        let patience = self.context.limits.idle_timeout;
        let send = |slices: &[io::IoSlice<'_>]| {
            match socket::send(stream, slices, Wait::Never) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            seat.mailbox.socket_is_full(true);
            let sent = match patience {
                None => socket::send(stream, slices, Wait::Block),
                Some(patience) => socket::send_within(stream, slices, patience),
            };
            seat.mailbox.socket_is_full(false);
            sent
        };
        if patience.is_some()
            && let Err(error) = seat.stream.set_read_timeout(patience)
        {
            tracing::error!(client = %seat.id, %error, "no idle time-out for this client");
        }
        seat.now(Doing::Listening);
        let client = Client::new(seat.id, seat.addr, Arc::clone(&seat.mailbox));
        let mut connection = Connection::open(self.context.service, client, Stay::ToTheEnd);

        let mut last_call = LastCall::new(self.context.limits.drain);
        while connection.stage() == Stage::Talking {
            // Whoever has seen the drain is not to be woken for it.
            let received = if self.context.shutdown.is_draining() {
                last_call.unread(socket::unread(&seat.stream));
                socket::receive_within(stream, input, &mut last_call.left)
            } else {
                seat.now(Doing::Listening);
                socket::receive(stream, input, Wait::Block)
            };
            seat.now(Doing::Working);
            match received {
                Ok(0) => match self.why_input_ended(seat) {
                    Ok(why) => connection.end(why, reply, Posters::Send, send),
                    Err(why) => connection.abandon(why),
                },
                Ok(received) => {
                    let bytes = &input[..received];
                    let flows = connection.receive(bytes, reply, Posters::Send, send);
                    if received == input.len() {
                        Buffers::filled(input);
                    }
                    // A client that does not read is not read from: its own posts may lie in its mailbox.
                    if flows
                        && let Some(flushed) = seat.mailbox.flush_if_blocked(Stay::ToTheEnd, send)
                    {
                        connection.flushed(flushed);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    connection.abandon(Closed::Idle);
                }
                Err(error) => {
                    tracing::debug!(client = %seat.id, %error, "receive failed");
                    connection.abandon(Closed::Lost);
                }
            }
            // `send` waits for room, so there is none only when the idle time-out is over.
            if connection.is_blocked() {
                connection.abandon(Closed::Idle);
            }
        }
        if let Stage::Leaving(_) = connection.stage() {
            connection.flushed(seat.mailbox.flush_to_the_end(send));
            if connection.is_blocked() {
                connection.abandon(Closed::Idle);
            }
            connection.finish();
        }
        match connection.stage() {
            // Somebody here ended the reading of an idle client: what it meets then is no loss.
            Stage::Gone(Closed::Lost | Closed::Forced) if seat.was_idle() => Closed::Drained,
            Stage::Gone(Closed::Lost) if self.warden.is_forced() => Closed::Forced,
            Stage::Gone(why) | Stage::Leaving(why) => why,
            Stage::Talking => unreachable!("the loop above runs while it talks"),
        }
    }

    /// A client that knows nothing of the drain may go on sending. What it was sent is safe from the RST that it
    /// gets for that only once it has arrived there.
    fn see_out(&self, seat: &Seat, buffers: &mut Buffers) -> Closed {
        if socket::await_acknowledgement(&seat.stream, || self.warden.is_forced()) {
            // It may lie there in plenty.
            Buffers::filled(&mut buffers.input);
            socket::discard_unread(&seat.stream, &mut buffers.input);
            Closed::Drained
        } else if self.warden.is_forced() {
            Closed::Forced
        } else {
            Closed::Lost
        }
    }

    /// `recv` says "end" when the client ended its side, and when somebody here made it: `Ok` when what was
    /// received is still to be answered, `Err` when the connection is cut.
    fn why_input_ended(&self, seat: &Seat) -> Result<Closed, Closed> {
        if seat.mailbox.overflowed() {
            Err(Closed::TooSlow)
        } else if !self.context.shutdown.is_draining() {
            Ok(Closed::Finished)
        } else if self.warden.is_forced() && !seat.was_idle() {
            Err(Closed::Forced)
        } else {
            Ok(Closed::Drained)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::service::Echo;
    use crate::shutdown::Shutdown;
    use crate::stats::Stats;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_panic_at_the_door_ends_the_house_and_does_not_hang_it() {
        let (shutdown, stats) = (Shutdown::new().unwrap(), Stats::default());
        let context = Context {
            service: &Echo,
            limits: Limits::default(),
            shutdown: &shutdown,
            stats: &stats,
        };
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), 1).unwrap();
        let left = catch_unwind(AssertUnwindSafe(|| {
            run(listener, context, |_, _, _| {
                std::panic::resume_unwind(Box::new("the door fell off its hinges"))
            })
        }));
        assert!(left.is_err());
        assert!(shutdown.is_draining());
    }
}
