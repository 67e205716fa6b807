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

use super::acceptor::{Accepted, Acceptor, Door, Newcomer};
use super::{Context, Deal, only};
use crate::net::Listener;
use crate::poller::Waker;
use crate::shutdown::Shutdown;
use crate::stats::Closed;
use parking_lot::Mutex;
use std::collections::VecDeque;
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
            Self::Inbox(inbox) => inbox.0.pile.lock().is_over(),
        }
    }
}

impl AsFd for Entrance<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Door(acceptor) => acceptor.as_fd(),
            Self::Inbox(inbox) => inbox.0.waker.as_fd(),
        }
    }
}

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
        self.context.stats.closed(why, 0);
        drop(permit);
        drop(stream);
    }
}

/// The loop's end of it.
pub(super) struct Inbox<'a>(Arc<Shared<'a>>);

impl Inbox<'_> {
    fn accept(&self, mut admit: impl FnMut(Newcomer)) {
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

/// Begins a drain when it is dropped, also by a panic.
struct Ending<'a>(&'a Shutdown);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.drain();
    }
}

/// The acceptor's ends of all inboxes.
struct Dealer<'a> {
    inboxes: Vec<Arc<Shared<'a>>>,
    next: usize,
}

impl Dealer<'_> {
    fn deal(&mut self, newcomer: Newcomer) {
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
    let mut dealer = Dealer {
        inboxes: Vec::new(),
        next: 0,
    };
    let mut entrances = Vec::new();
    let acceptor = match deal {
        Deal::Acceptor => {
            for _ in 0..loops {
                let inbox = Arc::new(Shared {
                    context,
                    pile: Mutex::default(),
                    waker: Waker::new()?,
                });
                dealer.inboxes.push(Arc::clone(&inbox));
                entrances.push(Entrance::Inbox(Inbox(inbox)));
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
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::service::Echo;
    use crate::stats::Stats;
    use rustix::event::{PollFd, PollFlags, poll};
    use std::net::{SocketAddr, TcpStream};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    const THREE: NonZeroUsize = NonZeroUsize::new(3).unwrap();
    const CLIENTS: usize = 6;

    struct House {
        shutdown: Shutdown,
        stats: Stats,
        listener: Listener,
        clients: Vec<TcpStream>,
    }

    impl House {
        /// With clients at the door already.
        fn new() -> Self {
            let listener = Listener::bind(([127, 0, 0, 1], 0).into(), 64).unwrap();
            let addr: SocketAddr = listener.local_addr().unwrap();
            Self {
                shutdown: Shutdown::new().unwrap(),
                stats: Stats::default(),
                listener,
                clients: (0..CLIENTS)
                    .map(|_| TcpStream::connect(addr).unwrap())
                    .collect(),
            }
        }

        fn run(
            self,
            serve: impl for<'a> Fn(Entrance<'a>, Context<'a>) -> io::Result<()> + Sync,
        ) -> (io::Result<()>, Stats) {
            let outcome = {
                let context = Context {
                    service: &Echo,
                    limits: Limits::default(),
                    shutdown: &self.shutdown,
                    stats: &self.stats,
                };
                let listeners = vec![self.listener];
                run(THREE, Deal::Acceptor, listeners, context, |entrance| {
                    serve(entrance, context)
                })
            };
            drop(self.clients);
            assert!(self.shutdown.is_draining());
            (outcome, self.stats)
        }
    }

    /// Counts who comes in until nobody does any more.
    fn count(mut entrance: Entrance<'_>, mut came: impl FnMut()) {
        while !entrance.is_over() {
            let mut fds = [PollFd::new(&entrance, PollFlags::IN)];
            poll(&mut fds, None).unwrap();
            entrance.accept(|_| came()).unwrap();
        }
    }

    #[test]
    fn clients_are_dealt_out_in_turn() {
        let (came, dealt) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let (outcome, stats) = House::new().run(|entrance, context| {
            let mut own = 0;
            count(entrance, || {
                own += 1;
                if came.fetch_add(1, Ordering::SeqCst) + 1 == CLIENTS {
                    context.shutdown.drain();
                }
            });
            dealt.lock().push(own);
            Ok(())
        });
        outcome.unwrap();
        assert_eq!(*dealt.lock(), [2, 2, 2]);
        assert_eq!(stats.snapshot().accepted, CLIENTS as u64);
    }

    #[test]
    fn a_loop_that_breaks_drains_the_others_and_counts_who_waited_for_it() {
        let broken = AtomicUsize::new(0);
        let came = AtomicUsize::new(0);
        let (outcome, stats) = House::new().run(|entrance, _| {
            if broken.fetch_add(1, Ordering::SeqCst) == 0 {
                return Err(io::Error::other("planned"));
            }
            count(entrance, || {
                came.fetch_add(1, Ordering::SeqCst);
            });
            Ok(())
        });
        assert_eq!(outcome.unwrap_err().to_string(), "planned");
        let stats = stats.snapshot();
        assert_eq!(stats.forced, stats.opened);
        assert_eq!(stats.accepted, stats.opened + came.into_inner() as u64);
    }

    #[test]
    fn a_panic_in_a_loop_ends_the_server_and_does_not_hang_it() {
        let first = AtomicUsize::new(0);
        let house = House::new();
        let shutdown = house.shutdown.clone();
        let left = catch_unwind(AssertUnwindSafe(|| {
            house.run(|entrance, _| {
                if first.fetch_add(1, Ordering::SeqCst) == 0 {
                    resume_unwind(Box::new("the loop fell apart"));
                }
                count(entrance, || {});
                Ok(())
            })
        }));
        let thrown = left.expect_err("it goes on to whoever called");
        assert_eq!(thrown.downcast_ref(), Some(&"the loop fell apart"));
        assert!(shutdown.is_draining());
    }
}
