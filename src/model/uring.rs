//! [`Uring`]: loops on io_uring(7).

use super::{Context, Deal, Model, Unsupported};
use crate::net::Listener;
use std::io;
use std::num::NonZeroUsize;

/// Loops on io_uring(7).
#[derive(Clone, Copy, Debug)]
pub struct Uring {
    loops: NonZeroUsize,
    deal: Deal,
}

impl Uring {
    /// One loop.
    pub fn new() -> Self {
        Self {
            loops: NonZeroUsize::MIN,
            deal: Deal::default(),
        }
    }

    /// Sets the number of loops, each a thread with clients of its own.
    #[must_use]
    pub fn loops(mut self, loops: NonZeroUsize) -> Self {
        self.loops = loops;
        self
    }

    /// Sets how clients get to the loops, when there are several.
    #[must_use]
    pub fn deal(mut self, deal: Deal) -> Self {
        self.deal = deal;
        self
    }
}

impl Default for Uring {
    fn default() -> Self {
        Self::new()
    }
}

impl Model for Uring {
    fn name(&self) -> &'static str {
        "uring"
    }

    fn check(&self) -> Result<(), Unsupported> {
        Err(Unsupported("it is not built yet".into()))
    }

    fn listeners(&self) -> usize {
        match self.deal {
            Deal::Acceptor => 1,
            Deal::ReusePort => self.loops.get(),
        }
    }

    fn run(&self, _: Vec<Listener>, _: Context<'_>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
