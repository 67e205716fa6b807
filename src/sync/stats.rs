//! What is known of a lock's sections, as data: [`LockStats`], and who is in the way when a wait [`Expired`].

use serde::Serialize;
use std::fmt;
use std::panic::Location;
use std::time::Duration;
use thiserror::Error;

/// How long something took, over many times. Percentiles are upper ends of a bucket: never too small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// How many times.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// 999 of 1000 took no longer.
    pub p999: Duration,
    /// The longest, exactly.
    pub max: Duration,
}

/// What has been seen of a lock's sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LockStats {
    /// From wanting to enter until being inside.
    pub wait: Spread,
    /// From being inside until having left.
    pub hold: Spread,
    /// The most threads that were inside at once.
    pub most_inside: u64,
    /// How often somebody entered who had come later than one who was still waiting.
    pub overtakings: u64,
    /// The most that one who waited was overtaken.
    pub most_overtaken: u64,
    /// Timed waits that were given up.
    pub expired: u64,
    /// What measuring adds to a section.
    pub own_cost: Duration,
}

/// Who is inside a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The name of its thread.
    pub thread: String,
    /// Where the section was entered.
    pub at: &'static Location<'static>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {:?}, which entered at {}", self.thread, self.at)
    }
}

/// A section did not run: the time was over before it could enter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Expired {
    /// For how long it was willing to wait.
    pub patience: Duration,
    /// Who was inside then; known to a lock that is being watched only. Of several, the last that entered.
    pub holder: Option<Holder>,
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not enter within {:?}", self.patience)?;
        match &self.holder {
            Some(holder) => write!(f, ": inside is {holder}"),
            None => Ok(()),
        }
    }
}
