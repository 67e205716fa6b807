//! What a watched lock tells of its sections: exact counts, who is inside, who was overtaken.

mod common;

use common::{PATIENCE, wait_until};
use guardhouse::sync::{
    Actor, Expired, Lock, LockStats, SemaphoreLock, Snapshot, Timed, TimedLock, TryLock,
};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: usize = 4;
const SECTIONS: usize = 500;
/// Of waits that are to expire.
const SHORT: Duration = Duration::from_millis(20);
/// Of waits that are to be seen.
const WHILE: Duration = Duration::from_millis(2);

fn stats_of<L: Lock>(lock: &Timed<L>) -> LockStats {
    lock.stats().expect("it is watched")
}

/// Waits for a word, but not for ever.
fn next<T>(words: &Receiver<T>) -> T {
    words.recv_timeout(PATIENCE).expect("a word in time")
}

fn every_section_is_counted<L: Lock<Value = u64>>(lock: &Timed<L>) -> LockStats {
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for section in 0..SECTIONS {
                    if section % 2 == 0 {
                        lock.exclusive(|sum| *sum += 1);
                    } else {
                        lock.shared(|_| ());
                    }
                }
            });
        }
    });
    let stats = stats_of(lock);
    let all = (THREADS * SECTIONS) as u64;
    assert_eq!((stats.wait.count, stats.hold.count), (all, all));
    assert_eq!(lock.shared(|sum| *sum), all / 2);
    for spread in [&stats.wait, &stats.hold] {
        let ascending = [spread.p50, spread.p99, spread.p999, spread.max];
        assert!(ascending.is_sorted(), "{spread:?}");
    }
    assert_eq!(stats.expired, 0);
    stats
}

#[test]
fn every_section_is_counted_and_one_at_a_time_is_one_inside() {
    let alone = [
        every_section_is_counted(&Timed::<parking_lot::Mutex<_>>::new(0)),
        every_section_is_counted(&Timed::<std::sync::Mutex<_>>::new(0)),
        every_section_is_counted(&Timed::<Actor<_>>::new(0)),
        every_section_is_counted(&Timed::around(SemaphoreLock::with_permits(0, 1))),
    ];
    assert_eq!(alone.map(|stats| stats.most_inside), [1; 4]);
    let together = [
        every_section_is_counted(&Timed::<parking_lot::RwLock<_>>::new(0)),
        every_section_is_counted(&Timed::<std::sync::RwLock<_>>::new(0)),
        every_section_is_counted(&Timed::<SemaphoreLock<_>>::new(0)),
    ];
    for stats in together {
        assert!((1..=THREADS as u64).contains(&stats.most_inside));
    }
}

#[test]
fn two_who_look_at_once_are_two_inside() {
    let lock = Timed::<parking_lot::RwLock<_>>::new(());
    let (inside, heard) = channel();
    thread::scope(|scope| {
        // Each stays until it has heard that the other is inside.
        let (tell, told) = channel();
        let (lock, inside) = (&lock, &inside);
        scope.spawn(move || {
            lock.shared(move |()| {
                inside.send(()).unwrap();
                next(&told);
            });
        });
        next(&heard);
        lock.shared(|()| tell.send(()).unwrap());
    });
    assert_eq!(stats_of(&lock).most_inside, 2);
}

#[test]
fn a_wait_is_written_down_after_the_release() {
    let lock = Timed::<parking_lot::Mutex<_>>::new(());
    lock.exclusive(|()| assert_eq!(stats_of(&lock).hold.count, 0, "while inside"));
    assert_eq!(stats_of(&lock).hold.count, 1);
    assert_eq!(stats_of(&lock).wait.count, 1);
}

#[test]
fn a_wait_that_expires_is_counted_apart_from_those_that_entered() {
    let lock = Timed::<parking_lot::Mutex<_>>::new(());
    let expired = lock.exclusive(|()| lock.exclusive_for(SHORT, |()| ()));
    assert_eq!(expired.unwrap_err().patience, SHORT);
    let stats = stats_of(&lock);
    assert_eq!((stats.wait.count, stats.expired), (1, 1));
    assert!(stats.hold.max > SHORT / 2, "{stats:?}");
}

#[test]
fn tries_that_fail_are_no_sections() {
    let lock = Timed::<parking_lot::RwLock<_>>::new(0);
    lock.exclusive(|_| {
        assert_eq!(lock.try_shared(|_| ()), None);
        assert_eq!(lock.try_exclusive(|_| ()), None);
    });
    assert_eq!(lock.try_exclusive(|value| *value += 1), Some(()));
    assert_eq!(lock.try_shared(|value| *value), Some(1));
    assert_eq!(lock.shared_for(PATIENCE, |value| *value), Ok(1));
    let stats = stats_of(&lock);
    assert_eq!(
        (stats.wait.count, stats.expired, stats.overtakings),
        (4, 0, 0)
    );
}

