//! The warden: the one helper thread of a blocking model. The others each block on one client; the warden
//! looks after what none of them can.
//!
//! * **Stalled clients.** A poster whose bytes did not fit into a client's socket leaves the rest in the
//!   mailbox. The client's own thread may be blocked in `recv`, so the warden waits until the
//!   socket is writable and sends on.
//! * **The drain.** Threads in `recv` cannot watch a switch, but the end of reading wakes them:
//!
//! ```text
//!   serving --shutdown.drain--> draining --deadline or shutdown.force--> forced
//!      |                           |                                       |
//!      |  per client:  shutdown(SHUT_RD) wakes who waits        shutdown(SHUT_RDWR)
//!      |               in recv; who is at work reads on until
//!      |               nothing more comes
//!      +--------------- all ends when the acceptor has stopped and every seat is empty
//! ```

use super::Context;
use super::acceptor::Newcomer;
use crate::client::ClientId;
use crate::limits::Limits;
use crate::mailbox::{Flushed, Mailbox, Outlet, Stay, Work};
use crate::net::socket::{self, Wait};
use crate::poller::{Waker, timespec};
use crate::sync::OwnedPermit;
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A failing poll is not to become a busy loop.
const AFTER_A_FAILURE: Duration = Duration::from_millis(50);

/// How often a drain looks for threads that went to sleep without having seen it.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What the client of a seat is doing, for the warden's count of idle and busy ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Doing {
    /// Accepted; no thread serves it yet.
    Waiting,
    /// Its thread waits for input.
    Listening,
    /// Its thread works on input.
    Working,
}

/// One client of a blocking model, shared by its thread, the warden, and whoever posts to it.
pub(super) struct Seat {
    pub(super) id: ClientId,
    pub(super) addr: SocketAddr,
    pub(super) stream: Arc<TcpStream>,
    pub(super) mailbox: Arc<Mailbox>,
    doing: AtomicU8,
    was_idle: AtomicBool,
}

impl Seat {
    /// Stored without waiting for it to be seen: it happens twice per message. The warden looks again.
    pub(super) fn now(&self, doing: Doing) {
        self.doing.store(doing as u8, Ordering::Relaxed);
    }

    fn is(&self, doing: Doing) -> bool {
        self.doing.load(Ordering::Relaxed) == doing as u8
    }

    /// The drain found this client idle and ended it: nothing of it can be unanswered.
    pub(super) fn was_idle(&self) -> bool {
        self.was_idle.load(Ordering::SeqCst)
    }

    /// Whether its thread waits in `recv` for what may never come. A thread at work sees the shutdown's switch
    /// before it waits again, and one that has something to read does not wait. To end the reading of
    /// those would be wrong: it keeps the window shut, and what the client sent and its kernel still holds
    /// would never come.
    fn is_asleep(&self) -> bool {
        socket::unread(&self.stream) == 0 && !self.is(Doing::Working)
    }

    /// Wakes the client's thread if it waits for input. Says whether the client was idle.
    fn drain(&self) -> bool {
        // In this order: when nothing is unread and *then* still nobody serves it, nothing was ever read,
        // so nothing that the client sent can be lost by hanging up. (A read before the first look would
        // be ordered by the socket's lock in the kernel.)
        let asleep = self.is_asleep();
        let idle = asleep && socket::is_quiet(&self.stream) && self.mailbox.is_idle();
        self.was_idle.store(idle, Ordering::SeqCst);
        if idle && self.is(Doing::Waiting) {
            socket::hang_up(&self.stream);
        } else if asleep {
            socket::end_reading(&self.stream);
        }
        idle
    }
}

/// A client's place at the table; dropping it gives the place and the admission permit back.
pub(super) struct Place {
    /// Declared first, dropped first: whoever sees this client's connection close may come in its stead. (One that
    /// is read on for its last words' sake keeps its place for that second.)
    _permit: Option<OwnedPermit>,
    /// The same, for the room in a pool.
    pub(super) room: Option<OwnedPermit>,
    pub(super) seat: Arc<Seat>,
    warden: Arc<Warden>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.warden.leave(self.seat.id);
    }
}

pub(super) struct Warden {
    table: Mutex<Table>,
    waker: Waker,
}

