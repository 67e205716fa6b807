//! Concurrency models: ways of spending threads and system calls on connections.
//!
//! | model | UNP | threads | who waits where |
//! |---|---|---|---|
//! | [`Iterative`] | 0 | 1 | everyone but one, in the kernel's backlog |
//! | [`Process`] | 1 | 1, and a process per client | each process in its own `recv` |
//! | [`Prefork`] | 2 | 1, and N processes | processes in poll(2) at the door or in `recv`, clients beyond N in the kernel's backlog |
//! | [`Thread`] | 6 | 1 per client | each thread in its own `recv` |
//! | [`Pool`] | 8 | N workers | workers for the queue or in `recv`, clients beyond N in the queue |
//! | the same, without an acceptor | 7 | N workers | workers at the door or in `recv`, clients beyond N in the kernel's backlog |
//! | [`LeaderFollowers`] | - | N | one in epoll(7) for all clients, the others for its place; idle clients hold nobody |
//! | [`Select`] | - | 1 | the one thread, in select(2) |
//! | [`Poll`] | - | 1 | the one thread, in poll(2) |
//! | [`Epoll`] | - | 1, or 1 per loop | each loop in epoll(7), for the clients that are its own |
//! | [`Kqueue`] | - | 1, or 1 per loop | each loop in kevent(2), for the clients that are its own |
//! | [`Hybrid`] | - | 1 + N workers | the reactor in epoll(7) for all clients, workers for ready ones; idle clients hold nobody |
//! | [`Uring`] | - | 1, or 1 per loop | each loop in `io_uring_enter(2)`, for what it asked the kernel to do to be done |
//!
//! UNP is the numbering of Stevens, *UNIX Network Programming*, chapter 30. The blocking models have one
//! helper thread more (`gh-warden`), which acts only when a client stops reading and at shutdown. So has each process, and
//! one that listens to its parent (`gh-line`). Several loops have an acceptor before them, unless the kernel deals the
//! clients out ([`Deal`]).

mod acceptor;
mod blocking;
mod doorway;
mod epoll;
#[cfg(test)]
mod house;
mod hybrid;
mod iterative;
mod kqueue;
mod last_call;
mod leader_followers;
#[cfg(target_os = "linux")]
pub(crate) mod lobby;
mod loops;
mod occupant;
mod phase;
mod poll;
mod pool;
mod prefork;
mod process;
mod reactor;
mod rings;
mod select;
mod thread;
mod timers;
mod uring;
mod warden;

pub use doorway::{Accept, Deal};
pub use epoll::Epoll;
pub use hybrid::Hybrid;
pub use iterative::Iterative;
pub use kqueue::Kqueue;
pub use leader_followers::LeaderFollowers;
pub use poll::Poll;
pub use pool::{Pool, WhenFull};
pub use prefork::Prefork;
pub use process::{Process, Program, orphaned, serve_as_child};
pub use select::Select;
pub use thread::Thread;
pub use uring::Uring;

use crate::limits::Limits;
use crate::net::Listener;
use crate::service::Service;
use crate::shutdown::Shutdown;
use crate::stats::Stats;
use std::io;
use thiserror::Error;

/// What a model gets to run with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Opens a session per client.
    pub service: &'a dyn Service,
    /// What clients are granted.
    pub limits: Limits,
    /// When to end.
    pub shutdown: &'a Shutdown,
    /// Where to count.
    pub stats: &'a Stats,
}

/// A way of spending threads and system calls on connections.
pub trait Model: Send + Sync {
    /// As `--model` calls it.
    fn name(&self) -> &'static str;

    /// Whether this machine has what it takes. Asked before anything is started.
    ///
    /// # Errors
    /// What is missing here.
    fn check(&self) -> Result<(), Unsupported> {
        Ok(())
    }

    /// How many sockets it wants to listen on the server's one address. With several, the kernel deals the
    /// clients out to them (`SO_REUSEPORT`).
    fn listeners(&self) -> usize {
        1
    }

    /// Whether all of its sessions live in one memory. Where they do not, a service that
    /// [needs that](Service::needs_shared_memory) is refused.
    fn shares_memory(&self) -> bool {
        true
    }

    /// Whether a thread that serves a client may wait for another's: it has nobody else to serve.
    fn waits_for_clients(&self) -> bool {
        false
    }

    /// Serves until `context.shutdown` says to end and every client is gone. Every thread that it started
    /// has ended when it returns. It gets as many listeners as it [wants](Self::listeners); they are closed as soon
    /// as the acceptor sees the drain, and clients that nobody has accepted by then are reset.
    ///
    /// # Errors
    /// When the model cannot start, or when a listener breaks. A client's error is never the server's.
    ///
    /// # Panics
    /// When it is given another number of listeners than it wants.
    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()>;
}

/// Why a model cannot run here: a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unsupported(pub String);

/// The one listener of a model that wants no more.
fn only(listeners: Vec<Listener>) -> Listener {
    let count = listeners.len();
    let Ok([listener]) = <[Listener; 1]>::try_from(listeners) else {
        panic!("one listener was asked for, and {count} were given");
    };
    listener
}

/// Whether clients can be parked here, for models whose threads share the set of those that they wait for.
fn parks_clients() -> Result<(), Unsupported> {
    if cfg!(target_os = "linux") {
        Ok(())
    } else {
        Err(Unsupported(
            "it parks idle clients in an epoll set, and this system has no epoll; on Linux it has"
                .into(),
        ))
    }
}

/// Read from a socket at one call. What a client sends while it is not read waits in the kernel.
const CHUNK: usize = 16 * 1024;

/// Read at one call, on the stack, from a client who has a thread of its own and has never sent so much at once.
const FEW_WORDS: usize = 2 * 1024;

/// What a thread needs to talk with any number of clients, one at a time.
struct Buffers {
    input: Box<[u8]>,
    reply: Vec<u8>,
}

impl Buffers {
    fn new() -> Self {
        Self {
            input: vec![0; CHUNK].into_boxed_slice(),
            reply: Vec::new(),
        }
    }

    /// For a thread that has one client only, who may be one of thousands and say little: nothing, until it is
    /// [needed](Self::whole). A few words can be read on its stack.
    fn of_one_client() -> Self {
        Self {
            input: Box::default(),
            reply: Vec::new(),
        }
    }

    /// As much of an input buffer as anybody gets.
    fn whole(input: &mut Box<[u8]>) -> &mut [u8] {
        if input.is_empty() {
            *input = vec![0; CHUNK].into_boxed_slice();
        }
        input
    }
}
