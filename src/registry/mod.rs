//! The registry: plain [`Clients`] with their rooms and names, and the [`Registry`] that keeps them behind a [`Lock`].

mod clients;
mod name;
mod room;
mod say;

pub use clients::{Clients, Entered, Left, Taken};
pub(crate) use name::Harmless;
pub use name::{InvalidName, MAX_CHARACTERS, Name, Present, RoomName};
pub use room::{Room, Who};
pub use say::ToDo;

use self::say::Walk;
use crate::client::{Client, ClientId};
use crate::fanout::{Channel, Fanout};
use crate::mailbox::Posted;
use crate::message::Message;
use crate::sync::{Lock, LockStats};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// [`Clients`] that many threads share, behind the lock `L`, and how what one of them says gets to the others.
///
/// Inside its sections there is no I/O and no user code: take, release, act. ([`Fanout::UnderLock`] shows why.)
#[derive(Debug)]
pub struct Registry<L> {
    /// Several for [`Fanout::Sharded`]: a client is on the list of its number. Names are the first one's.
    shards: Box<[L]>,
    fanout: Fanout,
}

/// Lists of [`Fanout::Sharded`]. More would make a broadcast slower, and fewer a join.
pub const SHARDS: usize = 8;

impl<L: Lock<Value = Clients>> Registry<L> {
    /// An empty registry behind `lock`, which must hold [`Clients::new`]. What is said goes through [queues](Fanout::Queue).
    pub fn new(lock: L) -> Arc<Self> {
        Arc::new(Self {
            shards: Box::new([lock]),
            fanout: Fanout::Queue,
        })
    }

    /// An empty registry with a fan-out strategy, behind the locks that `lock` makes: [`SHARDS`] for
    /// [`Fanout::Sharded`], one for the others. Each must hold [`Clients::new`] or [`Clients::keeping`].
    ///
    /// # Errors
    /// Those of `lock`.
    pub fn with_fanout<E>(fanout: Fanout, lock: impl Fn() -> Result<L, E>) -> Result<Arc<Self>, E> {
        let count = if fanout == Fanout::Sharded { SHARDS } else { 1 };
        let shards = (0..count).map(|_| lock()).collect::<Result<_, E>>()?;
        Ok(Arc::new(Self { shards, fanout }))
    }

    fn place_of(&self, id: ClientId) -> usize {
        id.0 as usize % self.shards.len()
    }

    fn shard_of(&self, id: ClientId) -> &L {
        &self.shards[self.place_of(id)]
    }

    /// Adds a client to the lobby, for as long as the membership lives. From any thread.
    ///
    /// # Panics
    /// When a client of this number is a member: a registry is one server's.
    pub fn join(self: &Arc<Self>, client: Client) -> Membership<L> {
        let own = client.clone();
        let channel = self.shard_of(client.id()).exclusive(|clients| {
            clients.join(client);
            self.tune_in(&own, clients)
        });
        let mut membership = Membership {
            registry: Arc::clone(self),
            client: own,
            room: RoomName::lobby(),
            name: None,
            farewell: None,
            walk: None,
        };
        membership.walk_to(channel);
        membership.heed();
        membership
    }

    /// Inside the section in which a client has come into a room: it hears what is said there from now on.
    fn tune_in(&self, client: &Client, clients: &Clients) -> Option<Arc<Channel>> {
        if self.fanout != Fanout::Log {
            return None;
        }
        let channel = Arc::clone(clients.channel_of(client.id())?);
        client.mailbox().follow(&channel.log);
        Some(channel)
    }

    /// Posts `message` to everyone who is a member at this moment, whichever room they are in, and has it sent. Never blocks
    /// on a client, unless the [policy](crate::Slow::Block) is to. From any thread.
    ///
    /// The section only looks: each mailbox has its own lock, so several broadcasts may walk the list at
    /// once where the strategy lets them. One thread's broadcasts reach every client in their order.
    pub fn broadcast(&self, message: &Message) {
        self.post(|clients, to_do| clients.post_to_all(message, to_do));
    }

