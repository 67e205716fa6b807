//! The acceptor that all models share: accepts, admits, refuses with a reason, and survives the process running
//! out of descriptors.
//!
//! When accept fails with EMFILE, the connection stays in the kernel's queue and the listener stays readable: a
//! naive loop spins. The acceptor holds one descriptor in *reserve* for that moment: it closes it, accepts
//! the client into the gap, tells it why it is not served, closes it, and takes the reserve
//! back. Only when even that fails does it pause, for 5 ms doubling up to half a second.

use super::Context;
use crate::client::ClientId;
use crate::net::{Listener, socket};
use crate::poller::timespec;
use crate::stats::Refusal;
use crate::sync::{OwnedPermit, Semaphore};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A client that was admitted and is not served yet.
pub(super) struct Newcomer {
    pub(super) id: ClientId,
    pub(super) addr: SocketAddr,
    pub(super) stream: TcpStream,
    /// Goes back when the client is gone.
    pub(super) permit: Option<OwnedPermit>,
}

/// What accepting came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// Nobody waits any more, or enough were accepted for one turn: wait until the listener is readable.
    Turn,
    /// Do not look at the listener for so long.
    Pause(Duration),
}

/// What the reserve was good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reserve {
    /// One client fewer waits.
    Refused,
    /// No client waits.
    Nobody,
    /// Clients wait, and cannot even be refused.
    Useless,
}

/// Accepted at one turn at most: a crowd at the door must not starve those inside.
const TURN: usize = 64;

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What all acceptors of a server share: how many more clients are let in, and their numbers.
pub(super) struct Door<'a> {
    context: Context<'a>,
    admission: Option<Arc<Semaphore>>,
    next: AtomicU64,
}

impl<'a> Door<'a> {
    /// A door at which `acceptors` stand.
    pub(super) fn new(context: Context<'a>, acceptors: usize) -> Arc<Self> {
        context.stats.acceptors(acceptors);
        Arc::new(Self {
            context,
            admission: context
                .limits
                .max_clients
                .map(|n| Arc::new(Semaphore::new(n))),
            next: AtomicU64::new(1),
        })
    }
}

/// Accepts on a listener, which may be one that others accept on, too. It is closed with its last acceptor.
pub(super) struct Acceptor<'a> {
    listener: Arc<Listener>,
    context: Context<'a>,
    door: Arc<Door<'a>>,
    /// Which of the door's acceptors it is, from 0.
    index: usize,
    reserve: Option<File>,
    /// The next pause, while descriptors are short.
    pause: Duration,
    /// The shortage was logged.
    short: bool,
}

impl<'a> Acceptor<'a> {
    /// The only acceptor of a server.
    pub(super) fn alone(listener: Listener, context: Context<'a>) -> io::Result<Self> {
        Self::new(Arc::new(listener), Door::new(context, 1), 0)
    }

    /// The acceptor `index` at `door`.
    pub(super) fn new(
        listener: Arc<Listener>,
        door: Arc<Door<'a>>,
        index: usize,
    ) -> io::Result<Self> {
        Ok(Self {
            listener,
            context: door.context,
            door,
            index,
            reserve: Some(open_reserve()?),
            pause: FIRST_PAUSE,
            short: false,
        })
    }

