//! [`Limits`]: what a server grants its clients, the same under every model.

use std::time::Duration;

/// What a server grants its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Clients served at once; one more is refused with a sentence. `None`: as many as there are
    /// descriptors.
    pub max_clients: Option<usize>,
    /// Bytes of others' posts that may wait for one client whose socket is full. (A client's own answer is bounded
    /// otherwise: it is not read from before the answer is sent.)
    pub mailbox: usize,
    /// What becomes of a client for whom more than that would wait.
    pub slow: Slow,
    /// A client from which nothing arrives for so long is closed, and so is one that takes nothing of an
    /// answer for so long; the latter after twice the time at most. `None`: never.
    pub idle_timeout: Option<Duration>,
    /// How long a drain gives busy clients.
    pub drain: Duration,
    /// `TCP_NODELAY`: small answers go out at once instead of waiting for the client's acknowledgement.
    pub nodelay: bool,
}

/// What becomes of a client that reads more slowly than others talk, when its mailbox is full. What is dropped is counted,
/// and told to the client in a line as soon as there is room for one: `... 12 lines dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slow {
    /// It is hung up.
    #[default]
    Disconnect,
    /// What was just said is dropped: it reads the old, and then misses a while.
    DropNewest,
    /// What has waited longest is dropped: it misses a while, and then reads the new.
    DropOldest,
    /// Whoever talks waits until there is room. Everybody is as fast as the slowest.
    Block,
}

impl Slow {
    /// All of them, the default first.
    pub const ALL: [Self; 4] = [
        Self::Disconnect,
        Self::DropNewest,
        Self::DropOldest,
        Self::Block,
    ];

    /// As `--slow` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::DropNewest => "drop-newest",
            Self::DropOldest => "drop-oldest",
            Self::Block => "block",
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_clients: None,
            mailbox: 256 * 1024,
            slow: Slow::Disconnect,
            idle_timeout: None,
            drain: Duration::from_secs(5),
            nodelay: true,
        }
    }
}

impl Limits {
    /// The longest time-out or drain that is taken.
    pub const LONGEST: Duration = Duration::from_hours(30 * 24);
}
