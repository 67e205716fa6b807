//! From names to values: the one place where `--model`, `--sync` and the service are matched.

mod locks;
mod models;

pub use locks::{LockKind, LockOptions};
pub use models::{ModelKind, ModelOptions, model, model_with};

use crate::registry::{Clients, Registry};
use crate::service::{Chat, Echo, Registered, Service};
use crate::sync::{Actor, Lock, OneThread, SemaphoreLock, Snapshot, SpinMutex, TicketMutex, Timed};
use crossbeam_utils::sync::ShardedLock;
use serde::Serialize;
use std::io;
use std::sync::Arc;

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
    },
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
    let stats = options.stats;
    let clients = Clients::new();
    Ok(match lock {
        LockKind::Mutex => behind(kind, parking_lot::Mutex::new(clients), stats),
        LockKind::FairMutex => behind(kind, parking_lot::FairMutex::new(clients), stats),
        LockKind::RwLock => behind(kind, parking_lot::RwLock::new(clients), stats),
        LockKind::StdMutex => behind(kind, std::sync::Mutex::new(clients), stats),
        LockKind::StdRwLock => behind(kind, std::sync::RwLock::new(clients), stats),
        LockKind::Semaphore => {
            let permits = options.permits.get();
            behind(kind, SemaphoreLock::with_permits(clients, permits), stats)
        }
        LockKind::Ticket => behind(kind, TicketMutex::new(clients), stats),
        LockKind::Spin => behind(kind, SpinMutex::new(clients), stats),
        LockKind::Snapshot => behind(kind, Snapshot::new(clients), stats),
        LockKind::Sharded => behind(kind, ShardedLock::new(clients), stats),
        LockKind::Actor => behind(kind, Actor::try_new(clients)?, stats),
        LockKind::None => behind(kind, OneThread::new(clients), stats),
    })
}

fn behind<L>(kind: ServiceKind, lock: L, stats: bool) -> Box<dyn Service>
where
    L: Lock<Value = Clients> + 'static,
{
    if stats {
        with(kind, Registry::new(Timed::around(lock)))
    } else {
        with(kind, Registry::new(lock))
    }
}

fn with<L>(kind: ServiceKind, registry: Arc<Registry<L>>) -> Box<dyn Service>
where
    L: Lock<Value = Clients> + 'static,
{
    match kind {
        ServiceKind::Echo => Box::new(Registered::new(registry, Echo)),
        ServiceKind::Chat { max_line } => Box::new(Chat::new(registry).max_line(max_line)),
    }
}
