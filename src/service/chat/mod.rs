//! [`Chat`]: every line to everyone in the room.

mod command;
mod listing;
mod talker;

use self::talker::Talker;
use super::{Service, Session};
use crate::client::Client;
use crate::registry::{Clients, Registry};
use crate::sync::{Lock, LockStats};
use std::sync::Arc;

/// Relays every complete line to every client in the same room, its sender included: whole, once, and the lines of
/// one sender in the same order for everyone.
///
/// A client that sends a line over the limit is told so and closed; nothing of that line is relayed.
/// An unfinished last line gets its newline when the client ends its side.
///
/// # Commands
/// A line is relayed as it is, unless it begins with a slash:
///
/// | line | its sender is told | who else is told what |
/// |---|---|---|
/// | `/name NAME` | `-- you are now NAME` | the others in the room: `* OLD is now NAME` |
/// | `/who` | `-- in lobby: ann, bob, guest-3 (3)` | |
/// | `/rooms` | `-- lobby (3)`, a line for each | |
/// | `/join ROOM` | `-- you are in ROOM (2)` | if it has a name, the others in both rooms: `* ann has left`, `* ann has come` |
/// | `/me TEXT` | as the others | everyone in the room: `* ann TEXT` |
/// | `/quit` | what waits for it; then it is closed | as whenever one with a name leaves, the others in the room: `* ann has left` |
/// | `/help` | `-- ` and a line for each command | |
/// | `//TEXT` | as the others | everyone in the room: `/TEXT` |
/// | another | `error: ` and why | |
///
/// Those who never begin a line with a slash are told the lines of each other and nothing else. An answer comes where its
/// question stood: after the lines that its client said before, and before those that it said afterwards.
///
/// Lines are relayed with every byte in them, control characters, too: who shows them to people must make them
/// harmless. And a line may look like anything, also like `* ann has left`.
#[derive(Debug)]
pub struct Chat<L> {
    registry: Arc<Registry<L>>,
    max_line: usize,
}

impl<L: Lock<Value = Clients>> Chat<L> {
    /// The longest line in bytes, newline not counted, unless another is set.
    pub const DEFAULT_MAX_LINE: usize = 4096;

    /// A chat of everyone in `registry`. It begins in the lobby.
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
        Box::new(Talker::new(self.registry.join(client), self.max_line))
    }

    fn lock_stats(&self) -> Option<LockStats> {
        self.registry.lock_stats()
    }
}
