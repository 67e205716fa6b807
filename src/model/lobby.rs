//! The lobby: where the clients of several threads are while they have nothing to say. Idle ones cost memory and no
//! thread; whoever says something is served by the next thread that is free, for one turn, and goes back.
//!
//! ```text
//!            +-- desk: one thread waits for all, lets newcomers in, keeps the time --+
//!            |                                                                       |
//!   parked --+--> ready --> served by one thread: receive once, answer, settle --> parked
//!      ^                      |                                                      |
//!      |                      +--> has more, or another's trouble: handed over, ready again
//!      +-----------------------------------------------------------------------------+
//! ```
//!
//! [`Hybrid`](super::Hybrid) and [`LeaderFollowers`](super::LeaderFollowers) differ in who sits at the desk, and how a
//! guest gets from there to the thread that serves it.
//!
//! * **Who owns a guest** is one word, [`Calls`](calls::Calls): events, time-outs, a drain and posters *call* it, and who
//!   finds it parked owns it. Nothing is lost when it is owned: its owner finds the call before it can give it back.
//! * **The poller tells edges**, so a parked guest is watched without another system call. An edge may only be forgotten
//!   once a read has shown that nothing is left, which is so when it took less than it could. The end of the stream,
//!   an error or urgent data makes a [singular](crate::poller::Signal::singular) edge: then only a read that takes
//!   nothing shows it. A guest that is not read from for a while is watched for something else meanwhile, and the
//!   change back looks anew.
//! * **Posters send by themselves**: see the outlet in `guest.rs`. Who leaves is not closed while they do.
//! * **A turn costs the same however many are parked.** Only a drain and the end walk through all of them.
//!
//! Lock order: desk, then a guest's place, then the book. The registry and the mailboxes come after the place, too, and
//! never meet the book. Nobody locks two places.

mod book;
pub(crate) mod calls;
mod desk;
mod guest;

pub(super) use self::desk::Desk;
pub(super) use self::guest::Guest;

use self::book::Book;
use self::calls::Call;
use self::guest::Place;
use super::acceptor::Newcomer;
use super::occupant::Occupant;
use super::{Buffers, Context};
use crate::client::Client;
use crate::connection::Stage;
use crate::mailbox::{Mailbox, Missed};
use crate::net::socket;
use crate::poller::{SharedEpoll, Token, Trigger};
use crate::stats::Closed;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const SHUTDOWN: Token = Token(2);
/// The first guest's token; its key in the book is the difference.
const CLIENTS: usize = 3;

/// Turns of one guest in a row, as long as it has something to say, before others who are ready come first.
const TURNS: usize = 4;

fn token(key: usize) -> Token {
    Token(CLIENTS + key)
}

fn key(token: Token) -> usize {
    token.0 - CLIENTS
}

/// What all threads of the model share.
pub(super) struct Lobby<'a> {
    context: Context<'a>,
    set: SharedEpoll,
    book: Arc<Book>,
}

impl<'a> Lobby<'a> {
    pub(super) fn new(context: Context<'a>) -> io::Result<Self> {
        Ok(Self {
            context,
            set: SharedEpoll::new()?,
            book: Book::new()?,
        })
    }

    /// Serves a guest that the desk gave out. Afterwards it is parked, handed over, or gone. Never panics: what sessions
    /// throw is caught where they are called, and what anything else does costs its guest only.
    pub(super) fn serve(&self, guest: Arc<Guest>, buffers: &mut Buffers) {
        let served = catch_unwind(AssertUnwindSafe(|| {
            for _ in 0..TURNS {
                if self.turn(&guest, buffers) == Outcome::Gone || guest.calls.leave() {
                    return false;
                }
            }
            true
        }));
        match served {
            Ok(false) => {}
            Ok(true) => self.book.hand_over(guest),
            Err(panic) => {
                // What was thrown may panic again when it is dropped.
                std::mem::forget(panic);
                self.bury(&guest, Closed::Panicked);
            }
        }
    }

    fn turn(&self, guest: &Arc<Guest>, buffers: &mut Buffers) -> Outcome {
        let calls = guest.calls.take();
        let mut place = guest.place.lock();
        if calls.any(Call::FORCE) {
            if let Place::Inside(occupant) = &mut *place {
                occupant.connection.abandon(guest.what_force_means());
            }
        } else {
            self.come_in(guest, &mut place);
            if let Place::Inside(occupant) = &mut *place {
                self.answer(guest, occupant, calls, buffers);
            }
        }
        self.settle(guest, &mut place)
    }

    /// Opens the session of a newcomer.
    fn come_in(&self, guest: &Arc<Guest>, place: &mut Place) {
        match place.vacate() {
            Place::Arriving(newcomer) => {
                let Newcomer {
                    id,
                    addr,
                    stream,
                    permit,
                } = newcomer;
                let stream = Arc::new(stream);
                let outlet = guest.outlet(&stream);
                let mailbox = Arc::new(Mailbox::within(self.context.limits, outlet));
                let client = Client::new(id, addr, mailbox);
                let occupant = Occupant::new(self.context.service, client, stream, permit);
                *place = Place::Inside(occupant);
            }
            other => *place = other,
        }
    }

