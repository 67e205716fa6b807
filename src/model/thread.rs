//! [`Thread`]: a thread per client.

use super::{Buffers, Context, Model, blocking, only};
use crate::net::Listener;
use crate::stats::Refusal;
use std::io;
use std::sync::Arc;
use std::thread::Builder;

/// A thread per client (UNP 6, muduo 2): the tutorial's multi-threaded server.
///
/// Slow clients cost nobody else anything but memory: a stack each. A thread that cannot be started costs
/// the one client that wanted it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thread {
    stack_size: Option<usize>,
}

impl Thread {
    /// Threads with the stack that Rust gives by default, 2 MiB of address space.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives each thread a stack of so many bytes. The sessions run on it: a stack that is too small for
    /// them ends the process.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }
}

impl Model for Thread {
    fn name(&self) -> &'static str {
        "thread"
    }

    fn waits_for_clients(&self) -> bool {
        true
    }

    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()> {
        blocking::run(only(listeners), context, |scope, house, acceptor| {
            acceptor.run(|newcomer| {
                let place = house.seat(newcomer);
                let seat = Arc::clone(&place.seat);
                let mut builder = Builder::new().name("gh-client".into());
                if let Some(bytes) = self.stack_size {
                    builder = builder.stack_size(bytes);
                }
                let house_of_thread = house.clone();
                let spawned = builder.spawn_scoped(scope, move || {
                    house_of_thread.serve(place, &mut Buffers::of_one_client());
                });
                if let Err(error) = spawned {
                    house.refuse(&seat, &Refusal::NoThread(error));
                }
            })
        })
    }
}
