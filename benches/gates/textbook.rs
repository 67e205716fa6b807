//! The semaphore of the textbooks: a number, a mutex, a condition. One permit at a time, so that one wake-up is enough:
//! `n` is 1.

use super::Gate;
use std::sync::PoisonError;

/// With the mutex and the condition of `parking_lot`.
pub(crate) struct ParkingLotCondvar {
    available: parking_lot::Mutex<usize>,
    released: parking_lot::Condvar,
}

impl Gate for ParkingLotCondvar {
    const NAME: &'static str = "parking_lot Condvar";

    fn new(permits: usize) -> Self {
        Self {
            available: parking_lot::Mutex::new(permits),
            released: parking_lot::Condvar::new(),
        }
    }

    #[inline]
    fn enter(&self, _: usize, section: impl FnOnce()) {
        let mut available = self.available.lock();
        while *available == 0 {
            self.released.wait(&mut available);
        }
        *available -= 1;
        drop(available);
        section();
        *self.available.lock() += 1;
        self.released.notify_one();
    }
}

/// With those of `std`.
pub(crate) struct StdCondvar {
    available: std::sync::Mutex<usize>,
    released: std::sync::Condvar,
}

impl StdCondvar {
    fn lock(&self) -> std::sync::MutexGuard<'_, usize> {
        self.available
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for StdCondvar {
    const NAME: &'static str = "std Condvar";

    fn new(permits: usize) -> Self {
        Self {
            available: std::sync::Mutex::new(permits),
            released: std::sync::Condvar::new(),
        }
    }

    #[inline]
    fn enter(&self, _: usize, section: impl FnOnce()) {
        let mut available = self.lock();
        while *available == 0 {
            available = self
                .released
                .wait(available)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *available -= 1;
        drop(available);
        section();
        *self.lock() += 1;
        self.released.notify_one();
    }
}
