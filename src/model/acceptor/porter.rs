//! [`Porter`]: accepts one client at a time, admits it or refuses it with a reason, and survives the process running
//! out of descriptors.
//!
//! When accept fails with EMFILE, the connection stays in the kernel's queue and the listener stays readable: a
//! naive loop spins. The door holds one descriptor in *reserve* for that moment: the porter closes it, accepts
//! the client into the gap, tells it why it is not served, closes it, and takes the reserve
//! back. Only when even that fails does it pause, for 5 ms doubling up to half a second.
//!
//! Several porters share the reserve. The gap is for one: another that accepted at that moment would put a client of
//! its own into it, and the reserve would be gone. So it is guarded like any data that many look at and one changes:
//! who accepts holds a read lock, who makes the gap holds the write lock.
//!
//! A kernel that accepts by itself, as `io_uring(7)` does for several loops with a listener each, holds no lock: it may put
//! a client of another loop into the gap. That one is served, the reserve is gone, and is taken back at the first knock
//! that finds a descriptor; whoever comes before waits in the kernel's queue, for a pause at a time.

use super::trouble::Trouble;
use crate::client::ClientId;
use crate::model::Context;
use crate::net::{Listener, socket};
use crate::poller::timespec;
use crate::shutdown::Shutdown;
use crate::stats::Refusal;
use crate::sync::{OwnedPermit, Semaphore};
use parking_lot::RwLock;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::iter;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A client that was admitted and is not served yet.
pub(in crate::model) struct Newcomer {
    pub(in crate::model) id: ClientId,
    pub(in crate::model) addr: SocketAddr,
    /// Goes back when the client is gone: before its socket is closed.
    pub(in crate::model) permit: Option<OwnedPermit>,
    pub(in crate::model) stream: TcpStream,
}

/// What came of accepting one.
pub(super) enum Knock {
    /// One client fewer waits; this one is let in.
    Came(Newcomer),
    /// One client fewer waits; it was refused, or had gone.
    Gone,
    /// No client waits.
    Nobody,
    /// Clients wait, and cannot even be refused: try again after so long.
    Pause(Duration),
}

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What all acceptors of a server share: how many more clients are let in, their numbers, and the reserve.
pub(in crate::model) struct Door<'a> {
    context: Context<'a>,
    admission: Option<Arc<Semaphore>>,
    next: AtomicU64,
    reserve: RwLock<Reserve>,
}

/// Whose descriptor is closed to make a gap for one client.
#[derive(Default)]
struct Reserve {
    file: Option<File>,
    /// Descriptors are short, and that was logged.
    short: bool,
}

impl<'a> Door<'a> {
    /// A door at which `acceptors` stand.
    pub(in crate::model) fn new(context: Context<'a>, acceptors: usize) -> Arc<Self> {
        context.stats.acceptors(acceptors);
        Arc::new(Self {
            context,
            admission: context
                .limits
                .max_clients
                .map(|n| Arc::new(Semaphore::new(n))),
            next: AtomicU64::new(1),
            reserve: RwLock::default(),
        })
    }
}

/// Waits until somebody knocks at one of `doors`, or the drain begins; in a pause for the drain only, and no longer
/// than that. Says at which.
pub(super) fn wait<const N: usize>(
    shutdown: &Shutdown,
    doors: [BorrowedFd<'_>; N],
    pause: Option<Duration>,
) -> io::Result<[bool; N]> {
    let waited = if pause.is_some() { 0 } else { N };
    let mut fds: Vec<PollFd<'_>> = iter::once(shutdown.drain_fd())
        .chain(doors.into_iter().take(waited))
        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
        .collect();
    let mut knocked = [false; N];
    match poll(&mut fds, timespec(pause).as_ref()) {
        Ok(_) => {
            for (knocked, fd) in knocked.iter_mut().zip(&fds[1..]) {
                *knocked = !fd.revents().is_empty();
            }
            Ok(knocked)
        }
        Err(Errno::INTR) => Ok(knocked),
        Err(error) => Err(error.into()),
    }
}

/// One of those who accept at a door, on whatever listener it is told to.
pub(in crate::model) struct Porter<'a> {
    pub(super) context: Context<'a>,
    door: Arc<Door<'a>>,
    /// Which of them it is, from 0.
    pub(in crate::model) index: usize,
    /// The next pause, while descriptors are short.
    pause: Duration,
}

