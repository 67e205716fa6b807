//! The end of a reactor: idle clients are closed at once, busy ones may finish, the rest are cut off.

use super::{Reactor, SHUTDOWN};
use crate::model::Context;
use crate::model::phase::Phase;
use crate::poller::{Interest, Poller};
use crate::stats::Closed;
use std::io;
use std::time::Instant;

impl<P: Poller> Reactor<'_, P> {
    /// The shutdown switch has moved on.
    pub(super) fn shut_down(&mut self) -> io::Result<()> {
        let shutdown = self.context.shutdown;
        if self.phase == Phase::Serving {
            // Who was accepted already is not shut out.
            self.accept()?;
            let until = Instant::now() + self.context.limits.drain;
            self.phase = Phase::Draining { until };
            self.close_entrance()?;
            self.poller.delete(shutdown.drain_fd())?;
            self.poller
                .add(shutdown.force_fd(), SHUTDOWN, Interest::READ)?;
            self.drain(self.everybody());
        }
        if shutdown.is_forced() {
            self.poller.delete(shutdown.force_fd())?;
            if self.phase != Phase::Forced {
                self.force();
            }
        }
        Ok(())
    }

    fn everybody(&self) -> Vec<usize> {
        self.clients.iter().map(|(key, _)| key).collect()
    }

    /// Idle clients are closed here and now; the others' input ends after what has arrived.
    pub(super) fn drain(&mut self, clients: Vec<usize>) {
        // All are looked at before any is closed: the line that one leaves behind must not make others busy.
        let (idle, busy): (Vec<usize>, Vec<usize>) = clients
            .into_iter()
            .filter(|&key| self.clients.contains(key))
            .partition(|&key| self.clients[key].is_idle());
        let Context { stats, limits, .. } = self.context;
        stats.drain_began(idle.len() as u64, busy.len() as u64, limits.drain);
        let now = Instant::now();
        for key in busy {
            let at = self.clients[key].call_last(now, limits.drain);
            let id = self.clients[key].connection.client().id();
            self.timers.set(at, key, id);
        }
        for key in idle {
            self.clients[key].was_idle = true;
            self.clients[key].end(&mut self.buffers, Closed::Drained);
            self.settle(key);
        }
    }

    pub(super) fn force(&mut self) {
        self.phase = Phase::Forced;
        self.cut_off(self.everybody());
    }

    pub(super) fn cut_off(&mut self, clients: Vec<usize>) {
        let mut forced = 0;
        for key in clients {
            if let Some(occupant) = self.clients.get_mut(key) {
                forced += u64::from(!occupant.was_idle);
                occupant.connection.abandon(Closed::Forced);
                self.settle(key);
            }
        }
        self.context.stats.drain_forced(forced);
    }
}
