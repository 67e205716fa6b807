//! [`Clients`]: who is connected, where, and under which name.

use super::name::{Name, RoomName};
use super::room::Room;
use super::say::ToDo;
use crate::client::{Client, ClientId};
use crate::fanout::Channel;
use crate::mailbox::ON_ITS_WAY;
use crate::message::Message;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use thiserror::Error;

/// The clients that are connected, each in one room and under at most one name, which nobody else has. Plain data for one
/// thread; a [`Registry`](super::Registry) shares it.
///
/// ```text
///   seats                    rooms
///   7: in lobby, place 0 --> lobby: members [7, 9]  names [ann, -]
///   9: in lobby, place 1 -->
///   8: in den, place 0 ----> den:   members [8]     names [bob]
///   names
///   ann: 7   bob: 8
/// ```
///
/// Each method leaves the three in step. A room is there as long as somebody is in it.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Bytes that the log of a room keeps.
    keep: usize,
    rooms: HashMap<RoomName, Room>,
    names: HashMap<Name, ClientId>,
    seats: HashMap<ClientId, Seat>,
}

/// Where a client is.
#[derive(Clone, Debug)]
struct Seat {
    room: RoomName,
    place: usize,
}

/// The name is somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the name {name} is taken; choose another")]
pub struct Taken {
    /// The name.
    pub name: Name,
}

impl Default for Clients {
    fn default() -> Self {
        Self::new()
    }
}

/// A client has changed its room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// Where it was; `None` when that is the same room.
    pub from: Option<RoomName>,
    /// How many are in its room now, itself included.
    pub present: usize,
}

/// A client has left.
#[derive(Clone, Debug)]
pub struct Left {
    /// Who.
    pub client: Client,
    /// What it was called.
    pub name: Option<Name>,
    /// Where it was.
    pub room: RoomName,
}

impl Clients {
    /// Nobody.
    pub fn new() -> Self {
        Self::keeping(0)
    }

    /// Nobody, and rooms whose logs keep at least so many bytes for those who read slowly.
    pub fn keeping(bytes: usize) -> Self {
        Self {
            keep: bytes.max(ON_ITS_WAY),
            rooms: HashMap::new(),
            names: HashMap::new(),
            seats: HashMap::new(),
        }
    }

    fn room_to_enter(&mut self, name: &RoomName) -> &mut Room {
        let keep = self.keep;
        let room = self.rooms.entry(name.clone());
        room.or_insert_with(|| Room::new(keep))
    }

    /// Adds a client, into the lobby and without a name.
    ///
    /// # Panics
    /// When a client of this number is there: numbers are unique within a server, and a registry is one server's.
    pub fn join(&mut self, client: Client) {
        let id = client.id();
        assert!(
            !self.seats.contains_key(&id),
            "client {id} is in this registry already: give each server a registry of its own"
        );
        let room = RoomName::lobby();
        let place = self.room_to_enter(&room).add(client, None);
        self.seats.insert(id, Seat { room, place });
    }

    /// Removes a client; `None` when it was not there. Its name is free.
    pub fn leave(&mut self, id: ClientId) -> Option<Left> {
        let Seat { room, place } = self.seats.remove(&id)?;
        let (client, name) = self.vacate(&room, place);
        if let Some(name) = &name {
            self.names.remove(name);
        }
        Some(Left { client, name, room })
    }

    /// Moves a client into `room`, which begins to exist if it did not; `None` when there is no such client. It keeps its
    /// name.
    pub fn enter(&mut self, id: ClientId, room: RoomName) -> Option<Entered> {
        let seat = self.seats.get(&id)?;
        if seat.room == room {
            let present = self.rooms[&room].len();
            return Some(Entered {
                from: None,
                present,
            });
        }
        let Seat { room: from, place } = seat.clone();
        let (client, name) = self.vacate(&from, place);
        let entered = self.room_to_enter(&room);
        let place = entered.add(client, name);
        let present = entered.len();
        self.seats.insert(id, Seat { room, place });
        let from = Some(from);
        Some(Entered { from, present })
    }

    /// Calls a client `name`, and says what it was called before. Whether the name is free is looked up here, in the same
    /// section that takes it: asked in one section and taken in the next, two could both be told that it is.
    ///
    /// Its former name is free. Without effect when there is no such client.
    ///
    /// # Errors
    /// [`Taken`], when another client has the name; nothing has changed then.
    pub fn claim(&mut self, id: ClientId, name: &Name) -> Result<Option<Name>, Taken> {
        if !self.seats.contains_key(&id) {
            return Ok(None);
        }
        self.reserve(id, name)?;
        let former = self.rename(id, name);
        if let Some(former) = &former
            && former != name
        {
            self.names.remove(former);
        }
        Ok(former)
    }

