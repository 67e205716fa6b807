//! The fan-out strategies by name, and what goes together.

use super::{About, ModelKind};
use crate::fanout::Fanout;
use crate::limits::Slow;
use std::fmt;

impl Fanout {
    /// What to tell people about it.
    pub const fn about(self) -> About {
        match self {
            Self::UnderLock => About {
                name: "under-lock",
                known_as: "the tutorial's: send() to all while the mutex is held",
                cost: "a system call per line and member, all inside the critical section",
                starvation: "one client who does not read stops everybody; made to be looked at",
            },
            Self::Snapshot => About {
                name: "snapshot",
                known_as: "copy-on-write list (muduo: asio_chat_server_threaded_efficient)",
                cost: "the list is shared, not copied, until somebody joins or leaves; a post and up to a system call per line and member",
                starvation: "nobody waits for a client; a joining thread copies the list while a broadcast still walks it",
            },
            Self::Queue => About {
                name: "queue",
                known_as: "mailboxes: post inside, flush outside",
                cost: "a post per line and member inside the section; a system call per member and flush, for all lines since the last",
                starvation: "nobody waits for a client; lookers of a large room hold the section for long",
            },
            Self::Sharded => About {
                name: "sharded",
                known_as: "lists per shard (muduo: asio_chat_server_threaded_highperformance)",
                cost: "as queue, and a lock per shard and line",
                starvation: "as queue, for an eighth of the members at a time",
            },
            Self::Log => About {
                name: "log",
                known_as: "an append-only log and a cursor per client, as in brokers; combining flushes",
                cost: "one copy per line; a system call per member and flush, for all lines since the last; nothing per line and member",
                starvation: "nobody waits for a client; who is too far behind has fallen off",
            },
        }
    }

    /// Whether it is what it says under a model: to wait for a client inside the section takes a thread that may wait.
    pub fn goes_with(self, model: ModelKind) -> bool {
        self != Self::UnderLock || model.waits_for_clients()
    }

    /// Which policies for slow readers it has, the one that it takes by itself first.
    pub fn policies(self) -> &'static [Slow] {
        match self {
            // Nothing ever waits in a mailbox.
            Self::UnderLock => &[Slow::Block],
            Self::Snapshot | Self::Queue | Self::Sharded => &Slow::ALL,
            // What is said is in the log for all, and nobody writes there again for one.
            Self::Log => &[Slow::Disconnect, Slow::DropOldest],
        }
    }
}

impl fmt::Display for Fanout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
