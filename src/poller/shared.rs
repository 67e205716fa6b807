//! epoll(7) for several threads: one waits, any of them may change what is watched.
//!
//! Clients are watched by their *edges*: an event tells that something has come since the last event, once, and
//! nothing needs to be told to the kernel before the next. Whoever gets it must read on until there is no more, or
//! remember that there may be. Parking a client again is then no system call at all; with `EPOLLONESHOT`, the other
//! way of keeping two threads off one client, it is one per message. [`modify`](SharedEpoll::modify) looks anew: what
//! is there already is told again.

use super::{Interest, Token, timespec};
use rustix::event::epoll::{self, EventFlags};
use rustix::io::Errno;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

/// A set that several threads share.
pub(crate) struct SharedEpoll {
    epoll: OwnedFd,
}

/// How often to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// At every wait, for as long as the cause is there.
    Level,
    /// Once, when something has come.
    Edge,
}

/// A descriptor is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) token: Token,
    /// Bytes, the end, or an error.
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// More than bytes: the end, an error, urgent data. A read that takes less than it could does not mean then that
    /// nothing is left.
    pub(crate) singular: bool,
}

/// What one wait brought.
#[derive(Default)]
pub(crate) struct Signals(Vec<Signal>);

/// Signals taken from the kernel at one call; the rest comes with the next. Those who were told of are served by whoever is free:
/// no processor's cache is to hold them meanwhile.
const BATCH: usize = 512;

const SINGULAR: EventFlags = EventFlags::RDHUP
    .union(EventFlags::HUP)
    .union(EventFlags::ERR)
    .union(EventFlags::PRI);

fn flags(interest: Interest, trigger: Trigger) -> EventFlags {
    let mut flags = EventFlags::empty();
    if interest.read {
        flags |= EventFlags::IN | EventFlags::RDHUP | EventFlags::PRI;
    }
    flags.set(EventFlags::OUT, interest.write);
    flags.set(EventFlags::ET, trigger == Trigger::Edge);
    flags
}

impl SharedEpoll {
    /// An empty set.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
        })
    }

    /// Watches `fd` under the name `token`.
    pub(crate) fn add(
        &self,
        fd: BorrowedFd<'_>,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token.0 as u64);
        Ok(epoll::add(&self.epoll, fd, data, flags(interest, trigger))?)
    }

    /// Changes what is wanted of a watched `fd`. What of that is there already is told, even if it was told before.
    pub(crate) fn modify(
        &self,
        fd: BorrowedFd<'_>,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token.0 as u64);
        Ok(epoll::modify(
            &self.epoll,
            fd,
            data,
            flags(interest, trigger),
        )?)
    }

    /// Watches `fd` no more. An event that was taken before may still be under way.
    pub(crate) fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    /// Blocks until something is ready or `timeout` is over (`None`: for ever). A signal to the process returns early
    /// with nothing.
    pub(crate) fn wait(&self, signals: &mut Signals, timeout: Option<Duration>) -> io::Result<()> {
        signals.0.clear();
        let timeout = timespec(timeout);
        // On the stack: the kernel's form of an event may hold a pointer, and cannot go from thread to thread.
        let mut room = [MaybeUninit::uninit(); BATCH];
        match epoll::wait(&self.epoll, &mut room, timeout.as_ref()) {
            Ok((ready, _)) => {
                signals.0.extend(ready.iter().map(|event| {
                    let flags = event.flags;
                    let singular = flags.intersects(SINGULAR);
                    Signal {
                        token: Token(event.data.u64() as usize),
                        readable: singular || flags.contains(EventFlags::IN),
                        writable: flags.contains(EventFlags::OUT),
                        singular,
                    }
                }));
                Ok(())
            }
            Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Signals {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Signal> {
        self.0.iter().copied()
    }
}
