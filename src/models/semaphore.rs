//! Every order of two and three threads at a semaphore.
//!
//! Whoever waits at the semaphore here waits for nothing else afterwards: an unpark that comes late would wake a
//! thread in `join`, too, and loom's `join` does not expect that.

use super::check;
use crate::sync::semaphore::{AcquireError, Closed, Discipline, Semaphore, TryAcquireError};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::sync::Arc;
use std::time::Duration;

/// In a model, the clock is looked at once, and then the time is over.
const SOME_TIME: Duration = Duration::from_secs(1);

/// A semaphore, and data that it guards: two that reach the data at once are found.
struct Guarded {
    semaphore: Semaphore,
    data: UnsafeCell<u32>,
    inside: AtomicUsize,
}

// SAFETY: that it is never reached by two threads is what loom finds out.
#[allow(unsafe_code)]
unsafe impl Sync for Guarded {}

impl Guarded {
    fn new(permits: usize, discipline: Discipline) -> Arc<Self> {
        Arc::new(Self {
            semaphore: Semaphore::with(permits, discipline),
            data: UnsafeCell::new(0),
            inside: AtomicUsize::new(0),
        })
    }

    /// While all permits are held.
    #[allow(unsafe_code)]
    fn change(&self) {
        // SAFETY: the pointer is good while `self` is; loom finds who else uses it.
        self.data.with_mut(|data| unsafe { *data += 1 });
    }

    /// While some permit is held.
    #[allow(unsafe_code)]
    fn look(&self) -> u32 {
        // SAFETY: as above.
        self.data.with(|data| unsafe { *data })
    }

    /// Nobody waits, nothing is held, and it works.
    fn is_at_rest(&self, permits: usize) {
        assert_eq!(self.semaphore.waiters(), 0);
        assert_eq!(self.semaphore.available(), permits);
        let all = self.semaphore.try_acquire(permits);
        assert_eq!(all.map(|all| all.count()), Ok(permits));
    }
}

/// Another thread at it.
fn beside(
    guarded: &Arc<Guarded>,
    act: impl FnOnce(&Guarded) + Send + 'static,
) -> thread::JoinHandle<()> {
    let guarded = Arc::clone(guarded);
    thread::spawn(move || act(&guarded))
}

