//! The desk of a lobby: who sits at it waits for all guests at once, lets newcomers in, and begins the drain.

use super::calls::Call;
use super::guest::{Guest, Place};
use super::{CLIENTS, LISTENER, Lobby, SHUTDOWN, WAKER};
use crate::model::Context;
use crate::model::acceptor::{self, Accepted, Acceptor, Newcomer};
use crate::net::Listener;
use crate::poller::{Interest, Signals, Trigger};
use crate::stats::Refusal;
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

/// What only one thread at a time can do. See the [module](super).
pub(in crate::model) struct Desk<'a> {
    /// `None` once draining has begun.
    acceptor: Option<Acceptor<'a>>,
    /// When to look at the listener again.
    paused_until: Option<Instant>,
    signals: Signals,
    /// Guests to be served, in the order in which they came up. They are owned by whoever takes them out.
    ready: VecDeque<Arc<Guest>>,
    drain_deadline: Option<Instant>,
    forced: bool,
}

impl<'a> Desk<'a> {
    /// The desk of `lobby`, with the door on `listener`.
    pub(in crate::model) fn new(lobby: &Lobby<'a>, listener: Listener) -> io::Result<Self> {
        let acceptor = Acceptor::alone(listener, lobby.context)?;
        let drain = lobby.context.shutdown.drain_fd();
        lobby
            .set
            .add(acceptor.as_fd(), LISTENER, Interest::READ, Trigger::Level)?;
        lobby
            .set
            .add(lobby.book.as_fd(), WAKER, Interest::READ, Trigger::Level)?;
        lobby
            .set
            .add(drain, SHUTDOWN, Interest::READ, Trigger::Level)?;
        Ok(Self {
            acceptor: Some(acceptor),
            paused_until: None,
            signals: Signals::default(),
            ready: VecDeque::new(),
            drain_deadline: None,
            forced: false,
        })
    }

    /// The next guest to be served, after a wait if there is none. `None` when the server has drained: nobody is left.
    ///
    /// # Errors
    /// When the listener or the poller breaks.
    pub(in crate::model) fn next(&mut self, lobby: &Lobby<'a>) -> io::Result<Option<Arc<Guest>>> {
        loop {
            if let Some(guest) = self.ready.pop_front() {
                return Ok(Some(guest));
            }
            if self.acceptor.is_none() && lobby.book.is_empty() {
                return Ok(None);
            }
            self.turn(lobby)?;
        }
    }

    /// Waits until something happens, and draws the consequences.
    fn turn(&mut self, lobby: &Lobby<'a>) -> io::Result<()> {
        let deadline = [self.paused_until, self.drain_deadline]
            .into_iter()
            .flatten()
            .min();
        let timeout = lobby.book.fall_asleep(deadline);
        let waited = lobby.set.wait(&mut self.signals, timeout);
        let of_guests = self.signals.iter().filter(|s| s.token.0 >= CLIENTS);
        lobby.book.wake_up(of_guests, &mut self.ready);
        waited?;
        let has = |token| self.signals.iter().any(|signal| signal.token == token);
        let (knock, rung, switched) = (has(LISTENER), has(WAKER), has(SHUTDOWN));
        if rung {
            lobby.book.clear();
        }
        if knock {
            self.accept(lobby)?;
        }
        if switched {
            self.shut_down(lobby)?;
        }
        self.expire(lobby)
    }

    fn accept(&mut self, lobby: &Lobby<'a>) -> io::Result<()> {
        let Some(acceptor) = &mut self.acceptor else {
            return Ok(());
        };
        let ready = &mut self.ready;
        let accepted = acceptor.accept(|newcomer| ready.extend(admit(lobby, newcomer)))?;
        if let Accepted::Pause(pause) = accepted {
            lobby
                .set
                .modify(acceptor.as_fd(), LISTENER, Interest::NONE, Trigger::Level)?;
            self.paused_until = Some(Instant::now() + pause);
        }
        Ok(())
    }

