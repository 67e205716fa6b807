//! [`Connection`]: one client's session and where it stands, without a socket. Every driver, blocking or
//! not, brings the bytes and a [`Sender`].
//!
//! ```text
//!              end of input, Flow::Close, panic             mailbox empty
//!   Talking ------------------------------------> Leaving ----------------> Gone
//!      \____________________ broken, too slow, idle, forced __________________/
//! ```
//!
//! The session is dropped on the way out of `Talking`: it leaves the registry there, so that what is
//! still to be sent can only get less.

use crate::client::Client;
use crate::mailbox::{Flushed, Posters, Sender, SoFar, Stay};
use crate::service::{Flow, Reply, Service, Session};
use crate::stats::Closed;
use std::any::Any;
use std::io::{self, IoSlice};
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Where a connection stands. See the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Talking,
    Leaving(Closed),
    Gone(Closed),
}

/// What a reply buffer keeps between calls: one enormous answer is not to stay for ever.
const LARGEST_SCRATCH: usize = 64 * 1024;

// In this order: what every message needs lies together, at the end. And a membership is over before its session is.
#[repr(C)]
pub(crate) struct Connection {
    membership: Option<Box<dyn Send>>,
    client: Client,
    /// [`Nobody`]'s, once it has left.
    session: Box<dyn Session>,
    stage: Stage,
    stay: Stay,
    blocked: bool,
}

impl Connection {
    /// From here to its end is what every message needs.
    pub(crate) const OFTEN: usize = offset_of!(Self, client) + Client::OFTEN;

