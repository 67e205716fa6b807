//! epoll(7): the kernel keeps the set, and a wait costs what is ready, not what is watched.

use super::{Event, Interest, Poller, Token, interrupted, timespec};
use rustix::buffer::spare_capacity;
use rustix::event::{PollFlags, epoll};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

/// Events taken from the kernel at one call; the rest comes with the next. The kernel looks at each socket when it tells of
/// it, and again when it is read: no more than its cache still holds then.
const BATCH: usize = 64;

/// A [`Poller`] on epoll(7), level-triggered.
pub struct Epoll {
    epoll: OwnedFd,
    ready: Vec<epoll::Event>,
}

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

    /// Events passed.
    type Cursor = usize;

    fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            ready: Vec::with_capacity(BATCH),
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
        self.ready.clear();
        let timeout = timespec(timeout);
        let ready = spare_capacity(&mut self.ready);
        if let Err(errno) = epoll::wait(&self.epoll, ready, timeout.as_ref()) {
            interrupted(errno)?;
        }
        Ok(0)
    }

    fn may_have_more(&self) -> bool {
        self.ready.len() >= BATCH
    }

    #[inline]
    fn next(&self, cursor: &mut usize) -> Option<Event> {
        let epoll::Event { flags, data, .. } = *self.ready.get(*cursor)?;
        *cursor += 1;
        Some(Event {
            token: Token(data.u64() as usize),
            flags: PollFlags::from_bits_retain(flags.bits() as _),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poller::Waker;
    use std::collections::BTreeSet;
    use std::os::fd::AsFd;

    #[test]
    fn a_wait_without_room_for_all_says_so_and_the_next_tells_of_the_others() {
        let mut poller = Epoll::new().unwrap();
        let ready = BATCH + 10;
        let wakers: Vec<_> = (0..ready).map(|_| Waker::new().unwrap()).collect();
        for (at, waker) in wakers.iter().enumerate() {
            poller
                .add(waker.as_fd(), Token(at), Interest::READ)
                .unwrap();
            waker.wake();
        }
        let mut told = BTreeSet::new();
        for expected in [BATCH, ready] {
            let mut cursor = poller.wait(Some(Duration::ZERO)).unwrap();
            assert!(poller.may_have_more());
            told.extend(std::iter::from_fn(|| poller.next(&mut cursor)).map(|event| event.token));
            assert_eq!(told.len(), expected);
        }
        for waker in &wakers[1..] {
            waker.clear();
        }
        poller.wait(Some(Duration::ZERO)).unwrap();
        assert!(!poller.may_have_more());
    }
}
