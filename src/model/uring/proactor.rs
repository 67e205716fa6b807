//! The proactor: one thread, a ring, and a guest per client. It says what is to be done, is told what was done, serves
//! that, and says what is to be done next, all in one system call per turn, or two: see [`ring`].
//!
//! ```text
//!   +--> submit and wait ---> every completion: admit | serve | send on ---> flush whoever was posted to --+
//!   |                                                                                                      |
//!   +----------------------- time-outs, drain <------------------------------------------------------------+
//! ```

mod door;
mod drain;
mod guest;
mod inputs;
mod needs;
mod op;
mod outgoing;
mod places;
mod registration;
mod ring;
mod send;

pub(super) use self::needs::check;

use self::guest::Receive;
use self::inputs::Input;
use self::op::{Completion, Op};
use self::outgoing::Outgoing;
use self::places::Place;
use self::ring::{Ring, Until};
use crate::model::loops::Entrance;
use crate::model::phase::Phase;
use crate::model::rings::Rings;
use crate::model::timers::Timers;
use crate::model::{Buffers, Context};
use crate::poller::Token;
use rustix::io::Errno;
use slab::Slab;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

const WAKER: u32 = 0;
const DRAIN: u32 = 1;
const FORCE: u32 = 2;
const ENTRANCE: u32 = 3;

/// Completions of one turn in which there is mail. As long as more has happened than the kernel told at once, it is asked
/// again before anybody's mailbox is flushed, up to so many: the mail of a crowd goes out in few sends.
const CROWD: usize = 512;

/// Serves whoever comes in at `entrance`, until shutdown.
pub(super) fn run(entrance: Entrance<'_>, context: Context<'_>) -> io::Result<()> {
    let mut proactor = Proactor::new(entrance, context)?;
    let outcome = proactor.turn_until_empty();
    if outcome.is_err() {
        proactor.force();
    }
    outcome
}

struct Proactor<'a> {
    // Declared first, dropped first: nothing of what follows is in the kernel's hands then.
    ring: Ring,
    outgoing: Outgoing,
    context: Context<'a>,
    /// `None` once a drain has begun and nobody comes in any more.
    entrance: Option<Entrance<'a>>,
    /// What the kernel does at the entrance.
    door: Option<Op>,
    /// When to have it done again.
    paused_until: Option<Instant>,
    places: Slab<Place>,
    rings: Arc<Rings>,
    timers: Timers,
    buffers: Buffers,
    /// The shutdown switch has moved on, which is looked at at the end of the turn.
    switched: bool,
    phase: Phase,
    /// When the last wait ended, if somebody asks who is idle.
    woke: Option<Instant>,
}

impl<'a> Proactor<'a> {
    fn new(entrance: Entrance<'a>, context: Context<'a>) -> io::Result<Self> {
        let mut ring = needs::ring().map_err(io::Error::other)?;
        let rings = Arc::new(Rings::new()?);
        ring.watch_readable(WAKER, rings.as_fd());
        ring.watch_readable(DRAIN, context.shutdown.drain_fd());
        let mut proactor = Self {
            ring,
            outgoing: Outgoing::new(),
            context,
            entrance: Some(entrance),
            door: None,
            paused_until: None,
            places: Slab::new(),
            rings,
            timers: Timers::default(),
            buffers: Buffers::new(),
            switched: false,
            phase: Phase::Serving,
            woke: None,
        };
        proactor.open_door()?;
        Ok(proactor)
    }

    fn turn_until_empty(&mut self) -> io::Result<()> {
        loop {
            let behind = self.ring.has_arrivals() || self.ring.has_completions();
            let until = if behind || !self.rings.fall_asleep() {
                Until::Polled
            } else {
                Until::Happened(self.timeout())
            };
            let entered = self.enter(until);
            self.rings.wake_up();
            entered?;
            self.woke = self.context.limits.idle_timeout.map(|_| Instant::now());
            self.serve_crowd()?;
            self.admit_arrivals()?;
            if self.rings.is_rung() {
                self.flush_rung()?;
            }
            self.expire()?;
            // Whoever's request is in our hands already is not idle, though its socket says so.
            if self.switched && !self.ring.has_completions() {
                self.shut_down();
            }
            self.close_entrance();
            if self.entrance.is_none() && self.places.is_empty() {
                // What the last to leave said may be for clients of other loops.
                self.flush_rung()?;
                return Ok(());
            }
        }
    }

    /// Whether there is anything that is to be done at its time.
    #[inline]
    fn has_deadlines(&self) -> bool {
        !self.timers.is_empty() || self.paused_until.is_some() || self.phase != Phase::Serving
    }

