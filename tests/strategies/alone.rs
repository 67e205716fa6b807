//! On one thread: what every strategy promises.

use crate::stage::{break_it, panic_of};
use guardhouse::sync::Lock;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) fn a_section_borrows_from_its_caller_and_returns_to_it(lock: &impl Lock<Value = u64>) {
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

pub(crate) fn a_panic_inside_leaves_the_next_section_working(lock: &impl Lock<Value = u64>) {
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
pub(crate) struct Traced(Arc<[AtomicUsize; 2]>);

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

pub(crate) fn a_value_is_dropped_once(lock: impl Lock<Value = Traced>) {
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
