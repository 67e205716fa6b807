//! Who is at a ring, and who comes and goes.
//!
//! A client that is gone keeps its place for as long as the kernel has something of it:
//!
//! ```text
//!                admitted              gone                       the last completion
//!      vacant -------------> Guest -------------> Leaving ---------------------------------> vacant
//!                                 \___________ the kernel has nothing of it ________________/
//! ```

use super::Proactor;
use super::guest::{Guest, Receive};
use super::op::Op;
use super::ring::Ring;
use crate::client::Client;
use crate::connection::Stage;
use crate::mailbox::Mailbox;
use crate::model::acceptor::Newcomer;
use crate::model::occupant::Occupant;
use crate::model::phase::Phase;
use crate::poller::Token;
use crate::stats::Closed;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

/// A place at a ring.
#[allow(clippy::large_enum_variant)] // Nearly all are guests, who are best reached without a pointer between.
pub(super) enum Place {
    Guest(Guest),
    /// Its client is gone.
    Leaving {
        /// Open for as long as it is being received from or watched.
        #[allow(dead_code)] // Held, not used.
        stream: Option<TcpStream>,
        in_flight: u8,
    },
}

impl Proactor<'_> {
    pub(super) fn admit(&mut self, newcomer: Newcomer) {
        let Newcomer {
            id,
            addr,
            stream,
            permit,
        } = newcomer;
        let entry = self.places.vacant_entry();
        let key = entry.key();
        let outlet = Box::new(self.rings.outlet(Token(key)));
        let mailbox = Arc::new(Mailbox::within(self.context.limits, outlet));
        let client = Client::new(id, addr, mailbox);
        self.context.stats.opened();
        tracing::info!(client = %id, %addr, "connected");
        let occupant = Occupant::new(self.context.service, client, stream, permit);
        let mut guest = Guest::new(occupant, key as u32);
        guest.register(&mut self.ring);
        entry.insert(Place::Guest(guest));
        if let Some(patience) = self.context.limits.idle_timeout {
            self.timers.set(Instant::now() + patience, key, id);
        }
        self.settle(key);
        match self.phase {
            Phase::Serving => {}
            Phase::Draining { .. } => self.drain(vec![key]),
            Phase::Forced => self.cut_off(vec![key]),
        }
    }

    /// Draws the consequences of a client's new state: what the kernel is to do, or that it is gone.
    #[inline]
    pub(super) fn settle(&mut self, key: usize) {
        let ended = self.phase.end_of_input();
        let Some(Place::Guest(guest)) = self.places.get_mut(key) else {
            return;
        };
        if guest.has_held() {
            guest.serve_held(&mut self.buffers.reply, ended, &mut self.outgoing);
        }
        if guest.stage() != Stage::Talking {
            return self.settle_leaver(key);
        }
        ask(&mut self.ring, key as u32, guest);
    }

    fn settle_leaver(&mut self, key: usize) {
        let Some(Place::Guest(guest)) = self.places.get_mut(key) else {
            return;
        };
        guest.send_gathered(&mut self.outgoing);
        let occupant = &mut guest.occupant;
        if let Stage::Leaving(why) = occupant.connection.stage()
            && !occupant.connection.is_blocked()
            && occupant.parting.is_none()
            && let Some(at) = occupant.part(why)
        {
            let id = occupant.connection.client().id();
            self.timers.set(at, key, id);
        }
        if let Stage::Gone(why) = guest.stage() {
            self.remove(key, why);
        } else {
            ask(&mut self.ring, key as u32, guest);
        }
    }

    fn remove(&mut self, key: usize, why: Closed) {
        let Some(place) = self.places.get_mut(key) else {
            return;
        };
        let place = std::mem::replace(
            place,
            Place::Leaving {
                stream: None,
                in_flight: 0,
            },
        );
        let Place::Guest(mut guest) = place else {
            unreachable!("only a guest is removed");
        };
        let missed = guest.occupant.close();
        guest.occupant.tell_closed(why);
        self.context.stats.closed(why, missed);
        let is_registering = guest.unregister(&mut self.ring);
        let on_socket = guest.in_flight();
        let stream = guest.occupant.into_stream();
        // It is closed here, if nothing is being done with it.
        let stream = (on_socket > 0).then(|| {
            self.ring.cancel_all(stream.as_fd());
            stream
        });
        let in_flight = on_socket + u8::from(is_registering);
        if in_flight == 0 {
            self.places.remove(key);
        } else {
            self.places[key] = Place::Leaving { stream, in_flight };
        }
        let places = &self.places;
        self.timers.prune(
            places.len(),
            |key, id| matches!(places.get(key), Some(Place::Guest(guest)) if guest.id() == id),
        );
    }

    /// Something of a client that is gone is no longer in flight.
    pub(super) fn landed(&mut self, key: usize) {
        if let Some(Place::Leaving { in_flight, .. }) = self.places.get_mut(key) {
            *in_flight -= 1;
            if *in_flight == 0 {
                self.places.remove(key);
            }
        }
    }
}

/// Tells the kernel what is wanted of a client's socket, where that has changed.
#[inline]
fn ask(ring: &mut Ring, key: u32, guest: &mut Guest) {
    match (guest.receive, guest.wants_receive()) {
        (Receive::Resting, true) => {
            ring.receive(key, guest.occupant.stream.as_fd());
            guest.receive = Receive::Receiving;
        }
        (Receive::Receiving, false) => {
            ring.cancel(Op::Receive(key));
            guest.receive = Receive::Ending;
        }
        _ => {}
    }
    if guest.occupant.connection.is_blocked() && !guest.watched {
        ring.watch_writable(key, guest.occupant.stream.as_fd());
        guest.watched = true;
    }
    guest.steady_now();
}