    /// The half of a [`claim`](Self::claim) that several lists leave to one of them: the name is this client's.
    pub(super) fn reserve(&mut self, id: ClientId, name: &Name) -> Result<(), Taken> {
        match self.names.entry(name.clone()) {
            Entry::Occupied(owner) if *owner.get() == id => Ok(()),
            Entry::Occupied(_) => Err(Taken { name: name.clone() }),
            Entry::Vacant(free) => {
                free.insert(id);
                Ok(())
            }
        }
    }

    /// The other half: it is shown under this name. Says what it was called before.
    pub(super) fn rename(&mut self, id: ClientId, name: &Name) -> Option<Name> {
        let seat = self.seats.get(&id)?;
        let room = self.rooms.get_mut(&seat.room)?;
        room.rename(seat.place, name.clone())
    }

    /// A name that was reserved for a client is free again, unless it is somebody else's already.
    pub(super) fn release(&mut self, id: ClientId, name: &Name) {
        if self.names.get(name) == Some(&id) {
            self.names.remove(name);
        }
    }

    /// The members of a room, as they are at this moment.
    pub fn members(&self, room: &RoomName) -> Arc<Vec<Client>> {
        let room = self.rooms.get(room);
        room.map_or_else(Arc::default, |room| Arc::clone(room.members()))
    }

    /// Where a client's room is heard.
    pub(super) fn channel_of(&self, id: ClientId) -> Option<&Arc<Channel>> {
        let seat = self.seats.get(&id)?;
        Some(self.rooms.get(&seat.room)?.channel())
    }

    /// A room, if somebody is in it.
    pub fn room(&self, name: &RoomName) -> Option<&Room> {
        self.rooms.get(name)
    }

    /// The rooms, in no particular order.
    pub fn rooms(&self) -> impl Iterator<Item = (&RoomName, &Room)> {
        self.rooms.iter()
    }

    /// In which room a client is.
    pub fn room_of(&self, id: ClientId) -> Option<&RoomName> {
        Some(&self.seats.get(&id)?.room)
    }

    /// What a client is called.
    pub fn name_of(&self, id: ClientId) -> Option<&Name> {
        let seat = self.seats.get(&id)?;
        self.rooms[&seat.room].names()[seat.place].as_ref()
    }

    /// Whose name this is.
    pub fn named(&self, name: &Name) -> Option<ClientId> {
        self.names.get(name).copied()
    }

    /// Posts `message` to everyone in `room`, without I/O. What comes of it is put into `to_do`, for after the section.
    pub fn post_to_room(&self, room: &RoomName, message: &Message, to_do: &mut ToDo) {
        if let Some(room) = self.rooms.get(room) {
            to_do.reserve(room.len());
            room.post(message, to_do);
        }
    }

    /// [`post_to_room`](Self::post_to_room), for everyone there but `client`.
    pub fn post_to_others(
        &self,
        client: ClientId,
        room: &RoomName,
        message: &Message,
        to_do: &mut ToDo,
    ) {
        if let Some(room) = self.rooms.get(room) {
            for other in room.members().iter().filter(|other| other.id() != client) {
                to_do.post(other, message);
            }
        }
    }

    /// [`post_to_room`](Self::post_to_room), of every room.
    pub fn post_to_all(&self, message: &Message, to_do: &mut ToDo) {
        to_do.reserve(self.len());
        for room in self.rooms.values() {
            room.post(message, to_do);
        }
    }