impl<'a> Porter<'a> {
    pub(in crate::model) fn new(door: Arc<Door<'a>>, index: usize) -> io::Result<Self> {
        {
            let mut reserve = door.reserve.write();
            if reserve.file.is_none() {
                reserve.file = Some(open_reserve()?);
            }
        }
        Ok(Self {
            context: door.context,
            door,
            index,
            pause: FIRST_PAUSE,
        })
    }

    /// Waits for a client at `doors`, and lets it in. `at` says on which listener to accept, when somebody knocked at
    /// these of the doors. `None` when the drain has begun.
    pub(in crate::model) fn next<'l, const N: usize>(
        &mut self,
        doors: [BorrowedFd<'_>; N],
        at: impl Fn([bool; N]) -> io::Result<&'l Listener>,
    ) -> io::Result<Option<Newcomer>> {
        let Context {
            shutdown, stats, ..
        } = self.context;
        let mut pause = None;
        loop {
            let knocked = wait(shutdown, doors, pause)?;
            if shutdown.is_draining() {
                return Ok(None);
            }
            pause = match self.knock(at(knocked)?)? {
                Knock::Came(newcomer) => return Ok(Some(newcomer)),
                Knock::Gone => None,
                Knock::Nobody => {
                    if knocked.contains(&true) {
                        stats.woken_in_vain();
                    }
                    None
                }
                Knock::Pause(pause) => Some(pause),
            };
        }
    }

    /// Accepts one at `listener`. Never blocks.
    ///
    /// # Errors
    /// Only when the listener itself is broken.
    pub(super) fn knock(&mut self, listener: &Listener) -> io::Result<Knock> {
        let (accepted, was_well) = {
            let reserve = self.door.reserve.read();
            (listener.accept(), reserve.is_well())
        };
        match accepted {
            Ok((stream, addr)) => Ok(self.came(stream, addr, was_well)),
            Err(error) => match Trouble::of(&error) {
                Trouble::Nobody => Ok(Knock::Nobody),
                Trouble::TheirsAlone => {
                    self.context.stats.aborted();
                    tracing::debug!(%error, "a connection broke before it was accepted");
                    Ok(Knock::Gone)
                }
                Trouble::Shortage => Ok(self.refuse_one_for_want_of_descriptors(listener, error)),
                Trouble::Fatal => Err(error),
            },
        }
    }

    /// Somebody was accepted. `was_well`: as the reserve was found before that.
    fn came(&mut self, stream: TcpStream, addr: SocketAddr, was_well: bool) -> Knock {
        self.pause = FIRST_PAUSE;
        if !was_well {
            self.door.reserve.write().recovered();
        }
        self.admit(stream, addr)
    }

    /// Lets in a client whom the kernel accepted by itself. It may have come before descriptors ran short, and does not
    /// say that they are back.
    pub(super) fn take_in(&self, stream: TcpStream) -> Option<Newcomer> {
        match stream.peer_addr() {
            Ok(addr) => match self.admit(stream, addr) {
                Knock::Came(newcomer) => Some(newcomer),
                _ => None,
            },
            Err(error) => {
                self.context.stats.aborted();
                tracing::debug!(%error, "a connection broke before it was served");
                None
            }
        }
    }

    /// Somebody else's accept failed.
    ///
    /// # Errors
    /// The error, when the listener itself is broken.
    pub(super) fn learn_of(&self, error: io::Error) -> io::Result<()> {
        match Trouble::of(&error) {
            Trouble::Fatal => return Err(error),
            Trouble::TheirsAlone => {
                self.context.stats.aborted();
                tracing::debug!(%error, "a connection broke before it was accepted");
            }
            // Until somebody is accepted here again, who waits is watched for: the kernel would fail at once, and
            // again and again, while nobody waits.
            Trouble::Shortage => self.door.reserve.write().run_short(&error),
            Trouble::Nobody => {}
        }
        Ok(())
    }

    /// Descriptors were short when somebody last accepted.
    pub(super) fn is_short(&self) -> bool {
        self.door.reserve.read().short
    }

