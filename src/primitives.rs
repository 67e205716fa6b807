//! What threads are built from here: atomics, a mutex, a condition variable, parking. One place, so that a model
//! checker can take their place.
//!
//! In every ordinary build these are the types of `std` and `parking_lot` themselves. In a test build with
//! `--cfg 'model_check="loom"'` or `"shuttle"` they are the checker's, and `models.rs` runs the semaphore, the
//! mailbox and the sleep of idle workers, as they are, through orders of steps. `tests/models/run.py` makes those builds.

#[cfg(not(all(test, any(model_check = "loom", model_check = "shuttle"))))]
mod real;
#[cfg(not(all(test, any(model_check = "loom", model_check = "shuttle"))))]
pub(crate) use real::*;

#[cfg(all(test, any(model_check = "loom", model_check = "shuttle")))]
mod checked;
#[cfg(all(test, any(model_check = "loom", model_check = "shuttle")))]
pub(crate) use checked::*;

/// A `const fn`, but where a checker's types take over: those cannot be made before the program runs.
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => {
        #[cfg(not(all(test, any(model_check = "loom", model_check = "shuttle"))))]
        $(#[$meta])* $vis const fn $($rest)*
        #[cfg(all(test, any(model_check = "loom", model_check = "shuttle")))]
        $(#[$meta])* $vis fn $($rest)*
    };
}
pub(crate) use const_fn;
