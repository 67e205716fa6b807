//! [`Room`]: those who hear each other.

use super::name::{Name, Present};
use super::say::ToDo;
use crate::client::Client;
use crate::fanout::Channel;
use crate::message::Message;
use std::fmt;
use std::sync::Arc;

/// Who is in a room. Plain data, copied only when it changes while somebody still looks at what it was.
///
/// Two lists and not a map: every broadcast walks all of the members, and who leaves knows its place.
#[derive(Clone)]
pub struct Room {
    members: Arc<Vec<Client>>,
    /// In the same order.
    names: Arc<Vec<Option<Name>>>,
    channel: Arc<Channel>,
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("members", &self.members)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
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

    /// An empty one, whose log keeps so many bytes.
    pub(super) fn new(keep: usize) -> Self {
        Self {
            members: Arc::default(),
            names: Arc::default(),
            channel: Channel::new(keep),
        }
    }

    /// Where it is heard, if it keeps a log.
    pub(super) fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Posts `message` to its members, without I/O. What comes of it is put into `to_do`, for after the section.
    pub fn post(&self, message: &Message, to_do: &mut ToDo) {
        for client in &*self.members {
            to_do.post(client, message);
        }
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

/// Who is in a room, by names and numbers, as it was at one moment.
#[derive(Clone, Debug, Default)]
pub struct Who(Vec<Present>);

impl Who {
    /// Of those who are in a room, from one list or several.
    pub(super) fn of(lists: impl IntoIterator<Item = Room>) -> Self {
        let mut all = Vec::new();
        for room in lists {
            let members = room.members.iter().zip(&*room.names);
            all.extend(members.map(|(client, name)| Present {
                id: client.id(),
                name: name.clone(),
            }));
        }
        Self(all)
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
    pub fn sorted(mut self) -> Vec<Present> {
        self.0.sort_unstable();
        self.0
    }
}
