//! What a model needs around it, for unit tests: an echo, with what it counts and what ends it.

use super::Context;
use crate::limits::Limits;
use crate::service::Echo;
use crate::shutdown::Shutdown;
use crate::stats::Stats;

pub(super) struct House {
    pub(super) shutdown: Shutdown,
    pub(super) stats: Stats,
}

impl House {
    pub(super) fn new() -> Self {
        Self {
            shutdown: Shutdown::new().unwrap(),
            stats: Stats::default(),
        }
    }

    pub(super) fn context(&self) -> Context<'_> {
        Context {
            service: &Echo,
            limits: Limits::default(),
            shutdown: &self.shutdown,
            stats: &self.stats,
        }
    }
}
