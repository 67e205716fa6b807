//! [`Chat`]: every line to everyone.

use super::{Flow, Reply, Service, Session};
use crate::client::Client;
use crate::codec::Lines;
use crate::message::Message;
use crate::registry::{Clients, Membership, Registry};
use crate::sync::{Lock, LockStats};
use std::sync::Arc;

/// Relays every complete line to every connected client, its sender included: whole, once, and the lines of
/// one sender in the same order for everyone.
///
/// A client that sends a line over the limit is told so and closed; nothing of that line is relayed.
/// An unfinished last line gets its newline when the client ends its side.
#[derive(Debug)]
pub struct Chat<L> {
    registry: Arc<Registry<L>>,
    max_line: usize,
}

impl<L: Lock<Value = Clients>> Chat<L> {
    /// The longest line in bytes, newline not counted, unless another is set.
    pub const DEFAULT_MAX_LINE: usize = 4096;

    /// A chat of everyone in `registry`.
    pub fn new(registry: Arc<Registry<L>>) -> Self {
        Self {
            registry,
            max_line: Self::DEFAULT_MAX_LINE,
        }
    }

    /// Sets the longest line, in bytes, newline not counted.
    #[must_use]
    pub fn max_line(mut self, bytes: usize) -> Self {
        self.max_line = bytes;
        self
    }
}

impl<L: Lock<Value = Clients> + 'static> Service for Chat<L> {
    fn open(&self, client: Client) -> Box<dyn Session> {
        Box::new(Talker {
            membership: self.registry.join(client),
            lines: Lines::new(self.max_line),
        })
    }

    fn lock_stats(&self) -> Option<LockStats> {
        self.registry.lock_stats()
    }
}

struct Talker<L: Lock<Value = Clients>> {
    membership: Membership<L>,
    lines: Lines,
}

impl<L: Lock<Value = Clients>> Talker<L> {
    /// All the whole lines of one arrival travel as one message: fewer sections, fewer system calls,
    /// and nothing of another talker can come between them.
    fn relay(&self, lines: &[u8]) {
        if !lines.is_empty() {
            self.membership.registry().broadcast(&Message::from(lines));
        }
    }
}

impl<L: Lock<Value = Clients>> Session for Talker<L> {
    fn receive(&mut self, bytes: &[u8], reply: &mut Reply<'_>) -> Flow {
        let mut whole = Vec::new();
        let fed = self.lines.feed(bytes, &mut whole);
        self.relay(&whole);
        match fed {
            Ok(()) => Flow::Continue,
            Err(too_long) => {
                reply.append(format!("error: {too_long}\n").as_bytes());
                Flow::Close
            }
        }
    }

    fn end(&mut self, _: &mut Reply<'_>) {
        let mut whole = Vec::new();
        self.lines.finish(&mut whole);
        self.relay(&whole);
    }
}
