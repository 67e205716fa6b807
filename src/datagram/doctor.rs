//! Nothing comes: why? A [`Question`] is what sender and receiver were given; a [`Diagnosis`] goes the way of a datagram, says
//! what is in order on this host, and names the first thing that is not.
//!
//! ```text
//!   Question --look--> Findings --walk--> Diagnosis: checks, in the order of the way
//!             (system)           (pure)              the reason: the first problem among them
//! ```
//!
//! Nothing is changed and no rights are needed. No datagram leaves this host; but to listen is to join, and the kernel announces
//! a member to the network's routers, as for any receiver.
//!
//! | file | what |
//! |---|---|
//! | `findings.rs` | what was looked at, as plain data |
//! | `tables.rs` | the kernel's tables, read: text in, rows out |
//! | `look.rs`, `owners.rs` | asks the system: interfaces, routes, tables; which program has a socket |
//! | `listen.rs` | a datagram to ourselves; what comes to the port, and for whom |
//! | `walk.rs`, `walk/` | from findings to checks |

mod findings;
mod listen;
mod look;
mod owners;
mod tables;
mod walk;

use super::audience::Audience;
use super::interface::Wanted;
use serde::Serialize;
use std::net::IpAddr;
use std::time::Duration;

/// What sender and receiver were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Whom the news are for.
    pub audience: Audience,
    /// By which interface, as both ends were told. None: where the routing table leads.
    pub interface: Option<Wanted>,
    /// The senders that the receiver wants to hear. Empty: everybody.
    pub sources: Vec<IpAddr>,
    /// As [`SendOptions::ttl`](super::SendOptions::ttl).
    pub ttl: u8,
    /// As [`SendOptions::loops`](super::SendOptions::loops).
    pub loops: bool,
}

impl Question {
    /// Looks at this host, listens as the receiver would, and says what was found. Takes a second more than `listen` at most,
    /// on the calling thread.
    ///
    /// Something that cannot be looked at is no error, but a check that says so.
    pub fn examine(&self, listen: Duration) -> Diagnosis {
        walk::diagnose(self, &look::look(self, listen))
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// Whom the news are for.
    pub audience: String,
    /// The name of the interface that it is about: the one asked for, or where the routing table leads.
    pub interface: Option<String>,
    /// In the order of a datagram's way, so that what is wrong comes before what follows from it.
    pub checks: Vec<Check>,
    /// Datagrams that came to the audience while listening. None: it was not possible to listen.
    pub heard: Option<u64>,
    /// When everything is in order here and nothing came: what only the network, or the sender, can tell.
    pub hints: Vec<&'static str>,
    /// The name of the check that is the reason: the first that found a problem.
    pub reason: Option<&'static str>,
}

impl Diagnosis {
    /// The check that is the reason.
    pub fn reason(&self) -> Option<&Check> {
        let mut checks = self.checks.iter();
        checks.find(|check| check.verdict == Verdict::Problem)
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, in a word or two.
    pub name: &'static str,
    /// Whether it is in order.
    pub verdict: Verdict,
    /// What was found, with its values.
    pub found: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// Whether something is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It does not keep news from coming.
    Ok,
    /// It does.
    Problem,
    /// It cannot be told.
    Unknown,
}

impl Verdict {
    /// As `--json` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Problem => "problem",
            Self::Unknown => "unknown",
        }
    }
}
