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
mod slow;

pub(crate) use self::batch::Sender;
use self::batch::{Batch, Parcel};
use self::duty::{AtomicDuty, Duty};
use self::following::Following;
use crate::limits::{Limits, Slow};
use crate::message::Message;
use crate::primitives::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// Gets the bytes of a mailbox to their client. Each model has its own: a blocking model writes at once,
/// a reactor notes the client for the end of its turn.
pub trait Outlet: Send + Sync {
    /// Something was posted into the idle `mailbox`, or it overflowed. From any thread, never inside a
    /// critical section; must not block.
    fn ring(&self, mailbox: &Arc<Mailbox>);

    /// Sends what is in `mailbox`, if its model can wait until the client has taken it. From any thread, also inside a
    /// critical section: it is the one strategy that does so which calls this.
    fn send_out(&self, mailbox: &Arc<Mailbox>) {
        self.ring(mailbox);
    }

    /// Has `work` done when everybody has been heard who has something to say at the moment. Where a thread hears many
    /// clients in turn, that is the end of its turn, unless it is `urgent`. Called by the thread that serves the
    /// client, never inside a critical section.
    fn in_a_moment(&self, work: Arc<dyn Work>, urgent: bool) {
        let _ = urgent;
        work.run();
    }
}

/// Something to be done for more than one client.
pub trait Work: Send + Sync {
    /// Does it. From any thread, never inside a critical section; must not block.
    fn run(&self);
}

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

/// For how long a sender goes on while others keep posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stay {
    /// A few batches; then the rest is left as if the socket were full, for whoever watches it. A poster is
    /// not to be kept by a busy room, nor a reactor by one client.
    AWhile,
    /// Until nothing is left: the thread that owns the client has nothing better to do.
    ToTheEnd,
}

/// What a poster does whose post makes it responsible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Posters {
    /// It sends, or leaves it to whoever does.
    Send,
    /// It rings, and nobody but the client's owner ever sends.
    Ring,
}

/// How far an answer came that did not go out at once.
#[derive(Debug)]
pub(crate) enum SoFar {
    /// Nothing was tried: it goes behind what others posted.
    OthersPosted,
    /// What its sending said: not all of it went out, or somebody posted meanwhile.
    Sent(io::Result<usize>),
}

/// While nobody has found the socket full, so much may wait in any mailbox, however low its limit: that a crowd
/// posts before the first of them comes to send, or while it sends, says nothing about the client.
pub(crate) const ON_ITS_WAY: usize = 256 * 1024;

/// Parcels for which an emptied queue has room and is kept in any case.
const SPARE: usize = 16;

