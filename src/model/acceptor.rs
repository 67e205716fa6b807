//! The acceptor that all models share: accepts on a listener until the drain. How a client is let in, or refused with
//! a reason, is its [porter's](Porter) business.

mod porter;
mod trouble;

pub(super) use porter::{Door, Newcomer, Porter, refuse};

use super::Context;
use crate::net::Listener;
use porter::{Knock, wait};
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

/// What accepting came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// Nobody waits any more, or enough were accepted for one turn: wait until the listener is readable.
    Turn,
    /// Do not look at the listener for so long.
    Pause(Duration),
}

/// Accepted at one turn at most: a crowd at the door must not starve those inside.
const TURN: usize = 64;

/// Accepts on a listener, which may be one that others accept on, too. It is closed with its last acceptor.
pub(super) struct Acceptor<'a> {
    listener: Arc<Listener>,
    porter: Porter<'a>,
}

impl<'a> Acceptor<'a> {
    /// The only acceptor of a server.
    pub(super) fn alone(listener: Listener, context: Context<'a>) -> io::Result<Self> {
        Self::new(Arc::new(listener), Door::new(context, 1), 0)
    }

    /// The acceptor `index` at `door`.
    pub(super) fn new(
        listener: Arc<Listener>,
        door: Arc<Door<'a>>,
        index: usize,
    ) -> io::Result<Self> {
        let porter = Porter::new(door, index)?;
        Ok(Self { listener, porter })
    }

    /// Accepts until shutdown, blocking in between; ends at once when draining begins. Closes the listener.
    pub(super) fn run(mut self, mut admit: impl FnMut(Newcomer)) -> io::Result<()> {
        let shutdown = self.porter.context.shutdown;
        let mut pause = None;
        while !shutdown.is_draining() {
            wait(shutdown, [self.listener.as_fd()], pause)?;
            pause = match self.accept(&mut admit)? {
                Accepted::Turn => None,
                Accepted::Pause(pause) => Some(pause),
            };
        }
        Ok(())
    }

    /// Accepts those who wait at the door. Never blocks, unless `admit` does.
    ///
    /// # Errors
    /// Only when the listener itself is broken.
    pub(super) fn accept(&mut self, mut admit: impl FnMut(Newcomer)) -> io::Result<Accepted> {
        for _ in 0..TURN {
            if self.porter.context.shutdown.is_draining() {
                break;
            }
            match self.porter.knock(&self.listener)? {
                Knock::Came(newcomer) => admit(newcomer),
                Knock::Gone => {}
                Knock::Nobody => break,
                Knock::Pause(pause) => return Ok(Accepted::Pause(pause)),
            }
        }
        Ok(Accepted::Turn)
    }

    /// Lets in a client whom the kernel accepted on this listener.
    pub(super) fn take_in(&mut self, stream: TcpStream, admit: impl FnOnce(Newcomer)) {
        if let Some(newcomer) = self.porter.take_in(stream) {
            admit(newcomer);
        }
    }

    /// Puts the listener into the mode in which the kernel accepts on its own: it would not wait for clients at one that
    /// never blocks.
    pub(super) fn leave_it_to_the_kernel(&self) -> io::Result<()> {
        self.listener.set_blocking(true)
    }

    /// The kernel accepts no more, because of `error` if there was one: [accepts](Self::accept) in its stead.
    pub(super) fn go_on(
        &mut self,
        error: Option<io::Error>,
        admit: impl FnMut(Newcomer),
    ) -> io::Result<Accepted> {
        if let Some(error) = error {
            self.porter.learn_of(error)?;
        }
        self.listener.set_blocking(false)?;
        self.accept(admit)
    }

    /// Descriptors were short when somebody last accepted.
    pub(super) fn is_short(&self) -> bool {
        self.porter.is_short()
    }
}

impl AsFd for Acceptor<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}
