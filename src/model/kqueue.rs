//! [`Kqueue`]: one loop or several, each with many clients, kqueue(2).

use super::{Context, Deal, Model, Unsupported, loops, reactor};
use crate::net::Listener;
use crate::poller;
use std::io;
use std::num::NonZeroUsize;

/// One thread that asks kqueue(2) who is ready (muduo 5), or several of them, each with clients of its own (muduo 9).
///
/// The kernel keeps the set: a turn costs what is ready, not what is connected. One session that takes long makes all
/// clients of its loop wait, and nobody else. A message for a client of another loop wakes that loop, once for all that
/// wait there.
#[derive(Clone, Copy, Debug)]
pub struct Kqueue {
    loops: NonZeroUsize,
    deal: Deal,
}

impl Kqueue {
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

impl Default for Kqueue {
    fn default() -> Self {
        Self::new()
    }
}

impl Model for Kqueue {
    fn name(&self) -> &'static str {
        "kqueue"
    }

    fn check(&self) -> Result<(), Unsupported> {
        if self.deal == Deal::ReusePort && self.loops.get() > 1 {
            return Err(Unsupported(
                "of several sockets on one address (SO_REUSEPORT), only Linux deals the clients out: take --accept \
                 acceptor"
                    .into(),
            ));
        }
        reactor::check::<poller::Kqueue>(
            "kqueue(2) is a call of macOS, FreeBSD, DragonFly, NetBSD and OpenBSD; on Linux, take --model epoll",
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
            reactor::run::<poller::Kqueue>(entrance, context)
        })
    }
}