    /// Accepts until shutdown, blocking in between; ends at once when draining begins. Closes the listener.
    pub(super) fn run(mut self, mut admit: impl FnMut(Newcomer)) -> io::Result<()> {
        let shutdown = self.context.shutdown;
        let mut pause = None;
        while !shutdown.is_draining() {
            let mut fds = [
                PollFd::from_borrowed_fd(shutdown.drain_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(self.listener.as_fd(), PollFlags::IN),
            ];
            // While pausing, only shutdown is waited for.
            let waited = if pause.is_some() { 1 } else { 2 };
            match poll(&mut fds[..waited], timespec(pause).as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            pause = match self.accept(&mut admit)? {
                Accepted::Turn => None,
                Accepted::Pause(pause) => Some(pause),
            };
        }
        Ok(())
    }

    /// Accepts those who wait at the door. Never blocks, unless `admit` does.
    ///
    /// # Errors
    /// Only when the listener itself is broken.
    pub(super) fn accept(&mut self, mut admit: impl FnMut(Newcomer)) -> io::Result<Accepted> {
        for _ in 0..TURN {
            if self.context.shutdown.is_draining() {
                return Ok(Accepted::Turn);
            }
            match self.listener.accept() {
                Ok((stream, addr)) => {
                    self.recovered();
                    self.admit(stream, addr, &mut admit);
                }
                Err(error) => match Trouble::of(&error) {
                    Trouble::Nobody => return Ok(Accepted::Turn),
                    Trouble::TheirsAlone => {
                        self.context.stats.aborted();
                        tracing::debug!(%error, "a connection broke before it was accepted");
                    }
                    Trouble::Shortage => match self.refuse_one_for_want_of_descriptors(error) {
                        Reserve::Refused => {}
                        Reserve::Nobody => return Ok(Accepted::Turn),
                        Reserve::Useless => return Ok(Accepted::Pause(self.next_pause())),
                    },
                    Trouble::Fatal => return Err(error),
                },
            }
        }
        Ok(Accepted::Turn)
    }

    fn admit(&mut self, stream: TcpStream, addr: SocketAddr, admit: &mut impl FnMut(Newcomer)) {
        self.context.stats.accepted(self.index);
        let permit = match &self.door.admission {
            None => None,
            Some(admission) => {
                let permit = admission.try_acquire_owned(1).ok();
                if permit.is_none() {
                    let limit = admission.permits();
                    refuse(self.context, &stream, addr, &Refusal::Full { limit });
                    return;
                }
                permit
            }
        };
        if self.context.limits.nodelay
            && let Err(error) = stream.set_nodelay(true)
        {
            tracing::debug!(%addr, %error, "TCP_NODELAY was not taken");
        }
        admit(Newcomer {
            id: ClientId(self.door.next.fetch_add(1, Ordering::Relaxed)),
            addr,
            stream,
            permit,
        });
    }

    /// Tells the first client in the queue why it is not served, by way of the reserve.
    fn refuse_one_for_want_of_descriptors(&mut self, error: io::Error) -> Reserve {
        if self.reserve.take().is_none() {
            self.reserve = open_reserve().ok();
            self.run_short(&error);
            return Reserve::Useless;
        }
        let accepted = self.listener.accept();
        let outcome = match &accepted {
            Ok((stream, addr)) => {
                self.run_short(&error);
                self.context.stats.accepted(self.index);
                refuse(self.context, stream, *addr, &Refusal::Descriptors(error));
                Reserve::Refused
            }
            Err(error) => match Trouble::of(error) {
                // Accept looks for a descriptor before it looks for a client.
                Trouble::Nobody => Reserve::Nobody,
                Trouble::TheirsAlone => {
                    self.context.stats.aborted();
                    Reserve::Refused
                }
                Trouble::Shortage | Trouble::Fatal => {
                    self.run_short(error);
                    Reserve::Useless
                }
            },
        };
        drop(accepted);
        self.reserve = open_reserve().ok();
        outcome
    }

    fn run_short(&mut self, error: &io::Error) {
        if !self.short {
            self.short = true;
            tracing::warn!(%error, "out of descriptors; clients are refused until some come back");
        }
    }

    fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    fn recovered(&mut self) {
        if self.short {
            tracing::info!("descriptors are back; clients are accepted again");
            self.short = false;
            self.pause = FIRST_PAUSE;
        }
        if self.reserve.is_none() {
            self.reserve = open_reserve().ok();
        }
    }
}

impl AsFd for Acceptor<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

fn open_reserve() -> io::Result<File> {
    File::open("/dev/null")
}

/// Counts a refusal, tells the client why, and logs it.
pub(super) fn refuse(context: Context<'_>, stream: &TcpStream, addr: SocketAddr, why: &Refusal) {
    context.stats.refused(why);
    socket::refuse(stream, &why.to_string());
    tracing::info!(%addr, %why, "refused");
}

/// Whose trouble an error of accept is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Nobody's: no client waits.
    Nobody,
    /// One client's: it is gone, the next may be well. Linux also reports pending network errors of the new
    /// connection here (accept(2), "Error handling").
    TheirsAlone,
    /// Ours for a while: descriptors or memory.
    Shortage,
    /// Ours for good.
    Fatal,
}

impl Trouble {
    fn of(error: &io::Error) -> Self {
        let Some(errno) = Errno::from_io_error(error) else {
            return Self::Fatal;
        };
        match errno {
            Errno::AGAIN => Self::Nobody,
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => Self::Shortage,
            Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::FAULT => Self::Fatal,
            _ => Self::TheirsAlone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_listener_ends_accepting() {
        let of = |errno: Errno| Trouble::of(&errno.into());
        assert_eq!(of(Errno::AGAIN), Trouble::Nobody);
        for theirs in [
            Errno::CONNABORTED,
            Errno::PROTO,
            Errno::PERM,
            Errno::NETDOWN,
        ] {
            assert_eq!(of(theirs), Trouble::TheirsAlone, "{theirs}");
        }
        for ours in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert_eq!(of(ours), Trouble::Shortage, "{ours}");
        }
        assert_eq!(of(Errno::BADF), Trouble::Fatal);
    }
}
