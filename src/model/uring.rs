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

/// One thread that tells the kernel what to do and is told what was done, or several of them, each with clients of its
/// own (POSA2, proactor; elsewhere "overlapped I/O"; the other loops are reactors: they are told what could be done).
///
/// ```text
///   the loop: sends of this turn, new receives --> io_uring_enter(2) --> kernel
///      ^                                                                   |
///      +----------- bytes that came, clients that were accepted -----------+
/// ```
///
/// A message costs no system call of its own: a turn costs one, or two, however many messages are in it. It does cost a copy, from
/// the answer to what goes out together. A client has no buffer while it is silent: those who talk take from one set, of
/// 504 times 4 KiB for each loop. One session that takes long makes all clients of its loop wait, and nobody else.
///
/// To be picked where many short messages arrive at a time, and calls are what costs. It takes Linux 6.1, and leave to use
/// `io_uring`, which many containers do not give; [`check`](Model::check) says what is missing. Where few messages
/// share a turn, or they are long, [`Epoll`](super::Epoll) does as well.
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
