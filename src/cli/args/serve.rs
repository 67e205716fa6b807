//! What can be said to `guardhouse serve`.

use super::{
    AcceptBy, ExecutorName, FullPolicy, Named, ServiceName, SlowPolicy, Switch, Time, at_least_one,
};
use bytesize::ByteSize;
use guardhouse::Fanout;
use guardhouse::strategy::{LockKind, ModelKind};
use std::num::NonZeroUsize;

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
    /// measure them (of use where the system tells of such an end: Linux, FreeBSD)
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) with_parent: Option<i32>,
    /// Serve for the server that started this process; for --model process and prefork, which start it
    #[arg(long, hide = true)]
    pub(crate) as_child: bool,
}