    fn expire(&mut self, lobby: &Lobby<'a>) -> io::Result<()> {
        if self.paused_until.is_none() && self.drain_deadline.is_none() {
            return Ok(());
        }
        let now = Instant::now();
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            if let Some(acceptor) = &self.acceptor {
                lobby
                    .set
                    .modify(acceptor.as_fd(), LISTENER, Interest::READ, Trigger::Level)?;
            }
        }
        if self.drain_deadline.is_some_and(|deadline| deadline <= now) {
            self.force(lobby);
        }
        Ok(())
    }

    /// The shutdown switch has moved on.
    fn shut_down(&mut self, lobby: &Lobby<'a>) -> io::Result<()> {
        let Context {
            shutdown, limits, ..
        } = lobby.context;
        if let Some(acceptor) = self.acceptor.take() {
            lobby.set.delete(acceptor.as_fd())?;
            drop(acceptor);
            self.paused_until = None;
            self.drain_deadline = Some(Instant::now() + limits.drain);
            lobby.set.delete(shutdown.drain_fd())?;
            let force = shutdown.force_fd();
            lobby
                .set
                .add(force, SHUTDOWN, Interest::READ, Trigger::Level)?;
            lobby.book.close();
            self.begin_drain(lobby);
        } else {
            // It stays readable.
            lobby.set.delete(shutdown.force_fd())?;
            self.force(lobby);
        }
        Ok(())
    }

    /// Idle guests are closed by the next threads that are free; the others' input ends after what has arrived.
    fn begin_drain(&mut self, lobby: &Lobby<'a>) {
        let (mut idle, mut busy) = (Vec::new(), Vec::new());
        // All are looked at before any is closed: the line that one leaves behind must not make others busy.
        for guest in lobby.book.guests() {
            // Who is parked stays owned from here on. Who is not is being served, or waits for a thread.
            let owned = guest.calls.call(Call::NOTHING);
            let quiet = if owned {
                guest.is_idle()
            } else {
                !guest.calls.is_busy()
            };
            let found = if quiet { &mut idle } else { &mut busy };
            found.push((guest, owned));
        }
        let Context { stats, limits, .. } = lobby.context;
        stats.drain_began(idle.len() as u64, busy.len() as u64, limits.drain);
        for (guest, owned) in busy {
            self.call(guest, owned, Call::LAST_CALL);
        }
        for (guest, owned) in idle {
            guest.calls.set_was_idle();
            self.call(guest, owned, Call::CLOSE);
        }
    }

    fn call(&mut self, guest: Arc<Guest>, owned: bool, what: Call) {
        if guest.calls.call(what) || owned {
            self.ready.push_back(guest);
        }
    }

    /// Cuts everybody off, once.
    fn force(&mut self, lobby: &Lobby<'a>) {
        self.drain_deadline = None;
        if self.forced {
            return;
        }
        self.forced = true;
        let guests = lobby.book.guests();
        let cut_off = guests.iter().filter(|g| !g.calls.was_idle()).count();
        lobby.context.stats.drain_forced(cut_off as u64);
        for guest in guests {
            self.call(guest, false, Call::FORCE);
        }
    }
}

/// Enters a newcomer in the book. Its session is opened by whoever serves it first.
fn admit(lobby: &Lobby<'_>, newcomer: Newcomer) -> Option<Arc<Guest>> {
    let (id, addr) = (newcomer.id, newcomer.addr);
    let guest = lobby
        .book
        .enter(|key| Guest::new(key, newcomer, &lobby.book));
    if let Err(error) = guest.watch(lobby) {
        if let Place::Arriving(newcomer) = guest.place.lock().vacate() {
            let why = Refusal::Unwatchable(error);
            acceptor::refuse(lobby.context, &newcomer.stream, addr, &why);
        }
        lobby.book.strike(&guest);
        return None;
    }
    lobby.context.stats.opened();
    tracing::info!(client = %id, %addr, "connected");
    if let Some(patience) = lobby.context.limits.idle_timeout {
        lobby.book.look_at(&guest, Instant::now() + patience);
    }
    Some(guest)
}