    /// [`broadcast`](Self::broadcast), to those who are in `room`.
    pub fn broadcast_in(&self, room: &RoomName, message: &Message) {
        self.post(|clients, to_do| clients.post_to_room(room, message, to_do));
    }

    /// Who is in `room`. Out of date as soon as it is read. From any thread.
    pub fn who(&self, room: &RoomName) -> Who {
        let lists = self.shards.iter();
        Who::of(lists.filter_map(|shard| shard.shared(|clients| clients.room(room).cloned())))
    }

    /// The rooms, and how many are in each, in the order of their names. Out of date as soon as it is read. From any
    /// thread.
    pub fn rooms(&self) -> Vec<(RoomName, usize)> {
        let mut rooms = BTreeMap::new();
        for shard in &self.shards {
            let there: Vec<_> = shard.shared(|clients| {
                let rooms = clients.rooms();
                rooms
                    .map(|(name, room)| (name.clone(), room.len()))
                    .collect()
            });
            for (name, present) in there {
                *rooms.entry(name).or_default() += present;
            }
        }
        rooms.into_iter().collect()
    }

    /// How many members there are. Out of date as soon as it is read. From any thread.
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.shared(Clients::len))
            .sum()
    }

    /// Whether there is no member. Out of date as soon as it is read. From any thread.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How what one says gets to the others.
    pub fn fanout(&self) -> Fanout {
        self.fanout
    }

    /// What has been seen of its sections, by a lock that watches them: [`Timed`](crate::sync::Timed). Of several
    /// [shards](Fanout::Sharded), the first one's, which has the names. From any thread.
    pub fn lock_stats(&self) -> Option<LockStats> {
        self.shards[0].stats()
    }
}

/// A client's place in a registry: one room, and a name if it wants one. Dropping it is leaving, however the session ends.
///
/// What it changes others can be told in the section that changes it: nobody hears of the new owner of a name before they
/// hear that the old one has left, and who hears that can take the name. (Of [several lists](Fanout::Sharded),
/// those on the others hear it a moment later.)
#[must_use = "dropping a membership is leaving"]
pub struct Membership<L: Lock<Value = Clients>> {
    registry: Arc<Registry<L>>,
    client: Client,
    // Nobody but this membership changes what the registry has of its client, so a look at these needs no section.
    room: RoomName,
    name: Option<Name>,
    farewell: Option<Message>,
    /// Of its room, if that keeps a log.
    walk: Option<Arc<Walk<L>>>,
}

/// What is told of one who goes into another room.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    /// To those who stay behind.
    pub gone: Option<Message>,
    /// To those who are there.
    pub come: Option<Message>,
    /// To itself: after everything of the room that it leaves, and before everything of the one that it enters.
    pub welcome: Option<Message>,
}