    /// Does what a guest was called for.
    fn answer(
        &self,
        guest: &Arc<Guest>,
        occupant: &mut Occupant<Arc<TcpStream>>,
        calls: Call,
        buffers: &mut Buffers,
    ) {
        let Context {
            limits, shutdown, ..
        } = self.context;
        let timed = limits.idle_timeout.is_some();
        let room = Call::WRITABLE | Call::READABLE;
        if calls.any(Call::RUNG) || (calls.any(room) && occupant.connection.is_blocked()) {
            occupant.flush();
            if calls.any(room) {
                occupant.touch(timed.then(Instant::now));
            }
        }
        if calls.any(Call::READABLE) && occupant.wants_read() {
            let ended = if shutdown.is_draining() {
                Closed::Drained
            } else {
                Closed::Finished
            };
            let received = occupant.receive(buffers, ended);
            occupant.touch(timed.then(Instant::now));
            if received == buffers.input.len() || (received > 0 && calls.any(Call::SINGULAR)) {
                // Nobody will tell us again.
                let again = Call::READABLE | (calls & Call::SINGULAR);
                let _ = guest.calls.call(again);
            }
        }
        if calls.any(Call::CLOSE) && occupant.has_nothing_to_say() {
            occupant.end(buffers, Closed::Drained);
        } else if calls.any(Call::CLOSE | Call::LAST_CALL) {
            guest.calls.was_busy_after_all();
            self.book
                .look_at(guest, occupant.call_last(Instant::now(), limits.drain));
        }
        if calls.any(Call::LOOK)
            && let Some(again) = occupant.look(Instant::now(), limits.idle_timeout, buffers)
        {
            self.book.look_at(guest, again);
        }
    }

    /// Draws the consequences of a guest's new state: what to wait for, or that it is gone.
    fn settle(&self, guest: &Guest, place: &mut Place) -> Outcome {
        let Place::Inside(occupant) = place else {
            return self.see_off(guest, place, guest.what_force_means());
        };
        if let Stage::Leaving(why) = occupant.connection.stage()
            && !occupant.connection.is_blocked()
            && occupant.parting.is_none()
            && let Some(at) = occupant.part(why)
        {
            self.book.look_at(guest, at);
        }
        if let Stage::Gone(why) = occupant.connection.stage() {
            return self.see_off(guest, place, why);
        }
        let interest = occupant.interest();
        // A flush may have ended in the middle of a crowd of posts, and not at a full socket: that there is room is no
        // news then, and would not be told.
        if interest != occupant.watched || interest.write {
            occupant.watched = interest;
            let fd = occupant.stream.as_fd();
            if let Err(error) = self.set.modify(fd, guest.token(), interest, Trigger::Edge) {
                tracing::error!(%error, "a client could not be watched any more");
                return self.see_off(guest, place, Closed::Lost);
            }
        }
        Outcome::Stays
    }

    fn see_off(&self, guest: &Guest, place: &mut Place, why: Closed) -> Outcome {
        match place.vacate() {
            Place::Arriving(newcomer) => {
                self.context.stats.closed(why, Missed::default());
                self.forget(&newcomer.stream);
                tracing::info!(client = %newcomer.id, addr = %newcomer.addr, %why, "closed");
            }
            Place::Inside(mut occupant) => {
                self.context.stats.closed(why, occupant.close());
                self.forget(&occupant.stream);
                occupant.tell_closed(why);
                if let Err(stream) = Arc::try_unwrap(occupant.into_stream()) {
                    // A poster holds it for a moment longer.
                    socket::hang_up(&stream);
                }
            }
            Place::Gone => return Outcome::Gone,
        }
        self.book.strike(guest);
        Outcome::Gone
    }

    /// Something panicked, and not a session. That may have been the log: nothing is said here.
    fn bury(&self, guest: &Guest, why: Closed) {
        let place = guest.place.lock().vacate();
        if !matches!(place, Place::Gone) {
            self.context.stats.closed(why, Missed::default());
        }
        let dropped = catch_unwind(AssertUnwindSafe(|| {
            if let Place::Inside(occupant) = &place {
                occupant.connection.client().mailbox().close();
                // It is closed in a moment: were it not watched, that would do, too.
                let _ = self.set.delete(occupant.stream.as_fd());
            }
            drop(place);
        }));
        std::mem::forget(dropped);
        self.book.strike(guest);
    }

    fn forget(&self, stream: &TcpStream) {
        if let Err(error) = self.set.delete(stream.as_fd()) {
            tracing::error!(%error, "a client that left was not watched");
        }
    }
}

/// Cuts off whoever is left, where a desk broke: by an error, or by a panic that goes on meanwhile. All threads but this
/// one have ended, or they would have it still.
impl Drop for Lobby<'_> {
    fn drop(&mut self) {
        let guests = self.book.guests();
        if guests.is_empty() {
            return;
        }
        // A second panic, as of a log that has broken, would end the process.
        let told = catch_unwind(AssertUnwindSafe(|| {
            self.context.stats.drain_forced(guests.len() as u64);
        }));
        std::mem::forget(told);
        let mut buffers = Buffers::new();
        for guest in guests {
            // Whoever owned it is gone.
            let _ = guest.calls.call(Call::FORCE);
            let cut_off = catch_unwind(AssertUnwindSafe(|| self.turn(&guest, &mut buffers)));
            if let Err(panic) = cut_off {
                std::mem::forget(panic);
                self.bury(&guest, Closed::Forced);
            }
        }
    }
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Stays,
    Gone,
}

#[cfg(test)]
mod tests;
