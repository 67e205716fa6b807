//! [`Ending`]: waiting, with an ear for whoever says that it is enough.

use crate::cli::signals::Signals;
use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use std::time::Instant;

/// The signals that end a command.
pub(super) struct Ending(Signals);

/// What a wait ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// What it waited for is ready.
    Ready,
    /// The time is over.
    Time,
    /// A signal of this number came.
    Signal(i32),
}

impl Ending {
    pub(super) fn watch() -> anyhow::Result<Self> {
        Signals::watch(&Signals::to_end())
            .map(Self)
            .context("cannot watch for signals")
    }

    /// Waits for `fd`, if there is one, until `until`, if that ever comes.
    pub(super) fn wait(
        &mut self,
        fd: Option<(BorrowedFd<'_>, PollFlags)>,
        until: Option<Instant>,
    ) -> anyhow::Result<Wake> {
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let left: Option<Timespec> = left.and_then(|left| left.try_into().ok());
            let own = PollFd::from_borrowed_fd(self.0.fd(), PollFlags::IN);
            let other = fd.map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags));
            let several = other.is_some();
            let mut fds = [own.clone(), other.unwrap_or(own)];
            let ready = match poll(&mut fds[..=usize::from(several)], left.as_ref()) {
                Ok(ready) => ready,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error).context("cannot wait"),
            };
            let [signalled, other] = fds.map(|fd| !fd.revents().is_empty());
            if signalled && let Some(signal) = self.0.arrived().next() {
                return Ok(Wake::Signal(signal));
            }
            if several && other {
                return Ok(Wake::Ready);
            }
            if ready == 0 {
                return Ok(Wake::Time);
            }
        }
    }
}
