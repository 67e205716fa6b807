//! The reactor: one thread, a poller, and a connection per client. It asks who is ready, serves each of those
//! once, then sends what was posted meanwhile, and asks again.
//!
//! ```text
//!   +--> wait ---> every event: accept | receive once | send on ---> flush whoever was posted to --+
//!   |                                                                                              |
//!   +------------- time-outs, drain <--------------------------------------------------------------+
//! ```
//!
//! Reading all ready talkers before anything is flushed lets a mailbox gather what several of them
//! said, and go out in one call.

mod drain;

use super::acceptor::{self, Accepted, Newcomer};
use super::loops::Entrance;
use super::occupant::{End, Occupant};
use super::phase::Phase;
use super::rings::Rings;
use super::timers::Timers;
use super::{Buffers, Context, Unsupported};
use crate::client::Client;
use crate::connection::Stage;
use crate::mailbox::Mailbox;
use crate::poller::{Event, Interest, Poller, Token};
use crate::stats::{Closed, Refusal};
use crossbeam_utils::CachePadded;
use slab::Slab;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

// A client's token is its index in the table. These are past any table's end.
const ENTRANCE: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
const SHUTDOWN: Token = Token(usize::MAX - 2);

/// Waits of one turn in which there is mail, besides the first, as long as each tells of as many as it has room for: with 64 at a
/// time, a turn is of 512. Whoever floods comes again behind all others only, and no more often than this.
const CROWD: usize = 7;

/// Whether this system has `P`; `elsewhere` says which have it.
pub(super) fn check<P: Poller>(elsewhere: &str) -> Result<(), Unsupported> {
    match P::new() {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            Err(Unsupported(elsewhere.into()))
        }
        // A lack of descriptors is told when the model starts.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Serves on `P` whoever comes in at `entrance`, until shutdown.
pub(super) fn run<P: Poller>(entrance: Entrance<'_>, context: Context<'_>) -> io::Result<()> {
    let mut reactor = Reactor::<P>::new(entrance, context)?;
    let outcome = reactor.turn_until_empty();
    if outcome.is_err() {
        reactor.force();
    }
    outcome
}

struct Reactor<'a, P> {
    poller: P,
    context: Context<'a>,
    /// `None` once a drain has begun and nobody comes in any more.
    entrance: Option<Entrance<'a>>,
    /// When to look at the entrance again.
    paused_until: Option<Instant>,
    /// Each from the beginning of a cache line.
    clients: Slab<CachePadded<Occupant>>,
    rings: Arc<Rings>,
    timers: Timers,
    buffers: Buffers,
    phase: Phase,
    /// When the last wait ended, if somebody asks who is idle.
    woke: Option<Instant>,
}

impl<'a, P: Poller> Reactor<'a, P> {
    fn new(entrance: Entrance<'a>, context: Context<'a>) -> io::Result<Self> {
        let mut poller = P::new()?;
        let rings = Arc::new(Rings::new()?);
        poller.add(entrance.as_fd(), ENTRANCE, Interest::READ)?;
        poller.add(rings.as_fd(), WAKER, Interest::READ)?;
        poller.add(context.shutdown.drain_fd(), SHUTDOWN, Interest::READ)?;
        Ok(Self {
            poller,
            context,
            entrance: Some(entrance),
            paused_until: None,
            clients: Slab::new(),
            rings,
            timers: Timers::default(),
            buffers: Buffers::new(),
            phase: Phase::Serving,
            woke: None,
        })
    }

    fn turn_until_empty(&mut self) -> io::Result<()> {
        loop {
            let timed = self.is_timed();
            let cursor = self.wait(timed)?;
            self.serve_all(cursor)?;
            if self.rings.is_rung() {
                self.serve_crowd()?;
                self.flush_rung();
            }
            // What was set meanwhile is not due yet.
            if timed {
                self.expire();
            }
            if self.entrance.is_none() && self.clients.is_empty() {
                // What the last to leave said may be for clients of other loops.
                self.flush_rung();
                return Ok(());
            }
        }
    }

    /// Serves each of whom the last wait told.
    #[inline]
    fn serve_all(&mut self, mut cursor: P::Cursor) -> io::Result<()> {
        while let Some(event) = self.poller.next(&mut cursor) {
            self.serve(event)?;
            // What one turn reads may be more than a mailbox holds.
            if self.rings.is_urgent() {
                self.flush_rung();
            }
        }
        Ok(())
    }

