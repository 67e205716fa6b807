//! [`Hybrid`].

use super::{Context, Model, Unsupported};
use crate::executor::Executor;
use crate::net::Listener;
use std::io;
use std::num::NonZeroUsize;

/// Hybrid.
#[derive(Clone, Copy, Debug)]
pub struct Hybrid {
    workers: NonZeroUsize,
    executor: Executor,
}

impl Hybrid {
    /// A reactor and so many workers.
    pub fn new(workers: NonZeroUsize) -> Self {
        Self {
            workers,
            executor: Executor::default(),
        }
    }

    /// Sets what hands the ready clients to the workers.
    #[must_use]
    pub fn executor(mut self, executor: Executor) -> Self {
        self.executor = executor;
        self
    }
}

impl Model for Hybrid {
    fn name(&self) -> &'static str {
        "hybrid"
    }

    fn check(&self) -> Result<(), Unsupported> {
        Err(Unsupported("it is not built yet".into()))
    }

    fn run(&self, _: Vec<Listener>, _: Context<'_>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
