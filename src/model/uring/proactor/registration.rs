//! Who is [registered](super::ring::files): clients that stay. To register costs about as much as is saved by dozens of
//! sends, so whoever comes for a word or two is served without.
//!
//! ```text
//!              some turns later, if there is room          done
//!      None ------------------------------------> Asked ----------> Done
//!       ^                                           |                 |
//!       +-------------------------------------------+                 |
//!       |               refused                                       |
//!       +--------------------------- gone ----------------------------+
//! ```

use super::Proactor;
use super::places::Place;
use super::send::Target;
use crate::client::ClientId;
use rustix::io::Errno;
use std::os::fd::AsFd;

/// Turns after which a client is taken for one that stays.
const STAYS: u64 = 64;

/// Clients that are registered in one turn: a crowd that came together must not make all others wait.
const TURN: usize = 64;

/// Whether the kernel has a client's socket registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Registration {
    None,
    Asked,
    Done,
}

/// Since which turn who is at which place.
pub(super) type Newcomer = (u64, usize, ClientId);

impl Proactor<'_> {
    /// Registers who has stayed for some turns.
    #[cold]
    pub(super) fn register_who_stays(&mut self) {
        for _ in 0..TURN {
            let stays = |(since, ..): &mut Newcomer| self.turn - *since >= STAYS;
            let Some((_, key, id)) = self.newcomers.pop_front_if(stays) else {
                return;
            };
            if let Some(Place::Guest(guest)) = self.places.get_mut(key)
                && guest.id() == id
                && self
                    .ring
                    .register(key as u32, guest.occupant.stream.as_fd())
            {
                guest.registration = Registration::Asked;
            }
        }
    }

    /// The kernel has registered a client's socket, or refuses to.
    #[cold]
    pub(super) fn registered(&mut self, key: usize, result: Result<u32, Errno>) {
        let Some(Place::Guest(guest)) = self.places.get_mut(key) else {
            return self.landed(key);
        };
        guest.registration = Registration::None;
        if result.is_ok() {
            guest.registration = Registration::Done;
            guest.redirect(Target::registered(key as u32));
        }
    }
}
