//! The whole surface, in order. Every order of the steps inside is `models/semaphore.rs`'s.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

const BOTH: [Discipline; 2] = [Discipline::Fair, Discipline::Barging];
/// More than any test takes.
const LONG: Duration = Duration::from_mins(1);
/// What is waited for in vain.
const SHORT: Duration = Duration::from_millis(2);

/// Waits on the thing itself: until so many stand in line.
fn until_waiting(semaphore: &Semaphore, n: usize) {
    let deadline = Instant::now() + LONG;
    while semaphore.waiters() != n {
        assert!(Instant::now() < deadline, "{n} never stood in line");
        thread::yield_now();
    }
}

#[test]
fn permits_come_back_when_their_holder_is_dropped() {
    for discipline in BOTH {
        let semaphore = Arc::new(Semaphore::with(3, discipline));
        let two = semaphore.acquire(2).unwrap();
        assert_eq!(
            semaphore.try_acquire(2).err(),
            Some(TryAcquireError::NoPermits)
        );
        let one = semaphore.try_acquire_owned(1).unwrap();
        assert_eq!(semaphore.available(), 0);
        drop(one);
        drop(two);
        assert_eq!(semaphore.available(), 3);
    }
}

#[test]
fn a_static_semaphore_needs_no_making() {
    static DOOR: Semaphore = Semaphore::bounded(1, 1, Discipline::Fair);
    static GATE: Semaphore = Semaphore::barging(2);
    assert_eq!(DOOR.discipline(), Discipline::Fair);
    assert_eq!(GATE.discipline(), Discipline::Barging);
    let _one = DOOR.acquire(1).unwrap();
    let _all = GATE.acquire(2).unwrap();
    assert_eq!((DOOR.available(), GATE.available()), (0, 0));
}

#[test]
#[should_panic(expected = "4 permits asked of a semaphore that can never have more than 3")]
fn asking_for_more_than_there_can_be_panics_instead_of_waiting_for_ever() {
    let _ = Semaphore::bounded(3, 3, Discipline::Fair).acquire(4);
}

#[test]
#[should_panic(expected = "a semaphore of more permits than its bound")]
fn a_bound_below_the_permits_is_refused() {
    let _ = Semaphore::bounded(3, 2, Discipline::Fair);
}

#[test]
#[should_panic(expected = "a bound of more permits than Semaphore::MAX_PERMITS")]
fn a_bound_that_no_word_can_hold_is_refused() {
    let _ = Semaphore::bounded(0, Semaphore::MAX_PERMITS + 1, Discipline::Fair);
}

#[test]
fn nothing_is_a_request_too_and_waits_while_permits_are_owed() {
    for discipline in BOTH {
        let semaphore = Semaphore::with(1, discipline);
        let held = semaphore.acquire(1).unwrap();
        assert_eq!(semaphore.acquire(0).unwrap().count(), 0);
        semaphore.reduce(1).unwrap();
        assert!(semaphore.try_acquire(0).is_err());
        assert!(semaphore.acquire_timeout(0, SHORT).is_err());
        drop(held);
        assert!(semaphore.try_acquire(0).is_ok());
    }
}

