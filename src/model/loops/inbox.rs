//! The way of a client from the acceptor's thread to its loop: dealt out in turn, piled up in an inbox, taken in by the
//! loop.

use crate::mailbox::Missed;
use crate::model::Context;
use crate::model::acceptor::Newcomer;
use crate::poller::Waker;
use crate::stats::Closed;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Taken out of an inbox at one turn.
const TURN: usize = 64;

/// Clients that were accepted for a loop and are not in it yet. Each holds a descriptor and its admission, which is
/// what bounds their number.
struct Shared<'a> {
    context: Context<'a>,
    pile: Mutex<Pile>,
    waker: Waker,
}

#[derive(Default)]
struct Pile {
    newcomers: VecDeque<Newcomer>,
    /// The acceptor has ended.
    no_more: bool,
    /// The loop has ended before the acceptor.
    deserted: bool,
}

impl Pile {
    fn is_over(&self) -> bool {
        self.no_more && self.newcomers.is_empty()
    }
}

impl Shared<'_> {
    /// From the acceptor's thread.
    fn deal(&self, newcomer: Newcomer) {
        let mut pile = self.pile.lock();
        if pile.deserted {
            drop(pile);
            self.cut_off(newcomer);
            return;
        }
        let ring = pile.newcomers.is_empty();
        pile.newcomers.push_back(newcomer);
        drop(pile);
        if ring {
            self.waker.wake();
        }
    }

    fn no_more(&self) {
        self.pile.lock().no_more = true;
        self.waker.wake();
    }

    /// The loop that was to serve this client broke.
    fn cut_off(&self, newcomer: Newcomer) {
        let Newcomer {
            id,
            addr,
            stream,
            permit,
        } = newcomer;
        let why = Closed::Forced;
        self.context.stats.opened();
        tracing::info!(client = %id, %addr, %why, "closed before it was served");
        self.context.stats.closed(why, Missed::default());
        drop(permit);
        drop(stream);
    }
}

/// The loop's end of it. Its descriptor is readable while somebody may wait, or nobody comes any more.
pub(in crate::model) struct Inbox<'a>(Arc<Shared<'a>>);

impl Inbox<'_> {
    /// Takes in those who wait, or as many as are good for one turn. Never blocks, unless `admit` does.
    pub(super) fn accept(&self, mut admit: impl FnMut(Newcomer)) {
        let mut turn = {
            let mut pile = self.0.pile.lock();
            let rest = pile.newcomers.len().min(TURN);
            let rest = pile.newcomers.split_off(rest);
            if rest.is_empty() {
                self.0.waker.clear();
            }
            std::mem::replace(&mut pile.newcomers, rest)
        };
        turn.drain(..).for_each(&mut admit);
    }

    /// The acceptor has ended, and whoever it dealt out was taken in.
    pub(super) fn is_over(&self) -> bool {
        self.0.pile.lock().is_over()
    }
}

impl AsFd for Inbox<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.waker.as_fd()
    }
}

impl Drop for Inbox<'_> {
    fn drop(&mut self) {
        let left = {
            let mut pile = self.0.pile.lock();
            pile.deserted = true;
            std::mem::take(&mut pile.newcomers)
        };
        for newcomer in left {
            self.0.cut_off(newcomer);
        }
    }
}

/// The acceptor's ends of all inboxes. Nobody comes any more when it is dropped.
#[derive(Default)]
pub(super) struct Dealer<'a> {
    inboxes: Vec<Arc<Shared<'a>>>,
    next: usize,
}

impl<'a> Dealer<'a> {
    /// One inbox more.
    ///
    /// # Errors
    /// When the system has no waker for it.
    pub(super) fn open_inbox(&mut self, context: Context<'a>) -> io::Result<Inbox<'a>> {
        let shared = Arc::new(Shared {
            context,
            pile: Mutex::default(),
            waker: Waker::new()?,
        });
        self.inboxes.push(Arc::clone(&shared));
        Ok(Inbox(shared))
    }

    /// To the next inbox in turn. Cut off, if the loop that was to serve it has broken.
    ///
    /// # Panics
    /// When there is no inbox.
    pub(super) fn deal(&mut self, newcomer: Newcomer) {
        self.inboxes[self.next].deal(newcomer);
        self.next = (self.next + 1) % self.inboxes.len();
    }
}

impl Drop for Dealer<'_> {
    fn drop(&mut self) {
        for inbox in &self.inboxes {
            inbox.no_more();
        }
    }
}
