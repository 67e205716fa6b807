//! [`Watch`]: what is counted at a lock's door, and how.
//!
//! ```text
//!   arrive ----> enter ----> leave ----> (the lock is released) ----> record
//!      \
//!       `------> give up
//! ```
//!
//! | step | where | what it writes |
//! |---|---|---|
//! | arrive | in front of the lock | `arrivals` |
//! | enter | inside | `state`: entries + 1, inside + 1; who it is, into its slot |
//! | leave | inside | `state`: inside - 1; its slot: nobody |
//! | record | after release | its stripe: a bucket of `wait`, a bucket of `hold` |
//!
//! Entries and the number inside are one word, changed in one step by somebody who is inside: so the most that were
//! inside is exact. Who changes has a slot of its own, next to that word: there is at most one. Who looks has that of
//! its stripe, and may find it taken, or lose it: of lookers it is enough to know one. What needs no agreement is
//! spread over stripes by thread, so that threads do not write to one cache line for the sake of counting.
//!
//! # Overtakings
//! Of two that arrive one after the other, the second overtakes if it enters first. Nobody keeps a list of who
//! waits; each compares two numbers when it enters: how many had entered before it, E, and how
//! many that had not given up had arrived before it, A. Of those E, at most A came before it; so at least E - A came
//! later, and overtook. Where those that arrived before it still wait, more did. Summed over all: never more than
//! there were, and never less than half of them (Diaconis and Graham, "Spearman's footrule as a measure of
//! disarray", 1977: in any permutation, the sum of how far each is off its place is at most twice
//! the inversions, and at least their number).
//!
//! All of it as seen at the door, a step before the lock's own queue: who is preempted between the two counts as
//! waiting.

use super::buckets::{self, Buckets};
use super::clock::Clock;
use super::who::{self, NOBODY, Who};
use crate::sync::{Holder, LockStats, Spread};
use crossbeam_utils::CachePadded;
use std::iter::{once, repeat_with};
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Threads that count side by side. An interpreter takes half a second to make the counters of one.
const STRIPES: usize = if cfg!(miri) { 2 } else { 8 };

/// The low bits of `state`: how many are inside. Linux has no room for so many threads.
const INSIDE_BITS: u32 = 24;
const INSIDE: u64 = (1 << INSIDE_BITS) - 1;
const ONE_ENTRY: u64 = 1 << INSIDE_BITS;

#[derive(Debug)]
pub(super) struct Watch {
    clock: Clock,
    gave_up: AtomicU64,
    expired: AtomicU64,
    most_inside: AtomicU64,
    arrivals: CachePadded<AtomicU64>,
    door: CachePadded<Door>,
    stripes: Box<[CachePadded<Stripe>]>,
}

/// What everybody who enters writes to.
#[derive(Debug, Default)]
struct Door {
    /// How many have entered, and how many are inside.
    state: AtomicU64,
    /// Who is inside to change, or 0.
    changer: AtomicU64,
}

/// What the threads of one stripe count.
#[derive(Debug)]
struct Stripe {
    /// Who entered last to look, until it leaves; or 0.
    looker: AtomicU64,
    overtakings: AtomicU64,
    most_overtaken: AtomicU64,
    /// Both in the clock's ticks.
    wait: Buckets,
    hold: Buckets,
}

impl Stripe {
    fn new() -> Self {
        Self {
            looker: AtomicU64::new(0),
            overtakings: AtomicU64::new(0),
            most_overtaken: AtomicU64::new(0),
            wait: Buckets::new(),
            hold: Buckets::new(),
        }
    }
}

impl Watch {
    pub(super) fn new() -> Self {
        let stripes = repeat_with(|| CachePadded::new(Stripe::new()));
        Self {
            clock: Clock::new(),
            gave_up: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            most_inside: AtomicU64::new(0),
            arrivals: CachePadded::default(),
            door: CachePadded::default(),
            stripes: stripes.take(STRIPES).collect(),
        }
    }