/// A lock whose door does as the test says: a section that wants to enter says so, and waits until it is let in. One
/// thread at a time is let in.
struct Doorkept {
    /// To the doorkeeper; and what is guarded, since it takes something.
    knocks: parking_lot::Mutex<Knocks>,
}

/// Each knock comes with the way to let it in.
type Knocks = Sender<Sender<()>>;

impl Lock for Doorkept {
    type Value = Knocks;
    const NAME: &'static str = "doorkept";

    fn new(knocks: Knocks) -> Self {
        let knocks = parking_lot::Mutex::new(knocks);
        Self { knocks }
    }

    fn shared<R: Send>(&self, section: impl FnOnce(&Knocks) -> R + Send) -> R {
        self.exclusive(|knocks| section(knocks))
    }

    fn exclusive<R: Send>(&self, section: impl FnOnce(&mut Knocks) -> R + Send) -> R {
        let (let_in, wait) = channel();
        self.knocks.lock().send(let_in).unwrap();
        next(&wait);
        section(&mut self.knocks.lock())
    }
}

/// Threads come one after the other, and are let in one after the other in the order of `entering`.
fn let_in(entering: &[usize]) -> LockStats {
    let (knocks, heard) = channel();
    let lock = Timed::<Doorkept>::new(knocks);
    thread::scope(|scope| {
        let lock = &lock;
        let mut visitors: Vec<_> = entering
            .iter()
            .map(|_| {
                let thread = scope.spawn(move || lock.exclusive(|_| ()));
                Some((thread, next(&heard)))
            })
            .collect();
        let came = Instant::now();
        wait_until("they have waited for a while", || came.elapsed() >= WHILE);
        for &visitor in entering {
            let (thread, door) = visitors[visitor].take().unwrap();
            door.send(()).unwrap();
            thread.join().unwrap();
        }
    });
    let stats = stats_of(&lock);
    assert!(stats.wait.p50 > WHILE / 2, "{stats:?}");
    stats
}

#[test]
fn nobody_is_overtaken_where_all_enter_as_they_came() {
    let stats = let_in(&[0, 1, 2, 3]);
    assert_eq!((stats.overtakings, stats.most_overtaken), (0, 0));
    let lock = Timed::<parking_lot::Mutex<_>>::new(0);
    for _ in 0..SECTIONS {
        lock.exclusive(|sum| *sum += 1);
    }
    assert_eq!(stats_of(&lock).overtakings, 0);
}

#[test]
fn who_is_let_in_late_was_overtaken_by_those_who_came_later() {
    let stats = let_in(&[1, 2, 3, 0]);
    assert_eq!((stats.overtakings, stats.most_overtaken), (3, 3));
    let stats = let_in(&[1, 0, 3, 2]);
    assert_eq!((stats.overtakings, stats.most_overtaken), (2, 1));
}

/// On a thread named `porter`, enters a section and stays inside while `meanwhile` runs on this one.
fn while_inside<R: Send>(
    enter: impl FnOnce(Box<dyn FnOnce() + Send>) + Send,
    meanwhile: impl FnOnce() -> R,
) -> R {
    let (inside, entered) = channel();
    let (leave, left) = channel::<()>();
    thread::scope(|scope| {
        let stay = Box::new(move || {
            inside.send(()).unwrap();
            // Ends with an error when `leave` is dropped, by a panic of ours, too.
            let _ = left.recv_timeout(PATIENCE);
        });
        let porter = thread::Builder::new().name("porter".into());
        porter.spawn_scoped(scope, || enter(stay)).unwrap();
        next(&entered);
        let result = meanwhile();
        drop(leave);
        result
    })
}

fn assert_names(expired: &Expired, line: u32) {
    let holder = expired.holder.as_ref().expect("the holder is known");
    let at = (&*holder.thread, holder.at.file(), holder.at.line());
    assert_eq!(at, ("porter", file!(), line));
    let told = expired.to_string();
    let place = format!("thread \"porter\", which entered at {}:{line}:", file!());
    assert!(told.contains(&place), "{told}");
}

