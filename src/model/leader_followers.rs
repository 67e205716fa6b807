//! [`LeaderFollowers`].

use super::{Context, Model, Unsupported};
use crate::net::Listener;
use std::io;
use std::num::NonZeroUsize;

/// LeaderFollowers.
#[derive(Clone, Copy, Debug)]
pub struct LeaderFollowers {
    threads: NonZeroUsize,
}

impl LeaderFollowers {
    /// So many threads take turns.
    pub fn new(threads: NonZeroUsize) -> Self {
        Self { threads }
    }
}

impl Model for LeaderFollowers {
    fn name(&self) -> &'static str {
        "leader-followers"
    }

    fn check(&self) -> Result<(), Unsupported> {
        Err(Unsupported("it is not built yet".into()))
    }

    fn run(&self, _: Vec<Listener>, _: Context<'_>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
