//! The fan-out strategies, one function each: what is inside the critical section, and what is not.

use super::{Clients, Membership, Registry, RoomName};
use crate::client::{Client, ClientId};
use crate::fanout::{Channel, Fanout};
use crate::mailbox::{Posted, Work};
use crate::message::Message;
use crate::sync::Lock;
use std::sync::Arc;

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
        walk.channel.log.append(lines);
        let urgent = walk.channel.is_behind();
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

    pub(super) fn answer(&mut self, client: &Client, message: &Message) {
        if let Posted::Ring | Posted::Overflowed = client.mailbox().answer(message.as_bytes()) {
            self.ring.push(client.clone());
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
        self.channel.walk(|| {
            let members = self.registry.shards[0].shared(|clients| clients.members(&self.room));
            for client in &*members {
                if let Posted::Ring | Posted::Overflowed = client.mailbox().heed() {
                    client.mailbox().ring();
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::client;
    use super::*;
    use crate::fanout::URGENT;
    use crate::limits::Slow;
    use crate::mailbox::{Flushed, Mailbox, Outlet, Posters, Stay};
    use parking_lot::Mutex;
    use std::convert::Infallible;
    use std::io::{self, IoSlice};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    type Locked = Mutex<Clients>;

    fn registry(fanout: Fanout) -> Arc<Registry<Locked>> {
        let lock = || Ok::<_, Infallible>(Mutex::new(Clients::new()));
        let Ok(registry) = Registry::with_fanout(fanout, lock);
        registry
    }

    fn with_outlet(id: u64, slow: Slow, outlet: impl Outlet + 'static) -> Client {
        let mailbox = Mailbox::new(10, Box::new(outlet)).slow(slow);
        Client::new(ClientId(id), ([127, 0, 0, 1], 1).into(), Arc::new(mailbox))
    }

    /// Work, and whether it is urgent.
    type Left = (Arc<dyn Work>, bool);

    /// Keeps what is to be done in a moment.
    #[derive(Clone, Default)]
    struct Moments(Arc<Mutex<Vec<Left>>>);

    impl Outlet for Moments {
        fn ring(&self, _: &Arc<Mailbox>) {}

        fn in_a_moment(&self, work: Arc<dyn Work>, urgent: bool) {
            self.0.lock().push((work, urgent));
        }
    }

    impl Moments {
        fn urgencies(&self) -> Vec<bool> {
            self.0.lock().iter().map(|(_, urgent)| *urgent).collect()
        }
    }

    #[test]
    fn all_that_is_said_before_a_walk_is_one_walk_and_much_is_urgent() {
        let registry = registry(Fanout::Log);
        let moments = Moments::default();
        let talker = with_outlet(1, Slow::Disconnect, moments.clone());
        let talker = registry.join(talker);
        let rings = Arc::default();
        let listener = registry.join(client(2, 99, &rings));
        talker.say(b"one\n");
        talker.say(b"two\n");
        assert_eq!(moments.urgencies(), [false]);
        let much = ["x".repeat(URGENT).as_bytes(), b"\n"].concat();
        talker.say(&much);
        talker.say(&much);
        assert_eq!(
            moments.urgencies(),
            [false, true, true],
            "when there is much, whoever speaks is to see to it"
        );
        assert_eq!(rings.load(Ordering::Relaxed), 0, "in a moment, not now");

        for (work, _) in std::mem::take(&mut *moments.0.lock()) {
            work.run();
        }
        assert_eq!(rings.load(Ordering::Relaxed), 1, "for all of it");
        assert!(!listener.client().mailbox().is_idle());
        talker.say(b"three\n");
        assert_eq!(moments.urgencies(), [false], "a walk of its own");
    }

    /// Counts those whose mailboxes have something when it is rung.
    struct Looks {
        others: Arc<Mutex<Vec<Client>>>,
        seen: Arc<AtomicUsize>,
    }

    impl Outlet for Looks {
        fn ring(&self, _: &Arc<Mailbox>) {
            let others = self.others.lock();
            let have_it = others.iter().filter(|other| other.mailbox().posted() > 0);
            self.seen.fetch_add(have_it.count(), Ordering::Relaxed);
        }
    }

    #[test]
    fn of_several_lists_nobody_is_rung_before_all_have_the_line() {
        const ALL: usize = super::super::SHARDS;
        let registry = registry(Fanout::Sharded);
        let (others, seen) = (Arc::default(), Arc::default());
        let members: Vec<_> = (0..ALL as u64)
            .map(|id| {
                let (others, seen) = (Arc::clone(&others), Arc::clone(&seen));
                registry.join(with_outlet(id, Slow::Disconnect, Looks { others, seen }))
            })
            .collect();
        let clients = members.iter().map(|member| member.client().clone());
        others.lock().extend(clients);
        members[0].say(b"hi\n");
        assert_eq!(seen.load(Ordering::Relaxed), ALL * ALL);
        others.lock().clear();
    }

    #[test]
    fn of_several_lists_each_has_a_lock_of_its_own() {
        let registry = registry(Fanout::Sharded);
        let stays = registry.join(client(8, 9, &Arc::default()));
        registry.shard_of(ClientId(8)).exclusive(|_| {
            // Would wait for ever for the same one.
            let passes = registry.join(client(1, 9, &Arc::default()));
            drop(passes);
        });
        drop(stays);
        assert!(registry.is_empty());
    }

    /// Takes everything, where it is waited for.
    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Screen {
        fn take(&self, slices: &[IoSlice<'_>]) -> usize {
            let mut screen = self.0.lock();
            let before = screen.len();
            for slice in slices {
                screen.extend_from_slice(slice);
            }
            screen.len() - before
        }
    }

    impl Outlet for Screen {
        fn ring(&self, _: &Arc<Mailbox>) {}

        fn send_out(&self, mailbox: &Arc<Mailbox>) {
            let flushed = mailbox.flush(|slices| Ok(self.take(slices)));
            assert!(matches!(flushed, Ok(Flushed::Empty | Flushed::Elsewhere)));
        }
    }

    #[test]
    fn under_the_lock_who_has_a_full_mailbox_is_waited_for_and_misses_nothing() {
        let registry = registry(Fanout::UnderLock);
        let screen = Screen::default();
        let talker = registry.join(with_outlet(1, Slow::Block, screen.clone()));
        let mailbox = Arc::clone(talker.client().mailbox());
        talker.say(b"at once\n");
        let full = || Err(io::ErrorKind::WouldBlock.into());
        let replied = mailbox.reply(b"an answer\n", Posters::Send, Stay::AWhile, |_| full());
        assert_eq!(replied.unwrap(), Flushed::Blocked);
        talker.say(b"12345678\n");
        thread::scope(|scope| {
            let talks = scope.spawn(|| talker.say(b"and more\n"));
            while !talks.is_finished() {
                let _ = mailbox.flush(|slices| Ok(screen.take(slices))).unwrap();
                thread::yield_now();
            }
        });
        mailbox.flush(|slices| Ok(screen.take(slices))).unwrap();
        let shown = String::from_utf8(screen.0.lock().clone()).unwrap();
        assert_eq!(shown, "at once\nan answer\n12345678\nand more\n");
    }
}
