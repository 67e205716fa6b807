//! [`Connection`]: one client's session and where it stands, without a socket. Every driver, blocking or
//! not, brings the bytes and a `send`.
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
use crate::mailbox::{Flushed, Posters, Stay};
use crate::service::{Flow, Reply, Service, Session};
use crate::stats::Closed;
use std::any::Any;
use std::io::{self, IoSlice};
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

pub(crate) struct Connection {
    client: Client,
    session: Option<Box<dyn Session>>,
    stage: Stage,
    stay: Stay,
    blocked: bool,
}

impl Connection {
    /// Opens a session for `client`. When that panics, the connection begins as `Leaving`. `stay` is for its
    /// answers: whether their sender can stay for others' posts, too.
    pub(crate) fn open(service: &dyn Service, client: Client, stay: Stay) -> Self {
        let mut connection = Self {
            client: client.clone(),
            session: None,
            stage: Stage::Talking,
            stay,
            blocked: false,
        };
        connection.session = connection.contain(|_| service.open(client));
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

    /// Bytes have arrived. `reply` is scratch space, empty before and after. What the session answers is sent, as far as
    /// `send` goes, where others do as `posters` says. Says whether the conversation [flows](Self::is_flowing) on.
    #[inline]
    pub(crate) fn receive(
        &mut self,
        bytes: &[u8],
        reply: &mut Vec<u8>,
        posters: Posters,
        send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> bool {
        let mut answer = Reply::new(reply);
        let flow = self.contain(|session| {
            let session = session.as_mut()?;
            Some(session.receive(bytes, &mut answer))
        });
        if let Some(Some(Flow::Continue)) = flow {
            let sent = self.answer(answer.as_bytes(), posters, send);
            tidy(reply);
            return sent;
        }
        if let Some(Some(Flow::Close)) = flow {
            self.leave(Closed::ByService);
        }
        self.say_last(answer.as_bytes(), posters, send);
        tidy(reply);
        false
    }

    /// Nothing more will arrive: `why`.
    pub(crate) fn end(
        &mut self,
        why: Closed,
        reply: &mut Vec<u8>,
        posters: Posters,
        send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) {
        let mut answer = Reply::new(reply);
        self.contain(|session| session.as_mut().map(|s| s.end(&mut answer)));
        self.leave(why);
        self.say_last(answer.as_bytes(), posters, send);
        tidy(reply);
    }

    #[cold]
    fn say_last(
        &mut self,
        words: &[u8],
        posters: Posters,
        send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) {
        self.answer(words, posters, send);
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

    /// Says whether it left.
    #[inline]
    fn answer(
        &mut self,
        reply: &[u8],
        posters: Posters,
        mut send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> bool {
        if reply.is_empty() {
            return self.is_flowing();
        }
        let mailbox = self.client.mailbox();
        match mailbox.reply_at_once(reply, posters, &mut send) {
            Ok(()) => {
                self.blocked = false;
                true
            }
            Err(so_far) => {
                let outcome = mailbox.reply_on(so_far, reply, self.stay, send);
                self.flushed(outcome);
                self.is_flowing()
            }
        }
    }

    fn leave(&mut self, why: Closed) {
        if self.stage == Stage::Talking {
            self.stage = Stage::Leaving(why);
        }
        // A session's drop is user code, too.
        if let Some(session) = self.session.take() {
            self.contain(|_| drop(session));
        }
    }

    /// Runs user code; its panic ends this connection and nothing else.
    #[inline]
    fn contain<R>(&mut self, run: impl FnOnce(&mut Option<Box<dyn Session>>) -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(|| run(&mut self.session))) {
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
    if !reply.is_empty() {
        reply.clear();
        reply.shrink_to(LARGEST_SCRATCH);
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(not a text)")
}
