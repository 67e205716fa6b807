//! Crowds: too many threads for every order, so many orders at random. No weak orderings.

use crate::client::{Client, ClientId};
use crate::mailbox::{Mailbox, Outlet};
use crate::message::Message;
use crate::registry::{Clients, Registry};
use crate::sync::SemaphoreLock;
use crate::sync::semaphore::{Discipline, Semaphore};
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;
use std::sync::Arc;
use std::time::Duration;

const ORDERS: usize = 10_000;

/// Half of the orders by picking any thread at each step, half by priorities that change at a few places, which
/// finds what needs a thread to be left out for long.
fn check(model: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(model.clone(), ORDERS / 2);
    shuttle::check_pct(model, ORDERS / 2, 3);
}

/// Five threads do at random whatever can be done; afterwards every permit is accounted for.
fn everything_at_once(discipline: Discipline) {
    const PERMITS: usize = 3;
    check(move || {
        let semaphore = Arc::new(Semaphore::bounded(PERMITS, PERMITS, discipline));
        let held = Arc::new(AtomicUsize::new(0));
        let crowd: Vec<_> = (0..5)
            .map(|_| {
                let (semaphore, held) = (Arc::clone(&semaphore), Arc::clone(&held));
                thread::spawn(move || {
                    for _ in 0..3 {
                        let n = thread_rng().gen_range(1..=PERMITS);
                        let permit = match thread_rng().gen_range(0..5) {
                            0 => semaphore.try_acquire(n).ok(),
                            1 => semaphore.acquire_timeout(n, Duration::from_secs(1)).ok(),
                            2 => Some(semaphore.drain()),
                            _ => semaphore.acquire(n).ok(),
                        };
                        let Some(mut permit) = permit else { continue };
                        let n = permit.count();
                        assert!(held.fetch_add(n, Ordering::SeqCst) + n <= PERMITS);
                        thread::yield_now();
                        held.fetch_sub(n, Ordering::SeqCst);
                        if let Some(part) = permit.split(1) {
                            drop(part);
                        }
                    }
                })
            })
            .collect();
        for thread in crowd {
            thread.join().unwrap();
        }
        assert_eq!((semaphore.available(), semaphore.waiters()), (PERMITS, 0));
        assert!(semaphore.add_permits(1).is_err());
    });
}

#[test]
fn a_crowd_at_a_fair_semaphore_leaves_every_permit() {
    everything_at_once(Discipline::Fair);
}

#[test]
fn a_crowd_at_a_barging_semaphore_leaves_every_permit() {
    everything_at_once(Discipline::Barging);
}

#[test]
fn closing_sends_a_whole_crowd_home() {
    for discipline in [Discipline::Fair, Discipline::Barging] {
        check(move || {
            let semaphore = Arc::new(Semaphore::with(1, discipline));
            let crowd: Vec<_> = (0..5)
                .map(|_| {
                    let semaphore = Arc::clone(&semaphore);
                    thread::spawn(move || {
                        for _ in 0..4 {
                            if semaphore.acquire(1).is_err() {
                                assert!(semaphore.is_closed());
                            }
                        }
                    })
                })
                .collect();
            thread::yield_now();
            semaphore.close();
            for thread in crowd {
                thread.join().unwrap();
            }
            assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
        });
    }
}

/// Takes everything at once, and counts the bytes.
struct Sink(Arc<AtomicUsize>);

impl Outlet for Sink {
    fn ring(&self, mailbox: &Arc<Mailbox>) {
        self.0.fetch_add(mailbox.take().len(), Ordering::SeqCst);
    }
}

#[test]
fn a_room_full_of_talkers_gets_every_line_while_others_come_and_go() {
    const TALKERS: usize = 3;
    const LINES: usize = 2;
    check(|| {
        let registry = Registry::new(SemaphoreLock::with_permits(Clients::new(), 2));
        let client = |id: usize, got: &Arc<AtomicUsize>| {
            let mailbox = Arc::new(Mailbox::new(1024, Box::new(Sink(Arc::clone(got)))));
            Client::new(ClientId(id as u64), ([127, 0, 0, 1], 1).into(), mailbox)
        };
        let stays: Vec<_> = (0..2).map(|_| Arc::new(AtomicUsize::new(0))).collect();
        let members: Vec<_> = stays
            .iter()
            .enumerate()
            .map(|(id, got)| registry.join(client(id, got)))
            .collect();
        let talkers: Vec<_> = (0..TALKERS)
            .map(|talker| {
                let registry = Arc::clone(&registry);
                let client = client(10 + talker, &Arc::default());
                thread::spawn(move || {
                    let membership = registry.join(client);
                    for _ in 0..LINES {
                        registry.broadcast(&Message::from("x"));
                    }
                    drop(membership);
                })
            })
            .collect();
        for talker in talkers {
            talker.join().unwrap();
        }
        for got in &stays {
            assert_eq!(got.load(Ordering::SeqCst), TALKERS * LINES);
        }
        drop(members);
        assert!(registry.is_empty());
    });
}
