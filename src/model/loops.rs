//! Several loops, each a thread with clients of its own, and how clients get to them.
//!
//! ```text
//!   Deal::Acceptor                              Deal::ReusePort
//!
//!   listener --> acceptor -+-> inbox --> loop   listener --> loop
//!                          +-> inbox --> loop   listener --> loop
//!                          +-> inbox --> loop   listener --> loop
//! ```
//!
//! A loop is a function that serves whoever comes in at its [`Entrance`]. When one ends, for whatever reason, the others
//! are drained.

mod inbox;

use self::inbox::{Dealer, Inbox};
use super::acceptor::{Accepted, Acceptor, Door, Newcomer};
use super::{Context, Deal, only};
use crate::net::Listener;
use crate::shutdown::Shutdown;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, Builder};

/// Where the clients of a loop come in. Its descriptor is readable while somebody may wait there.
pub(super) enum Entrance<'a> {
    /// The loop accepts by itself, until a drain begins.
    Door(Acceptor<'a>),
    /// An acceptor deals clients to it, and may have accepted some for it when a drain begins.
    Inbox(Inbox<'a>),
}

impl<'a> Entrance<'a> {
    /// Of the only loop.
    pub(super) fn alone(listeners: Vec<Listener>, context: Context<'a>) -> io::Result<Self> {
        Acceptor::alone(only(listeners), context).map(Self::Door)
    }

    /// Lets in those who wait, or as many as are good for one turn. Never blocks, unless `admit` does.
    ///
    /// # Errors
    /// As [`Acceptor::accept`].
    pub(super) fn accept(&mut self, admit: impl FnMut(Newcomer)) -> io::Result<Accepted> {
        match self {
            Self::Door(acceptor) => acceptor.accept(admit),
            Self::Inbox(inbox) => {
                inbox.accept(admit);
                Ok(Accepted::Turn)
            }
        }
    }

    /// Nobody comes in here any more, now that a drain has begun. Who still does is drained, too.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Door(_) => true,
            Self::Inbox(inbox) => inbox.is_over(),
        }
    }
}

impl AsFd for Entrance<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Door(acceptor) => acceptor.as_fd(),
            Self::Inbox(inbox) => inbox.as_fd(),
        }
    }
}

/// Begins a drain when it is dropped, also by a panic.
struct Ending<'a>(&'a Shutdown);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.drain();
    }
}

/// Runs `serve` on so many threads, each with an entrance of its own; a single one runs on the calling thread.
/// Returns when all have ended, which they must once a drain has begun, their [entrance is over](Entrance::is_over) and
/// their clients are gone.
///
/// # Errors
/// The first that a loop ended with, or the acceptor, or the system that gave no thread. The other loops have then been
/// drained.
///
/// # Panics
/// When a loop has, after all of them have ended.
pub(super) fn run<'env>(
    loops: NonZeroUsize,
    deal: Deal,
    listeners: Vec<Listener>,
    context: Context<'env>,
    serve: impl Fn(Entrance<'env>) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let loops = loops.get();
    if loops == 1 {
        return serve(Entrance::alone(listeners, context)?);
    }
    let mut dealer = Dealer::default();
    let mut entrances = Vec::new();
    let acceptor = match deal {
        Deal::Acceptor => {
            for _ in 0..loops {
                entrances.push(Entrance::Inbox(dealer.open_inbox(context)?));
            }
            Some(Acceptor::alone(only(listeners), context)?)
        }
        Deal::ReusePort => {
            assert_eq!(listeners.len(), loops, "a listener for each loop");
            let door = Door::new(context, loops);
            for (index, listener) in listeners.into_iter().enumerate() {
                let acceptor = Acceptor::new(Arc::new(listener), Arc::clone(&door), index)?;
                entrances.push(Entrance::Door(acceptor));
            }
            None
        }
    };
    let serve = &serve;
    thread::scope(move |scope| {
        // Dropped in the opposite order, also when there is no thread to be had: the drain begins before the inboxes
        // are closed.
        let mut dealer = dealer;
        let ending = Ending(context.shutdown);
        let mut threads = Vec::new();
        for (index, entrance) in entrances.into_iter().enumerate() {
            let name = format!("gh-loop-{index}");
            let thread = Builder::new().name(name).spawn_scoped(scope, move || {
                let _ending = Ending(context.shutdown);
                serve(entrance)
            });
            threads.push(thread?);
        }
        let mut outcome = Ok(());
        if let Some(acceptor) = acceptor {
            outcome = acceptor.run(|newcomer| dealer.deal(newcomer));
            drop(ending);
            drop(dealer);
        }
        let mut panic = None;
        for thread in threads {
            match thread.join() {
                Ok(ended) => outcome = outcome.and(ended),
                Err(thrown) => panic = Some(thrown),
            }
        }
        match panic {
            Some(thrown) => resume_unwind(thrown),
            None => outcome,
        }
    })
}

#[cfg(test)]
mod tests;
