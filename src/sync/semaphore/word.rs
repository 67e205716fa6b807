//! The one word that every fast path is about.

use crate::primitives::{AtomicIsize, Ordering, const_fn};

/// Nobody gets in any more.
pub(super) const CLOSED: isize = 1;
/// Newcomers get in line, whatever is free.
pub(super) const IN_LINE: isize = 2;
/// Whoever gives permits back has to look into the line.
pub(super) const CALL: isize = 4;
const SHIFT: u32 = 3;

/// The most permits that fit beside the marks, and leave room for as large a debt.
pub(super) const MOST: usize = (isize::MAX >> SHIFT) as usize;

/// ```text
///   63                                        3      2       1        0
///  +-------------------------------------------+------+---------+--------+
///  | permits that are free; a debt is negative | CALL | IN_LINE | CLOSED |
///  +-------------------------------------------+------+---------+--------+
/// ```
/// What is free and whether somebody waits stand in one word, so that no step can go between looking at the one
/// and acting on the other.
#[derive(Debug)]
pub(super) struct Word(AtomicIsize);

/// A word as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen(isize);

impl Seen {
    pub(super) const fn of(permits: usize) -> Self {
        Self((permits as isize) << SHIFT)
    }

    /// Below zero when permits are owed.
    pub(super) const fn free(self) -> isize {
        self.0 >> SHIFT
    }

    pub(super) const fn has(self, marks: isize) -> bool {
        self.0 & marks != 0
    }

    pub(super) const fn with(self, marks: isize) -> Self {
        Self(self.0 | marks)
    }

    pub(super) const fn without(self, marks: isize) -> Self {
        Self(self.0 & !marks)
    }

    /// The marks are below the permits, so they do not matter to this comparison.
    #[inline]
    pub(super) const fn covers(self, n: usize) -> bool {
        n <= MOST && self.0 >= Self::of(n).0
    }

    #[inline]
    pub(super) const fn minus(self, n: usize) -> Self {
        Self(self.0 - Self::of(n).0)
    }
}

impl Word {
    const_fn! {
        pub(super) const fn new(permits: usize) -> Self {
            Self(AtomicIsize::new(Seen::of(permits).0))
        }
    }

    pub(super) fn look(&self) -> Seen {
        Seen(self.0.load(Ordering::Acquire))
    }

    /// One step from what was seen to what is wanted; or what is there instead.
    ///
    /// Acquire: what the last holders did in their sections is seen by the next.
    #[inline]
    pub(super) fn step(&self, from: Seen, to: Seen) -> Result<(), Seen> {
        self.0
            .compare_exchange(from.0, to.0, Ordering::Acquire, Ordering::Relaxed)
            .map(|_| ())
            .map_err(Seen)
    }

    /// Adds `n` permits, and shows what was there before.
    ///
    /// Release: what this holder did in its section is seen by the next.
    #[inline]
    pub(super) fn give(&self, n: usize) -> Seen {
        Seen(self.0.fetch_add(Seen::of(n).0, Ordering::Release))
    }

    /// Takes away `n` permits, whether they are there or not.
    pub(super) fn owe(&self, n: usize) {
        self.0.fetch_sub(Seen::of(n).0, Ordering::Relaxed);
    }
}