    /// Opens a session for `client`. When that panics, the connection begins as `Leaving`. `stay` is for its
    /// answers: whether their sender can stay for others' posts, too.
    pub(crate) fn open(service: &dyn Service, client: Client, stay: Stay) -> Self {
        let mut connection = Self {
            client: client.clone(),
            membership: None,
            session: Box::new(Nobody),
            stage: Stage::Talking,
            stay,
            blocked: false,
        };
        if let Some((membership, session)) =
            connection.contain(|_| (service.join(&client), service.open(client)))
        {
            connection.membership = membership;
            connection.session = session;
        }
        connection
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// The last send found the socket full.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// It talks, and what it was answered has left.
    #[inline]
    pub(crate) fn is_flowing(&self) -> bool {
        self.stage == Stage::Talking && !self.blocked
    }

    /// Bytes have arrived, and it [flows](Self::is_flowing). `reply` is scratch space, empty before and after. What the
    /// session answers is sent, as far as `sender` goes, where others do as `posters` says. Says whether the conversation
    /// flows on.
    #[inline(always)]
    #[allow(clippy::inline_always)] // Once per message, and little besides a call of the session and a send.
    pub(crate) fn receive(
        &mut self,
        bytes: &[u8],
        reply: &mut Vec<u8>,
        posters: Posters,
        sender: impl Sender,
    ) -> bool {
        debug_assert!(self.is_flowing());
        let mut answer = Reply::of_nothing(reply);
        let flow = self.contain(|session| session.receive(bytes, &mut answer));
        if flow != Some(Flow::Continue) {
            self.answer_last(flow, &answer, posters, sender.in_memory());
            tidy(reply);
            return false;
        }
        let Some(lent) = answer.lent() else {
            self.answer(&answer, posters, sender.in_memory());
            tidy(reply);
            return self.is_flowing();
        };
        // Sent even if it is empty: that does nothing, and to look would cost every other answer something.
        self.reply_at_once(lent, posters, sender)
    }

    /// The session has closed the conversation, or panicked: sends what it has said last.
    #[cold]
    fn answer_last(
        &mut self,
        flow: Option<Flow>,
        answer: &Reply<'_>,
        posters: Posters,
        sender: impl Sender,
    ) {
        if flow == Some(Flow::Close) {
            self.leave(Closed::ByService);
        }
        self.answer(answer, posters, sender);
    }

    /// Sends what the session has said.
    #[inline(never)]
    fn answer(&mut self, answer: &Reply<'_>, posters: Posters, sender: impl Sender) {
        let words = answer.as_bytes();
        if !words.is_empty() {
            self.reply_at_once(words, posters, sender);
        }
    }

    /// Nothing more will arrive: `why`.
    pub(crate) fn end(
        &mut self,
        why: Closed,
        reply: &mut Vec<u8>,
        posters: Posters,
        sender: impl Sender,
    ) {
        let mut answer = Reply::of_nothing(reply);
        self.contain(|session| session.end(&mut answer));
        self.leave(why);
        self.answer(&answer, posters, sender);
        tidy(reply);
    }

    /// Takes note of how a flush of this client's mailbox went.
    pub(crate) fn flushed(&mut self, outcome: io::Result<Flushed>) {
        match outcome {
            Ok(Flushed::Blocked) => self.blocked = true,
            Ok(Flushed::Empty | Flushed::Elsewhere) => self.blocked = false,
            Ok(Flushed::CutOff) => self.abandon(Closed::Lost),
            Err(error) => {
                tracing::debug!(client = %self.client.id(), %error, "send failed");
                self.abandon(Closed::Lost);
            }
        }
    }

    /// Ends without sending what is left. A client that was cut off for reading too slowly is `TooSlow`
    /// whatever symptom that showed as.
    pub(crate) fn abandon(&mut self, why: Closed) {
        self.leave(why);
        if let Stage::Leaving(first) = self.stage {
            let cut_off = self.client.mailbox().overflowed();
            self.stage = Stage::Gone(match why {
                Closed::Lost if cut_off => Closed::TooSlow,
                Closed::Forced | Closed::Idle | Closed::Lost => why,
                _ => first,
            });
        }
    }

    /// Everything was sent.
    pub(crate) fn finish(&mut self) {
        if let Stage::Leaving(why) = self.stage {
            self.stage = Stage::Gone(why);
        }
    }

    /// Says whether the conversation still flows, where it did before.
    #[inline(always)]
    #[allow(clippy::inline_always)] // As above.
    fn reply_at_once(&mut self, words: &[u8], posters: Posters, mut sender: impl Sender) -> bool {
        let mailbox = self.client.mailbox();
        if !mailbox.begin_reply(posters) {
            return self.reply_on(SoFar::OthersPosted, words, sender.in_memory());
        }
        if sender.gather(words) {
            let all = SoFar::Sent(Ok(words.len()));
            return mailbox.end_reply(posters) || self.reply_on(all, words, sender.in_memory());
        }
        let mut sender = sender.in_memory();
        let sent = sender.send(&[IoSlice::new(words)]);
        if matches!(sent, Ok(sent) if sent == words.len()) && mailbox.end_reply(posters) {
            return true;
        }
        self.reply_on(SoFar::Sent(sent), words, sender)
    }

    #[cold]
    fn reply_on(&mut self, so_far: SoFar, words: &[u8], sender: impl Sender) -> bool {
        let mailbox = self.client.mailbox();
        let outcome = mailbox.reply_on(so_far, words, self.stay, sender);
        self.flushed(outcome);
        self.is_flowing()
    }

    fn leave(&mut self, why: Closed) {
        if self.stage == Stage::Talking {
            self.stage = Stage::Leaving(why);
        }
        // A session's drop is user code, too.
        let membership = self.membership.take();
        let session = std::mem::replace(&mut self.session, Box::new(Nobody));
        self.contain(|_| {
            drop(membership);
            drop(session);
        });
    }

    /// Runs user code; its panic ends this connection and nothing else.
    #[inline]
    fn contain<R>(&mut self, run: impl FnOnce(&mut dyn Session) -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(|| run(&mut *self.session))) {
            Ok(done) => Some(done),
            Err(panic) => {
                self.panicked(panic);
                None
            }
        }
    }

    #[cold]
    fn panicked(&mut self, panic: Box<dyn Any + Send>) {
        let message = text(panic.as_ref());
        tracing::error!(client = %self.client.id(), panic = message, "a session panicked");
        // What was thrown is user code, too, and so is its drop.
        std::mem::forget(panic);
        self.stage = Stage::Leaving(Closed::Panicked);
        self.leave(Closed::Panicked);
    }
}

/// Empties the scratch space.
#[inline]
fn tidy(reply: &mut Vec<u8>) {
    reply.clear();
    if reply.capacity() > LARGEST_SCRATCH {
        reply.shrink_to(LARGEST_SCRATCH);
    }
}

/// The session of a client who has left.
struct Nobody;

