//! [`Room`]: those who hear each other.

use super::name::{Name, Present};
use crate::client::Client;
use crate::mailbox::Posted;
use crate::message::Message;
use std::sync::Arc;

/// Who is in a room. Plain data, copied only when it changes while somebody still looks at what it was.
///
/// Two lists and not a map: every broadcast walks all of the members, and who leaves knows its place.
#[derive(Clone, Debug, Default)]
pub struct Room {
    members: Arc<Vec<Client>>,
    /// In the same order.
    names: Arc<Vec<Option<Name>>>,
}

impl Room {
    /// Its members, in no particular order. A clone of this is a list that no longer changes, made without a copy: a
    /// section can take one out and let others in.
    pub fn members(&self) -> &Arc<Vec<Client>> {
        &self.members
    }

    /// What each of the [`members`](Self::members) is called, in their order.
    pub fn names(&self) -> &Arc<Vec<Option<Name>>> {
        &self.names
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Posts `message` to its members, without I/O. Those that must be rung are put into `to_ring`: ring them after the
    /// section.
    pub fn post(&self, message: &Message, to_ring: &mut Vec<Client>) {
        post(self.members.iter(), message, to_ring);
    }

    /// Adds one; says at which place.
    pub(super) fn add(&mut self, client: Client, name: Option<Name>) -> usize {
        Arc::make_mut(&mut self.members).push(client);
        Arc::make_mut(&mut self.names).push(name);
        self.members.len() - 1
    }

    /// Takes one out. The last one moves to its place.
    pub(super) fn remove(&mut self, place: usize) -> (Client, Option<Name>) {
        (
            Arc::make_mut(&mut self.members).swap_remove(place),
            Arc::make_mut(&mut self.names).swap_remove(place),
        )
    }

    pub(super) fn rename(&mut self, place: usize, name: Name) -> Option<Name> {
        Arc::make_mut(&mut self.names)[place].replace(name)
    }
}

/// Posts `message` to each of `clients`, and puts those that must be rung into `to_ring`.
pub(super) fn post<'a>(
    clients: impl Iterator<Item = &'a Client>,
    message: &Message,
    to_ring: &mut Vec<Client>,
) {
    for client in clients {
        match client.mailbox().post(message) {
            Posted::Ring | Posted::Overflowed => to_ring.push(client.clone()),
            Posted::Queued | Posted::Full | Posted::Closed => {}
        }
    }
}

/// Who is in a room, by names and numbers, as it was at one moment.
#[derive(Clone, Debug, Default)]
pub struct Who(Room);

impl Who {
    pub(super) fn of(room: Option<&Room>) -> Self {
        Self(room.cloned().unwrap_or_default())
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everyone: those with names in the order of names, then those without in the order of numbers.
    pub fn sorted(&self) -> Vec<Present> {
        let members = self.0.members.iter().zip(&*self.0.names);
        let mut all: Vec<Present> = members
            .map(|(client, name)| Present {
                id: client.id(),
                name: name.clone(),
            })
            .collect();
        all.sort_unstable();
        all
    }
}
