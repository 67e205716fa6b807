//! Workers that accept by themselves, and the doorways they do it in. They differ in who may stand there at a time.
//!
//! ```text
//!   mutex                      free                        reuseport
//!
//!   [ backlog ]                [ backlog ]                 [ ]  [ ]  [ ]  [ ]   a backlog each
//!        |                      |  |  |  |                  |    |    |    |
//!     (a lock)                  |  |  |  |                  |    |    |   busy: its backlog is
//!        |                      |  |  |  |                  |    |    |    |    everybody's who is idle
//!   W   (W)  W   W              W  W  W  W                  W    W    W    W
//!   one waits in poll,         all wait in poll, and       each waits in poll for its own,
//!   the others for it          all are woken               and for those whose worker is busy
//! ```
//!
//! The listeners belong to the thread that runs the model. It has nothing to do until the drain, and then closes
//! them, also when every worker is busy with a client. A worker holds on to them only while it waits for one.

use super::Pool;
#[cfg(target_os = "linux")]
use super::unattended::Unattended;
use crate::model::acceptor::{Door, Newcomer, Porter};
use crate::model::blocking::{self, House};
use crate::model::{Accept, Buffers, Context, only};
use crate::net::Listener;
use crate::shutdown::Shutdown;
use parking_lot::{Mutex, RwLock};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::Builder;

/// Where workers wait for clients.
trait Doorway: Sync {
    /// The next client for this worker; `None` when the drain has begun.
    fn next(&self, worker: &mut Porter<'_>) -> io::Result<Option<Newcomer>>;

    /// Closes the listeners, once the drain has begun: clients whom nobody has accepted are reset.
    fn close(&self);
}

/// A critical section in the kernel's doorway: who is inside waits for a client and accepts it, and serves it
/// outside. One client wakes one worker.
///
/// Who comes back from a client gets in line behind those who wait, mostly, so on a quiet server the clients fall to all
/// workers in turn. (`parking_lot`'s mutex promises no more than that nobody is overtaken for much longer than half a
/// millisecond.)
struct OneAtATime(Mutex<Option<Listener>>);

impl Doorway for OneAtATime {
    fn next(&self, worker: &mut Porter<'_>) -> io::Result<Option<Newcomer>> {
        // The drain wakes whoever is inside, and then all who wait come in, one after the other, and see it.
        match &*self.0.lock() {
            Some(listener) => worker.next([listener.as_fd()], |_| Ok(listener)),
            None => Ok(None),
        }
    }

    fn close(&self) {
        *self.0.lock() = None;
    }
}

/// Everybody waits for everybody's clients. Each wakes all who are idle, one gets it, and the others were
/// [woken in vain](crate::stats::Snapshot::woken_in_vain): the thundering herd, as poll(2) has it.
///
/// That is what this doorway is there to show. The count is of those who came as far as accept: poll looks again before
/// it returns, and lets whoever comes too late sleep on without a word, so that most of the herd shows only in the
/// context switches. (Linux has a way to wake one only, EPOLLEXCLUSIVE; a lock does the
/// same, and everywhere.)
struct AllAtOnce(RwLock<Option<Listener>>);

impl Doorway for AllAtOnce {
    fn next(&self, worker: &mut Porter<'_>) -> io::Result<Option<Newcomer>> {
        match &*self.0.read() {
            Some(listener) => worker.next([listener.as_fd()], |_| Ok(listener)),
            None => Ok(None),
        }
    }

    fn close(&self) {
        *self.0.write() = None;
    }
}

/// A listener for each worker, among which the kernel deals the clients out by a hash of their address: nobody waits for
/// a lock, nobody is woken in vain, and how evenly they fall is luck.
///
/// The hash does not know who is busy. So while a worker serves a client, its listener is looked after by all
/// who are idle: without that, a client may wait for a busy worker while others have nothing to do, as it does in other
/// servers of this design.
#[cfg(target_os = "linux")]
struct OneEach {
    listeners: RwLock<Option<Vec<Listener>>>,
    unattended: Unattended,
}

#[cfg(target_os = "linux")]
impl OneEach {
    fn new(listeners: Vec<Listener>) -> io::Result<Self> {
        let unattended = Unattended::new()?;
        for (index, listener) in listeners.iter().enumerate() {
            unattended.leave(listener, index)?;
        }
        Ok(Self {
            listeners: RwLock::new(Some(listeners)),
            unattended,
        })
    }
}

#[cfg(target_os = "linux")]
impl Doorway for OneEach {
    fn next(&self, worker: &mut Porter<'_>) -> io::Result<Option<Newcomer>> {
        let listeners = self.listeners.read();
        let Some(listeners) = &*listeners else {
            return Ok(None);
        };
        let index = worker.index;
        let own = &listeners[index];
        self.unattended.return_to(own)?;
        let came = worker.next(
            [own.as_fd(), self.unattended.as_fd()],
            |[own_client, other]| {
                if other && !own_client {
                    let of_another = self.unattended.first()?;
                    Ok(of_another.map_or(own, |index| &listeners[index]))
                } else {
                    Ok(own)
                }
            },
        )?;
        if came.is_some() {
            self.unattended.leave(own, index)?;
        }
        Ok(came)
    }

    fn close(&self) {
        *self.listeners.write() = None;
    }
}

impl Pool {
    pub(super) fn run_at_the_door(
        &self,
        listeners: Vec<Listener>,
        context: Context<'_>,
    ) -> io::Result<()> {
        match self.accept {
            Accept::Mutex => {
                let listener = Mutex::new(Some(only(listeners)));
                self.run_in(&OneAtATime(listener), context)
            }
            #[cfg(target_os = "linux")]
            Accept::ReusePort => self.run_in(&OneEach::new(listeners)?, context),
            _ => {
                let listener = RwLock::new(Some(only(listeners)));
                self.run_in(&AllAtOnce(listener), context)
            }
        }
    }

    fn run_in(&self, doorway: &impl Doorway, context: Context<'_>) -> io::Result<()> {
        let door = Door::new(context, self.workers.get());
        blocking::open(context, |scope, house| {
            let workers = (0..self.workers.get())
                .map(|index| {
                    let worker = Porter::new(Arc::clone(&door), index)?;
                    let house = house.clone();
                    Builder::new()
                        .name("gh-worker".into())
                        .spawn_scoped(scope, move || {
                            let _draining = Draining(context.shutdown);
                            work(doorway, worker, &house)
                        })
                })
                .collect::<io::Result<Vec<_>>>()?;
            until_the_drain(context.shutdown)?;
            doorway.close();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })
    }
}

/// Serves one client after the other, until the drain.
fn work(doorway: &impl Doorway, mut worker: Porter<'_>, house: &House<'_>) -> io::Result<()> {
    let mut buffers = Buffers::new();
    while let Some(newcomer) = doorway.next(&mut worker)? {
        house.serve(house.seat(newcomer), &mut buffers);
    }
    Ok(())
}

/// When a worker ends before the drain, its listener is broken, or we are: a server with a worker fewer, and nobody
/// who knows, would be worse than none.
struct Draining<'a>(&'a Shutdown);

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        self.0.drain();
    }
}

fn until_the_drain(shutdown: &Shutdown) -> io::Result<()> {
    while !shutdown.is_draining() {
        let mut drain = [PollFd::from_borrowed_fd(shutdown.drain_fd(), PollFlags::IN)];
        match poll(&mut drain, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
