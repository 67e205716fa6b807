//! What can be said to `guardhouse compare`.

use super::{Named, ServiceName, SlowPolicy, at_least_one};
use bytesize::ByteSize;
use guardhouse::Fanout;
use guardhouse::strategy::{LockKind, ModelKind};
use std::num::NonZeroUsize;
use std::time::Duration;

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
