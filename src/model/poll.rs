//! [`Poll`]: one thread, many clients, poll(2).

use super::loops::Entrance;
use super::{Context, Model, reactor};
use crate::net::Listener;
use crate::poller;
use std::io;

/// One thread that asks poll(2) who is ready (muduo 5).
///
/// It has no limit of its own on descriptors, which is what select lacks; but each turn still hands the kernel a list of
/// all of them, and walks it. One session that takes long makes everybody wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct Poll;

impl Model for Poll {
    fn name(&self) -> &'static str {
        "poll"
    }

    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()> {
        reactor::run::<poller::Poll>(Entrance::alone(listeners, context)?, context)
    }
}
