//! [`Process`].

use super::{Context, Model, Unsupported};
use crate::net::Listener;
use std::io;

/// Process.
#[derive(Clone, Copy, Debug)]
pub struct Process;

impl Process {
    /// A process per client.
    pub fn new() -> Self {
        Self
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

impl Model for Process {
    fn name(&self) -> &'static str {
        "process"
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
