//! [`Poll`].

use super::{Context, Model, Unsupported};
use crate::net::Listener;
use std::io;

/// Poll.
#[derive(Clone, Copy, Debug)]
pub struct Poll;

impl Model for Poll {
    fn name(&self) -> &'static str {
        "poll"
    }

    fn check(&self) -> Result<(), Unsupported> {
        Err(Unsupported("it is not built yet".into()))
    }

    fn run(&self, _: Vec<Listener>, _: Context<'_>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