#[derive(Default)]
struct Table {
    seats: HashMap<ClientId, Arc<Seat>>,
    stalled: Vec<Stalled>,
    phase: Phase,
    closed_to_newcomers: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
enum Phase {
    #[default]
    Serving,
    Draining,
    Forced,
}

/// A client whose socket was full when somebody posted.
#[derive(Clone)]
struct Stalled {
    stream: Arc<TcpStream>,
    mailbox: Arc<Mailbox>,
}

impl Warden {
    pub(super) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            table: Mutex::default(),
            waker: Waker::new()?,
        }))
    }

    /// Gives a newcomer a seat. During a drain it gets the same treatment as the others.
    pub(super) fn seat(self: &Arc<Self>, newcomer: Newcomer, limits: Limits) -> Place {
        let stream = Arc::new(newcomer.stream);
        let outlet = Direct {
            stream: Arc::clone(&stream),
            warden: Arc::clone(self),
        };
        let seat = Arc::new(Seat {
            id: newcomer.id,
            addr: newcomer.addr,
            stream,
            mailbox: Arc::new(Mailbox::within(limits, Box::new(outlet))),
            doing: AtomicU8::new(Doing::Waiting as u8),
            was_idle: AtomicBool::new(false),
        });
        let phase = {
            let mut table = self.table.lock();
            table.seats.insert(seat.id, Arc::clone(&seat));
            table.phase
        };
        match phase {
            Phase::Serving => {}
            Phase::Draining => {
                seat.drain();
            }
            Phase::Forced => socket::hang_up(&seat.stream),
        }
        Place {
            _permit: newcomer.permit,
            room: None,
            seat,
            warden: Arc::clone(self),
        }
    }

    fn leave(&self, id: ClientId) {
        let (seat, ring) = {
            let mut table = self.table.lock();
            let seat = table.seats.remove(&id);
            (seat, table.is_over())
        };
        drop(seat);
        if ring {
            self.waker.wake();
        }
    }

    /// The acceptor has stopped: the warden ends when the last client does.
    pub(super) fn close_to_newcomers(&self) {
        self.table.lock().closed_to_newcomers = true;
        self.waker.wake();
    }

    fn watch(&self, stalled: Stalled) {
        let mut table = self.table.lock();
        // Nobody would look any more; and a mailbox kept here keeps its warden.
        if !table.is_over() {
            table.stalled.push(stalled);
            drop(table);
            self.waker.wake();
        }
    }

    /// The warden's thread: until the acceptor has stopped and every client is gone.
    pub(super) fn run(&self, context: Context<'_>) {
        let shutdown = context.shutdown;
        let mut watched: Vec<Stalled> = Vec::new();
        let mut phase = Phase::Serving;
        let mut deadline = None;
        let mut idle = HashSet::new();
        loop {
            let mut fds = vec![PollFd::new(&self.waker, PollFlags::IN)];
            match phase {
                Phase::Serving => {
                    fds.push(PollFd::from_borrowed_fd(shutdown.drain_fd(), PollFlags::IN));
                }
                Phase::Draining => {
                    fds.push(PollFd::from_borrowed_fd(shutdown.force_fd(), PollFlags::IN));
                }
                Phase::Forced => {}
            }
            let first_stalled = fds.len();
            fds.extend(
                watched
                    .iter()
                    .map(|s| PollFd::from_borrowed_fd(s.stream.as_fd(), PollFlags::OUT)),
            );
            let timeout = deadline.map(|deadline: Instant| {
                deadline
                    .saturating_duration_since(Instant::now())
                    .min(LOOK_AGAIN)
            });
            match poll(&mut fds, timespec(timeout).as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "the warden's poll failed");
                    std::thread::park_timeout(AFTER_A_FAILURE);
                }
            }
            let ready: Vec<bool> = fds[first_stalled..]
                .iter()
                .map(|fd| !fd.revents().is_empty())
                .collect();
            let rung = !fds[0].revents().is_empty();
            drop(fds);

            let mut ready = ready.into_iter();
            watched.retain(|stalled| !ready.next().unwrap_or(false) || stalled.flush());

            if rung {
                self.waker.clear();
            }
            if phase == Phase::Serving && shutdown.is_draining() {
                phase = Phase::Draining;
                deadline = Some(Instant::now() + context.limits.drain);
                idle = self.begin_drain(context);
            }
            if phase == Phase::Draining {
                self.wake_sleepers();
            }
            let overdue = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if phase == Phase::Draining && (shutdown.is_forced() || overdue) {
                phase = Phase::Forced;
                deadline = None;
                self.force(&idle, context);
            }

            let mut table = self.table.lock();
            watched.append(&mut table.stalled);
            if table.is_over() {
                break;
            }
        }
    }

    /// Says who was idle.
    fn begin_drain(&self, context: Context<'_>) -> HashSet<ClientId> {
        let seats = self.enter(Phase::Draining);
        let idle: HashSet<ClientId> = seats
            .iter()
            .filter(|seat| seat.drain())
            .map(|seat| seat.id)
            .collect();
        let busy = seats.len() - idle.len();
        let patience = context.limits.drain;
        context
            .stats
            .drain_began(idle.len() as u64, busy as u64, patience);
        idle
    }

    /// A thread that was at work when the drain began may have gone to sleep without having seen the switch.
    fn wake_sleepers(&self) {
        let seats: Vec<Arc<Seat>> = self.table.lock().seats.values().cloned().collect();
        for seat in seats {
            if seat.is(Doing::Listening) && seat.is_asleep() {
                socket::end_reading(&seat.stream);
            }
        }
    }

    /// Idle ones may be on their way out still; those are not counted again.
    fn force(&self, idle: &HashSet<ClientId>, context: Context<'_>) {
        let seats = self.enter(Phase::Forced);
        let mut forced = 0;
        for seat in &seats {
            socket::hang_up(&seat.stream);
            forced += u64::from(!idle.contains(&seat.id));
        }
        context.stats.drain_forced(forced);
    }

    /// Newcomers from now on see the new phase; those before are in the answer.
    fn enter(&self, phase: Phase) -> Vec<Arc<Seat>> {
        let mut table = self.table.lock();
        table.phase = phase;
        table.seats.values().cloned().collect()
    }

    /// Whether clients are being cut off.
    pub(super) fn is_forced(&self) -> bool {
        self.table.lock().phase == Phase::Forced
    }
}

