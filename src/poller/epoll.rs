//! epoll(7): the kernel keeps the set, and a wait costs what is ready, not what is watched.

use super::{Event, Interest, Poller, Token, timespec};
use rustix::event::epoll;
use rustix::io::Errno;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

/// Events taken from the kernel at one call; the rest comes with the next.
const BATCH: usize = 512;

const NOTHING: epoll::Event = epoll::Event {
    flags: epoll::EventFlags::empty(),
    data: epoll::EventData::new_u64(0),
};

/// A [`Poller`] on epoll(7), level-triggered.
pub struct Epoll {
    epoll: OwnedFd,
    ready: Box<[epoll::Event]>,
}

/// Whatever a read finds out.
const READABLE: epoll::EventFlags = epoll::EventFlags::IN
    .union(epoll::EventFlags::HUP)
    .union(epoll::EventFlags::ERR);

fn flags(interest: Interest) -> epoll::EventFlags {
    let mut flags = epoll::EventFlags::empty();
    flags.set(epoll::EventFlags::IN, interest.read);
    flags.set(epoll::EventFlags::OUT, interest.write);
    // Asked for nothing, epoll still tells of hang-ups: once is enough.
    flags.set(epoll::EventFlags::ONESHOT, interest == Interest::NONE);
    flags
}

impl Poller for Epoll {
    const NAME: &'static str = "epoll";

    fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            ready: vec![NOTHING; BATCH].into_boxed_slice(),
        })
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token.0 as u64);
        Ok(epoll::add(&self.epoll, fd, data, flags(interest))?)
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token.0 as u64);
        Ok(epoll::modify(&self.epoll, fd, data, flags(interest))?)
    }

    fn delete(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let timeout = timespec(timeout);
        match epoll::wait(&self.epoll, &mut *self.ready, timeout.as_ref()) {
            Ok(ready) => Ok(ready),
            Err(Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    #[inline]
    fn event(&self, place: usize) -> Event {
        let epoll::Event { flags, data, .. } = self.ready[place];
        Event {
            token: Token(data.u64() as usize),
            readable: flags.intersects(READABLE),
            writable: flags.contains(epoll::EventFlags::OUT),
        }
    }
}