#[test]
fn a_semaphore_is_as_good_after_a_panic_as_before() {
    let semaphore = Semaphore::new(1);
    let unwound = std::panic::catch_unwind(|| {
        let _held = semaphore.acquire(1);
        std::panic::resume_unwind(Box::new("inside"));
    });
    assert!(unwound.is_err());
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn the_largest_numbers_do_not_overflow() {
    for discipline in BOTH {
        let semaphore = Semaphore::with(Semaphore::MAX_PERMITS, discipline);
        assert!(semaphore.try_acquire(usize::MAX).is_err());
        assert!(semaphore.add_permits(1).is_err());
        let all = semaphore.acquire(Semaphore::MAX_PERMITS).unwrap();
        assert_eq!(semaphore.available(), 0);
        semaphore.reduce(Semaphore::MAX_PERMITS).unwrap();
        assert_eq!(semaphore.debt(), Semaphore::MAX_PERMITS);
        drop(all);
        assert_eq!((semaphore.available(), semaphore.debt()), (0, 0));
    }
}

#[test]
fn a_release_that_nobody_acquired_is_an_error_beyond_the_bound() {
    let semaphore = Semaphore::bounded(2, 3, Discipline::Fair);
    let held = semaphore.acquire(1).unwrap();
    assert_eq!(semaphore.add_permits(1), Ok(1), "so many were free before");
    let refused = TooMany {
        added: 1,
        permits: 3,
        max: 3,
    };
    // One is held, and yet there is no room for one more: it will come back.
    assert_eq!(semaphore.add_permits(1), Err(refused));
    drop(held);
    assert_eq!((semaphore.available(), semaphore.permits()), (3, 3));
    assert_eq!(
        refused.to_string(),
        "cannot add 1 permits to the 3 that there are: the limit is 3"
    );
}

#[test]
fn forgotten_permits_are_no_more_and_make_room_for_new_ones() {
    let semaphore = Semaphore::bounded(2, 2, Discipline::Fair);
    semaphore.acquire(1).unwrap().forget();
    assert_eq!((semaphore.available(), semaphore.permits()), (1, 1));
    assert_eq!(semaphore.add_permits(1), Ok(1));
    assert_eq!((semaphore.available(), semaphore.permits()), (2, 2));
}

#[test]
fn what_is_reduced_while_it_is_held_is_a_debt_that_releases_pay() {
    let semaphore = Semaphore::new(3);
    let mut held = semaphore.acquire(3).unwrap();
    semaphore.reduce(2).unwrap();
    assert_eq!((semaphore.permits(), semaphore.debt()), (1, 2));
    drop(held.split(1));
    assert_eq!((semaphore.available(), semaphore.debt()), (0, 1));
    assert!(semaphore.try_acquire(1).is_err());
    drop(held);
    assert_eq!((semaphore.available(), semaphore.debt()), (1, 0));
    let too_few = TooFew {
        removed: 2,
        permits: 1,
    };
    assert_eq!(semaphore.reduce(2), Err(too_few));
}

#[test]
fn permits_that_were_reduced_and_then_forgotten_are_taken_away_once() {
    let semaphore = Semaphore::new(3);
    let held = semaphore.acquire(3).unwrap();
    semaphore.reduce(2).unwrap();
    held.forget();
    assert_eq!((semaphore.permits(), semaphore.debt()), (0, 0));
    semaphore.add_permits(1).unwrap();
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn permits_are_split_and_merged_and_come_back_in_one_step() {
    let semaphore = Arc::new(Semaphore::new(5));
    let mut four = semaphore.acquire_owned(4).unwrap();
    let mut three = four.split(3).unwrap();
    assert_eq!((four.count(), three.count()), (1, 3));
    assert!(four.split(2).is_none());
    assert_eq!(four.count(), 1, "a split that fails takes nothing");
    three.merge(four);
    assert_eq!((three.count(), semaphore.available()), (4, 1));
    drop(three);
    assert_eq!(semaphore.available(), 5);
}

#[test]
#[should_panic(expected = "two different semaphores")]
fn permits_of_two_semaphores_do_not_merge() {
    let (left, right) = (Semaphore::new(1), Semaphore::new(1));
    let mut permit = left.acquire(1).unwrap();
    permit.merge(right.acquire(1).unwrap());
}

#[test]
fn draining_takes_what_is_free_and_gives_it_back() {
    for discipline in BOTH {
        let semaphore = Semaphore::with(4, discipline);
        let one = semaphore.acquire(1).unwrap();
        let drained = semaphore.drain();
        assert_eq!((drained.count(), semaphore.available()), (3, 0));
        assert_eq!(semaphore.drain().count(), 0);
        drop(one);
        drop(drained);
        assert_eq!(semaphore.available(), 4);
    }
}

#[test]
fn a_wait_that_is_over_leaves_no_trace() {
    for discipline in BOTH {
        let semaphore = Arc::new(Semaphore::with(2, discipline));
        let held = semaphore.acquire(1).unwrap();
        let timed_out = Some(AcquireError::TimedOut);
        assert_eq!(semaphore.acquire_timeout(2, SHORT).err(), timed_out);
        let past = Instant::now();
        assert_eq!(semaphore.acquire_deadline(2, past).err(), timed_out);
        assert_eq!(semaphore.acquire_timeout_owned(2, SHORT).err(), timed_out);
        assert_eq!(semaphore.acquire_deadline_owned(2, past).err(), timed_out);
        assert_eq!(semaphore.waiters(), 0);
        assert!(semaphore.try_acquire(1).is_ok(), "nobody is before us");
        drop(held);
        assert_eq!(semaphore.acquire_timeout(2, LONG).unwrap().count(), 2);
        assert_eq!(semaphore.available(), 2);
    }
}

#[test]
fn a_time_out_that_no_clock_can_count_is_none() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1).unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| semaphore.acquire_timeout(1, Duration::MAX).is_ok());
        until_waiting(&semaphore, 1);
        drop(held);
        assert!(waits.join().unwrap());
    });
}

