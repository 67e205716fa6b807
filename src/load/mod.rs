//! The load generator: N real clients on one thread, in a closed loop.
//!
//! Every client sends its next message when the answer to its last one is back. What comes back is
//! checked: an echo byte by byte; a chat's lines for being whole, in their sender's order, and there
//! for everybody. A run ends when everything that was sent has arrived everywhere, so the figures count exactly
//! what was checked, and the connections stay open for the next run.
//!
//! ```no_run
//! use guardhouse::load::{Load, Shape, Stop, Traffic};
//! use std::time::Duration;
//!
//! let addr = "127.0.0.1:7777".parse()?;
//! let mut load = Load::connect(addr, Shape::new(16, Traffic::Echo))?;
//! load.run(Stop::After(Duration::from_millis(200)))?; // to warm up
//! let measured = load.run(Stop::After(Duration::from_secs(1)))?;
//! println!("{:.0} messages/s, p99 {:?}", measured.per_second(), measured.p99);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a closed loop cannot show
//! While a server stalls, nobody asks it anything: the requests that would have come in that time, and
//! waited, are missing from the percentiles (*coordinated omission*). The latencies here are those of N polite
//! clients who wait for each other's server, and not those of a given rate of arrivals.

mod chat;
mod driver;
mod echo;
mod error;
mod idle;
mod line;
mod measured;
mod stalled;
mod transcript;

pub use driver::Load;
pub use error::LoadError;
pub use idle::Idle;
pub use measured::Measured;
pub use stalled::Stalled;

use std::time::Duration;

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Everyone sends, and waits for the whole echo. A message is a round trip.
    Echo,
    /// So many of the clients talk, and everyone listens. A message is a line that reached one listener; the
    /// latency is the time until a talker's own line comes back.
    Chat {
        /// At least 1, and at most as many as there are clients.
        talkers: usize,
    },
}

/// Who comes, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Connections.
    pub clients: usize,
    /// What they do.
    pub traffic: Traffic,
    /// Bytes of a message, its newline included.
    pub message: usize,
    /// How long nothing may arrive before the server counts as stalled.
    pub patience: Duration,
}

impl Shape {
    /// Messages of 64 bytes, and a patience of 5 s.
    pub const fn new(clients: usize, traffic: Traffic) -> Self {
        Self {
            clients,
            traffic,
            message: 64,
            patience: Duration::from_secs(5),
        }
    }

    fn check(&self) -> Result<(), LoadError> {
        let wrong = |sentence: String| Err(LoadError::Shape(sentence));
        if !(1..=line::MOST_SENDERS).contains(&self.clients) {
            return wrong(format!(
                "{} clients are outside 1 to {}",
                self.clients,
                line::MOST_SENDERS
            ));
        }
        if !(line::SHORTEST..=line::LONGEST).contains(&self.message) {
            return wrong(format!(
                "messages of {} bytes are outside {} to {}",
                self.message,
                line::SHORTEST,
                line::LONGEST
            ));
        }
        match self.traffic {
            Traffic::Chat { talkers } if !(1..=self.clients).contains(&talkers) => wrong(format!(
                "{talkers} talkers are outside 1 to the number of clients, {}",
                self.clients
            )),
            _ => Ok(()),
        }
    }
}

/// When a run stops sending. It ends once everything sent has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// After so much time.
    After(Duration),
    /// After so many messages said by all clients together. In a chat each of them reaches every client.
    Messages(u64),
}