impl<L: Lock<Value = Clients>> fmt::Debug for Membership<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership")
            .field("client", &self.client)
            .field("room", &self.room)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<L: Lock<Value = Clients>> Membership<L> {
    /// Where it is a member.
    pub fn registry(&self) -> &Registry<L> {
        &self.registry
    }

    /// Whose membership this is.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The room it is in.
    pub fn room(&self) -> &RoomName {
        &self.room
    }

    /// Its name, if it has claimed one.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// Who it is, to be shown to others.
    pub fn present(&self) -> Present {
        Present {
            id: self.client.id(),
            name: self.name.clone(),
        }
    }

    /// Takes `name`, which nobody else has, gives up the name it had, and posts `news` of it to the others in its room. Looking
    /// and taking are one section.
    ///
    /// # Errors
    /// [`Taken`], when another member has it.
    pub fn claim(&mut self, name: Name, news: Option<&Message>) -> Result<(), Taken> {
        let (id, room) = (self.client.id(), &self.room);
        let registry = &*self.registry;
        match &*registry.shards {
            [_] => registry.change(id, |clients, to_do| {
                clients.claim(id, &name)?;
                if let Some(news) = news {
                    clients.post_to_others(id, room, news, to_do);
                }
                Ok(())
            })?,
            [names, ..] => {
                names.exclusive(|clients| clients.reserve(id, &name))?;
                let former = registry.change(id, |clients, to_do| {
                    if let Some(news) = news {
                        clients.post_to_others(id, room, news, to_do);
                    }
                    clients.rename(id, &name)
                });
                if let Some(news) = news {
                    registry.tell_other_lists(id, room, news);
                }
                if let Some(former) = former
                    && former != name
                {
                    names.exclusive(|clients| clients.release(id, &former));
                }
            }
            [] => unreachable!("a registry has a list"),
        }
        self.name = Some(name);
        Ok(())
    }

    /// Goes from its room into another, in one section: nobody finds it in both, or in none. Posts `news` of it in that
    /// section. Stays where it is if that is the same room, and then there is no news.
    pub fn enter(&mut self, room: RoomName, news: &Moved) {
        if room != self.room {
            let id = self.client.id();
            let told = [(self.room.clone(), &news.gone), (room.clone(), &news.come)];
            let told = told
                .iter()
                .filter_map(|(room, news)| Some((room, news.as_ref()?)));
            self.tune_out();
            let registry = &*self.registry;
            let channel = registry.change(id, |clients, to_do| {
                clients.enter(id, room.clone());
                for (room, news) in told.clone() {
                    clients.post_to_others(id, room, news, to_do);
                }
                // Before it hears anything of the room.
                if let Some(welcome) = &news.welcome {
                    to_do.answer(&self.client, welcome);
                }
                registry.tune_in(&self.client, clients)
            });
            for (room, news) in told {
                registry.tell_other_lists(id, room, news);
            }
            self.room = room;
            self.walk_to(channel);
            self.heed();
        }
    }

    /// Sets what the others in its room will be told when it leaves.
    pub fn set_farewell(&mut self, farewell: Message) {
        self.farewell = Some(farewell);
    }

    /// Whoever walked before the lock let all see that this client is there has not rung it.
    fn heed(&self) {
        if self.walk.is_some()
            && let Posted::Ring | Posted::Overflowed = self.client.mailbox().heed()
        {
            self.client.mailbox().ring();
        }
    }

    fn walk_to(&mut self, channel: Option<Arc<Channel>>) {
        self.walk = channel.map(|channel| {
            Arc::new(Walk {
                registry: Arc::clone(&self.registry),
                room: self.room.clone(),
                channel,
            })
        });
    }

    /// It hears what was said until now, and no more.
    fn tune_out(&mut self) {
        if self.walk.take().is_some()
            && let Posted::Ring | Posted::Overflowed = self.client.mailbox().unfollow()
        {
            self.client.mailbox().ring();
        }
    }

    /// Who is in its room, itself included.
    pub fn who(&self) -> Who {
        self.registry.who(&self.room)
    }
}

impl<L: Lock<Value = Clients>> Drop for Membership<L> {
    fn drop(&mut self) {
        let (id, farewell) = (self.client.id(), self.farewell.take());
        let registry = &*self.registry;
        let left = registry.change(id, |clients, to_do| {
            let left = clients.leave(id);
            if let (Some(left), Some(farewell)) = (&left, &farewell) {
                clients.post_to_room(&left.room, farewell, to_do);
            }
            left
        });
        if let [names, _, ..] = &*registry.shards {
            if let Some(farewell) = &farewell {
                registry.tell_other_lists(id, &self.room, farewell);
            }
            if let Some(name) = &self.name {
                names.exclusive(|clients| clients.release(id, name));
            }
        }
        // Only now, outside the section: this may be what closes the client's socket.
        drop(left);
        self.tune_out();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientId;
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

    pub(super) fn client(id: u64, limit: usize, rings: &Arc<AtomicUsize>) -> Client {
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
        assert_eq!(mailbox.close().messages, 3, "none of them arrived");
    }
}
