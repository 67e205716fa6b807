//! Echo servers as people write them without this crate, to stand beside its models.
//!
//! | file | what |
//! |---|---|
//! | `tokio.rs` | a task per client, all on one thread |
//! | `mio.rs` | a loop over readiness, on one thread |
//! | `std_threads.rs` | a thread per client, nothing but the standard library |
//!
//! Each serves so many clients to their end and returns: whoever starts one knows how many will come, and no rival needs
//! a way to be stopped.

mod mio;
mod std_threads;
mod tokio;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

/// Read from a client at one call.
const CHUNK: usize = 4096;

/// A server that this crate is compared with.
pub(crate) struct Rival {
    pub(crate) name: &'static str,
    /// Accepts so many clients, says back what they say, and returns when all of them are gone.
    serve: fn(TcpListener, usize) -> io::Result<()>,
}

pub(crate) const ALL: [Rival; 3] = [
    Rival {
        name: "tokio",
        serve: tokio::serve,
    },
    Rival {
        name: "mio",
        serve: mio::serve,
    },
    Rival {
        name: "std-threads",
        serve: std_threads::serve,
    },
];

/// A rival at work.
pub(crate) struct Serving {
    pub(crate) addr: SocketAddr,
    thread: JoinHandle<io::Result<()>>,
}

impl Rival {
    /// Listens on a free port, and serves the first `clients` on a thread of its own.
    pub(crate) fn start(&self, clients: usize) -> io::Result<Serving> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let serve = self.serve;
        let thread = thread::spawn(move || serve(listener, clients));
        Ok(Serving { addr, thread })
    }
}

impl Serving {
    /// Waits until every client has been served to its end.
    pub(crate) fn end(self) -> io::Result<()> {
        match self.thread.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
