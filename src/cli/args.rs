//! What can be said on the command line.

mod news;

pub(crate) use news::{Doctor, News, ReceiveNews, SendNews};

use bytesize::ByteSize;
use clap::{ArgAction, ColorChoice, Parser, Subcommand, ValueEnum, builder::PossibleValue};
use guardhouse::strategy::{LockKind, ModelKind};
use guardhouse::{Fanout, Slow};
use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
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

#[derive(Debug, clap::Args)]
#[command(
    after_help = "SIGINT or SIGTERM drains: no new clients, idle ones are closed at once, busy ones get \
    the time of --drain. A second signal cuts everybody off.\n\n\
    Examples:\n  \
    guardhouse serve chat --model epoll --loops 4 --accept reuseport\n  \
    guardhouse serve chat --model hybrid --workers 4 --executor stealing\n  \
    guardhouse serve chat --model leader-followers --workers 4\n  \
    guardhouse serve chat --model uring --sync none\n  \
    guardhouse serve chat --fanout queue --slow drop-newest --mailbox 1MiB\n  \
    guardhouse serve echo --model pool --workers 16 --accept mutex\n  \
    guardhouse serve echo --model prefork --workers 16\n  \
    guardhouse serve echo --model process --max-clients 100\n  \
    guardhouse serve echo --model thread --stack-size 64KiB"
)]
pub(crate) struct Serve {
    /// What to serve
    pub(crate) service: ServiceName,
    /// How to spend threads (see `guardhouse models`)
    #[arg(long, default_value = "thread", value_name = "MODEL")]
    pub(crate) model: Named<ModelKind>,
    /// What guards the client registry (see `guardhouse syncs`)
    #[arg(long, default_value = "mutex", value_name = "SYNC")]
    pub(crate) sync: Named<LockKind>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:7777", value_name = "HOST:PORT")]
    pub(crate) listen: String,
    /// Permits of --sync semaphore: so many look at once [default: 8]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) permits: Option<NonZeroUsize>,
    /// Workers of --model pool, hybrid or leader-followers; processes of --model prefork [default: 8]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) workers: Option<NonZeroUsize>,
    /// Clients that may wait for a worker of --model pool [default: 128]
    #[arg(long, value_name = "N")]
    pub(crate) queue: Option<usize>,
    /// What --model pool does when its queue is full [default: wait]
    #[arg(long, value_name = "POLICY")]
    pub(crate) when_full: Option<FullPolicy>,
    /// Who accepts for --model pool, or for the loops of --model epoll, kqueue or uring [default: acceptor]
    #[arg(long, value_name = "WHO")]
    pub(crate) accept: Option<AcceptBy>,
    /// What hands work to the workers of --model pool or hybrid [default: channel]
    #[arg(long, value_name = "EXECUTOR")]
    pub(crate) executor: Option<ExecutorName>,
    /// Loops of --model epoll, kqueue or uring, each a thread with clients of its own, 1024 at most [default: 1]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) loops: Option<NonZeroUsize>,
    /// Stack of each thread of --model thread, like 64KiB [default: 2MiB]
    #[arg(long, value_name = "BYTES")]
    pub(crate) stack_size: Option<ByteSize>,
    /// Connections that the kernel holds ready before they are accepted
    #[arg(long, default_value_t = 4096, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) backlog: u16,
    /// Send small answers at once (`TCP_NODELAY`)
    #[arg(long, default_value = "on", value_name = "on|off")]
    pub(crate) nodelay: Switch,
    /// Close a client that says nothing, or takes nothing of an answer, for so long, like 30s [default: never]
    #[arg(long, value_name = "TIME")]
    pub(crate) idle_timeout: Option<Time>,
    /// Serve so many at once and refuse one more [default: no limit]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) max_clients: Option<NonZeroUsize>,
    /// The longest line of a chat, newline not counted [default: 4096]
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_line: Option<ByteSize>,
    /// How what one says in a chat gets to the others (see `guardhouse fanouts`)
    /// [default: log]
    #[arg(long, value_name = "FANOUT")]
    pub(crate) fanout: Option<Named<Fanout>>,
    /// What others say and may wait for a client that reads too slowly, 1 GiB at most
    #[arg(long, default_value = "256KiB", value_name = "BYTES")]
    pub(crate) mailbox: ByteSize,
    /// What becomes of a client for whom more would wait: it is hung up, the newest or the oldest lines are dropped and it is
    /// told so, or whoever talks waits for it [default: disconnect; with --fanout under-lock: block]
    #[arg(long, value_name = "POLICY")]
    pub(crate) slow: Option<SlowPolicy>,
    /// How long busy clients may go on after the first signal
    #[arg(long, default_value = "5s", value_name = "TIME")]
    pub(crate) drain: Time,
    /// Watch the lock that guards the client registry, and print how it goes every so often, like 1s, on stderr:
    /// counts and times of the interval just over, most inside of the whole run; where there are several who accept, or a
    /// queue, how clients got in, too (woken in vain: who got as far as accept, which most of a herd does not)
    /// [default: not watched]
    #[arg(long, value_name = "TIME")]
    pub(crate) stats: Option<Time>,
    /// Drain when the process of this number, which started this one, is gone; for those that start servers to
    /// measure them
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) with_parent: Option<i32>,
    /// Serve for the server that started this process; for --model process and prefork, which start it
    #[arg(long, hide = true)]
    pub(crate) as_child: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Connect {
    /// Type lines, see them come back
    Echo {
        /// The server
        #[arg(default_value = "127.0.0.1:7777", value_name = "HOST:PORT")]
        addr: String,
    },
    /// Talk to everyone who is connected
    Chat(ChatClient),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "On a terminal, the line being typed stays at the bottom while messages arrive. Keys are those of \
    readline: arrows, Ctrl-A/E/K/U/W/Y, up and down for what was typed before, Ctrl-R to search it. In a pipe there is no \
    prompt and no colour.\n\n\
    A line that begins with / is a command and goes to the server as it is: /who, /join ROOM, /me TEXT, /name NAME, /help. \
    Text that begins with a slash is typed with two: //. /quit, Q and Ctrl-D end the client.\n\n\
    With --reconnect, lines typed meanwhile are kept and sent when the server is back, after the name and the room; \
    lines sent just before it went away may be lost.\n\n\
    Examples:\n  \
    guardhouse connect chat --name ann\n  \
    guardhouse connect chat chat.example:7777 --name ann --reconnect\n  \
    printf '/join ops\\ndeployed\\n' | guardhouse connect chat --name ci\n  \
    guardhouse connect chat 127.0.0.1:9190 --name ann --no-register   (a server that has no /name)\n\n\
    Exit codes: 0 left, 1 the server is gone or was never there, or complained in place of the last line of a pipe, \
    2 wrong use, 130 Ctrl-C."
)]
pub(crate) struct ChatClient {
    /// The server
    #[arg(default_value = "127.0.0.1:7777", value_name = "HOST:PORT")]
    pub(crate) addr: String,
    /// Who is talking: lines go out as `[NAME] text`. On a terminal, the server is asked for the name, too; if it has
    /// another of that name, they go out as `[guest] text` until it takes a /name
    /// [default: guest]
    #[arg(long, value_parser = name)]
    pub(crate) name: Option<String>,
    /// Ask the server for no name: for one that would relay the question as text
    #[arg(long)]
    pub(crate) no_register: bool,
    /// When to use colours; auto: on a terminal, unless `NO_COLOR` is set
    #[arg(long, value_name = "WHEN", default_value_t)]
    pub(crate) color: ColorChoice,
    /// When the server goes away or is not there, try again: for ever, or so many times in a row. The wait doubles
    /// from 0.25 s to 10 s, half of it by chance
    #[arg(long, value_name = "ATTEMPTS", num_args = 0..=1, require_equals = true, default_missing_value = "forever")]
    pub(crate) reconnect: Option<Attempts>,
}

