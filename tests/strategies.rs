//! What every strategy promises of its critical sections, whichever lock it is made of. The foreign lock shows that
//! one which this crate has never heard of plugs in through `lock_api`.

use guardhouse::sync::{
    Actor, Lock, OneThread, SemaphoreLock, Snapshot, SpinMutex, TicketMutex, TimedLock, TryLock,
};
use parking_lot::Condvar;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

const THREADS: usize = if cfg!(miri) { 3 } else { 4 };
const SECTIONS: usize = if cfg!(miri) { 10 } else { 500 };

/// After how long a test says that what it waits for will not come. An interpreter's clock runs ahead of its work.
const PATIENCE: Duration = Duration::from_secs(if cfg!(miri) { 3600 } else { 20 });
/// For what is to expire.
const SHORT: Duration = Duration::from_millis(5);

/// Who may look while who is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looks {
    /// Lookers keep each other out.
    Alone,
    /// Lookers let each other in.
    Together,
    /// Lookers wait for nobody, and nobody waits for them.
    Always,
}

/// Runs `test`, and says so if it does not come to an end.
fn in_time(test: impl FnOnce() + Send + 'static) {
    let (running, ended) = mpsc::channel::<()>();
    let test = thread::spawn(move || {
        let _running = running;
        test();
    });
    match ended.recv_timeout(3 * PATIENCE) {
        Err(RecvTimeoutError::Timeout) => panic!("it does not come to an end"),
        _ => test.join().unwrap_or_else(|panic| resume_unwind(panic)),
    }
}

/// Tells that it is inside, and stays there until it may leave.
fn stay(entered: Sender<()>, leave: &Receiver<()>) {
    drop(entered);
    let may_leave = leave.recv_timeout(PATIENCE);
    assert_eq!(may_leave, Err(RecvTimeoutError::Disconnected));
}

/// Runs `test` while another thread is in the section that `hold` enters and [`stay`]s in. It leaves when what `test`
/// is given is dropped.
fn while_held(hold: impl FnOnce(Sender<()>, Receiver<()>) + Send, test: impl FnOnce(Sender<()>)) {
    let (entered, inside) = mpsc::channel();
    let (leave, left) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| hold(entered, left));
        let inside = inside.recv_timeout(PATIENCE);
        assert_eq!(inside, Err(RecvTimeoutError::Disconnected), "it is inside");
        test(leave);
    });
}

fn while_somebody_changes<L: Lock>(lock: &L, test: impl FnOnce(Sender<()>)) {
    while_held(
        |entered, leave| lock.exclusive(move |_| stay(entered, &leave)),
        test,
    );
}

fn while_somebody_looks<L: Lock>(lock: &L, test: impl FnOnce(Sender<()>)) {
    while_held(
        |entered, leave| lock.shared(move |_| stay(entered, &leave)),
        test,
    );
}

/// What `section` panics with.
fn panic_of<R>(section: impl FnOnce() -> R) -> Box<dyn Any + Send> {
    catch_unwind(AssertUnwindSafe(section))
        .err()
        .expect("it panics")
}

fn sentence_of<R>(section: impl FnOnce() -> R) -> String {
    match panic_of(section).downcast::<String>() {
        Ok(sentence) => *sentence,
        Err(other) => (*other.downcast::<&str>().expect("text")).into(),
    }
}

/// Unwinds without the hook: the test's output stays clean.
fn break_it() -> ! {
    resume_unwind(Box::new("a section broke"))
}

// On one thread: every strategy.

fn a_section_borrows_from_its_caller_and_returns_to_it(lock: &impl Lock<Value = u64>) {
    let mut seen = Vec::new();
    let name = String::from("seven");
    let returned = lock.exclusive(|value| {
        seen.push(*value);
        *value = 7;
        &name
    });
    assert_eq!((returned, &seen), (&name, &vec![0]));
    assert_eq!(
        lock.shared(|value| format!("{name} is {value}")),
        "seven is 7"
    );
}

fn a_panic_inside_leaves_the_next_section_working(lock: &impl Lock<Value = u64>) {
    let changing = panic_of(|| {
        lock.exclusive(|value| {
            *value = 7;
            break_it();
        });
    });
    assert_eq!(changing.downcast_ref(), Some(&"a section broke"));
    assert_eq!(lock.shared(|value| *value), 7, "as the section left it");
    let looking = panic_of(|| lock.shared(|_| break_it()));
    assert_eq!(looking.downcast_ref(), Some(&"a section broke"));
    lock.exclusive(|value| *value += 1);
    assert_eq!(lock.shared(|value| *value), 8);
}

/// A value that counts how many of it were made, and how many dropped.
#[derive(Default)]
struct Traced(Arc<[AtomicUsize; 2]>);

