//! What the semaphore is compared with: everything with which threads keep each other out of a section.
//!
//! A [`Gate`] lets so many in at once; a mutex lets one in. Each is used as somebody would who blocks threads.
//!
//! tokio's semaphore gives a future, and [`pollster::block_on`] was the fastest way of those tried to drive it: uncontended
//! it took 43 ns, `futures_lite`'s 45, `futures_executor`'s 59-73, the `block_on` of a tokio runtime 127-233. A caller
//! who tries first saves the future when nobody is in the way: [`TokioTryFirst`].

mod posix;
mod textbook;

pub(crate) use posix::Posix;
pub(crate) use textbook::{ParkingLotCondvar, StdCondvar};

use guardhouse::sync::Semaphore;
use std::sync::PoisonError;

/// Lets threads into a section, one at a time or as many as it has permits.
pub(crate) trait Gate: Send + Sync {
    /// What it is called in the tables.
    const NAME: &'static str;

    /// With so many permits; one that has none to count takes no notice.
    fn new(permits: usize) -> Self;

    /// Runs `section` inside, holding `n` permits.
    fn enter(&self, n: usize, section: impl FnOnce());
}

macro_rules! ours {
    ($(#[$doc:meta])* $gate:ident, $name:literal, $new:path) => {
        $(#[$doc])*
        pub(crate) struct $gate(Semaphore);

        impl Gate for $gate {
            const NAME: &'static str = $name;

            fn new(permits: usize) -> Self {
                Self($new(permits))
            }

            #[inline]
            fn enter(&self, n: usize, section: impl FnOnce()) {
                let _permit = self.0.acquire(n).expect("never closed");
                section();
            }
        }
    };
}

ours! {
    /// Ours, first come first served.
    Fair, "Semaphore, fair", Semaphore::new
}

ours! {
    /// Ours, whoever comes first.
    Barging, "Semaphore, barging", Semaphore::barging
}

impl Gate for parking_lot::Mutex<()> {
    const NAME: &'static str = "parking_lot::Mutex";

    fn new(_: usize) -> Self {
        Self::new(())
    }

    #[inline]
    fn enter(&self, _: usize, section: impl FnOnce()) {
        let _guard = self.lock();
        section();
    }
}

impl Gate for std::sync::Mutex<()> {
    const NAME: &'static str = "std::sync::Mutex";

    fn new(_: usize) -> Self {
        Self::new(())
    }

    #[inline]
    fn enter(&self, _: usize, section: impl FnOnce()) {
        let _guard = self.lock().unwrap_or_else(PoisonError::into_inner);
        section();
    }
}

impl Gate for tokio::sync::Semaphore {
    const NAME: &'static str = "tokio";

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }

    #[inline]
    fn enter(&self, n: usize, section: impl FnOnce()) {
        let permits = self.acquire_many(n as u32);
        let _permits = pollster::block_on(permits).expect("never closed");
        section();
    }
}

/// tokio's, by a caller who makes a future only when it must wait.
pub(crate) struct TokioTryFirst(tokio::sync::Semaphore);

impl Gate for TokioTryFirst {
    const NAME: &'static str = "tokio, try first";

    fn new(permits: usize) -> Self {
        Self(tokio::sync::Semaphore::new(permits))
    }

    #[inline]
    fn enter(&self, n: usize, section: impl FnOnce()) {
        let permits = self.0.try_acquire_many(n as u32);
        let _permits = permits
            .or_else(|_| pollster::block_on(self.0.acquire_many(n as u32)))
            .expect("never closed");
        section();
    }
}

/// It takes one permit at a time only: `n` is 1.
impl Gate for async_lock::Semaphore {
    const NAME: &'static str = "async-lock";

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }

    #[inline]
    fn enter(&self, _: usize, section: impl FnOnce()) {
        let _permit = self.acquire_blocking();
        section();
    }
}
