//! [`Mailbox`]: what one client is still to be sent, bounded in bytes.
//!
//! Many threads post, one at a time sends. Who sends is decided by a *duty* in the mailbox, so that two
//! senders can never mix their bytes and no message is left lying:
//!
//! ```text
//!                 post; the duty is the poster's               flush
//!           Idle -------------------------------> Posted -----------------> Taken <---- flush ---- Blocked
//!           |  ^                                                             ^ | |                    ^
//!     reply |  | sent, nobody posted                                         | | +- the socket is full +
//!           v  |                            a post came: go on with it       | |
//!         Replying ----------------------------------------------------------+ +--> Idle: all was sent
//! ```
//!
//! * A post into an `Idle` mailbox makes the poster responsible: it must [`ring`](Mailbox::ring) the
//!   [`Outlet`] once it has left the registry's critical section. Every later post finds the duty
//!   given and only appends: whoever flushes, flushes for all of them in one call. Only when more than
//!   half of the limit waits and nobody sends yet, a poster is made responsible, too: a client that
//!   reads is not to be cut off because a crowd posted before the first of them came to flush.
//! * The sender works on a batch that it took out, *without* the mailbox's lock. No poster ever waits
//!   for a system call.
//! * A reply into an `Idle` mailbox, the way of every echo, is sent straight from its buffer: two atomic
//!   steps, no lock, no copy. These two steps (`Idle` to `Replying` and back) are the only ones
//!   that are taken without the lock. Where posters only ring, and the owner alone sends, a look takes their place.
//! * After a full socket the duty is `Blocked`: it belongs to whoever watches for writability.
//!
//! Lock order: registry, then mailbox; never two mailboxes.

mod batch;
mod duty;
mod following;
mod outlet;
mod sending;
mod slow;

pub use self::outlet::{Outlet, Work};

use self::batch::Parcel;
pub(crate) use self::batch::Sender;
use self::duty::{AtomicDuty, Duty};
use self::following::Following;
pub(crate) use self::sending::{Posters, SoFar, Stay};
use crate::limits::{Limits, Slow};
use crate::message::Message;
use crate::primitives::{AtomicBool, Condvar, Mutex, Ordering};
use std::collections::VecDeque;
use std::sync::Arc;

/// What became of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It waits, and it is on the poster to [`ring`](Mailbox::ring).
    Ring,
    /// It waits, and somebody already has the duty to send.
    Queued,
    /// It found no room: the mailbox is cut off, and it is on the poster to [`ring`](Mailbox::ring) so that
    /// the client is hung up.
    Overflowed,
    /// There is no room, and its policy is [`Slow::Block`]: wait [for room](Mailbox::wait_for_room) outside the critical
    /// section, and post again.
    Full,
    /// The client is leaving; the message is dropped.
    Closed,
}

/// How far a flush came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing is left.
    Empty,
    /// The socket takes no more for now.
    Blocked,
    /// Another thread is sending, and will send everything.
    Elsewhere,
    /// The mailbox overflowed or was closed.
    CutOff,
}

/// What a client never got, as [`Mailbox::close`] counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missed {
    /// Messages and answers that were not sent in full, those counted that found no room.
    pub(crate) messages: u64,
    /// Lines that were dropped so that the others could go on.
    pub(crate) dropped_lines: u64,
}

impl std::ops::AddAssign for Missed {
    fn add_assign(&mut self, more: Self) {
        self.messages += more.messages;
        self.dropped_lines += more.dropped_lines;
    }
}

/// A bounded queue of [`Message`]s for one client. See the [module](self) for its states.
pub struct Mailbox {
    limit: usize,
    slow: Slow,
    outlet: Box<dyn Outlet>,
    duty: AtomicDuty,
    /// The owner is blocked in a send.
    full: AtomicBool,
    state: Mutex<State>,
    /// The duty was given back while [`State::owner_waits`].
    freed: Condvar,
    /// There is room again, or nothing to wait for, while [`State::posters_wait`].
    room: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Overflowed,
    Closed,
}

struct State {
    queue: VecDeque<Parcel>,
    /// Bytes of the queue's first message that were already sent.
    sent_of_first: usize,
    /// An emptied queue, kept so that the next batch need not allocate.
    spare: VecDeque<Parcel>,
    /// Bytes of the posts that were not sent in full, those of a batch that is being sent included.
    posted: usize,
    lost: u64,
    /// Lines that were dropped so that the others could go on.
    dropped: u64,
    /// How many of them its client was not told of yet.
    untold: u64,
    fate: Fate,
    owner_waits: bool,
    posters_wait: usize,
    following: Option<Following>,
    /// The last sender found the socket full.
    was_full: bool,
}

/// While nobody has found the socket full, so much may wait in any mailbox, however low its limit: that a crowd
/// posts before the first of them comes to send, or while it sends, says nothing about the client.
pub(crate) const ON_ITS_WAY: usize = 256 * 1024;

impl Mailbox {
    /// An empty mailbox for at most `limit` bytes of posts. One message is always taken by an empty mailbox,
    /// however long it is; and unless the socket was found full, up to 256 KiB are taken in any case.
    pub fn new(limit: usize, outlet: Box<dyn Outlet>) -> Self {
        Self {
            limit,
            slow: Slow::Disconnect,
            outlet,
            duty: AtomicDuty::new(Duty::Idle),
            full: AtomicBool::new(false),
            state: Mutex::new(State {
                queue: VecDeque::new(),
                sent_of_first: 0,
                spare: VecDeque::new(),
                posted: 0,
                lost: 0,
                dropped: 0,
                untold: 0,
                fate: Fate::Open,
                owner_waits: false,
                posters_wait: 0,
                following: None,
                was_full: false,
            }),
            freed: Condvar::new(),
            room: Condvar::new(),
        }
    }

