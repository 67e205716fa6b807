//! One client of a lobby: where it is, who owns it, and the way to it for those who post.

use super::Lobby;
use super::book::Book;
use super::calls::{Call, Calls};
use crate::client::ClientId;
use crate::mailbox::{Flushed, Mailbox, Outlet};
use crate::model::acceptor::Newcomer;
use crate::model::occupant::Occupant;
use crate::net::socket::{self, Wait};
use crate::poller::{Interest, Token, Trigger};
use crate::stats::Closed;
use parking_lot::Mutex;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::{Arc, Weak};

/// A client that any thread may come to serve. Only the thread that owns it, as [`Calls`] says, locks its [`Place`].
pub(in crate::model) struct Guest {
    pub(super) id: ClientId,
    /// Its place in the book.
    pub(super) key: usize,
    pub(super) calls: Calls,
    pub(super) place: Mutex<Place>,
    /// Which holds the guest.
    book: Weak<Book>,
}

/// Where a guest is.
pub(super) enum Place {
    /// Its session is not open yet.
    Arriving(Newcomer),
    Inside(Occupant<Arc<TcpStream>>),
    /// Its socket is closed. It stays owned, so that nobody comes to serve it again.
    Gone,
}

impl Place {
    /// What was there; nobody is any more.
    pub(super) fn vacate(&mut self) -> Self {
        std::mem::replace(self, Self::Gone)
    }
}

impl Guest {
    /// Owned by its maker.
    pub(super) fn new(key: usize, newcomer: Newcomer, book: &Arc<Book>) -> Self {
        Self {
            id: newcomer.id,
            key,
            calls: Calls::owned(),
            place: Mutex::new(Place::Arriving(newcomer)),
            book: Arc::downgrade(book),
        }
    }

    /// What the poller calls it.
    pub(super) fn token(&self) -> Token {
        super::token(self.key)
    }

    /// Has `lobby` tell when this newcomer says something.
    pub(super) fn watch(&self, lobby: &Lobby<'_>) -> io::Result<()> {
        match &*self.place.lock() {
            Place::Arriving(newcomer) => lobby.set.add(
                newcomer.stream.as_fd(),
                self.token(),
                Interest::READ,
                Trigger::Edge,
            ),
            Place::Inside(_) | Place::Gone => Ok(()),
        }
    }

    /// Nothing unanswered, nothing unsent. Only for its owner.
    pub(super) fn is_idle(&self) -> bool {
        match &*self.place.lock() {
            Place::Arriving(newcomer) => socket::is_quiet(&newcomer.stream),
            Place::Inside(occupant) => occupant.is_idle(),
            Place::Gone => true,
        }
    }

    /// Why it is closed when it is cut off. The closing of one that a drain found idle may only have been overtaken.
    pub(super) fn what_force_means(&self) -> Closed {
        if self.calls.was_idle() {
            Closed::Drained
        } else {
            Closed::Forced
        }
    }

    /// Its outlet, for a mailbox. It keeps neither the guest nor the socket: whoever keeps a client that has left keeps
    /// no descriptor.
    pub(super) fn outlet(self: &Arc<Self>, stream: &Arc<TcpStream>) -> Box<dyn Outlet> {
        Box::new(Direct {
            stream: Arc::downgrade(stream),
            guest: Arc::downgrade(self),
        })
    }
}

/// The poster writes straight to the socket, without blocking and without owning the guest: the mailbox's duty sees to it
/// that one thread sends at a time. No post waits for a thread, nor for the guest's own session. Only what goes wrong
/// is the owner's, and becomes a call: posters run no session and close no socket, so they hold nothing up and there
/// is no recursion, whatever a session posts when it ends.
struct Direct {
    stream: Weak<TcpStream>,
    guest: Weak<Guest>,
}

impl Outlet for Direct {
    fn ring(&self, mailbox: &Arc<Mailbox>) {
        // It has left.
        let Some(stream) = self.stream.upgrade() else {
            return;
        };
        match mailbox.flush(|slices| socket::send(stream.as_fd(), slices, Wait::Never)) {
            Ok(Flushed::Empty | Flushed::Elsewhere) => {}
            Ok(Flushed::Blocked | Flushed::CutOff) | Err(_) => {
                if let Some(guest) = self.guest.upgrade()
                    && guest.calls.call(Call::RUNG)
                    && let Some(book) = guest.book.upgrade()
                {
                    book.hand_over(guest);
                }
            }
        }
    }
}