impl Clone for Traced {
    fn clone(&self) -> Self {
        self.0[0].fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        self.0[1].fetch_add(1, Ordering::SeqCst);
    }
}

fn a_value_is_dropped_once(lock: impl Lock<Value = Traced>) {
    let counts = lock.shared(|value| Arc::clone(&value.0));
    let [copied, dropped] = &*counts;
    for _ in 0..3 {
        lock.exclusive(|_| ());
        let broken = panic_of(|| lock.exclusive(|_| break_it()));
        assert!(broken.is::<&str>());
        // Of all there have been, the one inside is left.
        assert_eq!(
            copied.load(Ordering::SeqCst),
            dropped.load(Ordering::SeqCst)
        );
    }
    drop(lock);
    assert_eq!(
        copied.load(Ordering::SeqCst) + 1,
        dropped.load(Ordering::SeqCst)
    );
}

// Between threads: every strategy that lets several in.

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

fn a_change_is_alone(lock: &impl Lock<Value = u64>, looks: Looks) {
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

fn a_panic_inside_lets_other_threads_in(lock: &impl Lock<Value = u64>) {
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
fn two_look_at_once_where_they_may(lock: &impl Lock<Value = u64>, looks: Looks) {
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

// The forms that do not wait, or not for ever.

fn a_try_says_no_instead_of_waiting(lock: &impl TryLock<Value = u64>, looks: Looks) {
    while_somebody_changes(lock, |_leave| {
        assert_eq!(lock.try_exclusive(|_| ()), None);
        let looked = lock.try_shared(|_| ());
        assert_eq!(looked.is_some(), looks == Looks::Always);
    });
    while_somebody_looks(lock, |_leave| {
        let changed = lock.try_exclusive(|value| *value += 1);
        assert_eq!(changed.is_some(), looks == Looks::Always);
        let looked = lock.try_shared(|_| ());
        assert_eq!(looked.is_some(), looks != Looks::Alone);
    });
    let before = lock.shared(|value| *value);
    assert_eq!(lock.try_exclusive(|value| *value += 1), Some(()));
    assert_eq!(lock.try_shared(|value| *value), Some(before + 1));
    let broken = panic_of(|| lock.try_exclusive(|_| break_it()));
    assert!(broken.is::<&str>());
    assert_eq!(lock.try_shared(|value| *value), Some(before + 1));
}

fn a_timed_section_expires_and_leaves_no_trace(lock: &impl TimedLock<Value = u64>, looks: Looks) {
    while_somebody_changes(lock, |leave| {
        let expired = lock.exclusive_for(SHORT, |value| *value += 1).unwrap_err();
        assert_eq!(expired.patience, SHORT);
        let looked = lock.shared_for(SHORT, |_| ());
        assert_eq!(looked.is_ok(), looks == Looks::Always);
        drop(leave);
    });
    while_somebody_looks(lock, |_leave| {
        let changed = lock.exclusive_for(SHORT, |_| ());
        assert_eq!(changed.is_ok(), looks == Looks::Always);
        // One who waited to change holds nobody back any more.
        let looked = lock.try_shared(|_| ());
        assert_eq!(looked.is_some(), looks != Looks::Alone);
    });
    assert_eq!(lock.try_exclusive(|value| *value), Some(0), "none has run");
    assert_eq!(lock.try_shared(|value| *value), Some(0));
}

fn a_timed_section_enters_when_the_holder_leaves_in_time(lock: &impl TimedLock<Value = u64>) {
    assert_eq!(lock.exclusive_for(Duration::ZERO, |_| ()), Ok(()));
    assert_eq!(lock.shared_for(Duration::MAX, |_| ()), Ok(()));
    while_somebody_changes(lock, |leave| {
        thread::scope(|scope| {
            let changing = scope.spawn(|| lock.exclusive_for(PATIENCE, |value| *value += 1));
            let looking = scope.spawn(|| lock.shared_for(PATIENCE, |_| ()));
            assert!(lock.exclusive_for(SHORT, |_| ()).is_err());
            drop(leave);
            assert_eq!(changing.join().unwrap(), Ok(()));
            assert_eq!(looking.join().unwrap(), Ok(()));
        });
    });
    assert_eq!(lock.shared(|value| *value), 1);
}

/// A lock of somebody else's: it knows `lock_api`, and this crate does not know it.
mod foreign {
    #![allow(unsafe_code, reason = "`lock_api` wants a promise")]
    use lock_api::RawMutex;

    pub(crate) struct Raw(parking_lot::RawMutex);

    // SAFETY: all is handed on to a lock that keeps the promise.
    unsafe impl RawMutex for Raw {
        const INIT: Self = Self(parking_lot::RawMutex::INIT);
        type Guard = <parking_lot::RawMutex as RawMutex>::Guard;

        fn lock(&self) -> Self::Guard {
            self.0.lock()
        }

        fn try_lock(&self) -> Option<Self::Guard> {
            self.0.try_lock()
        }

        unsafe fn unlock(&self, guard: Self::Guard) {
            // SAFETY: as our caller promises.
            unsafe { self.0.unlock(guard) };
        }

        fn is_locked(&self) -> bool {
            self.0.is_locked()
        }
    }
}

macro_rules! claims {
    ($($claim:ident($($arg:expr),+);)+) => {$(
        #[test]
        fn $claim() {
            super::in_time(|| super::$claim($($arg),+));
        }
    )+};
}

macro_rules! forms {
    (one_thread, $looks:ident, $new:expr) => {
        claims! {
            a_section_borrows_from_its_caller_and_returns_to_it(&$new(0));
            a_panic_inside_leaves_the_next_section_working(&$new(0));
            a_value_is_dropped_once($new(super::Traced::default()));
        }
    };
    (threads, $looks:ident, $new:expr) => {
        claims! {
            no_change_is_lost(&$new(0));
            a_change_is_alone(&$new(0), super::Looks::$looks);
            a_look_never_sees_half_a_change(&$new((0, 0)));
            a_panic_inside_lets_other_threads_in(&$new(0));
            two_look_at_once_where_they_may(&$new(0), super::Looks::$looks);
        }
    };
    (tries, $looks:ident, $new:expr) => {
        claims! {
            a_try_says_no_instead_of_waiting(&$new(0), super::Looks::$looks);
        }
    };
    (times, $looks:ident, $new:expr) => {
        claims! {
            a_timed_section_expires_and_leaves_no_trace(&$new(0), super::Looks::$looks);
            a_timed_section_enters_when_the_holder_leaves_in_time(&$new(0));
        }
    };
}

/// A strategy, who may look, what it can, how it is made. `Timed` changes nothing of what it is around.
macro_rules! strategies {
    ($($(#[$meta:meta])* $name:ident $looks:ident [$($form:ident)+] $new:expr;)+) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $(forms! { $form, $looks, $new })+
        }
    )+};
}

strategies! {
    mutex Alone [one_thread threads tries times] parking_lot::Mutex::new;
    fair_mutex Alone [one_thread threads tries times] parking_lot::FairMutex::new;
    foreign_mutex Alone [one_thread threads tries] lock_api::Mutex::<foreign::Raw, _>::new;
    rwlock Together [one_thread threads tries times] parking_lot::RwLock::new;
    std_mutex Alone [one_thread threads tries] std::sync::Mutex::new;
    std_rwlock Together [one_thread threads tries] std::sync::RwLock::new;
    semaphore_of_1 Alone [one_thread threads tries times] |value| SemaphoreLock::with_permits(value, 1);
    semaphore_of_4 Together [one_thread threads tries times] |value| SemaphoreLock::with_permits(value, 4);
    ticket Alone [one_thread threads tries times] TicketMutex::new;
    spin Alone [one_thread threads tries times] SpinMutex::new;
    snapshot Always [one_thread threads tries times] Snapshot::new;
    sharded Together [one_thread threads tries] crossbeam_utils::sync::ShardedLock::new;
    actor Alone [one_thread threads] Actor::new;
    none Alone [one_thread] OneThread::new;
    // An interpreter takes minutes for what they count; there, what is inside is enough.
    #[cfg(not(miri))]
    watched_rwlock Together [one_thread threads tries times] guardhouse::sync::Timed::<parking_lot::RwLock<_>>::new;
    #[cfg(not(miri))]
    watched_snapshot Always [one_thread threads tries times] guardhouse::sync::Timed::<Snapshot<_>>::new;
    #[cfg(not(miri))]
    watched_actor Alone [one_thread threads] guardhouse::sync::Timed::<Actor<_>>::new;
    #[cfg(not(miri))]
    watched_none Alone [one_thread] guardhouse::sync::Timed::<OneThread<_>>::new;
}

#[test]
fn who_looks_at_a_snapshot_keeps_seeing_it_and_the_next_look_sees_the_new_one() {
    in_time(|| {
        let lock = Snapshot::new(1);
        let published = lock.shared(|inside| {
            lock.exclusive(|value| {
                *value = 2;
                assert_eq!(lock.shared(|value| *value), 1, "not published yet");
            });
            (*inside, lock.shared(|value| *value))
        });
        assert_eq!(published, (1, 2));
    });
}

#[test]
fn the_old_snapshot_goes_with_the_last_look_at_it() {
    in_time(|| {
        let lock = Snapshot::new(Arc::new(()));
        let old = lock.shared(Arc::downgrade);
        lock.shared(|_| {
            lock.exclusive(|value| *value = Arc::default());
            assert!(old.upgrade().is_some(), "somebody looks at it");
        });
        assert!(old.upgrade().is_none());
    });
}

#[test]
fn an_actor_runs_sections_on_its_own_thread_and_ends_it_when_dropped() {
    struct Owned(Arc<parking_lot::Mutex<Option<String>>>);

    impl Drop for Owned {
        fn drop(&mut self) {
            *self.0.lock() = thread::current().name().map(String::from);
        }
    }

    in_time(|| {
        let dropped_by = Arc::default();
        let actor = Actor::try_new(Owned(Arc::clone(&dropped_by))).unwrap();
        let at = actor.shared(|_| thread::current().name().map(String::from));
        assert_eq!(at.as_deref(), Some("gh-registry"));
        assert_eq!(*dropped_by.lock(), None);
        drop(actor);
        assert_eq!(dropped_by.lock().as_deref(), Some("gh-registry"));
    });
}

#[test]
fn what_an_actor_owns_need_not_be_sync() {
    in_time(|| {
        let actor = Actor::new(std::cell::Cell::new(1));
        actor.shared(|value| value.set(value.get() + 1));
        assert_eq!(actor.exclusive(|value| value.replace(0)), 2);
    });
}

#[test]
fn a_section_inside_a_section_of_an_actor_panics_with_a_sentence() {
    in_time(|| {
        let actor = Actor::new(1);
        let sentence = sentence_of(|| actor.exclusive(|_| actor.shared(|value| *value)));
        assert!(sentence.contains("end the outer one first"), "{sentence}");
        assert_eq!(actor.shared(|value| *value), 1);
    });
}

#[test]
fn a_panic_in_the_drop_of_what_an_actor_owns_is_passed_on() {
    struct Breaks;

    impl Drop for Breaks {
        fn drop(&mut self) {
            break_it();
        }
    }

    in_time(|| {
        let actor = Actor::new(Breaks);
        assert_eq!(
            panic_of(|| drop(actor)).downcast_ref(),
            Some(&"a section broke")
        );
    });
}

#[test]
fn a_second_thread_is_refused_with_a_sentence_and_the_owner_goes_on() {
    in_time(|| {
        let lock = OneThread::new(1);
        lock.exclusive(|value| *value += 1);
        thread::scope(|scope| {
            let guest = thread::Builder::new().name("guest".into());
            let refused = guest.spawn_scoped(scope, || {
                [
                    sentence_of(|| lock.shared(|value| *value)),
                    sentence_of(|| lock.exclusive(|value| *value = 0)),
                    sentence_of(|| lock.try_shared(|value| *value)),
                    sentence_of(|| lock.try_exclusive(|value| *value = 0)),
                    sentence_of(|| lock.exclusive_for(PATIENCE, |value| *value = 0)),
                ]
            });
            for sentence in refused.unwrap().join().unwrap() {
                for word in ["thread \"guest\"", "--sync mutex"] {
                    assert!(sentence.contains(word), "{sentence}");
                }
            }
        });
        assert!(!format!("{lock:?}").contains("value"), "it is not shown");
        assert_eq!(lock.shared(|value| *value), 2);
    });
}

#[test]
fn without_a_lock_sections_do_not_nest_unless_both_look() {
    in_time(|| {
        let lock = OneThread::new(1);
        assert_eq!(lock.shared(|_| lock.shared(|value| *value)), 1);
        for sentence in [
            sentence_of(|| lock.shared(|_| lock.exclusive(|value| *value = 0))),
            sentence_of(|| lock.exclusive(|_| lock.shared(|value| *value))),
        ] {
            assert!(sentence.contains("inside another section"), "{sentence}");
        }
        lock.exclusive(|_| {
            assert_eq!(lock.try_shared(|_| ()), None);
            assert_eq!(lock.try_exclusive(|_| ()), None);
            assert!(lock.exclusive_for(PATIENCE, |_| ()).is_err());
            assert!(lock.shared_for(PATIENCE, |_| ()).is_err());
        });
        assert_eq!(lock.exclusive_for(PATIENCE, |value| *value), Ok(1));
    });
}

#[test]
fn whoever_enters_first_owns_it_whoever_made_it() {
    in_time(|| {
        let lock = OneThread::new(1);
        let entered = thread::scope(|scope| scope.spawn(|| lock.shared(|value| *value)).join());
        assert_eq!(entered.unwrap(), 1);
        assert!(sentence_of(|| lock.shared(|value| *value)).contains("alone"));
    });
}
