//! [`Select`]: one thread, many clients, select(2).

use super::loops::Entrance;
use super::{Context, Model, reactor};
use crate::net::Listener;
use crate::poller;
use std::io;

/// One thread that asks select(2) who is ready (muduo 5): the tutorial's multiplexing server.
///
/// A set of descriptors ends at `FD_SETSIZE`, 1024: a client whose descriptor lies past it is refused with a
/// sentence, and the others are served on. One session that takes long makes everybody wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct Select;

impl Model for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()> {
        reactor::run::<poller::Select>(Entrance::alone(listeners, context)?, context)
    }
}
