//! Whose socket the kernel has [registered](super::ring::files): everybody's, if it can. It is asked when a client is let
//! in, and sends name the socket so from the turn on in which it is told that it has.
//!
//! ```text
//!              asked             done
//!      None ----------> Asked ----------> Done
//!       ^ ^               | |               |
//!       | +---------------+ | gone          | gone
//!       |      refused      v               v
//!       +-------------------+---------------+
//!                            unregistered
//! ```
//!
//! Who leaves while it is `Asked` keeps its place until the kernel has told: the next one there is not to be told of it.

use super::Proactor;
use super::guest::Guest;
use super::places::Place;
use super::ring::Ring;
use super::send::Target;
use rustix::io::Errno;
use std::os::fd::AsFd;

/// Whether the kernel has a client's socket registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Registration {
    None,
    Asked,
    Done,
}

impl Guest {
    /// Has its socket registered, if that can be.
    pub(super) fn register(&mut self, ring: &mut Ring) {
        debug_assert_eq!(self.registration, Registration::None);
        if ring.register(self.gathered.key(), self.occupant.stream.as_fd()) {
            self.registration = Registration::Asked;
        }
    }

    /// Ends that. Says whether the kernel has yet to tell that it was registered, or refused.
    pub(super) fn unregister(&mut self, ring: &mut Ring) -> bool {
        let before = std::mem::replace(&mut self.registration, Registration::None);
        if before != Registration::None {
            ring.unregister(self.gathered.key());
        }
        before == Registration::Asked
    }
}

