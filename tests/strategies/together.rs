//! Between threads: what every strategy promises that lets several in.

use crate::stage::{Looks, PATIENCE, break_it};
use guardhouse::sync::Lock;
use parking_lot::Condvar;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const THREADS: usize = if cfg!(miri) { 3 } else { 4 };
const SECTIONS: usize = if cfg!(miri) { 10 } else { 500 };

pub(crate) fn no_change_is_lost(lock: &impl Lock<Value = u64>) {
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..SECTIONS {
                    lock.exclusive(|sum| {
                        let old = *sum;
                        // Room for another thread to get in, if it could.
                        thread::yield_now();
                        *sum = old + 1;
                    });
                }
            });
        }
    });
    assert_eq!(lock.shared(|sum| *sum), (THREADS * SECTIONS) as u64);
}

pub(crate) fn a_change_is_alone(lock: &impl Lock<Value = u64>, looks: Looks) {
    let (lookers, changers) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let kept_apart = looks != Looks::Always;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (lookers, changers) = (&lookers, &changers);
            scope.spawn(move || {
                for section in 0..SECTIONS {
                    if (thread + section) % 3 == 0 {
                        lock.exclusive(|_| {
                            let others = changers.fetch_add(1, Ordering::SeqCst);
                            thread::yield_now();
                            let looking = lookers.load(Ordering::SeqCst);
                            changers.fetch_sub(1, Ordering::SeqCst);
                            assert_eq!(others, 0);
                            assert!(looking == 0 || !kept_apart);
                        });
                    } else {
                        lock.shared(|_| {
                            lookers.fetch_add(1, Ordering::SeqCst);
                            let changing = changers.load(Ordering::SeqCst);
                            lookers.fetch_sub(1, Ordering::SeqCst);
                            assert!(changing == 0 || !kept_apart);
                        });
                    }
                }
            });
        }
    });
    assert_eq!(
        lookers.into_inner() + changers.into_inner(),
        0,
        "all have left"
    );
}

pub(crate) fn a_look_never_sees_half_a_change(lock: &impl Lock<Value = (u64, u64)>) {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..SECTIONS {
                    lock.exclusive(|(left, right)| {
                        *left += 1;
                        thread::yield_now();
                        *right += 1;
                    });
                }
            });
            scope.spawn(|| {
                for _ in 0..SECTIONS {
                    let (left, right) = lock.shared(|(left, right)| {
                        let left = *left;
                        thread::yield_now();
                        (left, *right)
                    });
                    assert_eq!(left, right);
                }
            });
        }
    });
    assert_eq!(lock.shared(|both| both.0), 2 * SECTIONS as u64);
}

pub(crate) fn a_panic_inside_lets_other_threads_in(lock: &impl Lock<Value = u64>) {
    thread::scope(|scope| {
        let broken = scope.spawn(|| lock.exclusive(|_| break_it())).join();
        assert!(broken.is_err());
        let broken = scope.spawn(|| lock.shared(|_| break_it())).join();
        assert!(broken.is_err());
        let next = scope.spawn(|| lock.exclusive(|value| *value += 1)).join();
        assert!(next.is_ok());
    });
    assert_eq!(lock.shared(|value| *value), 1);
}

/// Two threads look, and each stays inside until it has seen the other.
pub(crate) fn two_look_at_once_where_they_may(lock: &impl Lock<Value = u64>, looks: Looks) {
    let inside = parking_lot::Mutex::new(0);
    let entered = Condvar::new();
    let together = if looks == Looks::Alone { 1 } else { 2 };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                lock.shared(|_| {
                    let mut inside = inside.lock();
                    *inside += 1;
                    entered.notify_all();
                    while *inside < together {
                        let late = entered.wait_for(&mut inside, PATIENCE).timed_out();
                        assert!(!late, "the other was not let in");
                    }
                });
            });
        }
    });
    assert_eq!(*inside.lock(), 2);
}
