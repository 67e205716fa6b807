//! [`Epoll`]: loops on epoll(7).

use super::{Context, Deal, Model, only, reactor};
use crate::net::Listener;
use crate::poller;
use std::io;
use std::num::NonZeroUsize;

/// Loops on epoll(7).
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

    fn listeners(&self) -> usize {
        match self.deal {
            Deal::Acceptor => 1,
            Deal::ReusePort => self.loops.get(),
        }
    }

    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()> {
        reactor::run::<poller::Epoll>(only(listeners), context)
    }
}
