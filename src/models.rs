//! Models of the semaphore, the mailbox, the sleep of idle workers, the word of a guest and the herald of a log, for checkers that try orders of
//! steps. `tests/models/run.py` builds and runs them; no other build has this file.
//!
//! loom tries *every* order (up to [`PREEMPTIONS`] switches at places where a thread could have gone on) and every
//! value that a weakly ordered load may see, so its models are small. shuttle tries many orders at random, and its
//! models are crowds.

#[cfg(model_check = "shuttle")]
mod crowds;
#[cfg(model_check = "loom")]
mod herald;
#[cfg(model_check = "loom")]
mod lobby;
#[cfg(model_check = "loom")]
mod mailbox;
#[cfg(model_check = "loom")]
mod semaphore;
#[cfg(model_check = "loom")]
mod sleepers;

#[cfg(model_check = "loom")]
use std::sync::Arc;
#[cfg(model_check = "loom")]
use std::sync::atomic::{AtomicUsize, Ordering};

/// With 2, a lost notification of a semaphore with 2 permits can go unseen; 3 find all bugs that are planted.
#[cfg(model_check = "loom")]
const PREEMPTIONS: usize = 3;

/// Runs `model` in every order, and says in how many.
#[cfg(model_check = "loom")]
fn check(model: impl Fn() + Sync + Send + 'static) {
    let orders = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&orders);
    let mut builder = loom::model::Builder::new();
    // `LOOM_MAX_PREEMPTIONS` sets another.
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!("{} orders", orders.load(Ordering::Relaxed));
}
