//! Why permits were not given.

use thiserror::Error;

/// The semaphore was [closed](super::Semaphore::close).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the semaphore is closed")]
pub struct Closed;

/// Why a wait for permits ended without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AcquireError {
    /// The semaphore was [closed](super::Semaphore::close).
    #[error("the semaphore is closed")]
    Closed,
    /// The time was over first.
    #[error("the permits did not come free in time")]
    TimedOut,
}

/// Why permits cannot be had at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TryAcquireError {
    /// The semaphore was [closed](super::Semaphore::close).
    #[error("the semaphore is closed")]
    Closed,
    /// Not so many are free, or somebody else is before.
    #[error("not enough permits are free, or somebody waits for them")]
    NoPermits,
}

/// More permits were added than the semaphore may have: one was released that nobody had acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("cannot add {added} permits to the {permits} that there are: the limit is {max}")]
pub struct TooMany {
    /// How many were to be added.
    pub added: usize,
    /// How many there are, the held ones included.
    pub permits: usize,
    /// How many there may be.
    pub max: usize,
}

/// More permits were to be taken out of existence than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("cannot take away {removed} permits of the {permits} that there are")]
pub struct TooFew {
    /// How many were to be taken away.
    pub removed: usize,
    /// How many there are, the held ones included.
    pub permits: usize,
}
