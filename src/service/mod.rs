//! What a server does, without a socket in sight: a [`Service`] opens a [`Session`] per client.
//!
//! A session is sans-IO: bytes in, bytes out. It cannot know its model, so the same handler runs
//! under all of them, and in a test without any.

mod chat;
mod echo;
mod registered;
mod reply;

pub use chat::Chat;
pub use echo::Echo;
pub use registered::Registered;
pub use reply::Reply;

use crate::client::Client;
use crate::sync::LockStats;

/// Opens a session for every client. Shared by all threads of a server.
pub trait Service: Send + Sync {
    /// A client has come. May be called by several threads at once.
    ///
    /// A panic costs this client its connection and nobody else anything. (A stack overflow aborts the
    /// process, like everywhere in Rust; no server can contain it.)
    fn open(&self, client: Client) -> Box<dyn Session>;

    /// What the client is to have for as long as its session: a place in a list, say. Asked for before the session is
    /// [opened](Self::open), dropped before it is dropped, and not in the way of its messages.
    ///
    /// A service that wraps another passes this on, as it does `open`; whoever opens sessions without a server asks for
    /// this first, and keeps what it gets.
    fn join(&self, client: &Client) -> Option<Box<dyn Send>> {
        let _ = client;
        None
    }

    /// Whether its sessions meet in memory that they share, as those of a chat do. One that says no can be served by
    /// several processes.
    fn needs_shared_memory(&self) -> bool {
        true
    }

    /// What has been seen of the lock that its sessions share, if there is one, and it is
    /// [`Timed`](crate::sync::Timed). May be called by any thread, at any time.
    fn lock_stats(&self) -> Option<LockStats> {
        None
    }
}

/// One client's conversation. Dropping it is leaving.
pub trait Session: Send {
    /// Bytes have arrived, cut anywhere. Says in `reply` what this client shall be sent; it goes out
    /// after whatever was posted to the client's mailbox before this call returned. Called by one thread at a time, not always by the same.
    fn receive<'a>(&mut self, bytes: &'a [u8], reply: &mut Reply<'a>) -> Flow;

    /// The client will send nothing more (it half-closed, or the server drains). What is said in
    /// `reply` is still sent; then the server closes.
    fn end(&mut self, reply: &mut Reply<'_>) {
        let _ = reply;
    }
}

/// Whether a conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// More may come.
    Continue,
    /// Send what is in the reply, then close.
    Close,
}

impl<S: Service + ?Sized> Service for Box<S> {
    fn open(&self, client: Client) -> Box<dyn Session> {
        (**self).open(client)
    }

    fn join(&self, client: &Client) -> Option<Box<dyn Send>> {
        (**self).join(client)
    }

    fn needs_shared_memory(&self) -> bool {
        (**self).needs_shared_memory()
    }

    fn lock_stats(&self) -> Option<LockStats> {
        (**self).lock_stats()
    }
}

impl<S: Service + ?Sized> Service for std::sync::Arc<S> {
    fn open(&self, client: Client) -> Box<dyn Session> {
        (**self).open(client)
    }

    fn join(&self, client: &Client) -> Option<Box<dyn Send>> {
        (**self).join(client)
    }

    fn needs_shared_memory(&self) -> bool {
        (**self).needs_shared_memory()
    }

    fn lock_stats(&self) -> Option<LockStats> {
        (**self).lock_stats()
    }
}
