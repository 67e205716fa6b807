//! poll(2): a list of descriptors that the kernel walks at every call, however few of them are ready.
//!
//! The list has no holes: the last one takes the place of whoever leaves. An index says where in the list a descriptor
//! is, so that a change costs the same however long the list.
#![allow(unsafe_code)]

use super::{Event, Interest, Poller, Token, interrupted, timespec};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

#[derive(Clone, Copy)]
struct Watched {
    fd: RawFd,
    token: Token,
}

/// A [`Poller`] on poll(2).
pub struct Poll {
    /// What the kernel gets.
    list: Vec<PollFd<'static>>,
    /// Who is at the same place in the list.
    watched: Vec<Watched>,
    /// Places in the list, by descriptor.
    places: Vec<Option<usize>>,
}

/// Where in the list, and how many events are still to come.
pub struct Cursor {
    place: usize,
    left: usize,
}

fn entry(fd: RawFd, interest: Interest) -> PollFd<'static> {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, interest.read);
    flags.set(PollFlags::OUT, interest.write);
    // poll passes over a negative number. Asked for nothing, it would still tell of hang-ups, again and again.
    let number = if flags.is_empty() { -2 - fd } else { fd };
    // SAFETY: nothing reads, writes or closes a descriptor through this list. The kernel takes it as a
    // number, and answers POLLNVAL for one that is not open. It is not -1, as descriptors are not negative.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    PollFd::from_borrowed_fd(fd, flags)
}

impl Poll {
    fn place(&self, fd: RawFd) -> io::Result<usize> {
        let place = self.places.get(fd as usize).copied().flatten();
        place.ok_or_else(|| Errno::NOENT.into())
    }
}

impl Poller for Poll {
    const NAME: &'static str = "poll";

    type Cursor = Cursor;

    fn new() -> io::Result<Self> {
        Ok(Self {
            list: Vec::new(),
            watched: Vec::new(),
            places: Vec::new(),
        })
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        if self.places.len() <= fd as usize {
            self.places.resize(fd as usize + 1, None);
        }
        if self.places[fd as usize].is_some() {
            return Err(Errno::EXIST.into());
        }
        self.places[fd as usize] = Some(self.list.len());
        self.list.push(entry(fd, interest));
        self.watched.push(Watched { fd, token });
        Ok(())
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let place = self.place(fd)?;
        self.list[place] = entry(fd, interest);
        self.watched[place] = Watched { fd, token };
        Ok(())
    }

    fn delete(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let place = self.place(fd)?;
        self.places[fd as usize] = None;
        self.list.swap_remove(place);
        self.watched.swap_remove(place);
        if let Some(moved) = self.watched.get(place) {
            self.places[moved.fd as usize] = Some(place);
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Cursor> {
        let left = match poll(&mut self.list, timespec(timeout).as_ref()) {
            Ok(ready) => ready,
            Err(errno) => {
                interrupted(errno)?;
                0
            }
        };
        Ok(Cursor { place: 0, left })
    }

    #[inline]
    fn next(&self, cursor: &mut Cursor) -> Option<Event> {
        while cursor.left > 0 {
            let place = cursor.place;
            let flags = self.list.get(place)?.revents();
            cursor.place += 1;
            if !flags.is_empty() {
                cursor.left -= 1;
                let token = self.watched[place].token;
                return Some(Event { token, flags });
            }
        }
        None
    }
}
