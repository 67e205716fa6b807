//! A lock of somebody else's: it knows `lock_api`, and this crate does not know it.
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
