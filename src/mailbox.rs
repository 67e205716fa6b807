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
//!   that are taken without the lock.
//! * After a full socket the duty is `Blocked`: it belongs to whoever watches for writability.
//!
//! Lock order: registry, then mailbox; never two mailboxes.

use crate::message::Message;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Gets the bytes of a mailbox to their client. Each model has its own: a blocking model writes at once,
/// a reactor notes the client for the end of its turn.
pub trait Outlet: Send + Sync {
    /// Something was posted into the idle `mailbox`, or it overflowed. From any thread, never inside a
    /// critical section; must not block.
    fn ring(&self, mailbox: &Arc<Mailbox>);
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

/// A bounded queue of [`Message`]s for one client. See the [module](self) for its states.
pub struct Mailbox {
    limit: usize,
    outlet: Box<dyn Outlet>,
    duty: AtomicDuty,
    state: Mutex<State>,
    /// The duty was given back while [`State::owner_waits`].
    freed: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Duty {
    /// The queue is empty and nobody sends.
    Idle,
    /// The owner sends a reply, and the queue is empty.
    Replying,
    /// Somebody is about to flush.
    Posted,
    /// Somebody sends.
    Taken,
    /// The socket is full.
    Blocked,
    /// Overflowed, broken or closed: nothing is sent any more.
    CutOff,
}

/// Who has to send. Leaving [`Duty::Idle`] is a step that two may try at once; every other step is
/// taken by whoever holds the lock, but for the one from [`Duty::Replying`] back to idle.
struct AtomicDuty(AtomicU8);

impl AtomicDuty {
    fn is(&self, duty: Duty) -> bool {
        self.0.load(Ordering::Acquire) == duty as u8
    }

    fn set(&self, duty: Duty) {
        self.0.store(duty as u8, Ordering::Release);
    }

    /// Acquire: what the last sender did is seen. Release: what was queued before is seen by the next.
    fn step(&self, from: Duty, to: Duty) -> bool {
        self.0
            .compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Overflowed,
    Closed,
}

struct State {
    queue: VecDeque<Message>,
    /// Bytes of the queue's first message that were already sent.
    sent_of_first: usize,
    /// An emptied queue, kept so that the next batch need not allocate.
    spare: VecDeque<Message>,
    /// Bytes not sent yet, those of a batch that is being sent included. A reply counts once it waits.
    bytes: usize,
    lost: u64,
    fate: Fate,
    owner_waits: bool,
}

/// Slices handed to the kernel in one call.
const SLICES: usize = 64;

/// For how long a sender goes on while others keep posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stay {
    /// A few batches; then the rest is left as if the socket were full, for whoever watches it. A poster is
    /// not to be kept by a busy room, nor a reactor by one client.
    AWhile,
    /// Until nothing is left: the thread that owns the client has nothing better to do.
    ToTheEnd,
}

/// Batches of [`Stay::AWhile`].
const A_WHILE: usize = 16;

impl Mailbox {
    /// An empty mailbox for at most `limit` bytes. One message is always taken by an empty mailbox, however
    /// long it is.
    pub fn new(limit: usize, outlet: Box<dyn Outlet>) -> Self {
        Self {
            limit,
            outlet,
            duty: AtomicDuty(AtomicU8::new(Duty::Idle as u8)),
            state: Mutex::new(State {
                queue: VecDeque::new(),
                sent_of_first: 0,
                spare: VecDeque::new(),
                bytes: 0,
                lost: 0,
                fate: Fate::Open,
                owner_waits: false,
            }),
            freed: Condvar::new(),
        }
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
        if state.bytes > 0 && state.bytes + message.len() > self.limit {
            state.lost += 1;
            state.fate = Fate::Overflowed;
            return Posted::Overflowed;
        }
        state.push(message.clone());
        // Nobody but an owner who replies can change the duty while we hold the lock, and it only goes to and
        // fro between these two.
        loop {
            if self.duty.step(Duty::Idle, Duty::Posted) {
                return Posted::Ring;
            }
            if self.duty.step(Duty::Replying, Duty::Taken) {
                return Posted::Queued;
            }
            if self.duty.is(Duty::Posted) && state.bytes > self.limit / 2 {
                return Posted::Ring;
            }
            if !self.duty.is(Duty::Idle) && !self.duty.is(Duty::Replying) {
                return Posted::Queued;
            }
        }
    }

    /// Carries out the duty that a post gave: see [`Outlet::ring`].
    pub fn ring(self: &Arc<Self>) {
        self.outlet.ring(self);
    }

