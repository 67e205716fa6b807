//! [`Iterative`]: one client at a time.

use super::{Buffers, Context, Model, blocking, only};
use crate::net::Listener;
use std::io;

/// One thread that serves one client to its end before it accepts the next (UNP 0, muduo 0).
///
/// Everyone else waits in the kernel's backlog, without a word: the model to compare the others with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Iterative;

impl Model for Iterative {
    fn name(&self) -> &'static str {
        "iterative"
    }

    fn waits_for_clients(&self) -> bool {
        true
    }

    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()> {
        blocking::run(only(listeners), context, |_, house, acceptor| {
            let mut buffers = Buffers::new();
            acceptor.run(|newcomer| house.serve(house.seat(newcomer), &mut buffers))
        })
    }
}
