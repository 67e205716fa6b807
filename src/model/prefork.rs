//! [`Prefork`].

use super::{Context, Model, Unsupported};
use crate::net::Listener;
use std::io;
use std::num::NonZeroUsize;

/// Prefork.
#[derive(Clone, Copy, Debug)]
pub struct Prefork {
    processes: NonZeroUsize,
}

impl Prefork {
    /// So many processes.
    pub fn new(processes: NonZeroUsize) -> Self {
        Self { processes }
    }
}

impl Model for Prefork {
    fn name(&self) -> &'static str {
        "prefork"
    }

    fn check(&self) -> Result<(), Unsupported> {
        Err(Unsupported("it is not built yet".into()))
    }

    fn shares_memory(&self) -> bool {
        false
    }

    fn run(&self, _: Vec<Listener>, _: Context<'_>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
