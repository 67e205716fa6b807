//! Deadlines of clients, in a hierarchical timing wheel: setting one costs the same however many there are, and so does
//! what comes up (G. Varghese, T. Lauck, *Hashed and Hierarchical Timing Wheels*, SOSP 1987, scheme 7).
//!
//! Time is a number of milliseconds, written with digits of six bits. A wheel per digit has a slot per value: an entry
//! lies in the wheel of the first digit in which its time differs from the present. When a slot's time comes, its
//! entries move to the wheels below, at most once per wheel, until none of their digits differs.
//!
//! ```text
//!   wheel 2   [ ][ ][x][ ] ...    4 s a slot
//!   wheel 1   [ ][x][ ][ ] ...   64 ms a slot
//!   wheel 0   [ ][ ][ ][x] ...    1 ms a slot
//! ```
//!
//! A client has an entry or two, which are not moved when the client is active, only looked at again when they come up.

use crate::client::ClientId;
use slab::Slab;
use std::time::{Duration, Instant};

/// Bits of a digit.
const DIGIT: usize = 6;
const SLOTS: usize = 1 << DIGIT;
/// Enough for the digits of any time.
const WHEELS: usize = (u64::BITS as usize).div_ceil(DIGIT);

/// The end of a slot's list.
const NOBODY: usize = usize::MAX;

struct Entry {
    /// When it comes up, in milliseconds.
    at: u64,
    key: usize,
    id: ClientId,
    /// The next one in the same slot.
    next: usize,
}

#[derive(Clone, Copy)]
struct Wheel {
    /// Which slots have entries: a bit each.
    occupied: u64,
    /// The first entry of each slot.
    slots: [usize; SLOTS],
}

pub(super) struct Timers {
    /// Millisecond 0.
    origin: Instant,
    /// The present: no slot before it, nor of it, has entries.
    now: u64,
    wheels: Box<[Wheel; WHEELS]>,
    entries: Slab<Entry>,
    /// The first of those that have come up.
    due: usize,
}

impl Default for Timers {
    fn default() -> Self {
        let wheel = Wheel {
            occupied: 0,
            slots: [NOBODY; SLOTS],
        };
        Self {
            origin: Instant::now(),
            now: 0,
            wheels: Box::new([wheel; WHEELS]),
            entries: Slab::new(),
            due: NOBODY,
        }
    }
}

