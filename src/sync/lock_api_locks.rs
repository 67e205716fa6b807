//! Every lock that is made for [`lock_api`], as a strategy: one impl for the mutexes and one for the
//! reader-writer locks. So [`parking_lot`] plugs in, and this crate's own [`TicketMutex`](super::TicketMutex) and
//! [`SpinMutex`](super::SpinMutex), and locks that neither has heard of.
//!
//! [`Lock::NAME`] is that of the family here, `mutex` or `rwlock`: the impl does not know which lock it has. What
//! tells them apart is who may starve whom, and that is the raw lock's affair:
//!
//! - [`parking_lot::Mutex`] lets whoever comes overtake those who wait, which saves a context switch per
//!   section. Who has just left may enter again, and again, before one who waits: since version 0.13 there is no
//!   bound to that.
//! - [`parking_lot::FairMutex`] hands the lock to the one who sleeps longest. Nobody is overtaken once it sleeps; one
//!   that still spins may be. Every section that somebody sleeps for costs a context switch.
//! - [`parking_lot::RwLock`] lets no new looker in while somebody waits to change, so lookers do not starve
//!   changers. Changers may starve lookers, and each other: whoever comes to change may go before those who
//!   wait, without a bound.

use super::{Expired, Lock, TimedLock, TryLock};
use lock_api::{RawMutex, RawMutexTimed, RawRwLock, RawRwLockTimed};
use std::time::Duration;

impl<R, T> Lock for lock_api::Mutex<R, T>
where
    R: RawMutex + Send + Sync,
    T: Send,
{
    type Value = T;
    const NAME: &'static str = "mutex";

    fn new(value: T) -> Self {
        Self::new(value)
    }

    #[inline]
    fn shared<U: Send>(&self, section: impl FnOnce(&T) -> U + Send) -> U {
        section(&self.lock())
    }

    #[inline]
    fn exclusive<U: Send>(&self, section: impl FnOnce(&mut T) -> U + Send) -> U {
        section(&mut self.lock())
    }
}

impl<R, T> TryLock for lock_api::Mutex<R, T>
where
    R: RawMutex + Send + Sync,
    T: Send,
{
    #[inline]
    fn try_shared<U: Send>(&self, section: impl FnOnce(&T) -> U + Send) -> Option<U> {
        Some(section(&*self.try_lock()?))
    }

    #[inline]
    fn try_exclusive<U: Send>(&self, section: impl FnOnce(&mut T) -> U + Send) -> Option<U> {
        Some(section(&mut *self.try_lock()?))
    }
}

impl<R, T> TimedLock for lock_api::Mutex<R, T>
where
    R: RawMutexTimed<Duration = Duration> + Send + Sync,
    T: Send,
{
    #[inline]
    fn shared_for<U: Send>(
        &self,
        patience: Duration,
        section: impl FnOnce(&T) -> U + Send,
    ) -> Result<U, Expired> {
        let value = self
            .try_lock_for(patience)
            .ok_or(Expired::after(patience))?;
        Ok(section(&value))
    }

    #[inline]
    fn exclusive_for<U: Send>(
        &self,
        patience: Duration,
        section: impl FnOnce(&mut T) -> U + Send,
    ) -> Result<U, Expired> {
        let mut value = self
            .try_lock_for(patience)
            .ok_or(Expired::after(patience))?;
        Ok(section(&mut value))
    }
}

impl<R, T> Lock for lock_api::RwLock<R, T>
where
    R: RawRwLock + Send + Sync,
    T: Send + Sync,
{
    type Value = T;
    const NAME: &'static str = "rwlock";

    fn new(value: T) -> Self {
        Self::new(value)
    }

    #[inline]
    fn shared<U: Send>(&self, section: impl FnOnce(&T) -> U + Send) -> U {
        section(&self.read())
    }

    #[inline]
    fn exclusive<U: Send>(&self, section: impl FnOnce(&mut T) -> U + Send) -> U {
        section(&mut self.write())
    }
}

impl<R, T> TryLock for lock_api::RwLock<R, T>
where
    R: RawRwLock + Send + Sync,
    T: Send + Sync,
{
    #[inline]
    fn try_shared<U: Send>(&self, section: impl FnOnce(&T) -> U + Send) -> Option<U> {
        Some(section(&*self.try_read()?))
    }

    #[inline]
    fn try_exclusive<U: Send>(&self, section: impl FnOnce(&mut T) -> U + Send) -> Option<U> {
        Some(section(&mut *self.try_write()?))
    }
}

impl<R, T> TimedLock for lock_api::RwLock<R, T>
where
    R: RawRwLockTimed<Duration = Duration> + Send + Sync,
    T: Send + Sync,
{
    #[inline]
    fn shared_for<U: Send>(
        &self,
        patience: Duration,
        section: impl FnOnce(&T) -> U + Send,
    ) -> Result<U, Expired> {
        let value = self
            .try_read_for(patience)
            .ok_or(Expired::after(patience))?;
        Ok(section(&value))
    }

    #[inline]
    fn exclusive_for<U: Send>(
        &self,
        patience: Duration,
        section: impl FnOnce(&mut T) -> U + Send,
    ) -> Result<U, Expired> {
        let mut value = self
            .try_write_for(patience)
            .ok_or(Expired::after(patience))?;
        Ok(section(&mut value))
    }
}
