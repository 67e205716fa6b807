//! What every strategy promises of its critical sections, whichever lock it is made of. The foreign lock shows that
//! one which this crate has never heard of plugs in through `lock_api`.

use guardhouse::sync::Lock;
use parking_lot::Condvar;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const THREADS: usize = 4;
const SECTIONS: usize = 500;

fn no_change_is_lost(lock: &impl Lock<Value = u64>) {
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

fn a_change_is_alone(lock: &impl Lock<Value = u64>) {
    let (lookers, changers) = (AtomicUsize::new(0), AtomicUsize::new(0));
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
                            assert_eq!((others, looking), (0, 0));
                        });
                    } else {
                        lock.shared(|_| {
                            lookers.fetch_add(1, Ordering::SeqCst);
                            let changing = changers.load(Ordering::SeqCst);
                            lookers.fetch_sub(1, Ordering::SeqCst);
                            assert_eq!(changing, 0);
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

fn a_look_never_sees_half_a_change(lock: &impl Lock<Value = (u64, u64)>) {
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
                    let (left, right) = lock.shared(|&both| both);
                    assert_eq!(left, right);
                }
            });
        }
    });
    assert_eq!(lock.shared(|both| both.0), 2 * SECTIONS as u64);
}

fn a_panic_inside_leaves_the_lock_working(lock: &impl Lock<Value = u64>) {
    // Unwinding without the hook: the test's output stays clean.
    let broken = || resume_unwind(Box::new("a section broke"));
    let changing = catch_unwind(AssertUnwindSafe(|| {
        lock.exclusive(|value| {
            *value = 7;
            broken();
        });
    }));
    assert!(changing.is_err());
    let looking = catch_unwind(AssertUnwindSafe(|| lock.shared(|_| broken())));
    assert!(looking.is_err());
    // From another thread, too: the lock was released, not only forgotten by its owner.
    let left = thread::scope(|scope| scope.spawn(|| lock.shared(|value| *value)).join());
    assert_eq!(left.unwrap(), 7, "the value is as the section left it");
    lock.exclusive(|value| *value += 1);
    assert_eq!(lock.shared(|value| *value), 8);
}

/// Two threads look, and each stays inside until it has seen the other.
fn two_look_at_once(lock: &impl Lock<Value = u64>) {
    let inside = parking_lot::Mutex::new(0);
    let entered = Condvar::new();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                lock.shared(|_| {
                    let mut inside = inside.lock();
                    *inside += 1;
                    entered.notify_all();
                    while *inside < 2 {
                        let patience = Duration::from_secs(10);
                        let alone = entered.wait_for(&mut inside, patience).timed_out();
                        assert!(!alone, "the other was not let in");
                    }
                });
            });
        }
    });
    assert_eq!(*inside.lock(), 2);
}

macro_rules! strategies {
    ($($name:ident($($shares:ident)?): $new:expr;)+) => {$(
        mod $name {
            #[test]
            fn no_change_is_lost() {
                super::no_change_is_lost(&$new(0));
            }

            #[test]
            fn a_change_is_alone() {
                super::a_change_is_alone(&$new(0));
            }

            #[test]
            fn a_look_never_sees_half_a_change() {
                super::a_look_never_sees_half_a_change(&$new((0, 0)));
            }

            #[test]
            fn a_panic_inside_leaves_the_lock_working() {
                super::a_panic_inside_leaves_the_lock_working(&$new(0));
            }

            $(#[test]
            fn $shares() {
                super::$shares(&$new(0));
            })?
        }
    )+};
}

strategies! {
    mutex(): parking_lot::Mutex::new;
    rwlock(two_look_at_once): parking_lot::RwLock::new;
    semaphore_of_1(): |value| guardhouse::sync::SemaphoreLock::with_permits(value, 1);
    semaphore_of_4(two_look_at_once): |value| guardhouse::sync::SemaphoreLock::with_permits(value, 4);
    std_mutex(): std::sync::Mutex::new;
    std_rwlock(two_look_at_once): std::sync::RwLock::new;
    foreign_lock(): lock_api::Mutex::<parking_lot::RawFairMutex, _>::new;
}