impl Table {
    fn is_over(&self) -> bool {
        self.closed_to_newcomers && self.seats.is_empty()
    }
}

impl Stalled {
    /// Sends on; `true` while the socket is full again.
    fn flush(&self) -> bool {
        let send = |slices: &[IoSlice<'_>]| socket::send(self.stream.as_fd(), slices, Wait::Never);
        let Some(flushed) = self.mailbox.flush_if_blocked(Stay::AWhile, send) else {
            return false;
        };
        match flushed {
            Ok(Flushed::Blocked) => true,
            Ok(Flushed::Empty | Flushed::Elsewhere) => false,
            Ok(Flushed::CutOff) if !self.mailbox.overflowed() => false,
            Ok(Flushed::CutOff) | Err(_) => {
                socket::hang_up(&self.stream);
                false
            }
        }
    }
}

/// The outlet of the blocking models: the poster writes straight to the socket, without blocking.
struct Direct {
    stream: Arc<TcpStream>,
    warden: Arc<Warden>,
}

impl Outlet for Direct {
    fn ring(&self, mailbox: &Arc<Mailbox>) {
        self.send(mailbox, Wait::Never);
    }

    fn send_out(&self, mailbox: &Arc<Mailbox>) {
        self.send(mailbox, Wait::Block);
    }

    fn in_a_moment(&self, work: Arc<dyn Work>, urgent: bool) {
        if !urgent {
            thread::yield_now();
        }
        work.run();
    }
}

impl Direct {
    fn send(&self, mailbox: &Arc<Mailbox>, wait: Wait) {
        match mailbox.flush(|slices| socket::send(self.stream.as_fd(), slices, wait)) {
            Ok(Flushed::Empty | Flushed::Elsewhere) => {}
            Ok(Flushed::Blocked) => self.warden.watch(Stalled {
                stream: Arc::clone(&self.stream),
                mailbox: Arc::clone(mailbox),
            }),
            // Its own thread has closed it, and may be reading on for the last words' sake.
            Ok(Flushed::CutOff) if !mailbox.overflowed() => {}
            // The client's own thread finds out, clears up and counts.
            Ok(Flushed::CutOff) | Err(_) => socket::hang_up(&self.stream),
        }
    }
}