    /// Serves those, too, of whom there was no room to tell, if what is said is to go out together.
    fn serve_crowd(&mut self) -> io::Result<()> {
        for _ in 0..CROWD {
            if !self.poller.may_have_more() {
                break;
            }
            let cursor = self.poller.wait(Some(Duration::ZERO))?;
            self.serve_all(cursor)?;
        }
        Ok(())
    }

    fn wait(&mut self, timed: bool) -> io::Result<P::Cursor> {
        let waited = if !self.rings.fall_asleep() {
            self.poller.wait(Some(Duration::ZERO))
        } else if timed {
            self.poller.wait(self.timeout())
        } else {
            self.poller.wait(None)
        };
        self.rings.wake_up();
        if self.context.limits.idle_timeout.is_some() {
            self.woke = Some(Instant::now());
        }
        waited
    }

    /// Something other than a client is ready, or a client that is gone.
    #[cold]
    fn serve_other(&mut self, token: Token) -> io::Result<()> {
        match token {
            ENTRANCE => self.accept(),
            SHUTDOWN => self.shut_down(),
            WAKER => {
                self.rings.clear();
                Ok(())
            }
            // Gone earlier in this turn.
            _ => Ok(()),
        }
    }

    /// Whether anything is to be done at a certain time.
    #[inline]
    fn is_timed(&self) -> bool {
        !self.timers.is_empty() || self.paused_until.is_some() || self.phase != Phase::Serving
    }

