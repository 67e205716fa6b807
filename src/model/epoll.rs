//! [`Epoll`]: one loop or several, each with many clients, epoll(7).

use super::{Context, Deal, Model, Unsupported, loops, reactor};
use crate::net::Listener;
use crate::poller;
use std::io;
use std::num::NonZeroUsize;

/// One thread that asks epoll(7) who is ready (muduo 5), or several of them, each with clients of its own (muduo 9).
///
/// The kernel keeps the set: a turn costs what is ready, not what is connected. One session that takes long makes all
/// clients of its loop wait, and nobody else. A message for a client of another loop wakes that loop, once for all that
/// wait there.
#[derive(Clone, Copy, Debug)]
pub struct Epoll {
    loops: NonZeroUsize,
    deal: Deal,
}

impl Epoll {
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

impl Default for Epoll {
    fn default() -> Self {
        Self::new()
    }
}

impl Model for Epoll {
    fn name(&self) -> &'static str {
        "epoll"
    }

    fn check(&self) -> Result<(), Unsupported> {
        reactor::check::<poller::Epoll>(
            "epoll(7) is a call of Linux; on macOS and the BSDs, take --model kqueue",
        )
    }

    fn listeners(&self) -> usize {
        match self.deal {
            Deal::Acceptor => 1,
            Deal::ReusePort => self.loops.get(),
        }
    }

    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()> {
        loops::run(self.loops, self.deal, listeners, context, |entrance| {
            reactor::run::<poller::Epoll>(entrance, context)
        })
    }
}