    fn admit(&self, stream: TcpStream, addr: SocketAddr) -> Knock {
        self.context.stats.accepted(self.index);
        let permit = match &self.door.admission {
            None => None,
            Some(admission) => {
                let permit = admission.try_acquire_owned(1).ok();
                if permit.is_none() {
                    let limit = admission.permits();
                    refuse(self.context, &stream, addr, &Refusal::Full { limit });
                    return Knock::Gone;
                }
                permit
            }
        };
        if self.context.limits.nodelay
            && let Err(error) = stream.set_nodelay(true)
        {
            tracing::debug!(%addr, %error, "TCP_NODELAY was not taken");
        }
        Knock::Came(Newcomer {
            id: ClientId(self.door.next.fetch_add(1, Ordering::Relaxed)),
            addr,
            stream,
            permit,
        })
    }

    /// Tells the first client in the queue why it is not served, by way of the reserve. Nobody else accepts meanwhile.
    fn refuse_one_for_want_of_descriptors(
        &mut self,
        listener: &Listener,
        error: io::Error,
    ) -> Knock {
        let mut reserve = self.door.reserve.write();
        if reserve.file.take().is_none() {
            reserve.file = open_reserve().ok();
            reserve.run_short(&error);
            return Knock::Pause(next_pause(&mut self.pause));
        }
        let accepted = listener.accept();
        let outcome = match &accepted {
            Ok((stream, addr)) => {
                reserve.run_short(&error);
                self.context.stats.accepted(self.index);
                refuse(self.context, stream, *addr, &Refusal::Descriptors(error));
                Knock::Gone
            }
            Err(error) => match Trouble::of(error) {
                // Accept looks for a descriptor before it looks for a client.
                Trouble::Nobody => Knock::Nobody,
                Trouble::TheirsAlone => {
                    self.context.stats.aborted();
                    Knock::Gone
                }
                Trouble::Shortage | Trouble::Fatal => {
                    reserve.run_short(error);
                    Knock::Pause(next_pause(&mut self.pause))
                }
            },
        };
        drop(accepted);
        reserve.file = open_reserve().ok();
        outcome
    }
}

impl Reserve {
    fn is_well(&self) -> bool {
        self.file.is_some() && !self.short
    }

    fn run_short(&mut self, error: &io::Error) {
        if !self.short {
            self.short = true;
            tracing::warn!(%error, "out of descriptors; clients are refused until some come back");
        }
    }

    fn recovered(&mut self) {
        if self.short {
            self.short = false;
            tracing::info!("descriptors are back; clients are accepted again");
        }
        if self.file.is_none() {
            self.file = open_reserve().ok();
        }
    }
}

fn next_pause(pause: &mut Duration) -> Duration {
    let now = *pause;
    *pause = (now * 2).min(LONGEST_PAUSE);
    now
}

fn open_reserve() -> io::Result<File> {
    File::open("/dev/null")
}

/// Counts a refusal, tells the client why, and logs it.
pub(in crate::model) fn refuse(
    context: Context<'_>,
    stream: &TcpStream,
    addr: SocketAddr,
    why: &Refusal,
) {
    context.stats.refused(why);
    socket::refuse(stream, &why.to_string());
    tracing::info!(%addr, %why, "refused");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::house::House;
    use std::cell::OnceCell;
    use std::io::Write;
    use std::os::fd::AsFd;

    #[test]
    fn who_is_woken_and_finds_nobody_is_counted_and_waits_on() {
        let house = House::new();
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), 1).unwrap();
        let addr = listener.local_addr().unwrap();
        let (always_readable, mut writer) = io::pipe().unwrap();
        writer.write_all(b"!").unwrap();

        let mut porter = Porter::new(Door::new(house.context(), 2), 1).unwrap();
        let client = OnceCell::new();
        let came = porter.next([always_readable.as_fd()], |[knocked]| {
            assert!(knocked);
            if house.stats.snapshot().woken_in_vain == 2 {
                client.get_or_init(|| TcpStream::connect(addr).unwrap());
            }
            Ok(&listener)
        });
        let came = came.unwrap().unwrap();
        assert_eq!(came.addr, client.get().unwrap().local_addr().unwrap());
        let stats = house.stats.snapshot();
        assert_eq!((stats.woken_in_vain, stats.accepted_by), (2, vec![0, 1]));
    }
}
