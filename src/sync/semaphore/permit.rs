//! [`Held`]: permits as a value.

use super::Semaphore;
use std::mem;
use std::ops::Deref;
use std::ptr;
use std::sync::Arc;

/// Permits that belong to whoever has this value. Dropping it gives them back, from any thread.
///
/// `S` is how it reaches its semaphore: see [`Permit`] and [`OwnedPermit`].
#[derive(Debug)]
#[must_use = "dropping a permit gives it back at once"]
pub struct Held<S: Deref<Target = Semaphore>> {
    semaphore: S,
    n: usize,
}

/// Permits of a semaphore that is borrowed.
pub type Permit<'a> = Held<&'a Semaphore>;

/// Permits that keep their semaphore alive: they can move into a connection, or to another thread, and return
/// when that is dropped.
pub type OwnedPermit = Held<Arc<Semaphore>>;

impl<S: Deref<Target = Semaphore>> Held<S> {
    /// Only for `n` permits that were just taken.
    #[inline]
    pub(super) fn of(semaphore: S, n: usize) -> Self {
        Self { semaphore, n }
    }

    /// How many permits these are.
    pub fn count(&self) -> usize {
        self.n
    }

    /// The semaphore that they are of.
    pub fn semaphore(&self) -> &Semaphore {
        &self.semaphore
    }

    /// Takes the permits out of existence: they are not given back, and the semaphore has so many
    /// fewer.
    pub fn forget(mut self) {
        let n = mem::take(&mut self.n);
        self.semaphore.forgotten(n);
    }

    /// Adds the permits of `other` to these, to be given back in one step.
    ///
    /// # Panics
    /// When `other` is of another semaphore.
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            ptr::eq(self.semaphore(), other.semaphore()),
            "permits of two different semaphores cannot be merged"
        );
        self.n += mem::take(&mut other.n);
    }

    /// Takes `n` of these permits as a value of their own; `None` when these are fewer.
    pub fn split(&mut self, n: usize) -> Option<Self>
    where
        S: Clone,
    {
        self.n = self.n.checked_sub(n)?;
        Some(Self {
            semaphore: self.semaphore.clone(),
            n,
        })
    }
}

impl<S: Deref<Target = Semaphore>> Drop for Held<S> {
    #[inline]
    fn drop(&mut self) {
        if self.n > 0 {
            self.semaphore.give_back(self.n);
        }
    }
}
