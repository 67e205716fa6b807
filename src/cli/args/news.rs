//! What can be said to `guardhouse news`.

use super::{Switch, Time, at_least_one};
use bytesize::ByteSize;
use clap::Subcommand;
use guardhouse::datagram::{Audience, Group, Wanted};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(crate) enum News {
    /// Send the lines of a file, each in a datagram, to all who listen
    Send(Box<SendNews>),
    /// Print what is sent, as one of any number who listen
    Receive(ReceiveNews),
    /// Nothing comes: find out why
    Doctor(Doctor),
}

/// Whom it is for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct For {
    /// The multicast group, like 224.1.1.2:7777 or `[ff15::7777]:7777` [default: 224.1.1.2:7777]
    #[arg(long, value_name = "ADDR:PORT", conflicts_with = "broadcast")]
    group: Option<Group>,
    /// Everybody on the network in place of a group: 255.255.255.255:7777, or a network's own address, like 10.77.0.255:7777
    #[arg(long, value_name = "ADDR:PORT", value_parser = broadcast)]
    broadcast: Option<SocketAddrV4>,
    /// By which interface: its name, its index or its address [default: where the routing table leads]
    #[arg(long, value_name = "NAME|INDEX|ADDR")]
    pub(crate) interface: Option<Wanted>,
}

