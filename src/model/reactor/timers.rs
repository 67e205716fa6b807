//! Deadlines of clients, cheapest when nothing happens: a client has an entry or two, which are not moved when the
//! client is active, only looked at again when they come up.

use crate::client::ClientId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

#[derive(Default)]
pub(in crate::model) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, usize, ClientId)>>,
}

impl Timers {
    /// Brings `(key, id)` up at `at`. The id tells whether the key still means the same client.
    pub(in crate::model) fn set(&mut self, at: Instant, key: usize, id: ClientId) {
        self.heap.push(Reverse((at, key, id)));
    }

    /// Forgets entries of clients that are gone, once those are most of all: their deadlines may lie far ahead.
    pub(in crate::model) fn prune(
        &mut self,
        clients: usize,
        is_there: impl Fn(usize, ClientId) -> bool,
    ) {
        if self.heap.len() > 2 * clients + 64 {
            self.heap
                .retain(|Reverse((_, key, id))| is_there(*key, *id));
        }
    }

    /// When the next entry comes up.
    pub(in crate::model) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes out an entry that has come up.
    pub(in crate::model) fn due(&mut self, now: Instant) -> Option<(usize, ClientId)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, key, id))| (key, id))
    }

    pub(in crate::model) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}
