//! [`Family`]: the processes that serve for this one, and what each of them is known to do.
//!
//! ```text
//!   started --"opened"--> serving --"closed"--> (prefork: waits for the next one)
//!      |                     |                        |
//!      +----- end of the line: its process is gone, or as good as gone -----> ending --exit--> reaped
//!             (a client that was not said to be closed is lost with it)
//! ```
//!
//! One thread looks after all of them, in poll(2): there is a line per child to wait for and nothing to work on, so a
//! thread per child would only be one more thing to start for each. A child that has let go of its line is waited for
//! by a descriptor of its process, and killed when it does not end.
//!
//! Here: starting and waiting. What they say, and what is answered: [`hearing`]. The drain, and how they end: [`ending`].

mod ending;
mod hearing;

use super::line::{Heard, Line};
use super::program::Program;
use super::relative::{Child, Ending, Guest};
use super::words::{Task, TaskKind};
use crate::model::Context;
use crate::model::acceptor::{self, Newcomer};
use crate::poller::timespec;
use crate::stats::Refusal;
use crate::sync::Semaphore;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A child that is no more.
pub(in crate::model) struct Ended {
    pub(in crate::model) place: usize,
    pub(in crate::model) lived: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    Draining,
    Forced,
}

/// See the [module](self).
pub(in crate::model) struct Family<'a> {
    context: Context<'a>,
    program: &'a Program,
    admission: Option<Arc<Semaphore>>,
    /// The number of the next client that a child accepts.
    next: u64,
    children: Vec<Child>,
    phase: Phase,
    /// Idle and busy clients, as far as the children have said; `None` once that was counted.
    drain: Option<(u64, u64)>,
    forced: u64,
    /// Children who wait for an answer: by their place in the list.
    asking: VecDeque<usize>,
}

impl<'a> Family<'a> {
    pub(in crate::model) fn new(context: Context<'a>, program: &'a Program) -> Self {
        Self {
            context,
            program,
            admission: context
                .limits
                .max_clients
                .map(|n| Arc::new(Semaphore::new(n))),
            next: 1,
            children: Vec::new(),
            phase: Phase::Serving,
            drain: Some((0, 0)),
            forced: 0,
            asking: VecDeque::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// Every child knows of the drain.
    pub(in crate::model) fn has_seen_the_drain(&self) -> bool {
        self.phase != Phase::Serving && self.drain.is_none()
    }

    /// Starts a process for a client that was accepted, or tells the client why not.
    pub(in crate::model) fn take(&mut self, newcomer: Newcomer) {
        let Newcomer {
            id, addr, stream, ..
        } = newcomer;
        let refused = match self.admit() {
            Err(full) => full,
            Ok(permit) => match self.start(0, TaskKind::Connection { id, addr }, stream.as_fd()) {
                Ok(child) => {
                    child.guest = Some(Guest {
                        _permit: permit,
                        opened: false,
                    });
                    return;
                }
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::MFILE | Errno::NFILE) => Refusal::Descriptors(error),
                    _ => Refusal::NoProcess(error),
                },
            },
        };
        acceptor::refuse(self.context, &stream, addr, &refused);
    }

    /// Starts a process that accepts on `listener`, and counts as the acceptor `place`.
    pub(in crate::model) fn start_acceptor(
        &mut self,
        place: usize,
        listener: BorrowedFd<'_>,
    ) -> io::Result<()> {
        self.start(place, TaskKind::Listener, listener).map(drop)
    }

    fn start(
        &mut self,
        place: usize,
        kind: TaskKind,
        socket: BorrowedFd<'_>,
    ) -> io::Result<&mut Child> {
        let (line, theirs) = Line::pair()?;
        let task = Task {
            kind,
            limits: self.context.limits,
        };
        // Said before anybody is there to hear it: it need not wait for us.
        line.hand_over(&task, socket)?;
        let process = self.program.command(theirs).spawn()?;
        tracing::debug!(pid = process.id(), "started a process");
        let child = Child {
            place,
            process,
            line,
            heard: Heard::nothing(),
            guest: None,
            since: Instant::now(),
            ending: None,
            patience: None,
            owes_a_report: false,
            said_forced: false,
            killed: false,
        };
        Ok(self.children.push_mut(child))
    }

    /// Waits until there is something to do: at `door`, for one of the children, for the shutdown, or because
    /// `timeout` is over; and does all of it but what is to be done at the door. Says who has ended.
    pub(in crate::model) fn attend(
        &mut self,
        door: Option<BorrowedFd<'_>>,
        timeout: Option<Duration>,
    ) -> io::Result<Vec<Ended>> {
        for index in self.wait(door, timeout)? {
            self.hear(index);
        }
        self.answer();
        self.step();
        Ok(self.reap())
    }

    /// Says which children have said something.
    fn wait(
        &self,
        door: Option<BorrowedFd<'_>>,
        timeout: Option<Duration>,
    ) -> io::Result<Vec<usize>> {
        let shutdown = self.context.shutdown;
        let mut fds: Vec<PollFd<'_>> = self
            .children
            .iter()
            .map(|child| match &child.ending {
                Some(Ending::Watched(exit)) => PollFd::new(exit, PollFlags::IN),
                // The line of one that is gone is always readable.
                Some(Ending::Gone(_)) | None => PollFd::new(&child.line, PollFlags::IN),
            })
            .collect();
        let step = match self.phase {
            Phase::Serving => Some(shutdown.drain_fd()),
            Phase::Draining => Some(shutdown.force_fd()),
            Phase::Forced => None,
        };
        let more = step.into_iter().chain(door);
        fds.extend(more.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let now = Instant::now();
        let patience = self.children.iter().filter_map(|child| child.patience);
        let patience = patience.map(|until| until.saturating_duration_since(now));
        match poll(
            &mut fds,
            timespec(timeout.into_iter().chain(patience).min()).as_ref(),
        ) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(fds[..self.children.len()]
            .iter()
            .enumerate()
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|(index, _)| index)
            .collect())
    }
}
