//! The ordinary ones.

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
pub(crate) use std::hint::spin_loop;
#[cfg(target_os = "linux")]
pub(crate) use std::sync::atomic::AtomicU32;
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicIsize, AtomicU8, AtomicUsize, Ordering, fence,
};
pub(crate) use std::thread::{Thread, current, yield_now};

use std::thread::{park, park_timeout};
use std::time::Instant;

/// Sleeps until somebody unparks this thread, or for no reason; `false`, without sleeping, when `deadline` has
/// passed.
pub(crate) fn park_until(deadline: Option<Instant>) -> bool {
    let Some(deadline) = deadline else {
        park();
        return true;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return false;
    }
    park_timeout(left);
    true
}

/// How often to look again before sleeping, pausing or letting others run.
pub(crate) const fn looks(pausing: u32, yielding: u32) -> (u32, u32) {
    (pausing, yielding)
}
