//! [`Server`]: what a library user holds. Build it, start it, keep the [`Handle`].

use crate::limits::{Limits, Slow};
use crate::model::{Context, Model, Thread, Unsupported};
use crate::net::Listener;
use crate::service::Service;
use crate::shutdown::Shutdown;
use crate::stats::{DrainReport, Snapshot, Stats};
use parking_lot::Mutex;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{Builder as ThreadBuilder, JoinHandle};
use std::time::Duration;
use thiserror::Error;

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An option that cannot hold, by itself or with another.
    #[error("{0}")]
    Options(String),
    /// What the model asks of the machine is not there.
    #[error("--model {model} cannot run here: {reason}")]
    Unsupported {
        /// Its name.
        model: &'static str,
        /// What is missing.
        reason: Unsupported,
    },
    /// The address could not be listened on.
    #[error("cannot listen on {addr}: {reason}")]
    Listen {
        /// The address as it was given.
        addr: String,
        /// What the system said.
        reason: io::Error,
    },
    /// The system gave no thread or descriptor to start with.
    #[error("cannot start: {0}")]
    Resources(io::Error),
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Resources(error)
    }
}

/// A server that is being configured. See the [crate's example](crate).
pub struct Server {
    service: Arc<dyn Service>,
    model: Box<dyn Model>,
    listen: String,
    backlog: i32,
    limits: Limits,
}

impl Server {
    /// A server for `service`: a thread per client, on a free port of 127.0.0.1, with the default
    /// [`Limits`].
    pub fn new(service: impl Service + 'static) -> Self {
        Self {
            service: Arc::new(service),
            model: Box::new(Thread::new()),
            listen: "127.0.0.1:0".into(),
            backlog: Listener::DEFAULT_BACKLOG,
            limits: Limits::default(),
        }
    }

    /// Sets how threads and system calls are spent.
    #[must_use]
    pub fn model(self, model: impl Model + 'static) -> Self {
        self.boxed_model(Box::new(model))
    }

    /// [`model`](Self::model), for one chosen at run time.
    #[must_use]
    pub fn boxed_model(mut self, model: Box<dyn Model>) -> Self {
        self.model = model;
        self
    }

    /// Sets the address, as `host:port`. Port 0 takes a free one.
    #[must_use]
    pub fn listen(mut self, addr: impl Into<String>) -> Self {
        self.listen = addr.into();
        self
    }

    /// Sets how many connections the kernel holds ready before they are accepted.
    #[must_use]
    pub fn backlog(mut self, connections: u16) -> Self {
        self.backlog = connections.into();
        self
    }

    /// Sets all limits at once.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how many clients are served at once; one more is refused with a sentence.
    #[must_use]
    pub fn max_clients(mut self, clients: usize) -> Self {
        self.limits.max_clients = Some(clients);
        self
    }

    /// Sets after how long a silent client is closed.
    #[must_use]
    pub fn idle_timeout(mut self, silence: Duration) -> Self {
        self.limits.idle_timeout = Some(silence);
        self
    }

    /// Sets how long a drain gives busy clients.
    #[must_use]
    pub fn drain(mut self, patience: Duration) -> Self {
        self.limits.drain = patience;
        self
    }

    /// Listens, and serves on a thread of its own. When this returns, clients can connect.
    ///
    /// # Errors
    /// [`StartError`] when an option cannot hold, the address cannot be listened on, or the system gives
    /// no thread or descriptor.
    pub fn start(self) -> Result<Handle, StartError> {
        self.check()?;
        let listeners = self.bind()?;
        let local_addr = listeners[0].local_addr()?;
        let shutdown = Shutdown::new()?;
        let stats = Arc::new(Stats::default());
        let thread = {
            let (shutdown, stats) = (shutdown.clone(), Arc::clone(&stats));
            let service = Arc::clone(&self.service);
            ThreadBuilder::new()
                .name("gh-acceptor".into())
                .spawn(move || {
                    let context = Context {
                        service: &*service,
                        limits: self.limits,
                        shutdown: &shutdown,
                        stats: &stats,
                    };
                    let outcome = self.model.run(listeners, context);
                    let DrainReport { idle, busy, forced } = stats.snapshot().drain;
                    tracing::info!(idle, busy, forced, "drained");
                    outcome
                })?
        };
        Ok(Handle {
            local_addr,
            shutdown,
            counters: Counters {
                stats,
                service: Arc::new(Mutex::new(Some(self.service))),
            },
            thread: Some(thread),
        })
    }

