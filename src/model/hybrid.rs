//! [`Hybrid`].

use super::{Context, Model, Unsupported, only};
use crate::executor::Executor;
use crate::net::Listener;
use std::io;
use std::num::NonZeroUsize;

/// A reactor waits for all clients, and hands those that are ready to N workers (half-sync/half-async: Schmidt, Cranor,
/// 1996). A worker serves a client for one turn, not to its end.
///
/// ```text
///   reactor: waits for all clients --> queue of those that are ready --> worker: serves one turn
///        ^                                                                   |
///        +-------- parked: no thread waits for it ---------------------------+
/// ```
///
/// So clients that stay, however idle, starve nobody, as they would a [`Pool`](super::Pool); and a session that computes
/// for long keeps one worker, and not the reactor.
///
/// The queue is an [`Executor`], and holds every client once at most.
#[derive(Clone, Copy, Debug)]
pub struct Hybrid {
    workers: NonZeroUsize,
    executor: Executor,
}

impl Hybrid {
    /// A reactor and so many workers.
    pub fn new(workers: NonZeroUsize) -> Self {
        Self {
            workers,
            executor: Executor::default(),
        }
    }

    /// Sets what hands the ready clients to the workers.
    #[must_use]
    pub fn executor(mut self, executor: Executor) -> Self {
        self.executor = executor;
        self
    }
}

impl Model for Hybrid {
    fn name(&self) -> &'static str {
        "hybrid"
    }

    fn check(&self) -> Result<(), Unsupported> {
        super::parks_clients()
    }

    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()> {
        run(*self, only(listeners), context)
    }
}

#[cfg(not(target_os = "linux"))]
fn run(_: Hybrid, _: Listener, _: Context<'_>) -> io::Result<()> {
    super::parks_clients().map_err(io::Error::other)
}

#[cfg(target_os = "linux")]
fn run(hybrid: Hybrid, listener: Listener, context: Context<'_>) -> io::Result<()> {
    use super::Buffers;
    use super::lobby::{Desk, Guest, Lobby};
    use std::sync::Arc;

    let lobby = Lobby::new(context)?;
    let mut desk = Desk::new(&lobby, listener)?;
    let serve = |guest: Arc<Guest>, buffers: &mut Buffers| lobby.serve(guest, buffers);
    // A guest is handed over once at most before it is served: what waits is as bounded as they are.
    let react = |hand_over: &dyn Fn(Arc<Guest>)| {
        while let Some(guest) = desk.next(&lobby)? {
            hand_over(guest);
        }
        Ok(())
    };
    hybrid
        .executor
        .run(hybrid.workers, Buffers::new, serve, react)
        .flatten()
}
