//! [`LoadError`]: why a load could not be measured.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;

/// Why a load could not be measured. The [`Load`](super::Load) is of no further use.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The shape cannot hold.
    #[error("{0}")]
    Shape(String),
    /// A client could not connect.
    #[error("client {client} cannot connect to {addr}: {source}")]
    Connect {
        /// Which client, counted from 1.
        client: usize,
        /// Where to.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A client's first message was not answered. A pool with fewer workers than clients does that.
    #[error("the server did not answer client {client} of {clients} within {patience:?}")]
    Unanswered {
        /// Which client, counted from 1.
        client: usize,
        /// How many were to come.
        clients: usize,
        /// How long it waited.
        patience: Duration,
    },
    /// The server told a client why it is not served.
    #[error("the server refused client {client}: {sentence}")]
    Refused {
        /// Which client, counted from 1.
        client: usize,
        /// The server's sentence.
        sentence: String,
    },
    /// The server ended a connection.
    #[error("the server closed the connection of client {client}")]
    Closed {
        /// Which client, counted from 1.
        client: usize,
    },
    /// Nothing arrived for too long.
    #[error(
        "the server stalled: nothing arrived for {patience:?} while {outstanding} messages were still to come \
         ({lost} lost and {torn} torn before)"
    )]
    Stalled {
        /// For how long nothing arrived.
        patience: Duration,
        /// What had not arrived.
        outstanding: u64,
        /// Messages skipped before.
        lost: u64,
        /// Messages mangled before.
        torn: u64,
    },
    /// The first that came back was not what the client had sent.
    #[error("client {client} got something else back than it had sent")]
    Garbled {
        /// Which client, counted from 1.
        client: usize,
    },
    /// It happened to one of the [`Idle`](super::Idle) clients, who are counted by themselves.
    #[error("of the idle clients: {0}")]
    Idle(Box<LoadError>),
    /// It happened to one of the [`Stalled`](super::Stalled) clients, who are counted by themselves.
    #[error("of the stalled clients: {0}")]
    OfStalled(Box<LoadError>),
    /// Whoever started the load said to stop.
    #[error("interrupted")]
    Interrupted,
    /// The system gave no descriptor, or a socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl LoadError {
    pub(super) fn refused(client: usize, sentence: &[u8]) -> Self {
        Self::Refused {
            client,
            sentence: String::from_utf8_lossy(sentence).trim_end().into(),
        }
    }

    /// Says that it was an idle client, if a client it was.
    pub(super) fn of_idle(self) -> Self {
        match self {
            Self::Interrupted => self,
            other => Self::Idle(Box::new(other)),
        }
    }

    /// Says that it was a stalled client, if a client it was.
    pub(super) fn of_stalled(self) -> Self {
        match self {
            Self::Interrupted => self,
            other => Self::OfStalled(Box::new(other)),
        }
    }
}
