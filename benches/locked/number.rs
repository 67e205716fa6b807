//! A number: there is nothing to do inside, and only the lock is left.

use super::Cell;
use crate::harness::contest::Stage;
use crate::harness::race::Subject;
use crate::harness::work::Pace;
use crossbeam_utils::CachePadded;
use guardhouse::sync::Lock;
use std::hint::black_box;

/// A number behind a lock, which nobody changes or everybody does.
pub(crate) struct Number<L> {
    lock: L,
    looks: bool,
}

impl<L: Lock<Value = u64>> Subject for CachePadded<Number<L>> {
    #[inline]
    fn section(&self, _: u64, entered: impl FnOnce() + Send) {
        if self.looks {
            black_box(self.lock.shared(|number| {
                entered();
                *number
            }));
        } else {
            self.lock.exclusive(|number| {
                entered();
                *number += 1;
            });
        }
    }

    fn settle(&self, done: &[u64]) {
        let changes = if self.looks { 0 } else { done.iter().sum() };
        assert_eq!(self.lock.shared(|number| *number), changes);
    }
}

impl<L: Lock<Value = u64>> Stage for CachePadded<Number<L>> {
    type Cell = Cell;

    fn set(cell: Cell, _: Pace) -> Self {
        Self::new(Number {
            lock: L::new(0),
            looks: cell.looks == 100,
        })
    }
}

/// The same without the trait.
pub(crate) struct Bare<L>(Number<L>);

macro_rules! bare {
    ($lock:ty, $look:ident, $change:ident) => {
        impl Subject for CachePadded<Bare<$lock>> {
            #[inline]
            fn section(&self, _: u64, entered: impl FnOnce() + Send) {
                if self.0.looks {
                    let number = self.0.lock.$look();
                    entered();
                    black_box(*number);
                } else {
                    let mut number = self.0.lock.$change();
                    entered();
                    *number += 1;
                }
            }

            fn settle(&self, done: &[u64]) {
                let changes = if self.0.looks { 0 } else { done.iter().sum() };
                assert_eq!(*self.0.lock.$look(), changes);
            }
        }

        impl Stage for CachePadded<Bare<$lock>> {
            type Cell = Cell;

            fn set(cell: Cell, _: Pace) -> Self {
                Self::new(Bare(Number {
                    lock: <$lock>::new(0),
                    looks: cell.looks == 100,
                }))
            }
        }
    };
}

bare!(parking_lot::Mutex<u64>, lock, lock);
bare!(parking_lot::RwLock<u64>, read, write);
