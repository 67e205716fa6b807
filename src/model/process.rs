//! [`Process`]: a process per client.

mod child;
pub(super) mod family;
mod line;
mod program;
mod relative;
mod words;

pub use child::{orphaned, serve_as_child};
pub use program::Program;
pub(super) use program::given;

use super::acceptor::{Accepted, Acceptor};
use super::{Context, Model, Unsupported, only};
use crate::limits::Limits;
use crate::net::Listener;
use family::Family;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// A process per client (UNP 1, muduo 1), started for it and handed its connection.
///
/// Nothing is shared: a client whose session brings down its process, by whatever means, costs nobody else anything,
/// and what a process got from the system goes back with it. Sessions cannot meet, so a service that
/// [needs shared memory](crate::Service::needs_shared_memory) is refused.
///
/// Not by fork(2): a program with threads may do nearly nothing between that and exec. The process runs a [`Program`],
/// as a rule this one, which calls [`serve_as_child`].
///
/// ```text
///   gh-acceptor: accept, start a process, hand over the connection; hear all lines
///        |  line  |  line  |
///      child    child    child       each serves one client, and tells when it is gone
/// ```
///
/// A process that cannot be started costs the one client that wanted it. A child whose parent is gone drains.
#[derive(Clone, Debug, Default)]
pub struct Process {
    program: Option<Program>,
}

impl Process {
    /// A process per client. It cannot run before it is given its [program](Self::program).
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what the processes run. It must call [`serve_as_child`].
    #[must_use]
    pub fn program(mut self, program: Program) -> Self {
        self.program = Some(program);
        self
    }
}

impl Model for Process {
    fn name(&self) -> &'static str {
        "process"
    }

    fn check(&self) -> Result<(), Unsupported> {
        Program::check(self.program.as_ref())
    }

    fn shares_memory(&self) -> bool {
        false
    }

    fn waits_for_clients(&self) -> bool {
        true
    }

    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()> {
        let program = given(self.program.as_ref())?;
        // Who is admitted is decided when the lines have been heard.
        let at_the_door = Context {
            limits: Limits {
                max_clients: None,
                ..context.limits
            },
            ..context
        };
        let acceptor = Acceptor::alone(only(listeners), at_the_door)?;
        let mut family = Family::new(context, program);
        let outcome = accept(acceptor, &mut family, context);
        context.shutdown.drain();
        family.see_out()?;
        outcome
    }
}

/// Until the drain begins.
fn accept(
    mut acceptor: Acceptor<'_>,
    family: &mut Family<'_>,
    context: Context<'_>,
) -> io::Result<()> {
    let mut pause: Option<Duration> = None;
    while !context.shutdown.is_draining() {
        // While pausing, nobody is waited for at the door.
        let door = pause.is_none().then(|| acceptor.as_fd());
        family.attend(door, pause)?;
        pause = match acceptor.accept(|newcomer| family.take(newcomer))? {
            Accepted::Turn => None,
            Accepted::Pause(pause) => Some(pause),
        };
    }
    Ok(())
}
