//! How it ends: the drain, with those who do not do as they are told killed, and the end of each process.

use super::{Ended, Family, Phase};
use crate::mailbox::Missed;
use crate::model::process::relative::GRACE;
use crate::model::process::words::Order;
use crate::stats::Closed;
use std::io;
use std::process::ExitStatus;
use std::time::Instant;

impl Family<'_> {
    /// Takes the shutdown's steps with the children, and kills who does not.
    pub(super) fn step(&mut self) {
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
    pub(super) fn reap(&mut self) -> Vec<Ended> {
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
            self.context.stats.closed(why, Missed::default());
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