impl Session for Nobody {
    fn receive<'a>(&mut self, _: &'a [u8], _: &mut Reply<'a>) -> Flow {
        Flow::Close
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(not a text)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender as Teller, channel};

    /// Breaks where it is told to. Its sessions and memberships tell when they are dropped.
    struct Told(Mutex<Teller<&'static str>>, &'static str);

    struct Tell(Teller<&'static str>, &'static str);

    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.0.send(self.1);
        }
    }

    impl Told {
        fn breaking_at(at: &'static str) -> (Self, Receiver<&'static str>) {
            let (teller, told) = channel();
            (Self(Mutex::new(teller), at), told)
        }

        fn tell(&self, what: &'static str) -> Tell {
            assert_ne!(self.1, what, "this is planned");
            Tell(self.0.lock().unwrap().clone(), what)
        }
    }

    impl Service for Told {
        fn open(&self, _: Client) -> Box<dyn Session> {
            Box::new(self.tell("session"))
        }

        fn join(&self, _: &Client) -> Option<Box<dyn Send>> {
            Some(Box::new(self.tell("membership")))
        }
    }

    impl Session for Tell {
        fn receive<'a>(&mut self, bytes: &'a [u8], reply: &mut Reply<'a>) -> Flow {
            match bytes {
                [b'a', ..] => reply.append(bytes),
                _ => reply.lend(bytes),
            }
            assert!(!bytes.ends_with(b"!"), "this is planned");
            if bytes.ends_with(b".") {
                Flow::Close
            } else {
                Flow::Continue
            }
        }
    }

    fn heard(connection: &mut Connection, bytes: &[u8]) -> (bool, Vec<u8>) {
        let (mut scratch, mut sent) = (Vec::new(), Vec::new());
        let flows = connection.receive(
            bytes,
            &mut scratch,
            Posters::Ring,
            |slices: &[IoSlice<'_>]| {
                let before = sent.len();
                for slice in slices {
                    sent.extend_from_slice(slice);
                }
                Ok(sent.len() - before)
            },
        );
        assert!(scratch.is_empty(), "the next client gets it: {scratch:?}");
        (flows, sent)
    }

    #[test]
    fn whatever_a_session_says_is_sent_and_leaves_nothing_behind() {
        for (said, stage) in [
            ("", Stage::Talking),
            ("lent", Stage::Talking),
            ("appended", Stage::Talking),
            ("lent.", Stage::Leaving(Closed::ByService)),
            ("appended.", Stage::Leaving(Closed::ByService)),
            ("lent!", Stage::Leaving(Closed::Panicked)),
            ("appended!", Stage::Leaving(Closed::Panicked)),
        ] {
            let (service, _told) = Told::breaking_at("nowhere");
            let mut connection = Connection::open(&service, Client::unheard(), Stay::AWhile);
            let (flows, sent) = heard(&mut connection, said.as_bytes());
            assert_eq!(sent, said.as_bytes());
            assert_eq!(
                (flows, connection.stage()),
                (stage == Stage::Talking, stage)
            );
        }
    }

    #[test]
    fn who_is_dropped_while_it_talks_is_no_member_any_more_before_its_session_is_dropped() {
        let (service, told) = Told::breaking_at("nowhere");
        let connection = Connection::open(&service, Client::unheard(), Stay::AWhile);
        assert_eq!(connection.stage(), Stage::Talking);
        drop(connection);
        let order: Vec<_> = told.try_iter().collect();
        assert_eq!(order, ["membership", "session"]);
    }

    #[test]
    fn who_leaves_is_no_member_any_more_before_its_session_is_dropped() {
        let (service, told) = Told::breaking_at("nowhere");
        let mut connection = Connection::open(&service, Client::unheard(), Stay::AWhile);
        assert!(told.try_recv().is_err());
        connection.end(
            Closed::Finished,
            &mut Vec::new(),
            Posters::Ring,
            |_: &[IoSlice<'_>]| Ok(0),
        );
        assert_eq!(
            told.try_iter().collect::<Vec<_>>(),
            ["membership", "session"]
        );
    }

    #[test]
    fn a_panic_while_joining_or_opening_leaves_no_member() {
        for (at, left) in [("membership", vec![]), ("session", vec!["membership"])] {
            let (service, told) = Told::breaking_at(at);
            let connection = Connection::open(&service, Client::unheard(), Stay::AWhile);
            assert_eq!(connection.stage(), Stage::Leaving(Closed::Panicked));
            assert_eq!(told.try_iter().collect::<Vec<_>>(), left);
        }
    }
}
