//! What the children say: it is counted, and answered where they ask.

use super::Family;
use crate::client::ClientId;
use crate::model::process::relative::Guest;
use crate::model::process::words::{Order, Report};
use crate::net::socket::Wait;
use crate::stats::{Event, Refusal};
use crate::sync::OwnedPermit;
use rustix::io::Errno;
use std::io;

impl Family<'_> {
    /// Takes note of all that a child has said by now. Never waits.
    pub(super) fn hear(&mut self, index: usize) {
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
    pub(super) fn admit(&mut self) -> Result<Option<OwnedPermit>, Refusal> {
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
    pub(super) fn answer(&mut self) {
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
}
