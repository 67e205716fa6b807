//! The fan-out strategies, one function each: what is inside the critical section, and what is not.

use super::{Clients, Membership, Registry, RoomName};
use crate::client::{Client, ClientId};
use crate::fanout::{Channel, Fanout};
use crate::mailbox::{Posted, Work};
use crate::message::Message;
use crate::sync::Lock;
use std::sync::Arc;

/// Of what waits in a log for the end of a turn, so much is not to be waited for any longer.
const URGENT: usize = 128 * 1024;

impl<L: Lock<Value = Clients> + 'static> Membership<L> {
    /// Has everyone in its room, itself included, hear `lines`: whole lines, with their newlines. From the thread that
    /// serves its client. Blocks on nobody, but where the [strategy](Fanout::UnderLock) or the
    /// [policy](crate::Slow::Block) is to do so.
    pub fn say(&self, lines: &[u8]) {
        let registry = &*self.registry;
        match registry.fanout {
            Fanout::UnderLock => registry.write_inside(&self.room, &Message::from(lines)),
            Fanout::Snapshot => registry.write_outside(&self.room, &Message::from(lines)),
            Fanout::Queue | Fanout::Sharded => {
                registry.broadcast_in(&self.room, &Message::from(lines));
            }
            Fanout::Log => self.append(lines),
        }
    }

    fn append(&self, lines: &[u8]) {
        let Some(walk) = &self.walk else {
            return;
        };
        let waits = walk.channel.log.append(lines);
        let urgent = waits > URGENT && waits - lines.len() <= URGENT;
        if walk.channel.herald.said() || urgent {
            let walk = Arc::clone(walk) as Arc<dyn Work>;
            self.client.mailbox().in_a_moment(walk, urgent);
        }
    }
}

impl<L: Lock<Value = Clients>> Registry<L> {
    /// I/O inside: everybody else waits for the lock while one client's socket has no room.
    fn write_inside(&self, room: &RoomName, message: &Message) {
        self.shards[0].exclusive(|clients| {
            for client in clients.room(room).iter().flat_map(|room| &**room.members()) {
                let mailbox = client.mailbox();
                loop {
                    match mailbox.post(message) {
                        Posted::Ring => mailbox.send_out(),
                        Posted::Overflowed => mailbox.ring(),
                        // Its own thread waits for it, with an answer that it does not read.
                        Posted::Full => {
                            mailbox.wait_for_room(message.len());
                            continue;
                        }
                        Posted::Queued | Posted::Closed => {}
                    }
                    break;
                }
            }
        });
    }

    fn write_outside(&self, room: &RoomName, message: &Message) {
        let members = self.shards[0].shared(|clients| clients.members(room));
        for client in &*members {
            client.send_waiting(message);
        }
    }

    /// Posts inside a section of each shard; what is to be done about it comes after the last of them. Who hears it and
    /// answers, or comes because of it, does so when everybody's mailbox has it.
    pub(super) fn post(&self, section: impl Fn(&Clients, &mut ToDo) + Sync) {
        let mut all = ToDo::default();
        for shard in &self.shards {
            all.append(shard.shared(|clients| {
                let mut to_do = ToDo::default();
                section(clients, &mut to_do);
                to_do
            }));
        }
        all.carry_out();
    }

    /// Changes something on the list of a client, and posts what is to be told of it in the same section: everybody on that
    /// list is told of the changes in the order in which they came about.
    pub(super) fn change<R: Send>(
        &self,
        id: ClientId,
        section: impl FnOnce(&mut Clients, &mut ToDo) -> R + Send,
    ) -> R {
        let (outcome, to_do) = self.shard_of(id).exclusive(|clients| {
            let mut to_do = ToDo::default();
            let outcome = section(clients, &mut to_do);
            (outcome, to_do)
        });
        to_do.carry_out();
        outcome
    }

    /// Tells those in `room` who are on other lists than a client.
    pub(super) fn tell_other_lists(&self, id: ClientId, room: &RoomName, news: &Message) {
        for (place, shard) in self.shards.iter().enumerate() {
            if place != self.place_of(id) {
                let to_do = shard.shared(|clients| {
                    let mut to_do = ToDo::default();
                    clients.post_to_room(room, news, &mut to_do);
                    to_do
                });
                to_do.carry_out();
            }
        }
    }
}

/// What is on a poster to do when it has left the section.
#[derive(Debug, Default)]
pub struct ToDo {
    ring: Vec<Client>,
    full: Vec<(Client, Message)>,
}

impl ToDo {
    pub(super) fn reserve(&mut self, more: usize) {
        self.ring.reserve(more);
    }

    pub(super) fn post(&mut self, client: &Client, message: &Message) {
        match client.mailbox().post(message) {
            Posted::Ring | Posted::Overflowed => self.ring.push(client.clone()),
            Posted::Full => self.full.push((client.clone(), message.clone())),
            Posted::Queued | Posted::Closed => {}
        }
    }

    /// Without a copy for the first, which is the only one but with [`Fanout::Sharded`].
    fn append(&mut self, mut more: Self) {
        if self.ring.is_empty() && self.full.is_empty() {
            *self = more;
        } else {
            self.ring.append(&mut more.ring);
            self.full.append(&mut more.full);
        }
    }

    /// Rings whoever is to be rung, and waits for whoever is to be waited for. Not inside a critical section.
    pub fn carry_out(self) {
        for client in self.ring {
            client.mailbox().ring();
        }
        for (client, message) in self.full {
            client.send_waiting(&message);
        }
    }

    /// Whom to ring.
    pub fn to_ring(&self) -> &[Client] {
        &self.ring
    }
}

/// Takes what is new in a room's log to everybody in it.
pub(super) struct Walk<L> {
    pub(super) registry: Arc<Registry<L>>,
    pub(super) room: RoomName,
    pub(super) channel: Arc<Channel>,
}

impl<L: Lock<Value = Clients>> Work for Walk<L> {
    fn run(&self) {
        self.channel.herald.walk(|| {
            let members = self.registry.shards[0].shared(|clients| clients.members(&self.room));
            for client in &*members {
                if let Posted::Ring | Posted::Overflowed = client.mailbox().heed() {
                    client.mailbox().ring();
                }
            }
        });
    }
}
