//! select(2): three bit sets, copied into the kernel and back at every call.
//!
//! The sets are indexed by descriptor and end at [`FD_SETSIZE`]. Writing a bit past the end is the
//! classic overflow of programs that outgrew select; here such a descriptor is refused.
#![allow(unsafe_code)]

use super::{Event, Interest, Poller, Token, interrupted, timespec};
use rustix::event::{FdSetElement, PollFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// The first descriptor that does not fit an `fd_set`.
pub(super) const FD_SETSIZE: RawFd = 1024;

/// What an `fd_set` is made of, as a number.
#[cfg(not(any(target_vendor = "apple", target_os = "netbsd", target_os = "openbsd")))]
type Word = usize;
#[cfg(any(target_vendor = "apple", target_os = "netbsd", target_os = "openbsd"))]
type Word = u32;

const _: () = assert!(size_of::<Word>() == size_of::<FdSetElement>());
const _: () = assert!(align_of::<Word>() == align_of::<FdSetElement>());

const BITS: usize = Word::BITS as usize;
const WORDS: usize = FD_SETSIZE as usize / BITS;

/// Where a descriptor's bit is.
fn bit(fd: RawFd) -> (usize, Word) {
    (fd as usize / BITS, 1 << (fd as usize % BITS))
}

#[derive(Clone, Copy, Default)]
struct FdSet {
    words: [Word; WORDS],
    members: usize,
}

impl FdSet {
    fn set(&mut self, fd: RawFd, wanted: bool, was: bool) {
        let (word, bit) = bit(fd);
        if wanted && !was {
            self.words[word] |= bit;
            self.members += 1;
        } else if was && !wanted {
            self.words[word] &= !bit;
            self.members -= 1;
        }
    }
}

/// As the kernel takes them.
fn elements(words: &mut [Word]) -> &mut [FdSetElement] {
    // SAFETY: an element is `repr(transparent)` over an integer that is as large and as aligned as a word, see above, and
    // any bits are good for both.
    unsafe { &mut *(std::ptr::from_mut(words) as *mut [FdSetElement]) }
}

/// A [`Poller`] on select(2). A descriptor of 1024 (`FD_SETSIZE`) or more is refused.
pub struct Select {
    reads: FdSet,
    writes: FdSet,
    watched: Vec<Option<(Token, Interest)>>,
    /// Who is ready to be read, then who is ready to be written to.
    ready: [[Word; WORDS]; 2],
}

/// Among the words of who is ready.
pub struct Cursor {
    /// What the present word is about.
    flags: PollFlags,
    /// The descriptor of its first bit.
    first: usize,
    /// Its bits, as far as they are still to come.
    bits: Word,
    /// The word that comes next.
    next: usize,
    /// Bits still to come in all words.
    left: usize,
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

    type Cursor = Cursor;

    fn new() -> io::Result<Self> {
        Ok(Self {
            reads: FdSet::default(),
            writes: FdSet::default(),
            watched: Vec::new(),
            ready: [[0; WORDS]; 2],
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

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Cursor> {
        // select overwrites its sets with the answer, so it gets copies. A set without members
        // is not passed at all: the kernel then neither copies nor scans it.
        self.ready = [self.reads.words, self.writes.words];
        let [reads, writes] = &mut self.ready;
        let nfds = self.watched.len() as i32;
        // SAFETY: each set has room for FD_SETSIZE bits and no descriptor past it gets in. The sets hold only
        // descriptors that their owner still watches; the kernel takes them as numbers and answers EBADF
        // for one that is not open.
        let ready = unsafe {
            rustix::event::select(
                nfds,
                (self.reads.members > 0).then_some(elements(reads)),
                (self.writes.members > 0).then_some(elements(writes)),
                None,
                timespec(timeout).as_ref(),
            )
        };
        let left = match ready {
            Ok(ready) => ready as usize,
            Err(errno) => {
                interrupted(errno)?;
                0
            }
        };
        Ok(Cursor {
            flags: PollFlags::IN,
            first: 0,
            bits: 0,
            next: 0,
            left,
        })
    }

    #[inline]
    fn next(&self, cursor: &mut Cursor) -> Option<Event> {
        while cursor.left > 0 {
            while cursor.bits == 0 {
                let (set, word) = (cursor.next / WORDS, cursor.next % WORDS);
                cursor.bits = self.ready.get(set)?[word];
                cursor.flags = [PollFlags::IN, PollFlags::OUT][set];
                cursor.first = word * BITS;
                cursor.next += 1;
            }
            let fd = cursor.first + cursor.bits.trailing_zeros() as usize;
            cursor.bits &= cursor.bits - 1;
            cursor.left -= 1;
            if let Some(Some((token, _))) = self.watched.get(fd) {
                let (token, flags) = (*token, cursor.flags);
                return Some(Event { token, flags });
            }
        }
        None
    }
}
