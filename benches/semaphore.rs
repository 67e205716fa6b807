//! The semaphore against everything else that lets threads into a section.
//!
//! One measured element is a section: asking, being let in, working inside for so long, leaving, working outside for so
//! long.
//!
//! - **Uncontended**: one thread, and nothing inside.
//! - **One at a time**: 2, 4 and 8 threads over the work inside and outside. Sections per second, how evenly the threads
//!   got them (Jain's index over their counts), and the longest that one of them waited.
//! - **Two permits**: sections that take one of two, or every fourth time both; only for what counts permits.
//!
//! Each bench asserts its answer. Where one is inside at a time, it raises a plain number next to the gate, whose sum must be the
//! sections done. Where there may be two, the permits inside are counted, and never more than there are.
//!
//! Criterion has a line for each; then every rival whose line ran takes part in the tables. Inside a line of criterion's a rival
//! stands alone in its time; in the tables all are measured in turns.
//!
//! Whatever else the machine does is measured, too: run it when there is nothing.
//!
//! What it cannot show: more threads than cores take turns, so 2 cores tell what contention, hand-overs and preempted
//! holders cost, and nothing of how a gate scales. With an empty section, a gate that lets threads barge is as fast
//! as it is unfair: one thread keeps the lock in its cache for a whole time slice. Throughput and Jain's index
//! belong together.

mod gates;
mod harness;

use crossbeam_utils::CachePadded;
use gates::{Barging, Fair, Gate, ParkingLotCondvar, Posix, StdCondvar, TokioTryFirst};
use harness::contest::{self, Ring, Rival, Stage};
use harness::race::Subject;
use harness::rounds::Plan;
use harness::work::{Pace, Work};
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// So many threads, so many nanoseconds of work.
#[derive(Clone, Copy)]
struct Cell {
    threads: usize,
    inside: u64,
    outside: u64,
    /// Every so many sections take two permits; 0 is never.
    both: u64,
}

impl contest::Cell for Cell {
    fn threads(self) -> usize {
        self.threads
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.threads == 1 {
            return f.write_str("uncontended");
        }
        write!(f, "{} threads, {} ns inside", self.threads, self.inside)?;
        if self.outside > 0 {
            write!(f, ", {} ns outside", self.outside)?;
        }
        if self.both > 0 {
            write!(f, ", every {}th takes both", self.both)?;
        }
        Ok(())
    }
}

const UNCONTENDED: Cell = Cell {
    threads: 1,
    inside: 0,
    outside: 0,
    both: 0,
};
const THREADS: [usize; 3] = [2, 4, 8];
/// Nanoseconds inside and outside.
const WORK: [(u64, u64); 4] = [(0, 0), (100, 0), (100, 1_000), (1_000, 0)];

/// A gate that lets in one, and the number that it guards, each on cache lines of its own: a gate that happened to share
/// one with the number would look a tenth faster than one that did not.
struct Single<G> {
    gate: CachePadded<G>,
    sections: CachePadded<AtomicU64>,
    inside: Work,
    outside: Work,
}

impl<G: Gate> Subject for Single<G> {
    #[inline]
    fn section(&self, _: u64, entered: impl FnOnce() + Send) {
        self.gate.enter(1, || {
            entered();
            self.inside.run();
            // Two steps on purpose: to the machine a plain number, which loses updates when two are inside.
            self.sections
                .store(self.sections.load(Relaxed) + 1, Relaxed);
        });
        self.outside.run();
    }

    fn settle(&self, done: &[u64]) {
        let done: u64 = done.iter().sum();
        assert_eq!(self.sections.load(Relaxed), done, "an update was lost");
    }
}

impl<G: Gate> Stage for Single<G> {
    type Cell = Cell;

    fn set(cell: Cell, pace: Pace) -> Self {
        Self {
            gate: CachePadded::new(G::new(1)),
            sections: CachePadded::default(),
            inside: pace.work(Duration::from_nanos(cell.inside)),
            outside: pace.work(Duration::from_nanos(cell.outside)),
        }
    }
}

/// A gate that lets in one, with nobody else there and nothing inside: what remains is getting in and out.
struct Alone<G> {
    gate: CachePadded<G>,
}

impl<G: Gate> Subject for Alone<G> {
    #[inline]
    fn section(&self, _: u64, entered: impl FnOnce() + Send) {
        self.gate.enter(1, entered);
    }

