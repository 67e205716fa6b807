//! [`Herald`]: sees to it that what was appended to a log is heard of, by one walk for as many lines as possible.
//!
//! ```text
//!            said: to be walked           walk                said
//!    Quiet ----------------------> Called ----> Walking ---------------> Again
//!      ^                             ^            | ^                      |
//!      +-- nobody said anything -----|------------+ +------ once more -----+
//!      |                             |                                     | too often
//!      +-- nobody said anything -- Handed <--------------------------------+
//!                                    |  said: to be walked by who said it
//!                                    +----------------------------------------> Called
//! ```
//!
//! This is flat combining (Hendler, Incze, Shavit, Tzafrir 2010) of what follows an append: the first to say something walks
//! for everyone who says something meanwhile, and they go back to their clients. One who has walked too often in a row
//! hands on to whoever speaks next: nobody is kept from its own client by a crowd that does not end.

use crate::primitives::{AtomicU8, Ordering};

const QUIET: u8 = 0;
const CALLED: u8 = 1;
const WALKING: u8 = 2;
const AGAIN: u8 = 3;
const HANDED: u8 = 4;

/// Walks of one walker in a row. (A model that tries every order of steps has time for few.)
const IN_A_ROW: usize = if cfg!(model_check = "loom") { 1 } else { 4 };

pub(crate) struct Herald {
    state: AtomicU8,
}

impl Herald {
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU8::new(QUIET),
        }
    }

    /// Something was appended. `true` when it is on the caller to see that there is a [`walk`](Self::walk).
    pub(crate) fn said(&self) -> bool {
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            let (next, mine) = match state {
                QUIET | HANDED => (CALLED, true),
                WALKING => (AGAIN, false),
                _ => (state, false),
            };
            // Also where nothing changes: whoever walks next is to see what was appended.
            match self
                .state
                .compare_exchange(state, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return mine,
                Err(now) => state = now,
            }
        }
    }

    /// Has `pass` go to everybody who listens, until nothing was said meanwhile. A pass is to begin with a look at who
    /// listens and at what there is to hear.
    pub(crate) fn walk(&self, mut pass: impl FnMut()) {
        let _ended = Ended(self);
        for _ in 0..IN_A_ROW {
            self.state.swap(WALKING, Ordering::AcqRel);
            pass();
            if self.ends(WALKING) {
                return;
            }
        }
        // What was said until here is heard in this pass; who says more from here on walks.
        self.state.swap(HANDED, Ordering::AcqRel);
        pass();
        self.ends(HANDED);
    }

    fn ends(&self, state: u8) -> bool {
        self.state
            .compare_exchange(state, QUIET, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// Of a walk that a panic ends. Others' outlets are others' code, and nobody is to wait for ever for who does not come back.
struct Ended<'h>(&'h Herald);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state.store(HANDED, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_first_walks_for_all_who_speak_before_it_does() {
        let herald = Herald::new();
        assert!(herald.said());
        assert!(!herald.said());
        let passes = Cell::new(0);
        herald.walk(|| passes.set(passes.get() + 1));
        assert_eq!(passes.get(), 1);
        assert!(herald.said(), "it is quiet again");
    }

    #[test]
    fn what_is_said_during_a_pass_is_heard_in_the_next() {
        let herald = Herald::new();
        assert!(herald.said());
        let passes = Cell::new(0);
        herald.walk(|| {
            passes.set(passes.get() + 1);
            if passes.get() == 1 {
                assert!(!herald.said());
                assert!(!herald.said());
            }
        });
        assert_eq!(passes.get(), 2);
    }

    #[test]
    fn who_has_walked_too_often_hands_on_to_the_next_who_speaks() {
        let herald = Herald::new();
        assert!(herald.said());
        let (passes, handed) = (Cell::new(0), Cell::new(false));
        herald.walk(|| {
            passes.set(passes.get() + 1);
            handed.set(herald.said());
        });
        assert_eq!(passes.get(), IN_A_ROW + 1);
        assert!(handed.get(), "the last who spoke is to walk");
        assert!(!herald.said(), "and walks for this one, too");
        herald.walk(|| ());
        assert!(herald.said(), "and then it is quiet");
    }

    #[test]
    fn a_walk_that_a_panic_ends_is_not_waited_for() {
        let herald = Herald::new();
        assert!(herald.said());
        let walked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            herald.walk(|| std::panic::resume_unwind(Box::new("an outlet broke")));
        }));
        assert!(walked.is_err());
        assert!(herald.said(), "the next who speaks is to walk");
        herald.walk(|| ());
        assert!(herald.said(), "and it is quiet again");
    }
}