/// So many threads each take `n` permits of `permits` and look or change.
fn sections(discipline: Discipline, permits: usize, wanted: &'static [usize]) {
    check(move || {
        let guarded = Guarded::new(permits, discipline);
        let run = move |guarded: &Guarded, n: usize| {
            let permit = guarded.semaphore.acquire(n).unwrap();
            assert!(guarded.inside.fetch_add(n, Ordering::Relaxed) + n <= permits);
            if n == permits {
                guarded.change();
            } else {
                guarded.look();
            }
            guarded.inside.fetch_sub(n, Ordering::Relaxed);
            drop(permit);
        };
        let threads: Vec<_> = wanted
            .iter()
            .map(|&n| {
                let guarded = Arc::clone(&guarded);
                thread::spawn(move || run(&guarded, n))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let changes = wanted.iter().filter(|&&n| n == permits).count();
        assert_eq!(guarded.look() as usize, changes);
        guarded.is_at_rest(permits);
    });
}

/// A model that holds under both disciplines.
macro_rules! under_both {
    ($($(#[$meta:meta])* fn $name:ident($discipline:ident) $body:block)+) => {
        mod fair {
            use super::*;
            $($(#[$meta])* #[test] fn $name() { let $discipline = Discipline::Fair; $body })+
        }
        mod barging {
            use super::*;
            $($(#[$meta])* #[test] fn $name() { let $discipline = Discipline::Barging; $body })+
        }
    };
}

under_both! {
    fn two_threads_and_one_permit(discipline) {
        sections(discipline, 1, &[1, 1]);
    }

    fn three_threads_and_one_permit(discipline) {
        sections(discipline, 1, &[1, 1, 1]);
    }

    fn three_threads_and_two_permits(discipline) {
        sections(discipline, 2, &[1, 1, 1]);
    }

    fn two_that_want_all_do_not_wait_for_each_other(discipline) {
        sections(discipline, 2, &[2, 2]);
    }

    fn two_that_look_and_one_that_changes(discipline) {
        sections(discipline, 2, &[1, 2, 1]);
    }

    fn a_time_out_against_a_release_loses_no_permit(discipline) {
        check(move || {
            let guarded = Guarded::new(1, discipline);
            let held = guarded.semaphore.acquire(1).unwrap();
            let other = beside(&guarded, move |guarded| match guarded.semaphore.acquire_timeout(1, SOME_TIME) {
                    Ok(permit) => {
                        guarded.change();
                        drop(permit);
                    }
                    Err(error) => assert_eq!(error, AcquireError::TimedOut),
                });
            guarded.change();
            drop(held);
            other.join().unwrap();
            guarded.is_at_rest(1);
        });
    }

    fn who_gives_up_lets_those_behind_pass(discipline) {
        check(move || {
            let guarded = Guarded::new(2, discipline);
            let held = guarded.semaphore.acquire(1).unwrap();
            let impatient = beside(&guarded, move |guarded| {
                    assert!(guarded.semaphore.acquire_timeout(2, SOME_TIME).is_err());
                });
            let modest = beside(&guarded, move |guarded| drop(guarded.semaphore.acquire(1).unwrap()));
            // One permit is free all the time, and nobody gives the other one back.
            modest.join().unwrap();
            impatient.join().unwrap();
            drop(held);
            guarded.is_at_rest(2);
        });
    }

    fn a_time_out_beside_a_waiter_and_a_release_loses_no_permit(discipline) {
        check(move || {
            let guarded = Guarded::new(1, discipline);
            let held = guarded.semaphore.acquire(1).unwrap();
            let impatient = beside(&guarded, move |guarded| drop(guarded.semaphore.acquire_timeout(1, SOME_TIME)));
            let patient = beside(&guarded, move |guarded| {
                    let permit = guarded.semaphore.acquire(1).unwrap();
                    guarded.change();
                    drop(permit);
                });
            guarded.change();
            drop(held);
            patient.join().unwrap();
            impatient.join().unwrap();
            guarded.is_at_rest(1);
        });
    }

    fn closing_wakes_who_waits(discipline) {
        check(move || {
            let guarded = Guarded::new(1, discipline);
            let held = guarded.semaphore.acquire(1).unwrap();
            let other = beside(&guarded, move |guarded| assert_eq!(guarded.semaphore.acquire(1).err(), Some(Closed)));
            guarded.semaphore.close();
            // Only now: nothing but the closing can end the wait.
            other.join().unwrap();
            drop(held);
            assert_eq!(guarded.semaphore.available(), 1);
            assert_eq!(guarded.semaphore.waiters(), 0);
            assert_eq!(guarded.semaphore.try_acquire(1).err(), Some(TryAcquireError::Closed));
        });
    }

    fn who_comes_after_the_closing_does_not_get_in(discipline) {
        check(move || {
            let guarded = Guarded::new(1, discipline);
            let other = beside(&guarded, move |guarded| guarded.semaphore.close());
            // Nobody ever waits here, so the only way in or out is past the mark.
            if guarded.semaphore.acquire(1).is_err() {
                assert!(guarded.semaphore.is_closed());
            }
            other.join().unwrap();
            assert_eq!(guarded.semaphore.acquire(1).err(), Some(Closed));
            let timed = guarded.semaphore.acquire_timeout(1, SOME_TIME);
            assert_eq!(timed.err(), Some(AcquireError::Closed));
            assert_eq!(guarded.semaphore.available(), 1);
        });
    }

    fn a_release_of_two_lets_two_in(discipline) {
        check(move || {
            let guarded = Guarded::new(2, discipline);
            let held = guarded.semaphore.acquire(2).unwrap();
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let guarded = Arc::clone(&guarded);
                    thread::spawn(move || {
                        let permit = guarded.semaphore.acquire(1).unwrap();
                        guarded.inside.fetch_add(1, Ordering::Relaxed);
                        // Stays inside until both are.
                        while guarded.inside.load(Ordering::Relaxed) < 2 {
                            thread::yield_now();
                        }
                        drop(permit);
                    })
                })
                .collect();
            drop(held);
            for other in others {
                other.join().unwrap();
            }
            guarded.is_at_rest(2);
        });
    }

    fn a_permit_forgotten_while_permits_are_owed_pays(discipline) {
        check(move || {
            let guarded = Guarded::new(2, discipline);
            let forgotten = guarded.semaphore.acquire(1).unwrap();
            let held = guarded.semaphore.acquire(1).unwrap();
            let other = beside(&guarded, move |guarded| {
                    guarded.semaphore.reduce(1).unwrap();
                });
            forgotten.forget();
            other.join().unwrap();
            drop(held);
            // Two were taken away of two, whichever came first.
            assert_eq!(guarded.semaphore.permits(), 0);
            assert_eq!((guarded.semaphore.available(), guarded.semaphore.debt()), (0, 0));
        });
    }

    fn closing_against_a_release_ends_every_wait(discipline) {
        check(move || {
            let guarded = Guarded::new(1, discipline);
            let held = guarded.semaphore.acquire(1).unwrap();
            let waits = beside(&guarded, move |guarded| drop(guarded.semaphore.acquire(1)));
            let closes = beside(&guarded, move |guarded| guarded.semaphore.close());
            drop(held);
            waits.join().unwrap();
            closes.join().unwrap();
            assert_eq!(guarded.semaphore.available(), 1);
            assert_eq!(guarded.semaphore.waiters(), 0);
        });
    }

    fn permits_that_are_added_reach_who_waits(discipline) {
        check(move || {
            let guarded = Guarded::new(0, discipline);
            let other = beside(&guarded, move |guarded| guarded.semaphore.acquire(2).unwrap().forget());
            guarded.semaphore.add_permits(1).unwrap();
            guarded.semaphore.add_permits(1).unwrap();
            other.join().unwrap();
            assert_eq!(guarded.semaphore.permits(), 0);
            guarded.is_at_rest(0);
        });
    }

    fn a_debt_is_paid_before_anybody_gets_in(discipline) {
        check(move || {
            let guarded = Guarded::new(2, discipline);
            let held = guarded.semaphore.acquire(2).unwrap();
            let other = beside(&guarded, move |guarded| {
                    let permit = guarded.semaphore.acquire(1).unwrap();
                    guarded.change();
                    drop(permit);
                });
            guarded.semaphore.reduce(1).unwrap();
            guarded.change();
            drop(held);
            other.join().unwrap();
            guarded.is_at_rest(1);
        });
    }

    fn draining_against_a_release_and_a_waiter_loses_nothing(discipline) {
        check(move || {
            let guarded = Guarded::new(1, discipline);
            let held = guarded.semaphore.acquire(1).unwrap();
            let other = beside(&guarded, move |guarded| drop(guarded.semaphore.acquire(1).unwrap()));
            drop(held);
            drop(guarded.semaphore.drain());
            other.join().unwrap();
            guarded.is_at_rest(1);
        });
    }

    fn an_unpark_that_means_something_else_is_not_a_permit(discipline) {
        check(move || {
            let guarded = Guarded::new(1, discipline);
            let held = guarded.semaphore.acquire(1).unwrap();
            let other = beside(&guarded, move |guarded| {
                    let permit = guarded.semaphore.acquire(1).unwrap();
                    guarded.change();
                    drop(permit);
                });
            other.thread().unpark();
            guarded.change();
            drop(held);
            other.join().unwrap();
            guarded.is_at_rest(1);
        });
    }
}

/// Waits until so many stand in line.
fn until_waiting(semaphore: &Semaphore, n: usize) {
    while semaphore.waiters() < n {
        thread::yield_now();
    }
}

/// With some permits held, the first asks for `first` and has to wait; the second comes when it does,
/// and asks for one.
fn the_second_stays_second(permits: usize, held: usize, first: usize) {
    check(move || {
        let guarded = Guarded::new(permits, Discipline::Fair);
        let held = guarded.semaphore.acquire(held).unwrap();
        let order = Arc::new(AtomicUsize::new(0));
        let comes = |n: usize, place: usize| {
            let (guarded, order) = (Arc::clone(&guarded), Arc::clone(&order));
            thread::spawn(move || {
                let permits = guarded.semaphore.acquire(n).unwrap();
                assert_eq!(order.fetch_add(1, Ordering::Relaxed), place);
                drop(permits);
            })
        };
        let first = comes(first, 0);
        until_waiting(&guarded.semaphore, 1);
        assert!(guarded.semaphore.try_acquire(1).is_err());
        assert_eq!(guarded.semaphore.drain().count(), 0);
        let second = comes(1, 1);
        drop(held);
        first.join().unwrap();
        second.join().unwrap();
        guarded.is_at_rest(permits);
    });
}

#[test]
fn who_waits_at_a_fair_semaphore_is_not_overtaken() {
    the_second_stays_second(1, 1, 1);
}

#[test]
fn a_large_request_at_a_fair_semaphore_is_not_overtaken_by_a_small_one() {
    // One permit is free all the time.
    the_second_stays_second(2, 1, 2);
}