    fn settle(&self, _: &[u64]) {
        let mut entered = false;
        // Would wait for ever if any section had kept its permit.
        self.gate.enter(1, || entered = true);
        assert!(entered, "a section did not run");
    }
}

impl<G: Gate> Stage for Alone<G> {
    type Cell = Cell;

    fn set(_: Cell, _: Pace) -> Self {
        Self {
            gate: CachePadded::new(G::new(1)),
        }
    }
}

/// A gate of two permits, and how many are being held.
struct Pair<G> {
    gate: CachePadded<G>,
    held: CachePadded<AtomicUsize>,
    inside: Work,
    both: u64,
}

impl<G: Gate> Subject for Pair<G> {
    #[inline]
    fn section(&self, turn: u64, entered: impl FnOnce() + Send) {
        let n = if self.both > 0 && turn.is_multiple_of(self.both) {
            2
        } else {
            1
        };
        self.gate.enter(n, || {
            entered();
            let others = self.held.fetch_add(n, Relaxed);
            assert!(others + n <= 2, "{n} of 2 permits, when {others} were held");
            self.inside.run();
            self.held.fetch_sub(n, Relaxed);
        });
    }

    fn settle(&self, _: &[u64]) {
        assert_eq!(self.held.load(Relaxed), 0, "a permit is still held");
    }
}

impl<G: Gate> Stage for Pair<G> {
    type Cell = Cell;

    fn set(cell: Cell, pace: Pace) -> Self {
        Self {
            gate: CachePadded::new(G::new(2)),
            held: CachePadded::default(),
            inside: pace.work(Duration::from_nanos(cell.inside)),
            both: cell.both,
        }
    }
}

const fn alone<G: Gate>() -> Rival<Cell> {
    Rival::new::<Alone<G>>(G::NAME)
}

const fn single<G: Gate>() -> Rival<Cell> {
    Rival::new::<Single<G>>(G::NAME)
}

const fn pair<G: Gate>() -> Rival<Cell> {
    Rival::new::<Pair<G>>(G::NAME)
}

type ParkingLot = parking_lot::Mutex<()>;
type Tokio = tokio::sync::Semaphore;

macro_rules! rivals {
    ($($gate:ty),+ $(,)?) => {
        const ALONE: &[Rival<Cell>] = &[$(alone::<$gate>()),+];
        const SINGLES: &[Rival<Cell>] = &[$(single::<$gate>()),+];
    };
}

// A new one is a line here.
rivals! {
    Fair,
    Barging,
    ParkingLot,
    std::sync::Mutex<()>,
    Posix,
    Tokio,
    TokioTryFirst,
    async_lock::Semaphore,
    ParkingLotCondvar,
    StdCondvar,
}

/// Those with permits. The first ones take several in one step.
const PAIRS: [Rival<Cell>; 8] = [
    pair::<Fair>(),
    pair::<Barging>(),
    pair::<Tokio>(),
    pair::<TokioTryFirst>(),
    pair::<Posix>(),
    pair::<async_lock::Semaphore>(),
    pair::<ParkingLotCondvar>(),
    pair::<StdCondvar>(),
];
const TAKE_SEVERAL: usize = 4;

fn main() {
    let (mut criterion, pace) = contest::open();
    let mut ring = Ring {
        criterion: &mut criterion,
        pace,
        against: &[
            ("/parking_lot", ParkingLot::NAME),
            ("/sem_t", Posix::NAME),
            ("/tokio", Tokio::NAME),
        ],
    };
    ring.solo("semaphore", UNCONTENDED, ALONE);
    let one_at_a_time: Vec<Cell> = WORK
        .iter()
        .flat_map(|&(inside, outside)| {
            THREADS.map(|threads| Cell {
                threads,
                inside,
                outside,
                both: 0,
            })
        })
        .collect();
    let plan = Plan::new(9, Duration::from_millis(16));
    ring.race("one at a time", plan, &one_at_a_time, SINGLES);

    ring.against = &[("/sem_t", Posix::NAME), ("/tokio", Tokio::NAME)];
    let two_permits = Cell {
        threads: 4,
        inside: 100,
        outside: 0,
        both: 0,
    };
    ring.race("two permits", plan, &[two_permits], &PAIRS);
    let now_and_then_both = Cell {
        both: 4,
        ..two_permits
    };
    ring.race(
        "two permits",
        plan,
        &[now_and_then_both],
        &PAIRS[..TAKE_SEVERAL],
    );
    criterion.final_summary();
}
