//! The list of clients: to look is to walk over all of them, to change is one leaving and one joining.

use super::Cell;
use crate::harness::contest::Stage;
use crate::harness::race::Subject;
use crate::harness::work::{Pace, Work};
use crossbeam_utils::CachePadded;
use guardhouse::mailbox::{Mailbox, Outlet};
use guardhouse::sync::Lock;
use guardhouse::{Client, ClientId, Clients};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const CLIENTS: u64 = 16;

/// Nobody is ever rung: the sections are measured, and not what is sent after them.
struct Nowhere;

impl Outlet for Nowhere {
    fn ring(&self, _: &Arc<Mailbox>) {}
}

fn room() -> Clients {
    let mut clients = Clients::new();
    for id in 0..CLIENTS {
        let mailbox = Arc::new(Mailbox::new(1, Box::new(Nowhere)));
        clients.join(Client::new(
            ClientId(id),
            ([127, 0, 0, 1], 1).into(),
            mailbox,
        ));
    }
    clients
}

fn sum_of_ids(clients: &Clients) -> u64 {
    clients.iter().map(|client| client.id().0).sum()
}

/// One leaves, and one with a new number takes the place.
fn change(clients: &mut Clients) {
    let first = clients.iter().next().map(Client::id);
    if let Some(left) = first.and_then(|id| clients.leave(id)) {
        let left = left.client;
        let id = ClientId(left.id().0 + CLIENTS);
        clients.join(Client::new(id, left.addr(), Arc::clone(left.mailbox())));
    }
}

/// The list of clients behind a lock.
pub(crate) struct Registry<L> {
    lock: L,
    looks: u64,
    outside: Work,
}

impl<L> Registry<L> {
    /// Looks are spread evenly: 61 and 100 have no common factor, so that of 100 sections in a row exactly
    /// so many are looks.
    fn only_looks(&self, turn: u64) -> bool {
        turn * 61 % 100 < self.looks
    }

    fn changes(&self, sections: u64) -> u64 {
        let rest = sections - sections % 100..sections;
        let last = rest.filter(|turn| !self.only_looks(*turn)).count();
        sections / 100 * (100 - self.looks) + last as u64
    }
}

impl<L: Lock<Value = Clients>> Subject for CachePadded<Registry<L>> {
    #[inline]
    fn section(&self, turn: u64, entered: impl FnOnce() + Send) {
        if self.only_looks(turn) {
            black_box(self.lock.shared(|clients| {
                entered();
                sum_of_ids(clients)
            }));
        } else {
            self.lock.exclusive(|clients| {
                entered();
                change(clients);
            });
        }
        self.outside.run();
    }

    fn settle(&self, done: &[u64]) {
        let before = CLIENTS * (CLIENTS - 1) / 2;
        let changes: u64 = done.iter().map(|&sections| self.changes(sections)).sum();
        let sum = self.lock.shared(sum_of_ids);
        assert_eq!(
            sum,
            before + CLIENTS * changes,
            "{} lost an update",
            L::NAME
        );
        assert_eq!(self.lock.shared(Clients::len), CLIENTS as usize);
    }
}

impl<L: Lock<Value = Clients>> Stage for CachePadded<Registry<L>> {
    type Cell = Cell;

    fn set(cell: Cell, pace: Pace) -> Self {
        Self::new(Registry {
            lock: L::new(room()),
            looks: cell.looks,
            outside: pace.work(Duration::from_nanos(cell.outside)),
        })
    }
}
