//! Readiness: which of many descriptors can be read or written without blocking.
//!
//! A [`Poller`] has one owner and takes `&mut self`: there is no lock inside. All backends are
//! level-triggered: an event comes again for as long as its cause is there.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
mod kqueue;
mod missing;
mod poll;
mod select;
#[cfg(target_os = "linux")]
mod shared;
mod waker;

#[cfg(target_os = "linux")]
pub use epoll::Epoll;
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
pub use kqueue::Kqueue;
#[cfg(not(target_os = "linux"))]
pub use missing::Missing as Epoll;
#[cfg(not(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
pub use missing::Missing as Kqueue;
pub use poll::Poll;
pub use select::Select;
#[cfg(target_os = "linux")]
pub(crate) use shared::{SharedEpoll, Signal, Signals, Trigger};
pub use waker::Waker;

use rustix::event::{PollFlags, Timespec};
use rustix::io::Errno;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// The name that its owner gave a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub usize);

/// What its owner wants to know about a descriptor. Hang-ups and errors are told as readable, so that a
/// read finds out, whenever either is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// Tell when a read would not block.
    pub read: bool,
    /// Tell when a write would not block.
    pub write: bool,
}

impl Interest {
    /// Only reading.
    pub const READ: Self = Self {
        read: true,
        write: false,
    };
    /// Only writing.
    pub const WRITE: Self = Self {
        read: false,
        write: true,
    };
    /// Nothing for now.
    pub const NONE: Self = Self {
        read: false,
        write: false,
    };
}

/// A descriptor is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which.
    pub token: Token,
    /// For what, in the words of poll(2). epoll(7) has the same: they are looked at only when somebody asks.
    flags: PollFlags,
}

impl Event {
    /// Says that `token` is ready for what is set in `what`.
    pub fn new(token: Token, what: Interest) -> Self {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, what.read);
        flags.set(PollFlags::OUT, what.write);
        Self { token, flags }
    }

    /// A read would not block: bytes, the end, or an error.
    #[inline]
    pub fn is_readable(self) -> bool {
        // Whatever else there is to be told, a read finds it out.
        self.flags != PollFlags::OUT
    }

    /// A write would not block.
    #[inline]
    pub fn is_writable(self) -> bool {
        self.flags.contains(PollFlags::OUT)
    }
}

/// One way of asking the kernel who is ready.
///
/// The owner calls [`delete`](Self::delete) before it closes a descriptor. Forgetting it is a bug that shows
/// as an error or as an event for a number used again, never as undefined behaviour.
pub trait Poller: Sized {
    /// The system call's name.
    const NAME: &'static str;

    /// Where its owner stands among the events of a wait.
    type Cursor;

    /// An empty set.
    ///
    /// # Errors
    /// When the kernel has nothing left to make one of; `Unsupported` when it has no such call.
    fn new() -> io::Result<Self>;

    /// Watches `fd` under the name `token`.
    ///
    /// # Errors
    /// When this backend cannot watch it; the text says why, for people.
    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()>;

    /// Changes what is wanted of a watched `fd`.
    ///
    /// # Errors
    /// When it is not watched.
    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()>;

    /// Watches `fd` no more.
    ///
    /// # Errors
    /// When it is not watched.
    fn delete(&mut self, fd: BorrowedFd<'_>) -> io::Result<()>;

    /// Blocks until something is ready or `timeout` is over (`None`: for ever), and gives a cursor before the first event.
    /// An interrupting signal returns early, with no events.
    ///
    /// # Errors
    /// What the system call says; the set is as it was.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Self::Cursor>;

    /// Whether the last [`wait`](Self::wait) told of as many as it has room for, so that more may be ready. They come first in
    /// the next. No backend that tells of all at once ever says so.
    fn may_have_more(&self) -> bool {
        false
    }

    /// The next event of the last [`wait`](Self::wait), which gave `cursor`.
    ///
    /// The set may change on the way. Then it may also tell of a descriptor that has been deleted, or of a new one that got
    /// the same number, and leave one out, which the next wait tells. So the owner looks tokens up, and reads and
    /// writes without blocking.
    fn next(&self, cursor: &mut Self::Cursor) -> Option<Event>;
}

/// What a wait that failed comes to: it is over and brought nothing, if a signal interrupted it.
#[cold]
fn interrupted(errno: Errno) -> io::Result<()> {
    match errno {
        Errno::INTR => Ok(()),
        error => Err(error.into()),
    }
}

/// A time-out as the kernel takes it. Too long for it is for ever.
pub(crate) fn timespec(timeout: Option<Duration>) -> Option<Timespec> {
    timeout.and_then(|timeout| timeout.try_into().ok())
}

#[cfg(test)]
mod tests;
