//! The command line: one file per command.

mod args;
mod compare;
mod connect;
mod descriptors;
mod kinds;
mod news;
mod output;
mod serve;
mod signals;

pub(crate) use args::Args;

use args::Command;
use std::process::ExitCode;

/// Wrong use: exit code 2. The text names flag, value and limit.
#[derive(Debug)]
pub(crate) struct WrongUse(pub(crate) String);

impl std::fmt::Display for WrongUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUse {}

/// A signal of this number ended it, or the key that sends one: exit code 128 and the number, as a shell has it. Whoever
/// pressed the key knows why.
#[derive(Debug)]
pub(crate) struct Interrupted(pub(crate) i32);

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ended by signal {}", self.0)
    }
}

impl std::error::Error for Interrupted {}

/// It was not as it should be, and stdout has said so: exit code 1, and no more words.
#[derive(Debug)]
pub(crate) struct SaidAlready;

impl std::fmt::Display for SaidAlready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("said on stdout")
    }
}

impl std::error::Error for SaidAlready {}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Serve(serve) => serve::run(&serve, args.verbosity),
        Command::Connect(connect) => connect::run(connect),
        Command::Compare(compare) => compare::run(&compare, args.verbosity),
        Command::News(news) => news::run(&news, args.verbosity),
        Command::Models { json } => kinds::models(json),
        Command::Syncs { json } => kinds::syncs(json),
        Command::Fanouts { json } => kinds::fanouts(json),
    }
}

/// Prints why it went wrong, and says with which code to exit: 2 for wrong use, 1 for failure, more than 128 after a
/// signal. Whoever closed our stdout has seen enough: that is no failure.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if error.is::<output::SeenEnough>() {
        return ExitCode::SUCCESS;
    }
    if let Some(Interrupted(signal)) = error.downcast_ref() {
        return ExitCode::from(128_u8.saturating_add(*signal as u8));
    }
    if error.is::<SaidAlready>() {
        return ExitCode::FAILURE;
    }
    output::complain(&format!("error: {error:#}"));
    if error.is::<WrongUse>() {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}
