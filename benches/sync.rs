//! The strategies: the registry behind every lock, by threads and by the share of sections that only look.
//!
//! One measured element is a critical section on a list of clients, of the length that a server's has: to look
//! is to walk over all of them, as a broadcast does; to change is one leaving and one joining. Threads enter
//! again as soon as they left, or after a microsecond: the most contention that a lock can meet, and far more than it
//! meets in a server.
//!
//! - **Registry**: every strategy, uncontended and by 2, 4 and 8 threads. Sections per second, how evenly the threads got
//!   them (Jain's index over their counts), and the longest that one of them waited.
//! - **Readers**: nobody changes anything. The semaphore of 8 permits beside the reader-writer lock that it stands for, on
//!   the list, and on a number: there is nothing to do inside, and only the lock is left.
//! - **The trait's price**: `parking_lot`'s locks around a number, used as they are and through `Lock`.
//!
//! Each change raises the sum of the ids by one. The sum at the end is asserted: one lost update, and the
//! bench fails.
//!
//! What it cannot show: `threads` beyond the machine's cores take turns, so 2 cores cannot show how a lock
//! scales, only what contention and a preempted holder cost. An `actor` has a thread more than the table says. The trait's
//! price is below what the place of a loop in memory costs: a difference of a nanosecond either way is none.

mod harness;
mod locked;

use crossbeam_utils::CachePadded;
use crossbeam_utils::sync::ShardedLock;
use guardhouse::Clients;
use guardhouse::sync::{Actor, Lock, SemaphoreLock, Snapshot, SpinMutex, TicketMutex};
use harness::contest::{self, Ring, Rival};
use harness::rounds::Plan;
use locked::{Bare, Cell, Number, Registry, cell};
use std::time::Duration;

const fn registry<L: Lock<Value = Clients>>(name: &'static str) -> Rival<Cell> {
    Rival::new::<CachePadded<Registry<L>>>(name)
}

/// A new strategy is a line here. Names as of `--sync`.
const STRATEGIES: [Rival<Cell>; 11] = [
    registry::<parking_lot::Mutex<Clients>>("mutex"),
    registry::<parking_lot::FairMutex<Clients>>("fair-mutex"),
    registry::<parking_lot::RwLock<Clients>>("rwlock"),
    registry::<std::sync::Mutex<Clients>>("std-mutex"),
    registry::<std::sync::RwLock<Clients>>("std-rwlock"),
    registry::<SemaphoreLock<Clients>>("semaphore"),
    registry::<TicketMutex<Clients>>("ticket"),
    registry::<SpinMutex<Clients>>("spin"),
    registry::<Snapshot<Clients>>("snapshot"),
    registry::<ShardedLock<Clients>>("sharded"),
    registry::<Actor<Clients>>("actor"),
];

const READERS: [Rival<Cell>; 2] = [
    registry::<parking_lot::RwLock<Clients>>("rwlock"),
    registry::<SemaphoreLock<Clients>>("semaphore"),
];

type ParkingMutex = parking_lot::Mutex<u64>;
type ParkingRwLock = parking_lot::RwLock<u64>;

const NUMBER_READERS: [Rival<Cell>; 2] = [
    Rival::new::<CachePadded<Number<ParkingRwLock>>>("rwlock"),
    Rival::new::<CachePadded<Number<SemaphoreLock<u64>>>>("semaphore"),
];
const MUTEXES: [Rival<Cell>; 2] = [
    Rival::new::<CachePadded<Bare<ParkingMutex>>>("parking_lot::Mutex"),
    Rival::new::<CachePadded<Number<ParkingMutex>>>("through Lock"),
];
const RWLOCKS: [Rival<Cell>; 2] = [
    Rival::new::<CachePadded<Bare<ParkingRwLock>>>("parking_lot::RwLock"),
    Rival::new::<CachePadded<Number<ParkingRwLock>>>("through Lock"),
];

fn main() {
    let (mut criterion, pace) = contest::open();
    let mut ring = Ring {
        criterion: &mut criterion,
        pace,
        against: &[("/mutex", "mutex"), ("/rwlock", "rwlock")],
    };
    let mut crowds = Vec::new();
    for looks in [0, 50, 90, 100] {
        ring.solo("registry", cell(1, looks), &STRATEGIES);
        crowds.extend([2, 4, 8].map(|threads| cell(threads, looks)));
    }
    crowds.push(Cell {
        outside: 1_000,
        ..cell(4, 90)
    });
    let plan = Plan::new(5, Duration::from_millis(15));
    ring.race("registry", plan, &crowds, &STRATEGIES);

    ring.against = &[("/rwlock", "rwlock")];
    let readers = [1, 2, 4, 8].map(|threads| cell(threads, 100));
    let plan = Plan::new(9, Duration::from_millis(30));
    ring.race("readers of the registry", plan, &readers, &READERS);
    ring.race("readers of a number", plan, &readers, &NUMBER_READERS);

    ring.against = &[("/bare", "parking_lot::Mutex")];
    ring.solo("the trait's price", cell(1, 0), &MUTEXES);
    ring.against = &[("/bare", "parking_lot::RwLock")];
    ring.solo("the trait's price", cell(1, 0), &RWLOCKS);
    ring.solo("the trait's price", cell(1, 100), &RWLOCKS);
    criterion.final_summary();
}
