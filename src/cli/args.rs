//! What can be said on the command line.

mod compare;
mod connect;
mod news;
mod serve;

pub(crate) use compare::Compare;
pub(crate) use connect::{Attempts, ChatClient, Connect};
pub(crate) use news::{Doctor, For, News, ReceiveNews, SendNews};
pub(crate) use serve::Serve;

use clap::{ArgAction, Parser, Subcommand, ValueEnum, builder::PossibleValue};
use guardhouse::strategy::{LockKind, ModelKind};
use guardhouse::{Fanout, Slow};
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;
use tracing_subscriber::filter::LevelFilter;

/// A TCP server framework on threads, with the locks in plain sight.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
    guardhouse serve chat --model pool --workers 16 --sync rwlock\n  \
    guardhouse serve echo --model select --listen 127.0.0.1:0\n  \
    guardhouse connect chat 127.0.0.1:7777 --name ann\n  \
    printf 'a\\nb\\n' | guardhouse connect echo\n  \
    guardhouse compare --models thread,select --clients 64\n  \
    guardhouse news send --interface 127.0.0.1 news.txt\n  \
    guardhouse models --json\n\n\
    Exit codes: 0 done, 1 failed, 2 wrong use."
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Verbosity {
    /// Log only what needs attention
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Log more (-vv: everything)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

impl Verbosity {
    pub(crate) fn level(self) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::WARN,
            (false, 0) => LevelFilter::INFO,
            (false, 1) => LevelFilter::DEBUG,
            (false, _) => LevelFilter::TRACE,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a server
    Serve(Serve),
    /// Be a client
    #[command(subcommand)]
    Connect(Connect),
    /// Measure models and locks side by side, each as a server of its own under the same load
    Compare(Compare),
    /// News by multicast or broadcast: one datagram, whoever listens
    #[command(subcommand)]
    News(News),
    /// List the concurrency models: what each costs, and who may starve whom
    Models {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// List the sync strategies: what each costs, and who may starve whom
    Syncs {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// List the fan-out strategies of a chat: what each costs, and who may starve whom
    Fanouts {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServiceName {
    /// Every byte back
    Echo,
    /// Every line to everyone in the room; `/help` lists what else a line can ask for
    Chat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlowPolicy(pub(crate) Slow);

impl ValueEnum for SlowPolicy {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: &[SlowPolicy] = &[
            SlowPolicy(Slow::ALL[0]),
            SlowPolicy(Slow::ALL[1]),
            SlowPolicy(Slow::ALL[2]),
            SlowPolicy(Slow::ALL[3]),
        ];
        ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FullPolicy {
    /// Accept nobody until there is room
    Wait,
    /// Refuse with a sentence
    Reject,
    /// Serve it where it was accepted, and accept nobody until it leaves
    CallerRuns,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AcceptBy {
    /// One acceptor, which hands clients on
    Acceptor,
    /// The workers of a pool, one at a time behind a lock (`workers` says the same)
    #[value(alias = "workers")]
    Mutex,
    /// The workers of a pool, all at once
    Free,
    /// Each worker or loop on a listener of its own, between which the kernel deals (`SO_REUSEPORT`)
    #[value(name = "reuseport")]
    ReusePort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExecutorName {
    /// One queue that all workers take from
    Channel,
    /// A queue per worker; who has nothing to do steals from the others
    Stealing,
    /// A pool of rayon's threads
    Rayon,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named<K>(pub(crate) K);

macro_rules! named {
    ($($kind:ty),*) => {$(
        impl ValueEnum for Named<$kind> {
            fn value_variants<'a>() -> &'a [Self] {
                const ALL: &[Named<$kind>] = &{
                    let mut all = [Named(<$kind>::ALL[0]); <$kind>::ALL.len()];
                    let mut i = 0;
                    while i < all.len() {
                        all[i] = Named(<$kind>::ALL[i]);
                        i += 1;
                    }
                    all
                };
                ALL
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                let about = self.0.about();
                Some(PossibleValue::new(about.name).help(about.cost))
            }
        }
    )*};
}

named!(ModelKind, LockKind, Fanout);

/// A duration, and how it was typed: refusals quote it.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    typed: String,
    pub(crate) time: Duration,
}

impl FromStr for Time {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self {
            typed: text.into(),
            time: humantime::parse_duration(text)?,
        })
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    let number: usize = text.parse().map_err(|error| format!("{error}"))?;
    NonZeroUsize::new(number).ok_or_else(|| "must be at least 1".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
