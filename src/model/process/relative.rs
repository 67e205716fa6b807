//! [`Child`]: one process, as its parent knows it.

use super::line::{Heard, Line};
use crate::sync::OwnedPermit;
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child as Process, ExitStatus};
use std::time::{Duration, Instant};

/// How long a child may take to do what it was told last, beyond the time that its clients have: then it is killed.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// The client whom a child serves.
pub(super) struct Guest {
    pub(super) _permit: Option<OwnedPermit>,
    pub(super) opened: bool,
}

pub(super) struct Child {
    /// Which acceptor it counts as.
    pub(super) place: usize,
    pub(super) process: Process,
    pub(super) line: Line,
    pub(super) heard: Heard,
    pub(super) guest: Option<Guest>,
    pub(super) since: Instant,
    /// Once its line has ended.
    pub(super) ending: Option<Ending>,
    /// When to kill it, if it is to end by itself.
    pub(super) patience: Option<Instant>,
    /// It was told of the drain, and has not said yet what that means for its client.
    pub(super) owes_a_report: bool,
    /// It has said how many clients it cut off when the time was over.
    pub(super) said_forced: bool,
    pub(super) killed: bool,
}

pub(super) enum Ending {
    /// Readable when the process has ended.
    Watched(OwnedFd),
    /// It has, and so; the error where nobody can say how.
    Gone(io::Result<ExitStatus>),
}

/// A descriptor that becomes readable when `process` ends.
#[cfg(target_os = "linux")]
fn watched(process: &Process) -> Result<OwnedFd, Errno> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    pidfd_open(Pid::from_child(process), PidfdFlags::empty())
}

#[cfg(not(target_os = "linux"))]
fn watched(_: &Process) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

impl Child {
    /// It has nothing more to say.
    pub(super) fn lets_go(&mut self) {
        let pid = self.process.id();
        self.owes_a_report = false;
        self.give(GRACE);
        let exit = watched(&self.process);
        self.ending = Some(match exit {
            Ok(exit) => Ending::Watched(exit),
            // Where a program ignores SIGCHLD, nobody waits for the dead.
            Err(Errno::SRCH) => Ending::Gone(self.process.wait()),
            Err(error) => {
                tracing::warn!(pid, %error, "killing a process whose end cannot be watched");
                self.kill();
                // It has a few steps left in the kernel.
                Ending::Gone(self.process.wait())
            }
        });
    }

    /// It is to end by itself within so much time.
    pub(super) fn give(&mut self, time: Duration) {
        let until = Instant::now() + time;
        self.patience = Some(self.patience.map_or(until, |before| before.min(until)));
    }

    /// Nobody has waited for it yet, so its number is not another one's.
    pub(super) fn kill(&mut self) {
        self.killed = true;
        self.patience = None;
        if let Err(error) = self.process.kill() {
            tracing::error!(pid = self.process.id(), %error, "a process cannot be killed");
        }
    }

    /// How it ended, if it has.
    pub(super) fn exit(&mut self) -> Option<io::Result<ExitStatus>> {
        match self.ending.take()? {
            Ending::Gone(exit) => Some(exit),
            Ending::Watched(watch) => {
                let exit = self.process.try_wait().transpose();
                if exit.is_none() {
                    self.ending = Some(Ending::Watched(watch));
                }
                exit
            }
        }
    }
}
