//! [`Limits`]: what a server grants its clients, the same under every model.

use std::time::Duration;

/// What a server grants its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Clients served at once; one more is refused with a sentence. `None`: as many as there are
    /// descriptors.
    pub max_clients: Option<usize>,
    /// Bytes of others' posts that may wait for one client whose socket is full. Who lets more pile up is hung
    /// up. (A client's own answer is bounded otherwise: it is not read from before the answer is sent.)
    pub mailbox: usize,
    /// A client from which nothing arrives for so long is closed, and so is one that takes nothing of an
    /// answer for so long; the latter after twice the time at most. `None`: never.
    pub idle_timeout: Option<Duration>,
    /// How long a drain gives busy clients.
    pub drain: Duration,
    /// `TCP_NODELAY`: small answers go out at once instead of waiting for the client's acknowledgement.
    pub nodelay: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_clients: None,
            mailbox: 256 * 1024,
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
