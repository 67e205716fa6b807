//! Who accepts: the choices of models that have several threads at the door.

/// Who accepts for a [`Pool`](super::Pool).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Accept {
    /// One acceptor, which hands clients to the workers through a queue (UNP 8).
    #[default]
    Acceptor,
    /// Every worker by itself, one at a time: a lock around accept, the critical section in the kernel's doorway
    /// (UNP 7).
    Mutex,
    /// Every worker by itself, all at once: each client wakes all idle workers, and one of them gets it.
    Free,
    /// Every worker by itself, on a listener of its own: the kernel deals the clients out (`SO_REUSEPORT`). Those dealt to
    /// a worker that is busy are taken by one who is not, and at whose own door nobody stands.
    ReusePort,
}

/// How clients get to one of several loops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Deal {
    /// An acceptor deals them out in turn.
    #[default]
    Acceptor,
    /// Every loop accepts on a listener of its own: the kernel deals the clients out (`SO_REUSEPORT`).
    ReusePort,
}

impl Accept {
    /// As `--accept` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acceptor => "acceptor",
            Self::Mutex => "mutex",
            Self::Free => "free",
            Self::ReusePort => "reuseport",
        }
    }
}
