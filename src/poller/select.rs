//! select(2): three bit sets, copied into the kernel and back at every call.
//!
//! The sets are indexed by descriptor and end at [`FD_SETSIZE`]. Writing a bit past the end is the
//! classic overflow of programs that outgrew select; here such a descriptor is refused.
#![allow(unsafe_code)]

use super::{Event, Interest, Poller, Token, timespec};
use rustix::event::{FdSetElement, FdSetIter, fd_set_insert, fd_set_remove};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// The first descriptor that does not fit an `fd_set`.
pub(super) const FD_SETSIZE: RawFd = 1024;

const WORDS: usize = FD_SETSIZE as usize / (8 * size_of::<FdSetElement>());

#[derive(Clone, Copy, Default)]
struct FdSet {
    words: [FdSetElement; WORDS],
    members: usize,
}

impl FdSet {
    fn set(&mut self, fd: RawFd, wanted: bool, was: bool) {
        if wanted && !was {
            fd_set_insert(&mut self.words, fd);
            self.members += 1;
        } else if was && !wanted {
            fd_set_remove(&mut self.words, fd);
            self.members -= 1;
        }
    }
}

/// A [`Poller`] on select(2). A descriptor of 1024 (`FD_SETSIZE`) or more is refused.
pub struct Select {
    reads: FdSet,
    writes: FdSet,
    watched: Vec<Option<(Token, Interest)>>,
    ready: Vec<Event>,
}

impl Select {
    fn slot(&mut self, fd: RawFd) -> io::Result<&mut Option<(Token, Interest)>> {
        self.watched
            .get_mut(fd as usize)
            .filter(|slot| slot.is_some())
            .ok_or_else(|| Errno::NOENT.into())
    }

    fn set(&mut self, fd: RawFd, wanted: Interest, was: Interest) {
        self.reads.set(fd, wanted.read, was.read);
        self.writes.set(fd, wanted.write, was.write);
    }
}

impl Poller for Select {
    const NAME: &'static str = "select";

    fn new() -> io::Result<Self> {
        Ok(Self {
            reads: FdSet::default(),
            writes: FdSet::default(),
            watched: Vec::new(),
            ready: Vec::new(),
        })
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        if fd >= FD_SETSIZE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("descriptor {fd} is out of select's reach: FD_SETSIZE is {FD_SETSIZE}"),
            ));
        }
        if self.watched.len() <= fd as usize {
            self.watched.resize(fd as usize + 1, None);
        }
        if self.watched[fd as usize].is_some() {
            return Err(Errno::EXIST.into());
        }
        self.watched[fd as usize] = Some((token, interest));
        self.set(fd, interest, Interest::NONE);
        Ok(())
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let was = self.slot(fd)?.replace((token, interest));
        self.set(fd, interest, was.map_or(Interest::NONE, |(_, was)| was));
        Ok(())
    }

    fn delete(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let was = self.slot(fd)?.take();
        self.set(
            fd,
            Interest::NONE,
            was.map_or(Interest::NONE, |(_, was)| was),
        );
        while self.watched.last().is_some_and(Option::is_none) {
            self.watched.pop();
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        self.ready.clear();
        // select overwrites its sets with the answer, so it gets copies. A set without members
        // is not passed at all: the kernel then neither copies nor scans it.
        let (mut reads, mut writes) = (self.reads, self.writes);
        let nfds = self.watched.len() as i32;
        // SAFETY: each set has room for FD_SETSIZE bits and no descriptor past it gets in. The sets hold only
        // descriptors that their owner still watches; the kernel takes them as numbers and answers EBADF
        // for one that is not open.
        let ready = unsafe {
            rustix::event::select(
                nfds,
                (reads.members > 0).then_some(&mut reads.words[..]),
                (writes.members > 0).then_some(&mut writes.words[..]),
                None,
                timespec(timeout).as_ref(),
            )
        };
        match ready {
            Ok(0) | Err(Errno::INTR) => return Ok(0),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        if reads.members > 0 {
            for fd in FdSetIter::new(&reads.words) {
                if let Some(Some((token, _))) = self.watched.get(fd as usize) {
                    self.ready.push(Event {
                        token: *token,
                        readable: true,
                        writable: false,
                    });
                }
            }
        }
        if writes.members > 0 {
            for fd in FdSetIter::new(&writes.words) {
                if let Some(Some((token, _))) = self.watched.get(fd as usize) {
                    self.ready.push(Event {
                        token: *token,
                        readable: false,
                        writable: true,
                    });
                }
            }
        }
        Ok(self.ready.len())
    }

    #[inline]
    fn event(&self, place: usize) -> Event {
        self.ready[place]
    }
}
