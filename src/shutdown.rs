//! [`Shutdown`]: the switch that ends a server, and the two descriptors that everybody can wait on.
//!
//! ```text
//!   serving --drain()--> draining --force()--> forced
//!      \__________________force()______________/
//! ```
//!
//! Each step writes one byte into a pipe that nobody ever reads. The pipe's read end is then readable for
//! every thread that polls it, now and later: a blocked accept ends at once, without a time-out to
//! wait for and without a connection to oneself.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends a server in two steps. Clones are the same switch.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<Steps>);

#[derive(Debug)]
struct Steps {
    drain: Step,
    force: Step,
}

impl Shutdown {
    /// A switch in its first state: serving.
    ///
    /// # Errors
    /// When the process has no descriptor left for the two pipes.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(Steps {
            drain: Step::new()?,
            force: Step::new()?,
        })))
    }

    /// Stop accepting, close idle clients, let busy ones finish. From any thread; again is nothing.
    pub fn drain(&self) {
        self.0.drain.take();
    }

    /// End every connection now. Implies [`drain`](Self::drain). From any thread; again is nothing.
    pub fn force(&self) {
        self.0.force.take();
        self.0.drain.take();
    }

    /// Whether [`drain`](Self::drain) or [`force`](Self::force) was called.
    pub fn is_draining(&self) -> bool {
        self.0.drain.is_taken()
    }

    /// Whether [`force`](Self::force) was called.
    pub fn is_forced(&self) -> bool {
        self.0.force.is_taken()
    }

    /// Readable once draining has begun, and for ever after. Poll it; do not read it.
    pub fn drain_fd(&self) -> BorrowedFd<'_> {
        self.0.drain.reader.as_fd()
    }

    /// Readable once force was called, and for ever after. Poll it; do not read it.
    pub fn force_fd(&self) -> BorrowedFd<'_> {
        self.0.force.reader.as_fd()
    }
}

#[derive(Debug)]
struct Step {
    taken: AtomicBool,
    reader: PipeReader,
    writer: PipeWriter,
}

impl Step {
    fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self {
            taken: AtomicBool::new(false),
            reader,
            writer,
        })
    }

    fn take(&self) {
        if !self.taken.swap(true, Ordering::SeqCst) {
            // One byte into an empty pipe whose reader we hold can neither block nor fail.
            let written = (&self.writer).write(&[1]);
            debug_assert!(written.is_ok(), "{written:?}");
        }
    }

    fn is_taken(&self) -> bool {
        self.taken.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn readable(fd: BorrowedFd<'_>) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).unwrap() == 1
    }

    #[test]
    fn every_waiter_sees_the_step_and_sees_it_for_ever() {
        let shutdown = Shutdown::new().unwrap();
        assert!(!readable(shutdown.drain_fd()));
        shutdown.clone().drain();
        shutdown.drain();
        for _ in 0..3 {
            assert!(readable(shutdown.drain_fd()));
        }
        assert!(shutdown.is_draining() && !shutdown.is_forced());
        assert!(!readable(shutdown.force_fd()));
    }

    #[test]
    fn force_implies_drain() {
        let shutdown = Shutdown::new().unwrap();
        shutdown.force();
        assert!(shutdown.is_draining() && shutdown.is_forced());
        assert!(readable(shutdown.drain_fd()) && readable(shutdown.force_fd()));
    }
}
