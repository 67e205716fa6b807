//! The ready-made locks as strategies: one impl for every `lock_api` mutex, one for every `lock_api`
//! reader-writer lock, and the two of `std`.

use super::Lock;
use lock_api::{RawMutex, RawRwLock};
use std::sync::PoisonError;

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

impl<T: Send> Lock for std::sync::Mutex<T> {
    type Value = T;
    const NAME: &'static str = "std-mutex";

    fn new(value: T) -> Self {
        Self::new(value)
    }

    #[inline]
    fn shared<U: Send>(&self, section: impl FnOnce(&T) -> U + Send) -> U {
        section(&self.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[inline]
    fn exclusive<U: Send>(&self, section: impl FnOnce(&mut T) -> U + Send) -> U {
        section(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: Send + Sync> Lock for std::sync::RwLock<T> {
    type Value = T;
    const NAME: &'static str = "std-rwlock";

    fn new(value: T) -> Self {
        Self::new(value)
    }

    #[inline]
    fn shared<U: Send>(&self, section: impl FnOnce(&T) -> U + Send) -> U {
        section(&self.read().unwrap_or_else(PoisonError::into_inner))
    }

    #[inline]
    fn exclusive<U: Send>(&self, section: impl FnOnce(&mut T) -> U + Send) -> U {
        section(&mut self.write().unwrap_or_else(PoisonError::into_inner))
    }
}