    /// How long nothing needs to be done unless something happens.
    fn timeout(&self) -> Option<Duration> {
        if !self.has_deadlines() {
            return None;
        }
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

    /// Submits everything. Whatever was not sent is back in its mailbox afterwards, before anybody is served again.
    #[inline(always)]
    #[allow(clippy::inline_always)] // Once per turn, which may be of one message.
    fn enter(&mut self, until: Until) -> io::Result<()> {
        let entered = self.ring.enter(&mut self.outgoing, until);
        if entered.is_err() {
            // Nobody knows what of it was sent. The clients are cut off, and must not get it twice before that.
            self.outgoing.begin_anew();
            return entered;
        }
        if self.ring.has_unsent() {
            self.take_back();
        }
        self.outgoing.begin_anew();
        Ok(())
    }

    #[cold]
    fn take_back(&mut self) {
        for unsent in self.ring.take_unsent() {
            let key = unsent.key as usize;
            if let Some(Place::Guest(guest)) = self.places.get_mut(key) {
                guest.refused(unsent.result, &mut self.outgoing);
                self.settle(key);
            }
        }
    }

    /// Makes room where many have much to send.
    fn make_room(&mut self) -> io::Result<()> {
        if self.outgoing.is_full() {
            return self.enter_meanwhile(Until::Submitted);
        }
        Ok(())
    }

    /// [`enter`](Self::enter), within a turn.
    #[cold]
    fn enter_meanwhile(&mut self, until: Until) -> io::Result<()> {
        // A queue that nobody has read to its end may be full, and is to have room for the sends.
        self.ring.set_aside();
        self.enter(until)
    }

    /// Serves whatever has happened, and what happens meanwhile if that is to go out together.
    fn serve_crowd(&mut self) -> io::Result<()> {
        let mut served = self.serve_all()?;
        while served < CROWD && self.rings.is_rung() && self.ring.may_have_more() {
            self.enter_meanwhile(Until::Polled)?;
            match self.serve_all()? {
                0 => break,
                more => served += more,
            }
        }
        Ok(())
    }

    /// Serves whatever has happened, and says how much that was.
    fn serve_all(&mut self) -> io::Result<usize> {
        let mut served = 0;
        // Making room may bring more.
        while let Some(completion) = self.ring.next_completion() {
            served += 1;
            match completion.op() {
                Op::Receive(key) => self.received(key as usize, completion),
                Op::Writable(key) => self.writable(key as usize),
                Op::Readable(WAKER) => self.woken(),
                Op::Readable(ENTRANCE) | Op::Accept => self.knocked(completion.result())?,
                Op::Readable(_) => self.switched = true,
                Op::Registered(key) => self.registered(key as usize, completion.result()),
            }
            // What one turn reads may be more than a mailbox holds.
            if self.rings.is_urgent() {
                self.flush_rung()?;
            }
            self.make_room()?;
        }
        Ok(served)
    }

    #[cold]
    fn woken(&mut self) {
        self.rings.clear();
        self.ring.watch_readable(WAKER, self.rings.as_fd());
    }

    /// Something came from a client, or an end.
    #[inline]
    fn received(&mut self, key: usize, completion: Completion) {
        let Some(Place::Guest(guest)) = self.places.get_mut(key) else {
            return self.received_too_late(key, completion);
        };
        if !guest.is_steady() || !completion.has_more() {
            return self.received_in_between(key, completion);
        }
        let Some(input) = completion.into_input() else {
            return;
        };
        let bytes = self.ring.bytes(&input);
        guest.occupant.touch(self.woke);
        if !guest.converse(bytes, &mut self.buffers.reply, &mut self.outgoing) {
            return self.stopped(key, input);
        }
        self.ring.give_back(input);
    }

    /// [`received`](Self::received), and its conversation does not flow any more.
    #[cold]
    fn stopped(&mut self, key: usize, input: Input) {
        self.ring.give_back(input);
        if let Some(Place::Guest(guest)) = self.places.get_mut(key) {
            guest.flush(&mut self.outgoing);
        }
        self.settle(key);
    }

    /// [`received`](Self::received), while the client is beginning, blocked, leaving, or not to be received from.
    #[cold]
    fn received_in_between(&mut self, key: usize, completion: Completion) {
        let ended = self.phase.end_of_input();
        let Some(Place::Guest(guest)) = self.places.get_mut(key) else {
            return;
        };
        if !completion.has_more() {
            guest.receive = Receive::Resting;
        }
        let result = completion.result();
        let input = completion.into_input();
        let received = match (result, &input) {
            (Ok(_), Some(input)) => Some(Ok(self.ring.bytes(input))),
            (Ok(_), None) => Some(Ok([].as_slice())),
            // It is asked anew if it is still to be; a buffer is there by then.
            (Err(Errno::CANCELED | Errno::NOBUFS | Errno::INTR | Errno::AGAIN), _) => None,
            (Err(errno), _) => Some(Err(errno)),
        };
        if let Some(received) = received {
            let reply = &mut self.buffers.reply;
            guest.received(received, reply, ended, &mut self.outgoing);
            guest.occupant.touch(self.woke);
        }
        if let Some(input) = input {
            self.ring.give_back(input);
        }
        self.settle(key);
    }

    /// [`received`](Self::received), and the client is gone.
    #[cold]
    fn received_too_late(&mut self, key: usize, completion: Completion) {
        if !completion.has_more() {
            self.landed(key);
        }
        if let Some(input) = completion.into_input() {
            self.ring.give_back(input);
        }
    }

    #[cold]
    fn writable(&mut self, key: usize) {
        match self.places.get_mut(key) {
            Some(Place::Guest(guest)) => {
                guest.watched = false;
                guest.flush(&mut self.outgoing);
                guest.occupant.touch(self.woke);
                self.settle(key);
            }
            Some(Place::Leaving { .. }) => self.landed(key),
            None => {}
        }
    }

    /// Sends what was posted since the last time, each client's at once.
    fn flush_rung(&mut self) -> io::Result<()> {
        // Sessions that end here may post again. Those that then post still wait for the next turn, which
        // comes at once: whoever posts without end must not keep the loop from its clients.
        for _ in 0..2 {
            let Some(rung) = self.rings.take() else {
                return Ok(());
            };
            for &Token(key) in &rung {
                if let Some(Place::Guest(guest)) = self.places.get_mut(key) {
                    guest.flush(&mut self.outgoing);
                    self.settle(key);
                    self.make_room()?;
                }
            }
            self.rings.recycle(rung);
        }
        Ok(())
    }
}