/// Batches of [`Stay::AWhile`].
const A_WHILE: usize = 16;

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

    /// Sends what waits through `send`, which says how many bytes it took. Without the mailbox's lock. From
    /// any thread, with a `send` that does not block.
    ///
    /// # Errors
    /// What `send` fails with, `WouldBlock` apart; the mailbox is then closed.
    pub(crate) fn flush(
        &self,
        send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Flushed> {
        self.flush_by(send)
    }

    /// [`flush`](Self::flush), through whatever knows how to send.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub(crate) fn flush_by(&self, sender: impl Sender) -> io::Result<Flushed> {
        self.take_duty(self.state.lock(), Stay::AWhile, sender)
    }

    /// Like [`flush`](Self::flush), but does nothing unless the last sender found the socket full.
    pub(crate) fn flush_if_blocked(
        &self,
        stay: Stay,
        send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Flushed> {
        if self.duty.is(Duty::Blocked) {
            self.take_duty(self.state.lock(), stay, send)
        } else {
            Ok(Flushed::Elsewhere)
        }
    }

    /// Like [`flush`](Self::flush), but waits for another sender to finish first. Only for the thread that
    /// owns the client, with a `send` that blocks.
    pub(crate) fn flush_to_the_end(
        &self,
        send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Flushed> {
        self.take_duty(self.lock_when_free(), Stay::ToTheEnd, send)
    }

    /// Like [`flush`](Self::flush), but waits for another sender's call to return first. Only for the thread that owns
    /// the client, while all others send without blocking.
    pub(crate) fn flush_when_free(&self, sender: impl Sender) -> io::Result<Flushed> {
        self.take_duty(self.lock_when_free(), Stay::AWhile, sender)
    }

    /// Sends the client's own answer. It is not subject to the limit: whoever drives the client does not read
    /// on before it is sent. Without a copy when nothing else waits, which is nearly always. Where posters only ring, what
    /// one of them posts meanwhile waits for its turn, and nobody has to be kept from sending.
    ///
    /// # Errors
    /// When it goes another way: [`reply_on`](Self::reply_on) does the rest.
    #[inline]
    pub(crate) fn reply_at_once(
        &self,
        answer: &[u8],
        posters: Posters,
        mut send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Result<(), SoFar> {
        let begun = match posters {
            Posters::Send => self.duty.step(Duty::Idle, Duty::Replying),
            Posters::Ring => self.duty.is(Duty::Idle),
        };
        if !begun {
            return Err(SoFar::OthersPosted);
        }
        match send(&[IoSlice::new(answer)]) {
            Ok(sent)
                if sent == answer.len()
                    && (posters == Posters::Ring || self.duty.step(Duty::Replying, Duty::Idle)) =>
            {
                Ok(())
            }
            outcome => Err(SoFar::Sent(outcome)),
        }
    }

    /// Sends what [`reply_at_once`](Self::reply_at_once) left of an answer, and what others posted.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    #[cold]
    pub(crate) fn reply_on(
        &self,
        so_far: SoFar,
        answer: &[u8],
        stay: Stay,
        send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Flushed> {
        let mut state = self.state.lock();
        let SoFar::Sent(outcome) = so_far else {
            if state.fate != Fate::Open {
                return Ok(Flushed::CutOff);
            }
            state.listen(self.limit, self.slow);
            state.queue.push_back(Parcel::Reply(answer.into()));
            // A poster had the duty and may have given it back: then it is ours.
            let _ = self.duty.step(Duty::Idle, Duty::Posted)
                || self.duty.step(Duty::Following, Duty::Posted);
            return self.take_duty(state, stay, send);
        };
        // Whether or not somebody posted meanwhile, from here on we send as everybody does.
        self.duty.set(Duty::Taken);
        match outcome {
            Ok(sent) => {
                if sent < answer.len() {
                    let rest = answer[sent..].into();
                    let parcel = if sent > 0 {
                        Parcel::Rest(rest)
                    } else {
                        Parcel::Reply(rest)
                    };
                    state.queue.push_front(parcel);
                }
                self.send_all(state, stay, send)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                state.queue.push_front(Parcel::Reply(answer.into()));
                state.was_full = true;
                Ok(self.give_back(&state, Duty::Blocked, Flushed::Blocked))
            }
            Err(error) => Err(self.break_off(state, error)),
        }
    }

    /// What a sender took and could not send after all comes back, before everything else: `rest` is what is left of
    /// each message. The socket is full. Only for the thread that owns the client, where nobody else sends for it.
    pub(crate) fn take_back(&self, rest: Vec<Box<[u8]>>) {
        let mut state = self.state.lock();
        if state.fate != Fate::Open {
            state.lost += rest.len() as u64;
            return;
        }
        debug_assert_eq!(state.sent_of_first, 0, "what is sent later comes later");
        for message in rest.into_iter().rev() {
            state.queue.push_front(Parcel::Rest(message));
        }
        state.was_full = true;
        self.duty.set(Duty::Blocked);
    }

    #[cfg(test)]
    pub(crate) fn reply(
        &self,
        answer: &[u8],
        posters: Posters,
        stay: Stay,
        mut send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Flushed> {
        match self.reply_at_once(answer, posters, &mut send) {
            Ok(()) => Ok(Flushed::Empty),
            Err(so_far) => self.reply_on(so_far, answer, stay, send),
        }
    }

    /// No more posts are taken, and what waits is dropped. Returns what this client never got, and has not been returned
    /// before. Waits for another sender's call to return, so that what it could not send is counted. Only for the thread that
    /// owns the client.
    pub(crate) fn close(&self) -> Missed {
        let mut state = self.lock_when_free();
        state.fate = Fate::Closed;
        self.duty.set(Duty::CutOff);
        state.lost += state.unheard();
        let unsent = std::mem::take(&mut state.queue);
        state.following = None;
        state.posted = 0;
        state.sent_of_first = 0;
        self.let_posters_go(&state);
        Missed {
            messages: std::mem::take(&mut state.lost)
                + unsent.iter().map(Parcel::messages).sum::<u64>(),
            dropped_lines: std::mem::take(&mut state.dropped),
        }
    }

    fn lock_when_free(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        state.owner_waits = true;
        while self.duty.is(Duty::Taken) {
            self.freed.wait(&mut state);
        }
        state.owner_waits = false;
        state
    }

    /// Sends, if it is on anybody to send and nobody does.
    fn take_duty(
        &self,
        state: MutexGuard<'_, State>,
        stay: Stay,
        send: impl Sender,
    ) -> io::Result<Flushed> {
        if state.fate != Fate::Open {
            // Even while somebody sends: it may be a send that blocks, and it must hear of it.
            return Ok(Flushed::CutOff);
        }
        if matches!(
            self.duty.get(),
            Duty::Posted | Duty::Blocked | Duty::Following
        ) {
            self.duty.set(Duty::Taken);
            return self.send_all(state, stay, send);
        }
        Ok(if self.duty.is(Duty::Idle) {
            Flushed::Empty
        } else {
            Flushed::Elsewhere
        })
    }

    /// The duty is `Taken` and ours.
    fn send_all(
        &self,
        mut state: MutexGuard<'_, State>,
        stay: Stay,
        mut send: impl Sender,
    ) -> io::Result<Flushed> {
        let mut batches = 0;
        while stay == Stay::ToTheEnd || batches < A_WHILE {
            if state.fate != Fate::Open {
                return Ok(self.give_back(&state, Duty::CutOff, Flushed::CutOff));
            }
            if state.queue.is_empty() {
                state.listen(self.limit, self.slow);
                state.tell();
                if state.queue.is_empty() && state.fate == Fate::Open {
                    state.was_full = false;
                    let rest = state.at_rest();
                    return Ok(self.give_back(&state, rest, Flushed::Empty));
                }
                continue;
            }
            if self.slow == Slow::DropOldest {
                state.tell_first();
            }
            batches += 1;
            let spare = std::mem::take(&mut state.spare);
            let mut batch = Batch {
                parcels: std::mem::replace(&mut state.queue, spare),
                sent_of_first: std::mem::take(&mut state.sent_of_first),
                posts_sent: 0,
            };
            let taken = batch.parcels.len();
            let outcome = MutexGuard::unlocked(&mut state, || batch.send(&mut send));
            state.posted -= batch.posts_sent;
            state.put_back(batch, taken);
            self.let_posters_go(&state);
            match outcome {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    state.was_full = true;
                    return Ok(self.give_back(&state, Duty::Blocked, Flushed::Blocked));
                }
                Err(error) => return Err(self.break_off(state, error)),
            }
        }
        // Others post as fast as we send. Whoever watches the socket finds it writable at once.
        Ok(self.give_back(&state, Duty::Blocked, Flushed::Blocked))
    }

    /// Under the lock, which `state` shows.
    fn give_back(&self, state: &State, duty: Duty, flushed: Flushed) -> Flushed {
        self.duty.set(duty);
        if state.owner_waits {
            self.freed.notify_one();
        }
        flushed
    }

    fn break_off(&self, mut state: MutexGuard<'_, State>, error: io::Error) -> io::Error {
        if state.fate == Fate::Open {
            state.fate = Fate::Closed;
            state.lost += state.queue.len() as u64;
            state.queue.clear();
            state.posted = 0;
        }
        self.let_posters_go(&state);
        self.give_back(&state, Duty::CutOff, Flushed::CutOff);
        error
    }
}

impl State {
    /// What a batch of `taken` parcels could not send goes before what was posted meanwhile.
    fn put_back(&mut self, mut batch: Batch, taken: usize) {
        if batch.parcels.is_empty() {
            // What one crowded moment needed is not kept for the quiet after it.
            if batch.parcels.capacity() <= SPARE.max(8 * taken) {
                self.spare = batch.parcels;
            }
            return;
        }
        batch.parcels.append(&mut self.queue);
        self.queue = batch.parcels;
        self.sent_of_first = batch.sent_of_first;
    }
}

#[cfg(test)]
mod tests;