impl For {
    pub(crate) fn audience(&self) -> Audience {
        match self.broadcast {
            Some(addr) => Audience::Broadcast(addr),
            None => Audience::Group(self.group.unwrap_or(Group::TUTORIAL)),
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A line is sent as it is, with its newline, in a datagram of its own. With --sequence each carries a number, from \
    which a receiver tells what was lost. Ctrl-C ends it, with the statistics.\n\n\
    Examples:\n  \
    guardhouse news send news.txt\n  \
    guardhouse news send --group 239.1.2.3:7777 --interface eth0 --ttl 4 --sequence news.txt\n  \
    guardhouse news send --broadcast 255.255.255.255:7777 --repeat\n  \
    tail -f log | guardhouse news send --interval 0s -\n  \
    guardhouse news send --interface 127.0.0.1 --rate 1000/s --count 5000 --repeat news.txt   (on this host alone)\n\n\
    Exit codes: 0 all sent, 1 something could not be sent, 2 wrong use; 129 SIGHUP, 130 Ctrl-C and 143 SIGTERM \
    before the end or --count; with --repeat or --follow alone, they are the end."
)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct SendNews {
    /// A line, a datagram; - is stdin
    #[arg(default_value = "news.txt", value_name = "FILE|-")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) to: For,
    /// How many routers it may pass, and one: 1 stays on the network, 0 on this host
    #[arg(long, default_value_t = 1, value_name = "HOPS")]
    pub(crate) ttl: u8,
    /// Whether it is heard on this host, too; a broadcast always is
    #[arg(long = "loop", default_value = "on", value_name = "on|off")]
    pub(crate) loops: Switch,
    /// Between one line and the next
    #[arg(
        long,
        default_value = "2s",
        value_name = "TIME",
        value_parser = time,
        conflicts_with = "rate"
    )]
    pub(crate) interval: Time,
    /// So many lines a second, in place of --interval
    #[arg(long, value_name = "N/s")]
    pub(crate) rate: Option<Rate>,
    /// From the beginning again, until --count or Ctrl-C
    #[arg(long, conflicts_with = "follow")]
    pub(crate) repeat: bool,
    /// Stop after so many lines
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) count: Option<NonZeroUsize>,
    /// At the end of FILE, wait for lines to be added, until --count or Ctrl-C; of one that was cut or replaced, from the beginning
    /// (one that is written over in its place by something longer goes on where it was)
    #[arg(long)]
    pub(crate) follow: bool,
    /// Number them: a header of 32 bytes before each line
    #[arg(long)]
    pub(crate) sequence: bool,
    /// The longest datagram, header and all
    #[arg(long, default_value = "1400", value_name = "BYTES")]
    pub(crate) max_datagram: ByteSize,
    /// Cut lines that are too long for a datagram, in place of refusing them
    #[arg(long)]
    pub(crate) truncate: bool,
    /// One JSON report at the end, on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Lines go to stdout as they come; on a terminal, without their control characters. What was lost of numbered ones, \
    and the statistics at the end, go to stderr.\n\n\
    Examples:\n  \
    guardhouse news receive\n  \
    guardhouse news receive --group 232.1.2.3:7777 --source 10.77.0.1 --interface eth0\n  \
    guardhouse news receive --broadcast 255.255.255.255:7777 --count 3 --timeout 10s\n  \
    guardhouse news receive --interface 127.0.0.1 --timeout 5s --json\n\n\
    Exit codes: 0 done, 1 nothing came within --timeout, or less than --count, 2 wrong use; 129 SIGHUP, \
    130 Ctrl-C and 143 SIGTERM before --count; without it, they are the end."
)]
pub(crate) struct ReceiveNews {
    #[command(flatten)]
    pub(crate) of: For,
    /// Hear these senders only (source-specific multicast)
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    pub(crate) source: Vec<IpAddr>,
    /// Stop after so many datagrams
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) count: Option<NonZeroUsize>,
    /// Stop when nothing came for so long
    #[arg(long, value_name = "TIME", value_parser = some_time)]
    pub(crate) timeout: Option<Time>,
    /// Room for datagrams that wait to be received, each counted with the kernel's overhead [default: the system's]
    #[arg(long, value_name = "BYTES")]
    pub(crate) buffer: Option<ByteSize>,
    /// In place of the lines, one JSON report at the end, on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Give it what sender and receiver were given. It looks at this host only, and goes through the reasons for \
    silence one by one, in the order of a datagram's way: those it can rule out, and the one that holds, which is the last line. \
    No datagram of it leaves this host; to listen it joins the group, as a receiver does. It needs no rights; with those of root \
    it can name the programs of other users.\n\n\
    Examples:\n  \
    guardhouse news doctor\n  \
    guardhouse news doctor --group 239.1.2.3:7777 --interface eth0 --ttl 4 --listen 5s\n  \
    guardhouse news doctor --interface 127.0.0.1 --json   (on this host alone)\n\n\
    Exit codes: 0 nothing found, 1 a reason found, 2 wrong use."
)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) of: For,
    /// What the receiver was given
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    pub(crate) source: Vec<IpAddr>,
    /// What the sender was given
    #[arg(long, default_value_t = 1, value_name = "HOPS")]
    pub(crate) ttl: u8,
    /// What the sender was given
    #[arg(long = "loop", default_value = "on", value_name = "on|off")]
    pub(crate) loops: Switch,
    /// Join, and tell for so long what comes to the port, and to which group
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = time)]
    pub(crate) listen: Time,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn broadcast(text: &str) -> Result<SocketAddrV4, String> {
    let like = "255.255.255.255:7777, or a network's own, like 10.77.0.255:7777";
    match text.parse() {
        Ok(SocketAddr::V4(addr)) if addr.ip().is_multicast() => {
            Err(format!("{} is a group: give it to --group", addr.ip()))
        }
        Ok(SocketAddr::V4(addr)) if addr.port() == 0 => {
            Err(format!("must have a port, 1 to 65535: {like}"))
        }
        Ok(SocketAddr::V4(addr)) => Ok(addr),
        Ok(SocketAddr::V6(_)) => Err(
            "IPv6 has no broadcast; the group of all nodes of a link is `--group [ff02::1]:PORT`"
                .into(),
        ),
        Err(_) => Err(format!("must be an IPv4 address and a port: {like}")),
    }
}

/// Longer than anybody waits, and far from where a point in time can no longer be told.
const LONGEST: Duration = Duration::from_hours(8766);

fn time(text: &str) -> Result<Time, String> {
    let time: Time = text.parse().map_err(|error| format!("{error}"))?;
    if time.time > LONGEST {
        return Err("must be at most 1y".into());
    }
    Ok(time)
}

fn some_time(text: &str) -> Result<Time, String> {
    let time = time(text)?;
    if time.time.is_zero() {
        return Err("must be more than nothing, like 5s".into());
    }
    Ok(time)
}

/// So many a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate(f64);

impl Rate {
    /// From one to the next.
    pub(crate) fn interval(self) -> Duration {
        Duration::from_secs_f64(1.0 / self.0)
    }

    pub(crate) fn is_one(self) -> bool {
        self.interval() == Duration::from_secs(1)
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix("/s").unwrap_or(text);
        match number.parse::<f64>() {
            Ok(rate) if (0.001..=10e6).contains(&rate) => Ok(Self(rate)),
            _ => Err("must be 0.001/s to 10000000/s, like 50/s"),
        }
    }
}