/// How often to try: without a number, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempts(pub(crate) Option<NonZeroU32>);

impl FromStr for Attempts {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "forever" {
            return Ok(Self(None));
        }
        let number = text.parse().ok();
        let number = number.ok_or("must be `forever` or a number from 1 on")?;
        Ok(Self(Some(number)))
    }
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every cell (a service, a model, a lock) is measured in every round, each round in an order of its \
    own. The default takes about 50 s.\n\n\
    Examples:\n  \
    guardhouse compare --models thread,select --clients 64\n  \
    guardhouse compare --models poll,epoll,uring --clients 50 --idle 0,100,1000,10000   (what idle clients cost)\n  \
    guardhouse compare --models thread,epoll --idle 1000 --stack-size 64KiB   (and in memory)\n\n\
    Exit codes: 0 measured, 1 a server failed or lost or tore a message, 2 wrong use."
)]
pub(crate) struct Compare {
    /// Connections
    #[arg(long, default_value = "16", value_name = "N", value_parser = at_least_one)]
    pub(crate) clients: NonZeroUsize,
    /// So many connections more that say hello once and then nothing: a cell for each number. The table tells what is
    /// left of the messages, and the memory of each [default: 0]
    #[arg(long, value_delimiter = ',', value_name = "N,M")]
    pub(crate) idle: Option<Vec<usize>>,
    /// So many of the clients of a chat talk [default: a quarter of them]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) talkers: Option<NonZeroUsize>,
    /// So many clients more in a chat, who say hello and then read nothing: a cell for each number, and one without. The
    /// table tells what is left of the others' messages, and what becomes of their p99
    #[arg(long, value_delimiter = ',', value_name = "N,M")]
    pub(crate) stalled: Option<Vec<usize>>,
    /// Measured time per cell and round, like 500ms
    #[arg(long, default_value = "500ms", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) duration: Duration,
    /// How often each cell is measured; the table shows medians
    #[arg(long, default_value = "3", value_name = "N", value_parser = at_least_one)]
    pub(crate) rounds: NonZeroUsize,
    /// What the servers do [default: echo,chat; with --idle echo; with --fanouts, --talkers, --stalled or --slow chat]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) services: Option<Vec<ServiceName>>,
    /// How they spend threads (see `guardhouse models`)
    /// [default: those of thread,pool,select,epoll,hybrid,uring that run here]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) models: Option<Vec<Named<ModelKind>>>,
    /// What guards their client registry (see `guardhouse syncs`)
    /// [default: mutex,rwlock,semaphore for a chat; mutex for an echo, whose messages do not enter it]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) syncs: Option<Vec<Named<LockKind>>>,
    /// How what one says in a chat gets to the others (see `guardhouse fanouts`) [default: log]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) fanouts: Option<Vec<Named<Fanout>>>,
    /// What becomes of a chat's client for whom more than 256KiB would wait
    /// [default: disconnect; with --fanouts under-lock: block]
    #[arg(long, value_name = "POLICY")]
    pub(crate) slow: Option<SlowPolicy>,
    /// Stack of each thread of model thread, like 64KiB [default: 2MiB]
    #[arg(long, value_name = "BYTES")]
    pub(crate) stack_size: Option<ByteSize>,
    /// Loops of models epoll, kqueue and uring [default: 1]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) loops: Option<NonZeroUsize>,
    /// Workers of models hybrid and leader-followers; in a pool or prefork there is one per client [default: 8]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) workers: Option<NonZeroUsize>,
    /// One JSON report instead of the table
    #[arg(long)]
    pub(crate) json: bool,
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

/// A kind of the library, by its name there: the command line has no list of its own.
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

fn name(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("a name has at least 1 character, and no control characters");
    }
    Ok(text.into())
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
