//! The forms that do not wait, or not for ever.

use crate::stage::{
    Looks, PATIENCE, SHORT, break_it, panic_of, while_somebody_changes, while_somebody_looks,
};
use guardhouse::sync::{TimedLock, TryLock};
use std::thread;
use std::time::Duration;

pub(crate) fn a_try_says_no_instead_of_waiting(lock: &impl TryLock<Value = u64>, looks: Looks) {
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

pub(crate) fn a_timed_section_expires_and_leaves_no_trace(
    lock: &impl TimedLock<Value = u64>,
    looks: Looks,
) {
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

pub(crate) fn a_timed_section_enters_when_the_holder_leaves_in_time(
    lock: &impl TimedLock<Value = u64>,
) {
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
