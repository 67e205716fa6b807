//! What is behind the locks of `benches/sync.rs`, and under which circumstances.

mod number;
mod registry;

pub(crate) use number::{Bare, Number};
pub(crate) use registry::Registry;

use crate::harness::contest;
use std::fmt;

/// So many threads, so many looks in a hundred sections, so many nanoseconds of work outside.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) threads: usize,
    pub(crate) looks: u64,
    pub(crate) outside: u64,
}

impl contest::Cell for Cell {
    fn threads(self) -> usize {
        self.threads
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.threads {
            1 => f.write_str("uncontended")?,
            threads => write!(f, "{threads} threads")?,
        }
        write!(f, ", {}% looks", self.looks)?;
        if self.outside > 0 {
            write!(f, ", {} ns outside", self.outside)?;
        }
        Ok(())
    }
}

/// Nothing to do outside.
pub(crate) const fn cell(threads: usize, looks: u64) -> Cell {
    Cell {
        threads,
        looks,
        outside: 0,
    }
}
