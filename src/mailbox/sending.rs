//! Sending what a mailbox holds: who does it, and how far it goes. The states are drawn in the [parent](super).

use super::batch::{Batch, Parcel, Sender};
use super::duty::Duty;
use super::{Fate, Flushed, Mailbox, Missed, State};
use crate::limits::Slow;
use crate::prefetch::prefetch;
use crate::primitives::MutexGuard;
use std::io::{self, IoSlice};

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

/// Parcels for which an emptied queue has room and is kept in any case.
pub(super) const SPARE: usize = 16;

/// Batches of [`Stay::AWhile`].
const A_WHILE: usize = 16;

impl Mailbox {
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

    /// Like [`flush`](Self::flush), but does nothing, `None`, unless the last sender found the socket full.
    #[inline]
    pub(crate) fn flush_if_blocked(
        &self,
        stay: Stay,
        sender: impl Sender,
    ) -> Option<io::Result<Flushed>> {
        let is_blocked = self.duty.is(Duty::Blocked);
        is_blocked.then(|| self.take_duty(self.state.lock(), stay, sender))
    }

    /// Like [`flush`](Self::flush), but waits for another sender to finish first. Only for the thread that
    /// owns the client, with a `sender` that blocks.
    pub(crate) fn flush_to_the_end(&self, sender: impl Sender) -> io::Result<Flushed> {
        self.take_duty(self.lock_when_free(), Stay::ToTheEnd, sender)
    }

    /// Like [`flush`](Self::flush), but waits for another sender's call to return first. Only for the thread that owns
    /// the client, while all others send without blocking.
    pub(crate) fn flush_when_free(&self, sender: impl Sender) -> io::Result<Flushed> {
        self.take_duty(self.lock_when_free(), Stay::AWhile, sender)
    }

    /// Says that an answer is to be begun soon.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch(&self.duty);
    }

    /// Begins to send the client's own answer, which is sent without a copy when nothing else waits: nearly always. It is
    /// not subject to the limit: whoever drives the client does not read on before it is sent. Where posters only ring,
    /// what one of them posts meanwhile waits for its turn, and nobody has to be kept from sending.
    ///
    /// Says whether it may be sent at once. If not, [`reply_on`](Self::reply_on) sees to it.
    #[inline]
    pub(crate) fn begin_reply(&self, posters: Posters) -> bool {
        match posters {
            Posters::Send => self.duty.step(Duty::Idle, Duty::Replying),
            Posters::Ring => self.duty.is(Duty::Idle),
        }
    }

    /// All of the answer is sent. Says whether that was all there is to do. If not, [`reply_on`](Self::reply_on) does the
    /// rest.
    #[inline]
    pub(crate) fn end_reply(&self, posters: Posters) -> bool {
        posters == Posters::Ring || self.duty.step(Duty::Replying, Duty::Idle)
    }

    /// Sends what is left of an answer that was not sent at once, and what others posted.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    #[cold]
    pub(crate) fn reply_on(
        &self,
        so_far: SoFar,
        answer: &[u8],
        stay: Stay,
        sender: impl Sender,
    ) -> io::Result<Flushed> {
        let mut state = self.state.lock();
        let SoFar::Sent(outcome) = so_far else {
            if state.fate != Fate::Open {
                return Ok(Flushed::CutOff);
            }
            state.listen(self.limit, self.slow);
            if !answer.is_empty() {
                state.queue.push_back(Parcel::Reply(answer.into()));
            }
            // A poster had the duty and may have given it back: then it is ours.
            let _ = self.duty.step(Duty::Idle, Duty::Posted)
                || self.duty.step(Duty::Following, Duty::Posted);
            return self.take_duty(state, stay, sender);
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
                self.send_all(state, stay, sender)
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

    /// What a [connection](crate::connection) does to send an answer, step by step.
    #[cfg(test)]
    pub(crate) fn reply(
        &self,
        answer: &[u8],
        posters: Posters,
        stay: Stay,
        mut send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Flushed> {
        if !self.begin_reply(posters) {
            return self.reply_on(SoFar::OthersPosted, answer, stay, send);
        }
        let sent = send(&[IoSlice::new(answer)]);
        if matches!(sent, Ok(sent) if sent == answer.len()) && self.end_reply(posters) {
            return Ok(Flushed::Empty);
        }
        self.reply_on(SoFar::Sent(sent), answer, stay, send)
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
        sender: impl Sender,
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
            return self.send_all(state, stay, sender);
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
        mut sender: impl Sender,
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
            let outcome = MutexGuard::unlocked(&mut state, || batch.send(&mut sender));
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