    /// The calling thread wants to enter, from `at`.
    #[inline]
    pub(super) fn arrive(&self, access: Access, at: &'static Location<'static>) -> Visit<'_> {
        let who = Who::calls(at);
        let stripe = &self.stripes[who.thread() % STRIPES];
        let arrived_at = self.clock.now();
        // Before `arrivals`, and acquired: each who is seen to have given up is among those who arrived.
        let gave_up = self.gave_up.load(Ordering::Acquire);
        let arrivals = self.arrivals.fetch_add(1, Ordering::Relaxed);
        Visit {
            watch: self,
            stripe,
            slot: match access {
                Access::Shared => &stripe.looker,
                Access::Exclusive => &self.door.changer,
            },
            word: who.word(),
            turn: arrivals.wrapping_sub(gave_up),
            arrived_at,
            overtaken: 0,
            entered_at: None,
            left_at: 0,
        }
    }

    /// A timed wait was over, and the visit is, too.
    pub(super) fn expired(&self) {
        self.expired.fetch_add(1, Ordering::Relaxed);
    }

    /// Who is inside: who changes, or else one of those who look.
    pub(super) fn holder(&self) -> Option<Holder> {
        let lookers = self.stripes.iter().map(|stripe| &stripe.looker);
        let words = once(&self.door.changer).chain(lookers);
        let mut inside = words.map(|word| word.load(Ordering::Acquire));
        who::holder(inside.find(|&word| word != NOBODY)?)
    }

    pub(super) fn stats(&self, own_cost: Duration) -> LockStats {
        let stripes = || self.stripes.iter();
        let most_overtaken = stripes().map(|stripe| stripe.most_overtaken.load(Ordering::Relaxed));
        LockStats {
            wait: self.spread(|stripe| &stripe.wait),
            hold: self.spread(|stripe| &stripe.hold),
            most_inside: self.most_inside.load(Ordering::Relaxed),
            overtakings: stripes()
                .map(|stripe| stripe.overtakings.load(Ordering::Relaxed))
                .sum(),
            most_overtaken: most_overtaken.max().unwrap_or(0),
            expired: self.expired.load(Ordering::Relaxed),
            own_cost,
        }
    }

    fn spread(&self, part: impl Fn(&Stripe) -> &Buckets + Copy) -> Spread {
        let time = |ticks| self.clock.time(ticks);
        let parts = self.stripes.iter().map(move |stripe| part(stripe));
        let max = parts.clone().map(Buckets::max).max().unwrap_or(0);
        let buckets = buckets::sum(parts).map(|(ticks, count)| (time(ticks), count));
        Spread::new(buckets, time(max))
    }
}

/// What somebody wants to do inside.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access {
    Shared,
    Exclusive,
}

/// One thread's way through one section. Dropped after the lock is released, by a panic or not; that records it. Dropped
/// without having entered, it gave up.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    watch: &'a Watch,
    stripe: &'a Stripe,
    /// Where it says that it is inside, and as what.
    slot: &'a AtomicU64,
    word: u64,
    /// How many that did not give up had arrived before.
    turn: u64,
    arrived_at: u64,
    overtaken: u64,
    entered_at: Option<u64>,
    left_at: u64,
}

impl<'a> Visit<'a> {
    /// Runs `section`, and is inside meanwhile. To be called inside the lock, by whichever thread runs the section.
    #[inline]
    pub(super) fn inside<R>(&mut self, section: impl FnOnce() -> R) -> R {
        let _inside = self.enter();
        section()
    }

    /// Leaves when the guard is dropped.
    #[inline]
    fn enter(&mut self) -> Inside<'_, 'a> {
        let watch = self.watch;
        let before = watch.door.state.fetch_add(ONE_ENTRY + 1, Ordering::Relaxed);
        let (entered, inside) = (before >> INSIDE_BITS, (before & INSIDE) + 1);
        if inside > watch.most_inside.load(Ordering::Relaxed) {
            watch.most_inside.fetch_max(inside, Ordering::Relaxed);
        }
        self.slot.store(self.word, Ordering::Release);
        self.overtaken = overtaken(entered, self.turn);
        self.entered_at = Some(watch.clock.now());
        Inside { visit: self }
    }
}

/// Later ones that had entered. Entries are counted in fewer bits than arrivals: both go round.
#[inline]
fn overtaken(entered: u64, turn: u64) -> u64 {
    let ahead = (entered.wrapping_sub(turn) << INSIDE_BITS).cast_signed() >> INSIDE_BITS;
    u64::try_from(ahead).unwrap_or(0)
}

impl Drop for Visit<'_> {
    #[inline]
    fn drop(&mut self) {
        let Some(entered_at) = self.entered_at else {
            self.watch.gave_up.fetch_add(1, Ordering::Release);
            return;
        };
        // Saturating: counters of two processors may differ by a few ticks.
        let stripe = self.stripe;
        stripe.wait.add(entered_at.saturating_sub(self.arrived_at));
        stripe.hold.add(self.left_at.saturating_sub(entered_at));
        if self.overtaken > 0 {
            stripe
                .overtakings
                .fetch_add(self.overtaken, Ordering::Relaxed);
            stripe
                .most_overtaken
                .fetch_max(self.overtaken, Ordering::Relaxed);
        }
    }
}