impl Timers {
    /// Brings `(key, id)` up at `at`, or up to a millisecond later. The id tells whether the key still means the same
    /// client.
    pub(super) fn set(&mut self, at: Instant, key: usize, id: ClientId) {
        let since = at.saturating_duration_since(self.origin);
        let at = u64::try_from(since.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let next = NOBODY;
        let entry = self.entries.insert(Entry { at, key, id, next });
        self.place(entry);
    }

    /// Forgets entries of clients that are gone, once those are most of all: their deadlines may lie far ahead.
    pub(super) fn prune(&mut self, clients: usize, is_there: impl Fn(usize, ClientId) -> bool) {
        if self.entries.len() <= 2 * clients + 64 {
            return;
        }
        self.entries
            .retain(|_, entry| is_there(entry.key, entry.id));
        self.entries.shrink_to_fit();
        self.due = NOBODY;
        for wheel in self.wheels.iter_mut() {
            wheel.occupied = 0;
            wheel.slots.fill(NOBODY);
        }
        let left: Vec<usize> = self.entries.iter().map(|(entry, _)| entry).collect();
        for entry in left {
            self.place(entry);
        }
    }

    /// When to ask again for what is [due](Self::due): not later than the next entry comes up, though it may be
    /// that none does.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.is_empty() {
            return None;
        }
        let at = if self.due == NOBODY {
            self.next_slot()?.2
        } else {
            self.now
        };
        Some(self.origin + Duration::from_millis(at))
    }

    /// Takes out an entry that has come up.
    pub(super) fn due(&mut self, now: Instant) -> Option<(usize, ClientId)> {
        if self.due == NOBODY {
            self.turn(now.saturating_duration_since(self.origin).as_millis() as u64);
        }
        let entry = self.entries.try_remove(self.due)?;
        self.due = entry.next;
        Some((entry.key, entry.id))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The slot that comes up next: its wheel, its place there, its time. All slots of a wheel come before those of the
    /// wheels above.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let wheel = self.wheels.iter().position(|wheel| wheel.occupied != 0)?;
        let slot = self.wheels[wheel].occupied.trailing_zeros() as usize;
        let shift = wheel * DIGIT;
        // The digits above are those of the present, the digits below are zero.
        let above = self.now.checked_shr((shift + DIGIT) as u32).unwrap_or(0);
        Some((wheel, slot, ((above << DIGIT) | slot as u64) << shift))
    }

    /// Lets time pass.
    fn turn(&mut self, now: u64) {
        while let Some((wheel, slot, at)) = self.next_slot().filter(|(.., at)| *at <= now) {
            self.now = at;
            let Wheel { occupied, slots } = &mut self.wheels[wheel];
            *occupied &= !(1 << slot);
            let mut entry = std::mem::replace(&mut slots[slot], NOBODY);
            while entry != NOBODY {
                let next = self.entries[entry].next;
                self.place(entry);
                entry = next;
            }
        }
        self.now = self.now.max(now);
    }

    fn place(&mut self, entry: usize) {
        let at = self.entries[entry].at;
        let list = if at <= self.now {
            &mut self.due
        } else {
            let wheel = (at ^ self.now).ilog2() as usize / DIGIT;
            let slot = (at >> (wheel * DIGIT)) as usize % SLOTS;
            let wheel = &mut self.wheels[wheel];
            wheel.occupied |= 1 << slot;
            &mut wheel.slots[slot]
        };
        self.entries[entry].next = std::mem::replace(list, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is done to a wheel.
    #[derive(Clone, Debug)]
    enum Step {
        /// An entry, so long after the present, in microseconds.
        Set(u64),
        /// So much time passes.
        Pass(u64),
        /// Time passes until the wheel wants to be asked.
        PassToNext,
        /// Every second client leaves.
        Prune,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let span = || {
            prop_oneof![
                0..3_000_u64,
                0..300_000_u64,
                0..4_000_000_000_u64,
                0..2_600_000_000_000_u64
            ]
        };
        let step = prop_oneof![
            4 => span().prop_map(Step::Set),
            2 => span().prop_map(Step::Pass),
            3 => Just(Step::PassToNext),
            1 => Just(Step::Prune),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn each_entry_comes_up_once_not_early_and_within_a_millisecond(steps in steps()) {
            let mut timers = Timers::default();
            let millisecond = Duration::from_millis(1);
            let mut now = timers.origin;
            // Sorted by time.
            let mut model: Vec<(Instant, u64)> = Vec::new();
            let mut ids = 0;
            for step in steps {
                match step {
                    Step::Set(after) => {
                        ids += 1;
                        let at = now + Duration::from_micros(after);
                        timers.set(at, ids as usize, ClientId(ids));
                        let place = model.partition_point(|(other, _)| *other <= at);
                        model.insert(place, (at, ids));
                    }
                    Step::Pass(time) => now += Duration::from_micros(time),
                    Step::PassToNext => now = now.max(timers.next().unwrap_or(now)),
                    Step::Prune => {
                        // No more than there are: nobody is forgotten who is there.
                        timers.prune(0, |_, id| id.0 % 2 == 0);
                        if timers.entries.len() < model.len() {
                            model.retain(|(_, id)| id % 2 == 0);
                        }
                    }
                }
                let mut came_up = Vec::new();
                while let Some((key, id)) = timers.due(now) {
                    prop_assert_eq!(key as u64, id.0);
                    came_up.push(id.0);
                }
                for id in came_up {
                    let place = model.iter().position(|(_, other)| *other == id);
                    prop_assert!(place.is_some(), "{} came up twice, or after it left", id);
                    let (at, _) = model.remove(place.unwrap());
                    prop_assert!(at <= now, "{} came up {:?} too early", id, at - now);
                }
                let first = model.first().map(|(at, _)| *at);
                prop_assert!(first.is_none_or(|at| at + millisecond > now), "one is late");
                prop_assert_eq!(timers.is_empty(), model.is_empty());
                prop_assert_eq!(timers.next().is_none(), model.is_empty());
                if let (Some(next), Some(first)) = (timers.next(), first) {
                    prop_assert!(next < first + millisecond, "it would oversleep");
                    prop_assert!(next > now, "it would not sleep");
                }
            }
        }
    }

    #[test]
    fn an_idle_client_is_moved_twice_a_minute_and_not_more() {
        let mut timers = Timers::default();
        let start = timers.origin;
        timers.set(start + Duration::from_mins(1), 7, ClientId(7));
        let mut looks = 0;
        let mut now = start;
        while timers.due(now).is_none() {
            now = timers.next().expect("it has not come up yet");
            looks += 1;
        }
        assert_eq!(now, start + Duration::from_mins(1));
        assert!(looks <= 3, "{looks}");
    }
}
