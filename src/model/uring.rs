//! [`Uring`]: loops on `io_uring(7)`.

#[cfg(all(
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64",
        target_arch = "loongarch64",
        target_arch = "powerpc64"
    )
))]
mod proactor;
#[cfg(not(all(
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64",
        target_arch = "loongarch64",
        target_arch = "powerpc64"
    )
)))]
#[path = "uring/elsewhere.rs"]
mod proactor;

use super::{Context, Deal, Model, Unsupported, loops};
use crate::net::Listener;
use std::io;
use std::num::NonZeroUsize;

/// Loops on `io_uring(7)`.
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
        proactor::check()
    }

    fn listeners(&self) -> usize {
        match self.deal {
            Deal::Acceptor => 1,
            Deal::ReusePort => self.loops.get(),
        }
    }

    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()> {
        loops::run(self.loops, self.deal, listeners, context, |entrance| {
            proactor::run(entrance, context)
        })
    }
}