impl Proactor<'_> {
    /// The kernel has registered a client's socket, or refuses to.
    #[cold]
    pub(super) fn registered(&mut self, key: usize, result: Result<u32, Errno>) {
        let Some(Place::Guest(guest)) = self.places.get_mut(key) else {
            return self.landed(key);
        };
        guest.registration = Registration::None;
        if result.is_ok() {
            guest.registration = Registration::Done;
            guest.gathered.target = Target::registered(key as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::needs;
    use super::super::ring::Until;
    use super::*;
    use crate::model::house::House;
    use crate::model::loops::Entrance;
    use crate::net::Listener;
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpStream;
    use std::time::{Duration, Instant};

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Shows a proactor, and an address at which it has admitted nobody yet. A word about it where there are no rings, or
    /// nobody is registered.
    fn with_proactor(test: impl FnOnce(&mut Proactor<'_>, &dyn Fn() -> TcpStream)) {
        match needs::ring() {
            Ok(ring) if ring.registers() => {}
            Ok(_) => return eprintln!("skipped: this kernel is older than what is tested"),
            Err(refused) => return eprintln!("skipped: {refused}"),
        }
        let house = House::new();
        let context = house.context();
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), 8).unwrap();
        let addr = listener.local_addr().unwrap();
        let entrance = Entrance::alone(vec![listener], context).unwrap();
        let mut proactor = Proactor::new(entrance, context).unwrap();
        test(&mut proactor, &|| {
            let client = TcpStream::connect_timeout(&addr, PATIENCE).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client
        });
        proactor.force();
    }

    /// Turns until something has come about.
    fn turn_until(proactor: &mut Proactor<'_>, what: &str, is_so: impl Fn(&Proactor<'_>) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(proactor) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not within {PATIENCE:?}: {what}");
            proactor.enter(Until::Happened(Some(left))).unwrap();
            proactor.serve_all().unwrap();
            proactor.admit_arrivals().unwrap();
        }
    }

    /// The key of the next one to be admitted, and its client.
    fn come(proactor: &mut Proactor<'_>, connect: &dyn Fn() -> TcpStream) -> (usize, TcpStream) {
        let key = proactor.places.vacant_key();
        let client = connect();
        turn_until(proactor, "it is admitted", |proactor| {
            guest(proactor, key).is_some()
        });
        (key, client)
    }

    fn guest<'p>(proactor: &'p Proactor<'_>, key: usize) -> Option<&'p Guest> {
        match proactor.places.get(key) {
            Some(Place::Guest(guest)) => Some(guest),
            _ => None,
        }
    }

    /// How a guest stands, and whether it is sent to as one who is registered.
    fn stands(proactor: &Proactor<'_>, key: usize) -> (Registration, bool) {
        let guest = guest(proactor, key).unwrap();
        let target = guest.gathered.target;
        if target == Target::registered(key as u32) {
            return (guest.registration, true);
        }
        assert_eq!(
            target,
            Target::descriptor(guest.occupant.stream.as_fd()),
            "it is sent to, and nobody else"
        );
        (guest.registration, false)
    }

    fn is_answered(proactor: &mut Proactor<'_>, client: &mut TcpStream) {
        client.write_all(b"hello").unwrap();
        turn_until(proactor, "it is answered", |proactor| {
            !proactor.outgoing.sends().is_empty()
        });
        proactor.enter(Until::Submitted).unwrap();
        let mut answer = [0; 5];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
    }

    /// By an end or a reset.
    fn is_closed(client: &mut TcpStream) -> bool {
        match client.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    #[test]
    fn everybody_is_registered_and_sent_to_so_when_the_kernel_has_told() {
        with_proactor(|proactor, connect| {
            let (key, mut client) = come(proactor, connect);
            assert_eq!(stands(proactor, key), (Registration::Asked, false));
            turn_until(proactor, "it is registered", |proactor| {
                stands(proactor, key) == (Registration::Done, true)
            });
            is_answered(proactor, &mut client);
        });
    }

    #[test]
    fn whose_registration_is_refused_is_sent_to_all_the_same() {
        with_proactor(|proactor, connect| {
            let (key, mut client) = come(proactor, connect);
            turn_until(proactor, "it is registered", |proactor| {
                stands(proactor, key).0 == Registration::Done
            });
            let Some(Place::Guest(guest)) = proactor.places.get_mut(key) else {
                panic!("it is a guest");
            };
            assert!(!guest.unregister(&mut proactor.ring));
            guest.gathered.target = Target::descriptor(guest.occupant.stream.as_fd());
            proactor.registered(key, Err(Errno::NOMEM));
            assert_eq!(stands(proactor, key), (Registration::None, false));
            is_answered(proactor, &mut client);
        });
    }

    #[test]
    fn who_leaves_before_it_is_told_keeps_the_next_one_from_its_place() {
        with_proactor(|proactor, connect| {
            let (key, mut client) = come(proactor, connect);
            proactor.cut_off(vec![key]);
            // Its receive, and what is yet to be told.
            let place = proactor.places.get(key);
            assert!(matches!(place, Some(Place::Leaving { in_flight: 2, .. })));
            assert_ne!(proactor.places.vacant_key(), key);
            turn_until(proactor, "it has left", |proactor| {
                !proactor.places.contains(key)
            });
            assert!(is_closed(&mut client));
            let (next, mut next_client) = come(proactor, connect);
            assert_eq!(key, next);
            assert_eq!(stands(proactor, next), (Registration::Asked, false));
            is_answered(proactor, &mut next_client);
        });
    }

    #[test]
    fn who_was_registered_and_left_is_followed_at_its_place_and_mixed_up_with_nobody() {
        with_proactor(|proactor, connect| {
            let mut places = Vec::new();
            for _ in 0..3 {
                let (key, mut client) = come(proactor, connect);
                turn_until(proactor, "it is registered", |proactor| {
                    stands(proactor, key) == (Registration::Done, true)
                });
                is_answered(proactor, &mut client);
                proactor.cut_off(vec![key]);
                turn_until(proactor, "it has left", |proactor| {
                    !proactor.places.contains(key)
                });
                proactor.enter(Until::Submitted).unwrap();
                assert!(is_closed(&mut client));
                places.push(key);
            }
            assert!(places.iter().all(|key| *key == places[0]), "{places:?}");
        });
    }
}