    fn check(&self) -> Result<(), StartError> {
        let limits = self.limits;
        let wrong = |sentence: &str| Err(StartError::Options(sentence.into()));
        if limits.max_clients == Some(0) {
            return wrong("max_clients is 0: at least 1 client must be let in");
        }
        if limits.mailbox == 0 {
            return wrong("mailbox is 0 bytes: at least 1 byte must fit");
        }
        if limits.idle_timeout == Some(Duration::ZERO) {
            return wrong(
                "idle_timeout is 0: every client would be closed at once; leave it out for none",
            );
        }
        if limits
            .idle_timeout
            .is_some_and(|idle| idle > Limits::LONGEST)
        {
            return wrong("idle_timeout is longer than 30 days");
        }
        if limits.drain > Limits::LONGEST {
            return wrong("drain is longer than 30 days");
        }
        let model = self.model.name();
        if limits.slow == Slow::Block && !self.model.waits_for_clients() {
            return Err(StartError::Options(format!(
                "slow is block: whoever talks would wait for who reads slowly, on a thread that has others to serve under \
                 {model}; iterative, thread and pool have such that may wait"
            )));
        }
        if !self.model.shares_memory() {
            self.check_without_shared_memory(model)?;
        }
        self.model
            .check()
            .map_err(|reason| StartError::Unsupported { model, reason })
    }

    fn check_without_shared_memory(&self, model: &str) -> Result<(), StartError> {
        let sentence = if self.service.needs_shared_memory() {
            "a service whose clients meet, as in a chat, needs one memory for all: serve it under a model of one \
             process, such as thread"
        } else if self.service.lock_stats().is_some() {
            "each has a lock of its own, so there is no one lock to watch: leave out --stats, or the Timed in a library"
        } else {
            return Ok(());
        };
        Err(StartError::Options(format!(
            "--model {model} serves from several processes, which share no memory: {sentence}"
        )))
    }

    fn bind(&self) -> Result<Vec<Listener>, StartError> {
        let failed = |reason| StartError::Listen {
            addr: self.listen.clone(),
            reason,
        };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        let addrs = self
            .listen
            .to_socket_addrs()
            .map_err(|error| match error.kind() {
                io::ErrorKind::InvalidInput => StartError::Options(format!(
                    "--listen {:?} is not HOST:PORT, with a port from 0 to 65535",
                    self.listen
                )),
                _ => failed(error),
            })?;
        for addr in addrs {
            let bound = match self.model.listeners() {
                1 => Listener::bind(addr, self.backlog).map(|listener| vec![listener]),
                several => Listener::bind_several(addr, self.backlog, several),
            };
            match bound {
                Ok(listeners) => return Ok(listeners),
                // A name may stand for several addresses; who looks for the server finds the other one there.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    return Err(failed(error));
                }
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }
}

/// A running server. Dropping it drains the server and waits for its end.
#[derive(Debug)]
pub struct Handle {
    local_addr: SocketAddr,
    shutdown: Shutdown,
    counters: Counters,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Handle {
    /// The address that it listens on, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The counters now, and those of the service's lock where it is [`Timed`](crate::sync::Timed). From any thread.
    pub fn stats(&self) -> Snapshot {
        self.counters.now()
    }

    /// A look at the counters, for other threads.
    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }

    /// The switch that ends it, for other threads.
    pub fn switch(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Drains: stops accepting, closes idle clients at once, gives busy ones their time, then cuts them
    /// off. Returns when every thread has ended and the service is dropped, with the last counters.
    ///
    /// # Errors
    /// What the model ended with.
    pub fn shutdown(self) -> io::Result<Snapshot> {
        self.shutdown.drain();
        self.wait()
    }

    /// Waits until somebody ends the server by its [`switch`](Self::switch), or it fails. Returns when every thread
    /// has ended and the service is dropped, with the last counters.
    ///
    /// # Errors
    /// What the model ended with.
    pub fn wait(mut self) -> io::Result<Snapshot> {
        self.join()?;
        Ok(self.stats())
    }

    fn join(&mut self) -> io::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(outcome)) => outcome,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shutdown.drain();
        if let Some(thread) = self.thread.take()
            && let Ok(Err(error)) = thread.join()
        {
            tracing::error!(%error, "the server ended with an error");
        }
        self.counters.end();
    }
}

/// A look at a server's counters while it runs. It keeps neither the server nor its service alive.
#[derive(Clone)]
pub struct Counters {
    stats: Arc<Stats>,
    /// Until the server has ended: a service may own a thread, which no server outlives.
    service: Arc<Mutex<Option<Arc<dyn Service>>>>,
}

impl Counters {
    /// The counters now. When the server has ended, those of its lock are gone. From any thread.
    pub fn now(&self) -> Snapshot {
        // Locked for as long as it takes: `end` waits, and then it is the last one to hold the service.
        let service = self.service.lock();
        Snapshot {
            lock: service.as_ref().and_then(Service::lock_stats),
            ..self.stats.snapshot()
        }
    }

    /// Drops the service.
    fn end(&self) {
        let service = self.service.lock().take();
        drop(service);
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters")
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