    /// Whether more than half of the limit waits: it should be sent before anything else is posted.
    pub fn is_half_full(&self) -> bool {
        self.bytes() > self.limit / 2
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.state.lock().bytes
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
        self.take_duty(self.state.lock(), Stay::AWhile, send)
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

    /// Sends the client's own answer. It is not subject to the limit: whoever drives the client does not read
    /// on before it is sent. Without a copy when nothing else waits, which is nearly always.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub(crate) fn reply(
        &self,
        answer: &[u8],
        stay: Stay,
        mut send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Flushed> {
        if !self.duty.step(Duty::Idle, Duty::Replying) {
            let mut state = self.state.lock();
            if state.fate != Fate::Open {
                return Ok(Flushed::CutOff);
            }
            state.push(Message::from(answer));
            // A poster had the duty and may have given it back: then it is ours.
            self.duty.step(Duty::Idle, Duty::Posted);
            return self.take_duty(state, stay, send);
        }
        let outcome = send(&[IoSlice::new(answer)]);
        if matches!(outcome, Ok(sent) if sent == answer.len())
            && self.duty.step(Duty::Replying, Duty::Idle)
        {
            return Ok(Flushed::Empty);
        }
        let mut state = self.state.lock();
        // Whether or not somebody posted meanwhile, from here on we send as everybody does.
        self.duty.set(Duty::Taken);
        match outcome {
            Ok(sent) => {
                if sent < answer.len() {
                    state.push_first(Message::from(&answer[sent..]));
                }
                self.send_all(state, stay, send)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                state.push_first(Message::from(answer));
                Ok(self.give_back(&state, Duty::Blocked, Flushed::Blocked))
            }
            Err(error) => Err(self.break_off(state, error)),
        }
    }

    /// No more posts are taken, and what waits is dropped. Returns how many messages this client never
    /// got in full, those counted that found no room. Waits for another sender's call to return, so that
    /// what it could not send is counted. Only for the thread that owns the client.
    pub(crate) fn close(&self) -> u64 {
        let mut state = self.lock_when_free();
        state.fate = Fate::Closed;
        self.duty.set(Duty::CutOff);
        let dropped = std::mem::take(&mut state.queue);
        state.bytes = 0;
        state.sent_of_first = 0;
        std::mem::take(&mut state.lost) + dropped.len() as u64
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
        send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Flushed> {
        if state.fate != Fate::Open {
            // Even while somebody sends: it may be a send that blocks, and it must hear of it.
            return Ok(Flushed::CutOff);
        }
        if self.duty.is(Duty::Posted) || self.duty.is(Duty::Blocked) {
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
        mut send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Flushed> {
        let mut batches = 0;
        while stay == Stay::ToTheEnd || batches < A_WHILE {
            batches += 1;
            if state.fate != Fate::Open {
                return Ok(self.give_back(&state, Duty::CutOff, Flushed::CutOff));
            }
            if state.queue.is_empty() {
                return Ok(self.give_back(&state, Duty::Idle, Flushed::Empty));
            }
            let spare = std::mem::take(&mut state.spare);
            let mut batch = Batch {
                messages: std::mem::replace(&mut state.queue, spare),
                sent_of_first: std::mem::take(&mut state.sent_of_first),
            };
            let (sent, outcome) = MutexGuard::unlocked(&mut state, || batch.send(&mut send));
            state.bytes -= sent;
            state.put_back(batch);
            match outcome {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
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
            state.bytes = 0;
        }
        self.give_back(&state, Duty::CutOff, Flushed::CutOff);
        error
    }
}

impl State {
    fn push(&mut self, message: Message) {
        self.bytes += message.len();
        self.queue.push_back(message);
    }

    fn push_first(&mut self, message: Message) {
        self.bytes += message.len();
        self.queue.push_front(message);
    }

    /// What a batch could not send goes before what was posted meanwhile.
    fn put_back(&mut self, mut batch: Batch) {
        if batch.messages.is_empty() {
            self.spare = batch.messages;
            return;
        }
        batch.messages.append(&mut self.queue);
        self.queue = batch.messages;
        self.sent_of_first = batch.sent_of_first;
    }
}

struct Batch {
    messages: VecDeque<Message>,
    sent_of_first: usize,
}

impl Batch {
    /// Sends until nothing is left or `send` fails; says how many bytes went out.
    fn send(
        &mut self,
        send: &mut impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> (usize, io::Result<()>) {
        let mut total = 0;
        while !self.messages.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut filled = 0;
            let mut skip = self.sent_of_first;
            for (slice, message) in slices.iter_mut().zip(&self.messages) {
                *slice = IoSlice::new(&message.as_bytes()[skip..]);
                skip = 0;
                filled += 1;
            }
            match send(&slices[..filled]) {
                Ok(sent) => {
                    total += sent;
                    self.advance(sent);
                }
                Err(error) => return (total, Err(error)),
            }
        }
        (total, Ok(()))
    }

    fn advance(&mut self, sent: usize) {
        self.sent_of_first += sent;
        while let Some(first) = self.messages.front()
            && self.sent_of_first >= first.len()
        {
            self.sent_of_first -= first.len();
            self.messages.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::sync::atomic::AtomicUsize;

    struct Silent;

    impl Outlet for Silent {
        fn ring(&self, _: &Arc<Mailbox>) {}
    }

    fn mailbox(limit: usize) -> Mailbox {
        Mailbox::new(limit, Box::new(Silent))
    }

    fn would_block() -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// A socket that takes `room` bytes and then is full.
    fn socket(
        room: usize,
        taken: &RefCell<Vec<u8>>,
    ) -> impl FnMut(&[IoSlice<'_>]) -> io::Result<usize> {
        let mut room = room;
        move |slices| {
            if room == 0 {
                return would_block();
            }
            let mut sent = 0;
            for slice in slices {
                let part = &slice[..slice.len().min(room)];
                taken.borrow_mut().extend_from_slice(part);
                room -= part.len();
                sent += part.len();
            }
            Ok(sent)
        }
    }

    #[test]
    fn only_the_first_post_gives_the_duty_and_one_flush_sends_for_all() {
        let mailbox = mailbox(99);
        assert_eq!(mailbox.post(&Message::from("a")), Posted::Ring);
        assert_eq!(mailbox.post(&Message::from("b")), Posted::Queued);
        let calls = AtomicUsize::new(0);
        let flushed = mailbox.flush(|slices| {
            calls.fetch_add(1, Ordering::Relaxed);
            Ok(slices.iter().map(|slice| slice.len()).sum())
        });
        assert_eq!(flushed.unwrap(), Flushed::Empty);
        assert_eq!(calls.into_inner(), 1);
        assert_eq!(mailbox.bytes(), 0);
        assert_eq!(mailbox.post(&Message::from("c")), Posted::Ring);
    }

    #[test]
    fn a_mailbox_that_fills_up_before_anybody_sends_makes_later_posters_responsible_too() {
        let mailbox = mailbox(10);
        assert_eq!(mailbox.post(&Message::from("1234")), Posted::Ring);
        assert_eq!(mailbox.post(&Message::from("5")), Posted::Queued);
        assert_eq!(mailbox.post(&Message::from("6")), Posted::Ring);
        assert!(mailbox.is_half_full());
        let blocked = mailbox.flush(|_| would_block()).unwrap();
        assert_eq!(blocked, Flushed::Blocked);
        let waits_for_the_socket = mailbox.post(&Message::from("7"));
        assert_eq!(waits_for_the_socket, Posted::Queued);
    }

    #[test]
    fn what_a_full_socket_left_goes_first_however_it_was_cut() {
        for room in 0..=9 {
            let mailbox = mailbox(99);
            let taken = RefCell::default();
            let _ = mailbox.post(&Message::from("abc"));
            let _ = mailbox.post(&Message::from("def"));
            let first = mailbox.flush(socket(room, &taken)).unwrap();
            assert_eq!(first == Flushed::Empty, room >= 6, "{room}");
            let _ = mailbox.post(&Message::from("ghi"));
            assert_eq!(mailbox.flush(socket(99, &taken)).unwrap(), Flushed::Empty);
            assert_eq!(taken.into_inner(), b"abcdefghi", "{room}");
            assert_eq!(mailbox.bytes(), 0);
        }
    }

    #[test]
    fn a_reply_cut_at_every_position_stays_whole_and_before_later_posts() {
        for room in 0..=3 {
            let mailbox = mailbox(99);
            let taken = RefCell::default();
            let replied = mailbox.reply(b"abc", Stay::AWhile, socket(room, &taken));
            assert_eq!(replied.unwrap() == Flushed::Empty, room == 3, "{room}");
            let _ = mailbox.post(&Message::from("def"));
            assert_eq!(mailbox.flush(socket(99, &taken)).unwrap(), Flushed::Empty);
            assert_eq!(taken.into_inner(), b"abcdef", "{room}");
        }
    }

    #[test]
    fn a_post_during_a_reply_is_sent_by_who_replies() {
        let mailbox = mailbox(99);
        let taken = RefCell::new(Vec::new());
        let mut first = true;
        let replied = mailbox.reply(b"reply ", Stay::AWhile, |slices| {
            if std::mem::take(&mut first) {
                assert_eq!(mailbox.post(&Message::from("post")), Posted::Queued);
            }
            socket(99, &taken)(slices)
        });
        assert_eq!(replied.unwrap(), Flushed::Empty);
        assert_eq!(taken.into_inner(), b"reply post");
    }

    #[test]
    fn a_reply_goes_out_after_what_was_posted_before_it() {
        let mailbox = mailbox(99);
        let taken = RefCell::default();
        assert_eq!(mailbox.post(&Message::from("post ")), Posted::Ring);
        let replied = mailbox.reply(b"reply", Stay::AWhile, socket(99, &taken));
        assert_eq!(replied.unwrap(), Flushed::Empty);
        assert_eq!(taken.into_inner(), b"post reply");
        // The poster comes too late, which is no harm.
        assert_eq!(mailbox.flush(|_| would_block()).unwrap(), Flushed::Empty);
    }

    #[test]
    fn an_overflow_is_told_to_the_next_sender_even_while_another_sends() {
        let mailbox = mailbox(5);
        let _ = mailbox.post(&Message::from("1234"));
        let outcome = mailbox.flush(|_| {
            assert_eq!(mailbox.post(&Message::from("5678")), Posted::Overflowed);
            assert_eq!(mailbox.flush(|_| would_block()).unwrap(), Flushed::CutOff);
            would_block()
        });
        assert_eq!(outcome.unwrap(), Flushed::Blocked);
        assert_eq!(mailbox.flush(|_| would_block()).unwrap(), Flushed::CutOff);
        assert_eq!(mailbox.close(), 2);
        assert_eq!(mailbox.post(&Message::from("late")), Posted::Closed);
    }

    #[test]
    fn an_empty_mailbox_takes_one_message_of_any_length() {
        let mailbox = mailbox(1);
        assert_eq!(mailbox.post(&Message::from("long")), Posted::Ring);
        assert_eq!(mailbox.post(&Message::from("x")), Posted::Overflowed);
    }

    #[test]
    fn a_broken_socket_closes_the_mailbox_and_counts_what_was_lost() {
        let mailbox = mailbox(99);
        let _ = mailbox.post(&Message::from("a"));
        let _ = mailbox.post(&Message::from("b"));
        let broken = mailbox.flush(|_| Err(io::ErrorKind::BrokenPipe.into()));
        assert_eq!(broken.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(mailbox.post(&Message::from("c")), Posted::Closed);
        assert_eq!(mailbox.close(), 2);
    }

    #[test]
    fn many_posters_and_a_replying_owner_lose_and_mix_nothing() {
        const POSTERS: usize = 3;
        const EACH: usize = 2_000;
        let mailbox = mailbox(usize::MAX);
        let taken = Mutex::new(Vec::new());
        let send = |slices: &[IoSlice<'_>]| {
            // Two senders at once would be two holders of this lock.
            let mut taken = taken.try_lock().expect("one sender at a time");
            let first = slices[0];
            // A socket that takes an odd number of bytes of the first message only.
            let part = &first[..first.len().min(5)];
            taken.extend_from_slice(part);
            Ok(part.len())
        };
        std::thread::scope(|scope| {
            for poster in 0..POSTERS {
                let (mailbox, send) = (&mailbox, &send);
                scope.spawn(move || {
                    for n in 0..EACH {
                        let line = format!("poster {poster} {n}\n");
                        if mailbox.post(&Message::from(line.as_str())) == Posted::Ring {
                            // Cut short after a few batches, as if blocked: whoever is next sends on.
                            mailbox.flush(send).unwrap();
                        }
                    }
                });
            }
            for n in 0..EACH {
                mailbox
                    .reply(format!("owner {n}\n").as_bytes(), Stay::ToTheEnd, send)
                    .unwrap();
            }
        });
        assert_eq!(mailbox.flush_to_the_end(send).unwrap(), Flushed::Empty);
        let taken = String::from_utf8(taken.into_inner()).unwrap();
        assert_eq!(taken.lines().count(), (POSTERS + 1) * EACH);
        for who in ["poster 0 ", "poster 1 ", "poster 2 ", "owner "] {
            let numbers = taken.lines().filter_map(|line| line.strip_prefix(who));
            assert!(
                numbers.eq((0..EACH).map(|n| n.to_string())),
                "{who}: every line once, and in order"
            );
        }
    }
}
