//! [`Waker`]: makes a thread that waits in a poller return.

use rustix::io::{Errno, ioctl_fionbio};
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};

/// A descriptor that one thread watches and any thread can make readable.
#[derive(Debug)]
pub struct Waker {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Waker {
    /// A waker that nobody has rung yet.
    ///
    /// # Errors
    /// When the process has no descriptor left for a pipe.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        ioctl_fionbio(&reader, true)?;
        ioctl_fionbio(&writer, true)?;
        Ok(Self { reader, writer })
    }

    /// Makes the descriptor readable. From any thread; a ring too many is no harm.
    pub fn wake(&self) {
        match rustix::io::write(&self.writer, &[1]) {
            // A full pipe is readable already.
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(error) => tracing::error!(%error, "a waker could not be rung"),
        }
    }

    /// Makes it unreadable again. Only by the thread that watches it, before it looks for its work.
    pub fn clear(&self) {
        let mut rings = [0; 64];
        while matches!(rustix::io::read(&self.reader, &mut rings), Ok(n) if n == rings.len()) {}
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
