//! What [`Snapshot`], [`Actor`] and [`OneThread`] promise beside what all do.

use crate::stage::{PATIENCE, break_it, in_time, panic_of, sentence_of};
use guardhouse::sync::{Actor, Lock, OneThread, Snapshot, TimedLock, TryLock};
use std::sync::Arc;
use std::thread;

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
            let refused = refused.unwrap();
            let guest = format!("thread \"guest\" ({:?})", refused.thread().id());
            let owner = format!("({:?}) alone", thread::current().id());
            for sentence in refused.join().unwrap() {
                for word in [&guest, &owner, "--sync mutex"] {
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