/// Being inside.
#[derive(Debug)]
struct Inside<'v, 'a> {
    visit: &'v mut Visit<'a>,
}

impl Drop for Inside<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        let visit = &mut *self.visit;
        visit.left_at = visit.watch.clock.now();
        // Not if another looker of this stripe has entered since: then it is that one's word.
        if visit.slot.load(Ordering::Relaxed) == visit.word {
            visit.slot.store(NOBODY, Ordering::Relaxed);
        }
        visit.watch.door.state.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who arrives in this order and enters in that one is overtaken so often.
    fn overtakings(entering: &[usize]) -> u64 {
        let watch = Watch::new();
        let mut visits: Vec<_> = entering
            .iter()
            .map(|_| Some(watch.arrive(Access::Exclusive, Location::caller())))
            .collect();
        for &visitor in entering {
            let mut visit = visits[visitor].take().unwrap();
            drop(visit.enter());
        }
        watch.stats(Duration::ZERO).overtakings
    }

    #[test]
    fn overtakings_are_never_more_than_there_were_and_never_less_than_half() {
        assert_eq!(overtakings(&[0, 1, 2, 3]), 0);
        assert_eq!(overtakings(&[1, 0]), 1);
        assert_eq!(overtakings(&[1, 2, 3, 0]), 3);
        // 2 overtook 0 and 1, and 1 overtook 0: three, of which two are seen.
        assert_eq!(overtakings(&[2, 1, 0]), 2);
    }

    #[test]
    fn who_gave_up_is_nobody_whom_later_ones_overtake() {
        let watch = Watch::new();
        for _ in 0..3 {
            drop(watch.arrive(Access::Exclusive, Location::caller()));
        }
        let mut first = watch.arrive(Access::Exclusive, Location::caller());
        let mut second = watch.arrive(Access::Exclusive, Location::caller());
        drop(second.enter());
        drop(first.enter());
        drop((first, second));
        let stats = watch.stats(Duration::ZERO);
        assert_eq!((stats.overtakings, stats.most_overtaken), (1, 1));
        assert_eq!(stats.wait.count, 2, "who gave up has not entered");
    }

    #[test]
    fn the_count_goes_on_when_the_numbers_go_round() {
        let last = u64::MAX >> INSIDE_BITS;
        assert_eq!(overtaken(last, last), 0);
        assert_eq!(overtaken(0, last), 1);
        assert_eq!(overtaken(last, last + 1), 0, "it is its turn's own time");
        assert_eq!(overtaken(2, u64::MAX), 3);
    }

    /// Runs `then` while a looker on another thread is inside, which entered at the place it gives.
    fn beside_a_looker(watch: &Watch, then: impl FnOnce(&'static Location<'static>) + Send) {
        let look = || {
            let at = Location::caller();
            watch.arrive(Access::Shared, at).inside(|| then(at));
        };
        std::thread::scope(|scope| scope.spawn(look).join().unwrap());
    }

    #[test]
    fn who_changes_is_named_before_those_who_look_and_who_left_is_not() {
        let watch = Watch::new();
        let named = || watch.holder().map(|holder| holder.at);
        let at = Location::caller();
        let mut mine = watch.arrive(Access::Exclusive, at);
        assert_eq!(named(), None, "who waits is not inside");
        beside_a_looker(&watch, |looker| assert_eq!(named(), Some(looker)));
        mine.inside(|| {
            for _ in 0..STRIPES {
                beside_a_looker(&watch, |_| assert_eq!(named(), Some(at)));
            }
            assert_eq!(named(), Some(at));
        });
        assert_eq!(named(), None, "all have left");
    }

    #[test]
    fn a_looker_that_leaves_takes_no_other_of_its_stripe_with_it() {
        let watch = Watch::new();
        let here = Location::caller();
        let there = Location::caller();
        let [mut first, mut second] = [here, there].map(|at| watch.arrive(Access::Shared, at));
        let inside = first.enter();
        second.inside(|| {
            drop(inside);
            assert_eq!(watch.holder().unwrap().at, there);
        });
        assert_eq!(watch.holder(), None);
    }
}