fn an_expired_wait_names_who_is_inside<L: TimedLock<Value = ()>>(lock: &Timed<L>) {
    let line = line!() + 2;
    while_inside(
        |stay| lock.exclusive(|()| stay()),
        || {
            assert_names(&lock.exclusive_for(SHORT, |()| ()).unwrap_err(), line);
            assert_names(&lock.shared_for(SHORT, |()| ()).unwrap_err(), line);
        },
    );
    let line = line!() + 2;
    while_inside(
        |stay| lock.shared(|()| stay()),
        || assert_names(&lock.exclusive_for(SHORT, |()| ()).unwrap_err(), line),
    );
    let line = line!() + 2;
    while_inside(
        |stay| lock.try_exclusive(|()| stay()).expect("nobody is inside"),
        || assert_names(&lock.exclusive_for(SHORT, |()| ()).unwrap_err(), line),
    );
    let line = line!() + 2;
    while_inside(
        |stay| lock.shared_for(PATIENCE, |()| stay()).unwrap(),
        || assert_names(&lock.exclusive_for(SHORT, |()| ()).unwrap_err(), line),
    );
    let stats = stats_of(lock);
    assert_eq!((stats.expired, stats.wait.count), (5, 4));
}

#[test]
fn an_expired_wait_names_thread_and_call_site_of_who_is_inside() {
    an_expired_wait_names_who_is_inside(&Timed::<parking_lot::Mutex<_>>::new(()));
    an_expired_wait_names_who_is_inside(&Timed::<parking_lot::RwLock<_>>::new(()));
    an_expired_wait_names_who_is_inside(&Timed::<SemaphoreLock<_>>::new(()));
}

#[test]
fn who_changes_a_snapshot_is_named_and_not_those_who_look() {
    let lock = Timed::<Snapshot<_>>::new(());
    let line = line!() + 2;
    while_inside(
        |stay| lock.exclusive(|()| stay()),
        || {
            // Enough threads for every stripe.
            for _ in 0..16 {
                thread::scope(|scope| scope.spawn(|| lock.shared(|()| ())).join().unwrap());
            }
            let expired = lock.shared(|()| lock.exclusive_for(SHORT, |()| ()));
            assert_names(&expired.unwrap_err(), line);
        },
    );
}

/// An owner thread that runs all sections, for this test with waits that expire at once.
struct Owned(Actor<()>);

impl Lock for Owned {
    type Value = ();
    const NAME: &'static str = "owned";

    fn new((): ()) -> Self {
        Self(Actor::new(()))
    }

    fn shared<R: Send>(&self, section: impl FnOnce(&()) -> R + Send) -> R {
        self.0.shared(section)
    }

    fn exclusive<R: Send>(&self, section: impl FnOnce(&mut ()) -> R + Send) -> R {
        self.0.exclusive(section)
    }
}

impl TryLock for Owned {
    fn try_shared<R: Send>(&self, _: impl FnOnce(&()) -> R + Send) -> Option<R> {
        None
    }

    fn try_exclusive<R: Send>(&self, _: impl FnOnce(&mut ()) -> R + Send) -> Option<R> {
        None
    }
}

impl TimedLock for Owned {
    fn shared_for<R: Send>(
        &self,
        patience: Duration,
        _: impl FnOnce(&()) -> R + Send,
    ) -> Result<R, Expired> {
        let holder = None;
        Err(Expired { patience, holder })
    }

    fn exclusive_for<R: Send>(
        &self,
        patience: Duration,
        _: impl FnOnce(&mut ()) -> R + Send,
    ) -> Result<R, Expired> {
        let holder = None;
        Err(Expired { patience, holder })
    }
}

#[test]
fn whose_section_an_owner_thread_runs_is_who_is_inside() {
    let lock = Timed::<Owned>::new(());
    let line = line!() + 2;
    while_inside(
        |stay| lock.exclusive(|()| stay()),
        || assert_names(&lock.shared_for(SHORT, |()| ()).unwrap_err(), line),
    );
    let nobody = lock.shared_for(SHORT, |()| ()).unwrap_err();
    assert_eq!(nobody.holder, None, "it has left");
}

#[test]
fn a_panic_inside_is_a_section_that_ended() {
    let lock = Timed::<parking_lot::Mutex<_>>::new(());
    for _ in 0..3 {
        // Unwinding without the hook: the test's output stays clean.
        let broken = || lock.exclusive(|()| resume_unwind(Box::new("a section broke")));
        assert!(catch_unwind(AssertUnwindSafe(broken)).is_err());
    }
    lock.exclusive(|()| ());
    let line = line!() + 2;
    while_inside(
        |stay| lock.exclusive(|()| stay()),
        || assert_names(&lock.exclusive_for(SHORT, |()| ()).unwrap_err(), line),
    );
    let stats = stats_of(&lock);
    assert_eq!((stats.wait.count, stats.hold.count), (5, 5));
    assert_eq!((stats.most_inside, stats.overtakings), (1, 0));
}

#[test]
fn what_watching_costs_is_measured_once() {
    let [one, other] = [(); 2].map(|()| stats_of(&Timed::<std::sync::Mutex<_>>::new(())).own_cost);
    assert_ne!(one, Duration::ZERO);
    assert_eq!(one, other);
}