    /// A mailbox as `limits` say.
    pub(crate) fn within(limits: Limits, outlet: Box<dyn Outlet>) -> Self {
        Self::new(limits.mailbox, outlet).slow(limits.slow)
    }

    /// Sets what becomes of the client when there is no room. Unless this is called, it is hung up.
    #[must_use]
    pub fn slow(mut self, slow: Slow) -> Self {
        self.slow = slow;
        self
    }

    /// Appends a message. Never blocks on the client, does no I/O: allowed inside the registry's section.
    /// From any thread.
    #[must_use = "the poster may have to ring"]
    pub fn post(&self, message: &Message) -> Posted {
        let mut state = self.state.lock();
        match state.fate {
            Fate::Closed => return Posted::Closed,
            Fate::Overflowed => {
                state.lost += 1;
                return Posted::Closed;
            }
            Fate::Open => {}
        }
        if message.is_empty() {
            return Posted::Queued;
        }
        state.listen(self.limit, self.slow);
        if state.fate != Fate::Open {
            state.lost += 1;
            return Posted::Overflowed;
        }
        let limit = self.limit_now(&state);
        if state.posted > 0 && state.posted + message.len() > limit {
            let refused = state.make_room(self.slow, message, limit);
            if let Some(posted) = refused {
                return posted;
            }
        }
        if self.slow == Slow::DropNewest {
            state.tell();
        }
        state.posted += message.len();
        state.queue.push_back(Parcel::Post(message.clone()));
        self.take_note(&state)
    }

    /// Bytes that may wait, at the moment.
    fn limit_now(&self, state: &State) -> usize {
        if state.was_full || self.full.load(Ordering::Relaxed) {
            self.limit
        } else {
            self.limit.max(ON_ITS_WAY)
        }
    }

    /// Whoever has put something there asks what is on it to do.
    fn take_note(&self, state: &State) -> Posted {
        // Nobody but an owner who replies can change the duty while we hold the lock, and it only goes to and
        // fro between the first two.
        loop {
            match self.duty.get() {
                rest @ (Duty::Idle | Duty::Following) if self.duty.step(rest, Duty::Posted) => {
                    return Posted::Ring;
                }
                Duty::Replying if self.duty.step(Duty::Replying, Duty::Taken) => {
                    return Posted::Queued;
                }
                Duty::Idle | Duty::Following | Duty::Replying => {}
                Duty::Posted if state.posted > self.limit / 2 => return Posted::Ring,
                Duty::Posted | Duty::Taken | Duty::Blocked | Duty::CutOff => {
                    return Posted::Queued;
                }
            }
        }
    }

    /// Appends an answer to its own client, which is not held against the limit. What is on the caller to do is as after a
    /// [`post`](Self::post).
    pub(crate) fn answer(&self, bytes: &[u8]) -> Posted {
        let mut state = self.state.lock();
        if state.fate != Fate::Open {
            return Posted::Closed;
        }
        state.listen(self.limit, self.slow);
        if state.fate != Fate::Open {
            return Posted::Overflowed;
        }
        state.queue.push_back(Parcel::Reply(bytes.into()));
        self.take_note(&state)
    }

    /// Carries out the duty that a post gave: see [`Outlet::ring`].
    pub fn ring(self: &Arc<Self>) {
        self.outlet.ring(self);
    }

    /// Carries out the duty that a post gave, and waits for the client: see [`Outlet::send_out`].
    pub(crate) fn send_out(self: &Arc<Self>) {
        self.outlet.send_out(self);
    }

    /// Whether more than half of the limit waits: it should be sent before anything else is posted.
    pub fn is_half_full(&self) -> bool {
        self.posted() > self.limit / 2
    }

    /// Has `work` done [in a moment](Outlet::in_a_moment).
    pub fn in_a_moment(&self, work: Arc<dyn Work>, urgent: bool) {
        self.outlet.in_a_moment(work, urgent);
    }

    /// Whether nothing waits and nobody is sending.
    pub fn is_idle(&self) -> bool {
        match self.duty.get() {
            Duty::Idle => true,
            Duty::Following => !self.state.lock().has_news(),
            _ => false,
        }
    }

    /// Takes out what waits, as a sender does whose client takes everything: for an [`Outlet`] that is not a
    /// socket. Empty when another thread is sending, or the mailbox was cut off.
    pub fn take(&self) -> Vec<u8> {
        let mut taken = Vec::new();
        let flushed = self.flush(|slices| {
            let before = taken.len();
            for slice in slices {
                taken.extend_from_slice(slice);
            }
            Ok(taken.len() - before)
        });
        debug_assert!(flushed.is_ok(), "taking does not fail: {flushed:?}");
        taken
    }

    /// The owner is about to block in a send, or no longer is.
    pub(crate) fn socket_is_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Bytes of the posts that wait: what is held against the limit.
    pub fn posted(&self) -> usize {
        self.state.lock().posted
    }

    /// Whether the client was cut off because it read too slowly.
    pub fn overflowed(&self) -> bool {
        self.state.lock().fate == Fate::Overflowed
    }
}

#[cfg(test)]
mod tests;
