//! What stands in the place of a backend that this system lacks.

use super::{Event, Interest, Poller, Token};
use std::convert::Infallible;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// A [`Poller`] that cannot be made: this system has no such call.
pub struct Missing(Infallible);

impl Poller for Missing {
    const NAME: &'static str = "missing";

    type Cursor = Infallible;

    fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn add(&mut self, _: BorrowedFd<'_>, _: Token, _: Interest) -> io::Result<()> {
        match self.0 {}
    }

    fn modify(&mut self, _: BorrowedFd<'_>, _: Token, _: Interest) -> io::Result<()> {
        match self.0 {}
    }

    fn delete(&mut self, _: BorrowedFd<'_>) -> io::Result<()> {
        match self.0 {}
    }

    fn wait(&mut self, _: Option<Duration>) -> io::Result<Infallible> {
        match self.0 {}
    }

    fn next(&self, _: &mut Infallible) -> Option<Event> {
        match self.0 {}
    }
}
