//! [`LeaderFollowers`].

use super::{Context, Model, Unsupported, only};
use crate::net::Listener;
use std::io;
use std::num::NonZeroUsize;

/// N threads take turns (leader/followers: Schmidt, Stal, Rohnert, Buschmann, *Pattern-Oriented Software Architecture*
/// 2): one of them leads, which is to wait for all clients. When one is ready, the leader gives the lead away and serves
/// it.
///
/// ```text
///   followers: wait for the desk's lock --> leader: waits for all clients --> at work: serves one
///        ^                                                                          |
///        +--------------------------------------------------------------------------+
/// ```
///
/// No client is handed from one thread to another, and none holds a thread while it is idle.
///
/// Only the leader hears that the server is to drain, or to be forced to end. **While all N threads are inside sessions,
/// nobody does**: until one of them returns, nobody is let in, idle clients stay, the door stays open, and the time of the drain
/// does not begin. Where that may take too long, give it more threads than sessions can be long at the same time; or take
/// [`Hybrid`](super::Hybrid), whose reactor runs no session, and closes the door at once; or
/// [`Thread`](super::Thread), which lets go of idle clients at once, too.
#[derive(Clone, Copy, Debug)]
pub struct LeaderFollowers {
    threads: NonZeroUsize,
}

impl LeaderFollowers {
    /// So many threads take turns.
    pub fn new(threads: NonZeroUsize) -> Self {
        Self { threads }
    }
}

impl Model for LeaderFollowers {
    fn name(&self) -> &'static str {
        "leader-followers"
    }

    fn check(&self) -> Result<(), Unsupported> {
        super::parks_clients()
    }

    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()> {
        run(self.threads.get(), only(listeners), context)
    }
}

/// Begins the drain when the threads are to end, also when one of them could not be started: a leader waits for a drain
/// or a client, and for nothing else.
#[cfg(target_os = "linux")]
struct Closing<'a>(&'a crate::shutdown::Shutdown);

#[cfg(target_os = "linux")]
impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.drain();
    }
}

#[cfg(not(target_os = "linux"))]
fn run(_: usize, _: Listener, _: Context<'_>) -> io::Result<()> {
    super::parks_clients().map_err(io::Error::other)
}

#[cfg(target_os = "linux")]
fn run(threads: usize, listener: Listener, context: Context<'_>) -> io::Result<()> {
    use super::Buffers;
    use super::lobby::{Desk, Lobby};
    use parking_lot::Mutex;
    use std::panic::resume_unwind;
    use std::thread::{self, Builder};

    let lobby = Lobby::new(context)?;
    let lead = Mutex::new(Some(Desk::new(&lobby, listener)?));
    let take_turns = || -> io::Result<()> {
        let mut buffers = Buffers::new();
        loop {
            let mut leads = lead.lock();
            // It is put back for the next leader only after it went well: neither an error nor a panic leaves a
            // broken desk.
            let Some(mut desk) = leads.take() else {
                return Ok(());
            };
            let Some(guest) = desk.next(&lobby)? else {
                return Ok(());
            };
            *leads = Some(desk);
            drop(leads);
            lobby.serve(guest, &mut buffers);
        }
    };
    thread::scope(|scope| {
        let _closing = Closing(context.shutdown);
        let mut followers = Vec::new();
        for _ in 1..threads {
            let follower = Builder::new().name("gh-follower".into());
            followers.push(follower.spawn_scoped(scope, take_turns)?);
        }
        let mut outcome = take_turns();
        for follower in followers {
            match follower.join() {
                Ok(ended) => outcome = outcome.and(ended),
                Err(panic) => resume_unwind(panic),
            }
        }
        outcome
    })
}
