//! Threads and call sites as small numbers, so that "who is inside, and from where" fits one atomic word.
//!
//! ```text
//!   63            32 31             0
//!   [ thread         | place        ]
//! ```
//!
//! A thread gets its number when it first enters a watched lock, and its line in the table goes when it ends. Names
//! are looked up only when somebody asks.

use crate::sync::Holder;
use parking_lot::Mutex;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, Thread};

/// The word of no thread.
pub(super) const NOBODY: u64 = 0;

/// The call sites that have a number.
const PLACES: usize = 2048;
/// How many places may want the same number before one of them goes without.
const PROBES: usize = 32;

/// A thread that has no number yet.
const NEW: u32 = 0;
/// A thread of which it is not known who it is: it is ending, or came after four billion others.
const UNKNOWN: u32 = 1;
const FIRST: u32 = 2;

static NEXT: AtomicU32 = AtomicU32::new(FIRST);
static THREADS: Mutex<BTreeMap<u32, Thread>> = Mutex::new(BTreeMap::new());
static PLACE: [OnceLock<&'static Location<'static>>; PLACES] = [const { OnceLock::new() }; PLACES];

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(NEW) };
    static LISTED: Listed = Listed::new();
}

/// This thread's line in the table.
struct Listed(u32);

impl Listed {
    fn new() -> Self {
        let next = |n: u32| n.checked_add(1);
        let number = NEXT
            .try_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .unwrap_or(UNKNOWN);
        if number != UNKNOWN {
            THREADS.lock().insert(number, thread::current());
        }
        Self(number)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        NUMBER.set(UNKNOWN);
        let gone = THREADS.lock().remove(&self.0);
        drop(gone);
    }
}

/// A thread, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who {
    thread: u32,
    place: u32,
}

impl Who {
    /// The calling thread, at `at`.
    #[inline]
    pub(super) fn calls(at: &'static Location<'static>) -> Self {
        let thread = match NUMBER.get() {
            NEW => number(),
            number => number,
        };
        Self {
            thread,
            place: place(at),
        }
    }

    /// A number that neighbours in time do not share.
    #[inline]
    pub(super) fn thread(self) -> usize {
        self.thread as usize
    }

    /// As a word, never [`NOBODY`].
    #[inline]
    pub(super) fn word(self) -> u64 {
        u64::from(self.thread) << 32 | u64::from(self.place)
    }
}

/// Who a word stands for, if that is known.
pub(super) fn holder(word: u64) -> Option<Holder> {
    let (number, place) = ((word >> 32) as u32, word as u32);
    let at = *PLACE.get(place.checked_sub(1)? as usize)?.get()?;
    let thread = THREADS.lock().get(&number)?.clone();
    let thread = match thread.name() {
        Some(name) => name.into(),
        None => format!("{:?}", thread.id()),
    };
    Some(Holder { thread, at })
}

#[cold]
fn number() -> u32 {
    let number = LISTED.try_with(|listed| listed.0).unwrap_or(UNKNOWN);
    NUMBER.set(number);
    number
}

/// The number of a place, from 1 on; 0 when too many others want the same.
#[inline]
fn place(at: &'static Location<'static>) -> u32 {
    // Fibonacci hashing: the high bits of the product depend on all bits of the address.
    let hash = (ptr::from_ref(at) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    for probe in 0..PROBES {
        let index = (hash as usize + probe) % PLACES;
        if ptr::eq(*PLACE[index].get_or_init(|| at), at) {
            return index as u32 + 1;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_tells_thread_and_place_until_the_thread_ends() {
        let here = Location::caller();
        let named = thread::Builder::new().name("ann".into());
        let thread = named.spawn(move || {
            let word = Who::calls(here).word();
            let holder = holder(word).unwrap();
            assert_eq!((&*holder.thread, holder.at), ("ann", here));
            word
        });
        let word = thread.unwrap().join().unwrap();
        assert_eq!(holder(word), None, "it has ended");
    }

    #[test]
    fn a_thread_without_a_name_is_told_by_its_id() {
        let thread = thread::spawn(|| {
            let holder = holder(Who::calls(Location::caller()).word()).unwrap();
            assert_eq!(holder.thread, format!("{:?}", thread::current().id()));
        });
        thread.join().unwrap();
    }
}