#[test]
fn who_gives_up_lets_those_behind_pass() {
    let semaphore = Semaphore::new(2);
    let held = semaphore.acquire(1).unwrap();
    thread::scope(|scope| {
        let impatient = scope.spawn(|| {
            let deadline = Instant::now() + Duration::from_millis(50);
            semaphore.acquire_deadline(2, deadline).is_err()
        });
        // One permit is free all the time; whoever was first, this one gets it.
        let modest = scope.spawn(|| semaphore.acquire_timeout(1, LONG).is_ok());
        assert!(modest.join().unwrap());
        assert!(impatient.join().unwrap());
    });
    drop(held);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn closing_wakes_everyone_and_lets_nobody_in() {
    for discipline in BOTH {
        let semaphore = Arc::new(Semaphore::with(2, discipline));
        let held = semaphore.acquire(2).unwrap();
        thread::scope(|scope| {
            let waits: Vec<_> = (0..3)
                .map(|n| {
                    let semaphore = &semaphore;
                    scope.spawn(move || match n {
                        0 => semaphore.acquire(1).err().map(|_| AcquireError::Closed),
                        n => semaphore.acquire_timeout(n, LONG).err(),
                    })
                })
                .collect();
            until_waiting(&semaphore, 3);
            semaphore.close();
            for wait in waits {
                assert_eq!(wait.join().unwrap(), Some(AcquireError::Closed));
            }
        });
        assert!(semaphore.is_closed());
        assert_eq!(semaphore.acquire_owned(1).err(), Some(Closed));
        drop(held);
        assert_eq!((semaphore.available(), semaphore.waiters()), (2, 0));
        assert_eq!(
            semaphore.try_acquire(1).err(),
            Some(TryAcquireError::Closed)
        );
        assert_eq!(semaphore.drain().count(), 0);
    }
}

#[test]
fn a_fair_semaphore_serves_in_the_order_of_the_line() {
    let semaphore = Semaphore::new(2);
    let (served, order) = mpsc::channel();
    let held = semaphore.acquire(1).unwrap();
    thread::scope(|scope| {
        for (place, n) in [2, 1, 2, 1].into_iter().enumerate() {
            let (semaphore, served) = (&semaphore, served.clone());
            scope.spawn(move || {
                let _permits = semaphore.acquire(n).unwrap();
                served.send(place).unwrap();
            });
            until_waiting(semaphore, place + 1);
        }
        // One permit is free, and yet it is neither taken nor given away.
        assert_eq!(semaphore.available(), 1);
        assert!(semaphore.try_acquire(1).is_err());
        drop(held);
    });
    drop(served);
    assert_eq!(order.iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn at_a_barging_semaphore_newcomers_overtake_a_large_request() {
    let semaphore = Semaphore::barging(2);
    let held = semaphore.acquire(1).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| drop(semaphore.acquire(2).unwrap()));
        until_waiting(&semaphore, 1);
        for _ in 0..3 {
            drop(semaphore.acquire(1).unwrap());
        }
        assert_eq!(semaphore.waiters(), 1);
        drop(held);
    });
    assert_eq!((semaphore.available(), semaphore.waiters()), (2, 0));
}

#[test]
fn no_more_than_the_permits_are_ever_inside() {
    for discipline in BOTH {
        let semaphore = Semaphore::with(3, discipline);
        let inside = AtomicUsize::new(0);
        thread::scope(|scope| {
            for thread in 0..6 {
                let (semaphore, inside) = (&semaphore, &inside);
                scope.spawn(move || {
                    for round in 0..if cfg!(miri) { 20 } else { 500 } {
                        let n = (thread + round) % 3 + 1;
                        let _permits = semaphore.acquire(n).unwrap();
                        assert!(inside.fetch_add(n, Ordering::SeqCst) + n <= 3);
                        thread::yield_now();
                        inside.fetch_sub(n, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!((semaphore.available(), semaphore.waiters()), (3, 0));
    }
}

#[test]
fn time_outs_in_a_crowd_lose_no_permit() {
    for discipline in BOTH {
        let semaphore = Semaphore::with(2, discipline);
        thread::scope(|scope| {
            for thread in 0..4 {
                let semaphore = &semaphore;
                scope.spawn(move || {
                    for round in 0..if cfg!(miri) { 10 } else { 300 } {
                        let patience = Duration::from_micros((thread * 7 + round) % 60);
                        if let Ok(permits) = semaphore.acquire_timeout(2, patience) {
                            thread::yield_now();
                            drop(permits);
                        }
                    }
                });
            }
        });
        assert_eq!((semaphore.available(), semaphore.waiters()), (2, 0));
    }
}
