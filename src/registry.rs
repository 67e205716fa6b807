//! The registry: plain [`Clients`], and the [`Registry`] that keeps them behind a [`Lock`].

use crate::client::{Client, ClientId};
use crate::mailbox::Posted;
use crate::message::Message;
use crate::sync::{Lock, LockStats};
use std::sync::Arc;

/// The clients that are connected. Plain data for one thread; a [`Registry`] shares it.
///
/// A list and not a map: every broadcast walks all of it, and only a leave searches it.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    list: Vec<Client>,
}

impl Clients {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a client.
    pub fn join(&mut self, client: Client) {
        self.list.push(client);
    }

    /// Removes a client; `None` when it was not there.
    pub fn leave(&mut self, id: ClientId) -> Option<Client> {
        let place = self.list.iter().position(|client| client.id() == id)?;
        Some(self.list.swap_remove(place))
    }

    /// Posts `message` to everyone, without I/O. Those that must be rung are put into `to_ring`: ring them
    /// after the section.
    pub fn post_to_all(&self, message: &Message, to_ring: &mut Vec<Client>) {
        for client in &self.list {
            match client.mailbox().post(message) {
                Posted::Ring | Posted::Overflowed => to_ring.push(client.clone()),
                Posted::Queued | Posted::Full | Posted::Closed => {}
            }
        }
    }

    /// Everyone, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.list.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// [`Clients`] that many threads share, behind the lock `L`.
///
/// Inside its sections there is no I/O and no user code: take, release, act.
#[derive(Debug)]
pub struct Registry<L> {
    clients: L,
}

impl<L: Lock<Value = Clients>> Registry<L> {
    /// An empty registry behind `lock`, which must hold [`Clients::new`].
    pub fn new(lock: L) -> Arc<Self> {
        Arc::new(Self { clients: lock })
    }

    /// Adds a client for as long as the membership lives. From any thread.
    pub fn join(self: &Arc<Self>, client: Client) -> Membership<L> {
        let id = client.id();
        self.clients.exclusive(|clients| clients.join(client));
        Membership {
            registry: Arc::clone(self),
            id,
        }
    }

    /// Posts `message` to everyone who is a member at this moment, and has it sent. Never blocks on a client.
    /// From any thread.
    ///
    /// The section only looks: each mailbox has its own lock, so several broadcasts may walk the list at
    /// once where the strategy lets them. One thread's broadcasts reach every client in their order.
    pub fn broadcast(&self, message: &Message) {
        let to_ring = self.clients.shared(|clients| {
            let mut to_ring = Vec::with_capacity(clients.len());
            clients.post_to_all(message, &mut to_ring);
            to_ring
        });
        for client in to_ring {
            client.mailbox().ring();
        }
    }

    /// How many members there are. Out of date as soon as it is read. From any thread.
    pub fn len(&self) -> usize {
        self.clients.shared(Clients::len)
    }

    /// Whether there is no member. Out of date as soon as it is read. From any thread.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What has been seen of its sections, by a lock that watches them: [`Timed`](crate::sync::Timed). From any
    /// thread.
    pub fn lock_stats(&self) -> Option<LockStats> {
        self.clients.stats()
    }
}

/// A client's place in a registry. Dropping it is leaving, however the session ends.
#[derive(Debug)]
#[must_use = "dropping a membership is leaving"]
pub struct Membership<L: Lock<Value = Clients>> {
    registry: Arc<Registry<L>>,
    id: ClientId,
}

impl<L: Lock<Value = Clients>> Membership<L> {
    /// Where it is a member.
    pub fn registry(&self) -> &Registry<L> {
        &self.registry
    }
}

impl<L: Lock<Value = Clients>> Drop for Membership<L> {
    fn drop(&mut self) {
        let left = self
            .registry
            .clients
            .exclusive(|clients| clients.leave(self.id));
        // Only now, outside the section: this may be what closes the client's socket.
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::{Mailbox, Outlet};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Rings(Arc<AtomicUsize>);

    impl Outlet for Rings {
        fn ring(&self, mailbox: &Arc<Mailbox>) {
            self.0.fetch_add(1, Ordering::Relaxed);
            // Its client reads nothing.
            let _ = mailbox.flush(|_| Err(std::io::ErrorKind::WouldBlock.into()));
        }
    }

    fn client(id: u64, limit: usize, rings: &Arc<AtomicUsize>) -> Client {
        let outlet = Box::new(Rings(Arc::clone(rings)));
        let mailbox = Arc::new(Mailbox::new(limit, outlet));
        Client::new(ClientId(id), ([127, 0, 0, 1], 1).into(), mailbox)
    }

    #[test]
    fn a_member_leaves_when_its_membership_is_dropped_even_by_a_panic() {
        let registry = Registry::new(parking_lot::Mutex::new(Clients::new()));
        let rings = Arc::default();
        let stays = registry.join(client(1, 9, &rings));
        let goes = registry.join(client(2, 9, &rings));
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _goes = goes;
            std::panic::resume_unwind(Box::new("the session broke"));
        }));
        assert!(unwound.is_err());
        assert_eq!(registry.len(), 1);
        drop(stays);
        assert!(registry.is_empty());
    }

    #[test]
    fn each_idle_mailbox_is_rung_once_and_busy_ones_are_not() {
        let registry = Registry::new(parking_lot::RwLock::new(Clients::new()));
        let rings = Arc::default();
        let members: Vec<_> = (0..3)
            .map(|id| registry.join(client(id, 99, &rings)))
            .collect();
        registry.broadcast(&Message::from("one\n"));
        assert_eq!(rings.load(Ordering::Relaxed), 3);
        registry.broadcast(&Message::from("two\n"));
        assert_eq!(rings.load(Ordering::Relaxed), 3);
        drop(members);
    }

    #[test]
    fn a_client_whose_mailbox_is_full_is_cut_off_and_rung_for_it_once() {
        let registry = Registry::new(parking_lot::Mutex::new(Clients::new()));
        let rings = Arc::default();
        let slow = client(7, 6, &rings);
        let mailbox = Arc::clone(slow.mailbox());
        let _membership = registry.join(slow);
        registry.broadcast(&Message::from("four"));
        registry.broadcast(&Message::from("more"));
        registry.broadcast(&Message::from("even more"));
        assert!(mailbox.overflowed());
        assert_eq!(
            rings.load(Ordering::Relaxed),
            2,
            "once to send, once to hang up"
        );
        assert_eq!(mailbox.close(), 3, "none of them arrived");
    }
}
