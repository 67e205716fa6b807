//! How a proactor ends: what time brings, and the shutdown switch.

use super::{FORCE, Place, Proactor};
use crate::model::Context;
use crate::model::phase::Phase;
use crate::stats::Closed;
use std::io;
use std::time::Instant;

impl Proactor<'_> {
    /// Ends whoever has been silent for too long, lingered for too long, or outlived the drain.
    pub(super) fn expire(&mut self) -> io::Result<()> {
        if !self.has_deadlines() {
            return Ok(());
        }
        let now = Instant::now();
        while let Some((key, id)) = self.timers.due(now) {
            let Some(Place::Guest(guest)) = self.places.get_mut(key) else {
                continue;
            };
            if guest.id() != id {
                continue;
            }
            let idle_timeout = self.context.limits.idle_timeout;
            match guest.look(now, idle_timeout, &mut self.buffers, &mut self.outgoing) {
                Some(again) => self.timers.set(again, key, id),
                None => self.settle(key),
            }
            self.make_room()?;
        }
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            self.open_door()?;
        }
        if matches!(self.phase, Phase::Draining { until } if until <= now) {
            self.force();
        }
        Ok(())
    }

    /// The shutdown switch has moved on.
    pub(super) fn shut_down(&mut self) {
        self.switched = false;
        let shutdown = self.context.shutdown;
        if self.phase == Phase::Serving {
            let until = Instant::now() + self.context.limits.drain;
            self.phase = Phase::Draining { until };
            self.shut_door();
            self.ring.watch_readable(FORCE, shutdown.force_fd());
            self.drain(self.everybody());
        }
        if shutdown.is_forced() && self.phase != Phase::Forced {
            self.force();
        }
    }

    fn everybody(&self) -> Vec<usize> {
        self.places
            .iter()
            .filter(|(_, place)| matches!(place, Place::Guest(_)))
            .map(|(key, _)| key)
            .collect()
    }

    /// Idle clients are closed here and now; the others' input ends after what has arrived. Who has just been answered is
    /// not idle before the answer is out.
    pub(super) fn drain(&mut self, clients: Vec<usize>) {
        // All are looked at before any is closed: the line that one leaves behind must not make others busy.
        let (mut idle, mut busy) = (Vec::new(), Vec::new());
        for key in clients {
            match self.places.get(key) {
                Some(Place::Guest(guest)) if guest.is_idle(&self.outgoing) => idle.push(key),
                Some(Place::Guest(_)) => busy.push(key),
                _ => {}
            }
        }
        let Context { stats, limits, .. } = self.context;
        stats.drain_began(idle.len() as u64, busy.len() as u64, limits.drain);
        let now = Instant::now();
        for key in busy {
            if let Some(Place::Guest(guest)) = self.places.get_mut(key) {
                let at = guest.occupant.call_last(now, limits.drain);
                self.timers.set(at, key, guest.id());
            }
        }
        for key in idle {
            if let Some(Place::Guest(guest)) = self.places.get_mut(key) {
                guest.occupant.was_idle = true;
                let reply = &mut self.buffers.reply;
                guest.end(reply, Closed::Drained, &mut self.outgoing);
                self.settle(key);
            }
        }
    }

    pub(super) fn force(&mut self) {
        self.phase = Phase::Forced;
        self.cut_off(self.everybody());
    }

    pub(super) fn cut_off(&mut self, clients: Vec<usize>) {
        let mut forced = 0;
        for key in clients {
            if let Some(Place::Guest(guest)) = self.places.get_mut(key) {
                forced += u64::from(!guest.occupant.was_idle);
                guest.occupant.connection.abandon(Closed::Forced);
                self.settle(key);
            }
        }
        self.context.stats.drain_forced(forced);
    }
}