    /// How long nothing needs to be done unless something happens.
    #[inline(never)]
    fn timeout(&self) -> Option<Duration> {
        let forced_at = match self.phase {
            Phase::Draining { until } => Some(until),
            Phase::Serving | Phase::Forced => None,
        };
        let next = [self.timers.next(), self.paused_until, forced_at]
            .into_iter()
            .flatten()
            .min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn accept(&mut self) -> io::Result<()> {
        let Some(mut entrance) = self.entrance.take() else {
            return Ok(());
        };
        let accepted = entrance.accept(|newcomer| self.admit(newcomer));
        if let Ok(Accepted::Pause(pause)) = accepted {
            self.poller
                .modify(entrance.as_fd(), ENTRANCE, Interest::NONE)?;
            self.paused_until = Some(Instant::now() + pause);
        }
        self.entrance = Some(entrance);
        accepted?;
        self.close_entrance()
    }

    /// If a drain has begun, and nobody comes in any more.
    fn close_entrance(&mut self) -> io::Result<()> {
        if self.phase == Phase::Serving {
            return Ok(());
        }
        if let Some(entrance) = self.entrance.take_if(|entrance| entrance.is_over()) {
            self.paused_until = None;
            self.poller.delete(entrance.as_fd())?;
        }
        Ok(())
    }

    fn admit(&mut self, newcomer: Newcomer) {
        let Newcomer {
            id,
            addr,
            stream,
            permit,
        } = newcomer;
        let entry = self.clients.vacant_entry();
        let token = Token(entry.key());
        if let Err(error) = self.poller.add(stream.as_fd(), token, Interest::READ) {
            acceptor::refuse(self.context, &stream, addr, &Refusal::Unwatchable(error));
            return;
        }
        let outlet = Box::new(self.rings.outlet(token));
        let mailbox = Arc::new(Mailbox::within(self.context.limits, outlet));
        let client = Client::new(id, addr, mailbox);
        self.context.stats.opened();
        tracing::info!(client = %id, %addr, "connected");
        let key = entry.key();
        let occupant = Occupant::new(self.context.service, client, stream, permit);
        entry.insert(CachePadded::new(occupant));
        if let Some(patience) = self.context.limits.idle_timeout {
            self.timers.set(Instant::now() + patience, key, id);
        }
        self.settle(key);
        match self.phase {
            Phase::Serving => {}
            Phase::Draining { .. } => self.drain(vec![key]),
            Phase::Forced => self.cut_off(vec![key]),
        }
    }

    /// Somebody is ready.
    #[inline]
    fn serve(&mut self, event: Event) -> io::Result<()> {
        let Token(key) = event.token;
        let Some(occupant) = self.clients.get_mut(key) else {
            return self.serve_other(event.token);
        };
        if !occupant.steady {
            self.serve_unsteady(key, event);
            return Ok(());
        }
        let received = occupant.receive_flowing(&mut self.buffers);
        self.received(key, received);
        Ok(())
    }

    /// Draws the consequences for one that flowed.
    #[inline]
    fn received(&mut self, key: usize, received: Result<bool, End>) {
        match received {
            Ok(true) => {}
            Ok(false) => self.stalled(key),
            Err(end) => self.ended(key, end),
        }
    }

    #[cold]
    fn ended(&mut self, key: usize, end: End) {
        let ended = self.phase.end_of_input();
        self.clients[key].received_end(end, &mut self.buffers, ended);
        self.stalled(key);
    }

    /// A client has just said something that could not be answered, or that ends its conversation.
    #[cold]
    fn stalled(&mut self, key: usize) {
        let occupant = &mut self.clients[key];
        // What the session said last must not be cut off by its own posts, or others', which wait for the end of the
        // turn.
        if occupant.connection.stage() != Stage::Talking {
            occupant.flush();
        }
        self.settle(key);
    }

    /// A client is ready who is timed, has not taken its answer, or leaves.
    #[inline(never)]
    fn serve_unsteady(&mut self, key: usize, event: Event) {
        let occupant = &mut self.clients[key];
        if occupant.connection.is_flowing() {
            let received = occupant.receive_flowing(&mut self.buffers);
            occupant.touch(self.woke);
            return self.received(key, received);
        }
        if event.is_writable() || (event.is_readable() && occupant.connection.is_blocked()) {
            occupant.flush();
            occupant.touch(self.woke);
        }
        if event.is_readable() && occupant.wants_read() {
            occupant.receive(&mut self.buffers, self.phase.end_of_input());
            occupant.touch(self.woke);
        }
        self.settle(key);
    }

    /// Sends what was posted since the last time, each client's in one call.
    fn flush_rung(&mut self) {
        // Sessions that end here may post again. Those that then post still wait for the next turn, which
        // comes at once: whoever posts without end must not keep the reactor from its clients.
        for _ in 0..2 {
            let Some(rung) = self.rings.take() else {
                return;
            };
            for &Token(key) in &rung {
                if let Some(occupant) = self.clients.get_mut(key) {
                    occupant.flush();
                    self.settle(key);
                }
            }
            self.rings.recycle(rung);
        }
    }

    /// Draws the consequences of a client's new state: what to wait for, or that it is gone.
    fn settle(&mut self, key: usize) {
        let Some(occupant) = self.clients.get_mut(key) else {
            return;
        };
        if let Stage::Leaving(why) = occupant.connection.stage()
            && !occupant.connection.is_blocked()
            && occupant.parting.is_none()
            && let Some(at) = occupant.part(why)
        {
            self.timers.set(at, key, occupant.connection.client().id());
        }
        if let Stage::Gone(why) = occupant.connection.stage() {
            self.remove(key, why);
            return;
        }
        let interest = occupant.interest();
        if interest != occupant.watched {
            occupant.watched = interest;
            let watched = self
                .poller
                .modify(occupant.stream.as_fd(), Token(key), interest);
            if let Err(error) = watched {
                tracing::error!(%error, "a client could not be watched any more");
                self.remove(key, Closed::Lost);
                return;
            }
        }
        let timed = self.context.limits.idle_timeout.is_some();
        occupant.steady = occupant.connection.is_flowing() && !timed;
    }

    fn remove(&mut self, key: usize, why: Closed) {
        let mut occupant = self.clients.remove(key);
        if let Err(error) = self.poller.delete(occupant.stream.as_fd()) {
            tracing::error!(%error, "a client that left was not watched");
        }
        let missed = occupant.close();
        occupant.tell_closed(why);
        self.context.stats.closed(why, missed);
        drop(occupant);
        let clients = &self.clients;
        self.timers.prune(clients.len(), |key, id| {
            clients
                .get(key)
                .is_some_and(|occupant| occupant.connection.client().id() == id)
        });
    }

    /// Ends whoever has been silent for too long, lingered for too long, or outlived the drain.
    fn expire(&mut self) {
        let now = Instant::now();
        while let Some((key, id)) = self.timers.due(now) {
            let Some(occupant) = self.clients.get_mut(key) else {
                continue;
            };
            if occupant.connection.client().id() != id {
                continue;
            }
            let idle_timeout = self.context.limits.idle_timeout;
            match occupant.look(now, idle_timeout, &mut self.buffers) {
                Some(again) => self.timers.set(again, key, id),
                None => self.settle(key),
            }
        }
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            if let Some(entrance) = &self.entrance
                && let Err(error) = self
                    .poller
                    .modify(entrance.as_fd(), ENTRANCE, Interest::READ)
            {
                tracing::error!(%error, "the listener could not be watched any more");
            }
        }
        if matches!(self.phase, Phase::Draining { until } if until <= now) {
            self.force();
        }
    }
}
