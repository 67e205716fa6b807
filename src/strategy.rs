//! From names to values: the one place where `--model`, `--sync` and the service are matched.

mod fanouts;
mod locks;
mod models;

pub use locks::{LockKind, LockOptions};
pub use models::{ModelKind, ModelOptions, model, model_with};

use crate::fanout::Fanout;
use crate::limits::Limits;
use crate::registry::{Clients, Registry};
use crate::service::{Chat, Echo, Registered, Service};
use crate::sync::{Actor, Lock, OneThread, SemaphoreLock, Snapshot, SpinMutex, TicketMutex, Timed};
use crossbeam_utils::sync::ShardedLock;
use serde::Serialize;
use std::io;

/// A kind of thing that a flag chooses, and what to tell people about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct About {
    /// As the flag calls it.
    pub name: &'static str,
    /// Which design of the textbooks it is.
    pub known_as: &'static str,
    /// What it costs.
    pub cost: &'static str,
    /// Who may starve whom.
    pub starvation: &'static str,
}

/// The services that come with the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// [`Echo`]
    Echo,
    /// [`Chat`]
    Chat {
        /// The longest line, in bytes, newline not counted.
        max_line: usize,
        /// How what one says gets to the others.
        fanout: Fanout,
        /// Bytes that may wait for a slow reader: as in the server's [`Limits`].
        mailbox: usize,
    },
}

impl ServiceKind {
    /// A chat as it is when nothing else is said, but for its longest line.
    pub fn chat(max_line: usize) -> Self {
        Self::Chat {
            max_line,
            fanout: Fanout::default(),
            mailbox: Limits::default().mailbox,
        }
    }
}

/// The service of a kind, with its registry behind the lock of a kind.
///
/// Serve it under a model that the lock [goes with](LockKind::goes_with): under another, `none` panics for all
/// clients but those of the thread that came first, and they are closed.
///
/// # Errors
/// The system's, when it has no thread to give to an actor.
///
/// # Panics
/// When a semaphore is to have more permits than [`Semaphore::MAX_PERMITS`](crate::sync::Semaphore::MAX_PERMITS).
pub fn service(
    kind: ServiceKind,
    lock: LockKind,
    options: LockOptions,
) -> io::Result<Box<dyn Service>> {
    match lock {
        LockKind::Mutex => behind(kind, options, |c| Ok(parking_lot::Mutex::new(c))),
        LockKind::FairMutex => behind(kind, options, |c| Ok(parking_lot::FairMutex::new(c))),
        LockKind::RwLock => behind(kind, options, |c| Ok(parking_lot::RwLock::new(c))),
        LockKind::StdMutex => behind(kind, options, |c| Ok(std::sync::Mutex::new(c))),
        LockKind::StdRwLock => behind(kind, options, |c| Ok(std::sync::RwLock::new(c))),
        LockKind::Semaphore => {
            let permits = options.permits.get();
            behind(kind, options, |c| {
                Ok(SemaphoreLock::with_permits(c, permits))
            })
        }
        LockKind::Ticket => behind(kind, options, |c| Ok(TicketMutex::new(c))),
        LockKind::Spin => behind(kind, options, |c| Ok(SpinMutex::new(c))),
        LockKind::Snapshot => behind(kind, options, |c| Ok(Snapshot::new(c))),
        LockKind::Sharded => behind(kind, options, |c| Ok(ShardedLock::new(c))),
        LockKind::Actor => behind(kind, options, Actor::try_new),
        LockKind::None => behind(kind, options, |c| Ok(OneThread::new(c))),
    }
}

fn behind<L>(
    kind: ServiceKind,
    options: LockOptions,
    lock: impl Fn(Clients) -> io::Result<L>,
) -> io::Result<Box<dyn Service>>
where
    L: Lock<Value = Clients> + 'static,
{
    if options.stats {
        with(kind, |clients| lock(clients).map(Timed::around))
    } else {
        with(kind, lock)
    }
}

fn with<L>(
    kind: ServiceKind,
    lock: impl Fn(Clients) -> io::Result<L>,
) -> io::Result<Box<dyn Service>>
where
    L: Lock<Value = Clients> + 'static,
{
    Ok(match kind {
        ServiceKind::Echo => {
            let registry = Registry::new(lock(Clients::new())?);
            Box::new(Registered::new(registry, Echo))
        }
        ServiceKind::Chat {
            max_line,
            fanout,
            mailbox,
        } => {
            let registry = Registry::with_fanout(fanout, || lock(Clients::keeping(mailbox)))?;
            Box::new(Chat::new(registry).max_line(max_line))
        }
    })
}
