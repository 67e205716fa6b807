//! kqueue(2): the kernel keeps the set, and a wait costs what is ready, not what is watched. Apple and the BSDs have it.
//!
//! Reading and writing are watched by a filter each, which is added, renamed or deleted by itself.
#![allow(unsafe_code)]

use super::{Event, Interest, Poller, Token, interrupted, timespec};
use rustix::event::kqueue::{self, EventFilter, EventFlags, kevent_timespec};
use rustix::io::Errno;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr::without_provenance_mut;
use std::time::Duration;

/// Events taken from the kernel at one call; the rest comes with the next.
const BATCH: usize = 512;

/// A [`Poller`] on kqueue(2), level-triggered.
pub struct Kqueue {
    queue: OwnedFd,
    /// By descriptor: which filters it has.
    watched: Vec<Option<Interest>>,
    ready: Box<[MaybeUninit<kqueue::Event>]>,
    events: Vec<Event>,
}

impl Kqueue {
    fn slot(&mut self, fd: RawFd) -> io::Result<&mut Option<Interest>> {
        self.watched
            .get_mut(fd as usize)
            .filter(|slot| slot.is_some())
            .ok_or_else(|| Errno::NOENT.into())
    }

    fn set(&self, fd: RawFd, token: Token, wanted: Interest, was: Interest) -> io::Result<()> {
        let filters = [
            (EventFilter::Read(fd), wanted.read, was.read),
            (EventFilter::Write(fd), wanted.write, was.write),
        ];
        for (filter, wanted, was) in filters {
            let flags = match (wanted, was) {
                (true, _) => EventFlags::ADD,
                (false, true) => EventFlags::DELETE,
                (false, false) => continue,
            };
            let change = kqueue::Event::new(filter, flags, without_provenance_mut(token.0));
            let none: &mut [kqueue::Event] = &mut [];
            // SAFETY: the kernel takes the descriptor as a number, answers EBADF for one that is not open, and forgets one
            // that is closed. The token goes there and comes back, and is never followed as a pointer.
            unsafe {
                kevent_timespec(
                    &self.queue,
                    &[change],
                    none,
                    timespec(Some(Duration::ZERO)).as_ref(),
                )
            }?;
        }
        Ok(())
    }
}

impl Poller for Kqueue {
    const NAME: &'static str = "kqueue";

    /// Events passed.
    type Cursor = usize;

    fn new() -> io::Result<Self> {
        Ok(Self {
            queue: kqueue::kqueue()?,
            watched: Vec::new(),
            ready: vec![MaybeUninit::uninit(); BATCH].into_boxed_slice(),
            events: Vec::new(),
        })
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        if self.watched.len() <= fd as usize {
            self.watched.resize(fd as usize + 1, None);
        }
        if self.watched[fd as usize].is_some() {
            return Err(Errno::EXIST.into());
        }
        self.set(fd, token, interest, Interest::NONE)?;
        self.watched[fd as usize] = Some(interest);
        Ok(())
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let was = self.slot(fd)?.replace(interest);
        self.set(fd, token, interest, was.unwrap_or(Interest::NONE))
    }

    fn delete(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let was = self.slot(fd)?.take();
        self.set(fd, Token(0), Interest::NONE, was.unwrap_or(Interest::NONE))
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        self.events.clear();
        let timeout = timespec(timeout);
        // SAFETY: no change is made here.
        let waited =
            unsafe { kevent_timespec(&self.queue, &[], &mut *self.ready, timeout.as_ref()) };
        match waited {
            Ok((ready, _)) => {
                self.events.extend(ready.iter().map(|event| {
                    let what = match event.filter() {
                        EventFilter::Write(_) => Interest::WRITE,
                        _ => Interest::READ,
                    };
                    Event::new(Token(event.udata().addr()), what)
                }));
                Ok(0)
            }
            Err(errno) => interrupted(errno).map(|()| 0),
        }
    }

    fn may_have_more(&self) -> bool {
        self.events.len() == BATCH
    }

    fn next(&self, cursor: &mut usize) -> Option<Event> {
        let event = *self.events.get(*cursor)?;
        *cursor += 1;
        Some(event)
    }
}
