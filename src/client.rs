//! [`Client`]: who is connected.

use crate::mailbox::{Mailbox, Posted};
use crate::message::Message;
use std::fmt;
use std::mem::offset_of;
use std::net::SocketAddr;
use std::sync::Arc;

/// The number of a client: unique while its server runs, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A connected client: its number, its address, and the mailbox that others post to. Clones are the same
/// client.
// In this order for a connection's sake, which has what every message needs behind it.
#[derive(Clone)]
#[repr(C)]
pub struct Client {
    addr: SocketAddr,
    id: ClientId,
    mailbox: Arc<Mailbox>,
}

impl Client {
    /// From here to its end is what every message needs.
    pub(crate) const OFTEN: usize = offset_of!(Self, mailbox);

    /// A client that is reached through `mailbox`.
    pub fn new(id: ClientId, addr: SocketAddr, mailbox: Arc<Mailbox>) -> Self {
        Self { addr, id, mailbox }
    }

    /// Its number.
    pub fn id(&self) -> ClientId {
        self.id
    }

    /// The address it connected from.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where others post to.
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Posts one message to this client and sees to it that it is sent. Never blocks. From any thread, but
    /// not from inside a critical section: there, post to the [`mailbox`](Self::mailbox) and ring later.
    pub fn send(&self, message: &Message) -> Posted {
        let posted = self.mailbox.post(message);
        if matches!(posted, Posted::Ring | Posted::Overflowed) {
            self.mailbox.ring();
        }
        posted
    }
}

impl Client {
    /// Sends this client an answer of its own. From the thread that serves it.
    pub(crate) fn answer(&self, bytes: &[u8]) {
        if let Posted::Ring | Posted::Overflowed = self.mailbox.answer(bytes) {
            self.mailbox.ring();
        }
    }

    /// [`send`](Self::send) that waits for room where the policy is [`Slow::Block`](crate::Slow::Block). Not from the thread
    /// of a reactor.
    pub(crate) fn send_waiting(&self, message: &Message) {
        while self.send(message) == Posted::Full {
            self.mailbox.wait_for_room(message.len());
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Client {
    /// One to whom nothing is ever sent out.
    pub(crate) fn unheard() -> Self {
        struct Nowhere;

        impl crate::mailbox::Outlet for Nowhere {
            fn ring(&self, _: &Arc<Mailbox>) {}
        }

        let mailbox = Arc::new(Mailbox::new(16, Box::new(Nowhere)));
        Self::new(ClientId(7), ([127, 0, 0, 1], 9).into(), mailbox)
    }
}
