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

use super::line::{Heard, Line};
use super::program::Program;
use super::relative::{Child, Ending, GRACE, Guest};
use super::words::{Order, Report, Task, TaskKind};
use crate::client::ClientId;
use crate::model::Context;
use crate::model::acceptor::{self, Newcomer};
use crate::net::socket::Wait;
use crate::poller::timespec;
use crate::stats::{Closed, Event, Refusal};
use crate::sync::{OwnedPermit, Semaphore};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitStatus;
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

    pub(in crate::model) fn is_empty(&self) -> bool {
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

    /// Takes note of all that a child has said by now. Never waits.
    fn hear(&mut self, index: usize) {
        loop {
            let child = &mut self.children[index];
            if child.ending.is_some() {
                return;
            }
            let there = child.line.hear(&mut child.heard, Wait::Never);
            while let Some(text) = self.children[index].heard.next() {
                self.note(index, &text);
            }
            match there {
                Ok(true) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(false) => return self.children[index].lets_go(),
                Err(error) => {
                    let child = &mut self.children[index];
                    // ECONNRESET: it is gone, and has not heard all that it was told.
                    if Errno::from_io_error(&error) != Some(Errno::CONNRESET) {
                        tracing::error!(pid = child.process.id(), %error, "killing a process");
                        child.kill();
                    }
                    return child.lets_go();
                }
            }
        }
    }

    fn note(&mut self, index: usize, text: &str) {
        let child = &mut self.children[index];
        let event = match Report::parse(text) {
            Some(Report::Ask) => return self.asking.push_back(index),
            Some(Report::Event(event)) => event,
            None => {
                tracing::error!(
                    pid = child.process.id(),
                    text,
                    "killing a process that says so"
                );
                return child.kill();
            }
        };
        match event {
            Event::Opened => {
                if let Some(guest) = &mut child.guest {
                    guest.opened = true;
                }
            }
            // Before it is counted: who sees that count may come in its stead.
            Event::Closed { .. } => child.guest = None,
            Event::DrainBegan { idle, busy } => {
                child.owes_a_report = false;
                if let Some(drain) = &mut self.drain {
                    drain.0 += idle;
                    drain.1 += busy;
                }
            }
            Event::DrainForced { forced } => {
                child.said_forced = true;
                self.forced += forced;
            }
            Event::WokenInVain { .. } | Event::Accepted | Event::Aborted | Event::Refused(_) => {}
        }
        self.context.stats.count(child.place, event);
    }

    /// A place for one more client.
    fn admit(&mut self) -> Result<Option<OwnedPermit>, Refusal> {
        let Some(admission) = self.admission.clone() else {
            return Ok(None);
        };
        if let Ok(permit) = admission.try_acquire_owned(1) {
            return Ok(Some(permit));
        }
        // Whoever has seen another one leave finds its place free: that was said before it could be seen.
        for index in 0..self.children.len() {
            self.hear(index);
        }
        let limit = admission.permits();
        match admission.try_acquire_owned(1) {
            Ok(permit) => Ok(Some(permit)),
            Err(_) => Err(Refusal::Full { limit }),
        }
    }

    /// Answers the children who ask whether somebody may come in.
    fn answer(&mut self) {
        // Who is heard while the first are answered may ask, too.
        while let Some(index) = self.asking.pop_front() {
            let order = match self.admit() {
                Ok(permit) => {
                    self.children[index].guest = Some(Guest {
                        _permit: permit,
                        opened: false,
                    });
                    let id = ClientId(self.next);
                    self.next += 1;
                    Order::Admitted(id)
                }
                Err(full) => {
                    self.context.stats.refused(&full);
                    let limit = self.context.limits.max_clients.unwrap_or(usize::MAX);
                    Order::Full { limit }
                }
            };
            self.children[index].line.say(order);
        }
    }

    /// Takes the shutdown's steps with the children, and kills who does not.
    fn step(&mut self) {
        let (shutdown, limits) = (self.context.shutdown, self.context.limits);
        let now = Instant::now();
        if self.phase == Phase::Serving && shutdown.is_draining() {
            self.phase = Phase::Draining;
            for child in &mut self.children {
                child.line.say(Order::Drain);
                child.owes_a_report = child.ending.is_none();
                child.give(limits.drain + GRACE);
            }
        }
        if self.phase == Phase::Draining && shutdown.is_forced() {
            self.phase = Phase::Forced;
            for child in &mut self.children {
                child.line.say(Order::Force);
                child.give(GRACE);
            }
        }
        for child in &mut self.children {
            if !child.killed && child.patience.is_some_and(|until| until <= now) {
                let pid = child.process.id();
                tracing::warn!(pid, "killing a process that was to end and does not");
                child.kill();
                if child.owes_a_report {
                    child.owes_a_report = false;
                    if let Some((_, busy)) = &mut self.drain {
                        *busy += u64::from(child.guest.is_some());
                    }
                }
            }
        }
        if self.phase != Phase::Serving && !self.children.iter().any(|child| child.owes_a_report) {
            self.sum_up_the_drain();
        }
    }

    fn sum_up_the_drain(&mut self) {
        if let Some((idle, busy)) = self.drain.take() {
            let patience = self.context.limits.drain;
            self.context.stats.drain_began(idle, busy, patience);
        }
    }

    /// Collects who has ended.
    fn reap(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        let mut index = 0;
        while index < self.children.len() {
            let child = &mut self.children[index];
            match child.exit() {
                Some(exit) => ended.push(self.bury(index, exit)),
                None => index += 1,
            }
        }
        ended
    }

    /// Counts the client that was lost with a child, if there was one.
    fn bury(&mut self, index: usize, exit: io::Result<ExitStatus>) -> Ended {
        let went_well = exit.as_ref().is_ok_and(ExitStatus::success);
        let exit = exit.map_or_else(|error| error.to_string(), |status| status.to_string());
        let mut child = self.children.swap_remove(index);
        let pid = child.process.id();
        if let Some(guest) = child.guest.take() {
            let why = if child.killed && self.phase != Phase::Serving {
                self.forced += u64::from(!child.said_forced);
                Closed::Forced
            } else {
                Closed::Lost
            };
            tracing::warn!(pid, exit, %why, "a process ended, and its client with it");
            if !guest.opened {
                self.context.stats.opened();
            }
            drop(guest);
            self.context.stats.closed(why, 0);
        } else if went_well {
            tracing::debug!(pid, "a process ended");
        } else {
            tracing::warn!(pid, exit, "a process failed");
        }
        Ended {
            place: child.place,
            lived: child.since.elapsed(),
        }
    }

    /// Waits for all who are left, when everybody knows that the server ends.
    pub(in crate::model) fn see_out(&mut self) -> io::Result<()> {
        while !self.is_empty() {
            self.attend(None, None)?;
        }
        self.step();
        if self.forced > 0 {
            self.context.stats.drain_forced(self.forced);
        }
        Ok(())
    }
}

impl Drop for Family<'_> {
    /// Empty unless the server failed, or its thread panics.
    fn drop(&mut self) {
        for child in &mut self.children {
            child.kill();
            if let Err(error) = child.process.wait() {
                tracing::error!(pid = child.process.id(), %error, "a process cannot be waited for");
            }
        }
    }
}