    /// Everyone, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.rooms.values().flat_map(|room| room.members().iter())
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Takes a client out of a room. Who was last there sits in its place now.
    fn vacate(&mut self, name: &RoomName, place: usize) -> (Client, Option<Name>) {
        let room = self.rooms.get_mut(name).expect("a seat is in a room");
        let gone = room.remove(place);
        if let Some(moved) = room.members().get(place) {
            let seat = self.seats.get_mut(&moved.id());
            seat.expect("a member has a seat").place = place;
        }
        if room.is_empty() {
            self.rooms.remove(name);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::super::Who;
    use super::super::tests::client;
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn room(text: &str) -> RoomName {
        RoomName::new(text).unwrap()
    }

    fn with(ids: impl IntoIterator<Item = u64>) -> Clients {
        let mut clients = Clients::new();
        for id in ids {
            clients.join(client(id, 99, &Arc::default()));
        }
        clients
    }

    fn shown(clients: &Clients, room: &RoomName) -> String {
        let all = Who::of(clients.room(room).cloned()).sorted();
        let all: Vec<_> = all.iter().map(ToString::to_string).collect();
        all.join(" ")
    }

    #[test]
    fn everyone_begins_in_the_lobby_without_a_name_and_an_empty_room_is_gone() {
        let mut clients = with([1, 2]);
        assert_eq!(shown(&clients, &RoomName::lobby()), "guest-1 guest-2");
        let entered = clients.enter(ClientId(1), room("den")).unwrap();
        assert_eq!(
            (entered.from, entered.present),
            (Some(RoomName::lobby()), 1)
        );
        let again = clients.enter(ClientId(1), room("den")).unwrap();
        assert_eq!((again.from, again.present), (None, 1));
        clients.enter(ClientId(1), RoomName::lobby()).unwrap();
        assert!(clients.room(&room("den")).is_none());
        assert_eq!(clients.rooms().count(), 1);
    }

    #[test]
    fn a_name_goes_where_its_client_goes_and_is_free_when_it_leaves_or_takes_another() {
        let mut clients = with([1, 2, 3]);
        let (one, two) = (ClientId(1), ClientId(2));
        assert_eq!(clients.claim(one, &name("ann")), Ok(None));
        assert_eq!(clients.claim(one, &name("ann")), Ok(Some(name("ann"))));
        clients.enter(one, room("den"));
        assert_eq!(shown(&clients, &room("den")), "ann");
        let name_taken = clients.claim(two, &name("ann")).unwrap_err();
        assert_eq!(
            name_taken.to_string(),
            "the name ann is taken; choose another"
        );
        assert_eq!(clients.claim(one, &name("bob")), Ok(Some(name("ann"))));
        assert_eq!(clients.claim(two, &name("ann")), Ok(None));
        assert_eq!(shown(&clients, &RoomName::lobby()), "ann guest-3");
        let left = clients.leave(one).unwrap();
        assert_eq!((left.name, left.room), (Some(name("bob")), room("den")));
        assert_eq!(clients.named(&name("bob")), None);
        assert!(clients.leave(one).is_none());
        assert!(clients.enter(one, room("den")).is_none());
    }

    #[test]
    fn who_looks_at_a_room_sees_what_it_was_while_others_change_it() {
        let mut clients = with([1, 2]);
        let before = Arc::clone(clients.room(&RoomName::lobby()).unwrap().members());
        clients.leave(ClientId(1));
        assert_eq!((before.len(), clients.len()), (2, 1));
    }

    #[test]
    #[should_panic(expected = "client 1 is in this registry already")]
    fn two_clients_of_one_number_are_refused() {
        with([1, 1]);
    }

    /// What somebody does.
    #[derive(Clone, Debug)]
    enum Step {
        Join,
        Leave,
        Enter(u8),
        Claim(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
        let step = prop_oneof![
            Just(Step::Join),
            Just(Step::Leave),
            (0_u8..3).prop_map(Step::Enter),
            (0_u8..3).prop_map(Step::Claim),
        ];
        proptest::collection::vec((0_u64..5, step), 0..60)
    }

    proptest! {
        // In Miri's interpreter a case takes seconds.
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]
        #[test]
        fn seats_rooms_and_names_stay_in_step(steps in steps()) {
            let mut clients = Clients::new();
            // Per client: its room and its name.
            let mut expected: HashMap<u64, (RoomName, Option<Name>)> = HashMap::new();
            for (id, step) in steps {
                let key = ClientId(id);
                match step {
                    Step::Join => {
                        if let Entry::Vacant(vacant) = expected.entry(id) {
                            vacant.insert((RoomName::lobby(), None));
                            clients.join(client(id, 99, &Arc::default()));
                        }
                    }
                    Step::Leave => {
                        let left = clients.leave(key).map(|left| (left.room, left.name));
                        prop_assert_eq!(left, expected.remove(&id));
                    }
                    Step::Enter(n) => {
                        let room = room(&format!("r{n}"));
                        clients.enter(key, room.clone());
                        if let Some(seat) = expected.get_mut(&id) {
                            seat.0 = room;
                        }
                    }
                    Step::Claim(n) => {
                        let name = name(&format!("n{n}"));
                        let theirs = |(other, (_, owned)): (&u64, &(RoomName, Option<Name>))| {
                            *other != id && *owned == Some(name.clone())
                        };
                        let taken = expected.contains_key(&id) && expected.iter().any(theirs);
                        prop_assert_eq!(clients.claim(key, &name).is_err(), taken);
                        if let (false, Some(seat)) = (taken, expected.get_mut(&id)) {
                            seat.1 = Some(name);
                        }
                    }
                }
                let mut seen = HashMap::new();
                for (name, room) in clients.rooms() {
                    prop_assert!(!room.is_empty());
                    for (member, called) in room.members().iter().zip(&**room.names()) {
                        prop_assert_eq!(clients.room_of(member.id()), Some(name));
                        prop_assert_eq!(clients.name_of(member.id()), called.as_ref());
                        seen.insert(member.id().0, (name.clone(), called.clone()));
                    }
                }
                prop_assert_eq!(&seen, &expected);
                prop_assert_eq!(clients.len(), expected.len());
                let named = expected.values().filter(|(_, name)| name.is_some()).count();
                prop_assert_eq!(clients.names.len(), named);
            }
        }
    }
}
