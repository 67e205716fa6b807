//! [`Semaphore`]: a counter of permits, taken n at a time in one step, first come first served.

use parking_lot::{Condvar, Mutex};
use std::sync::Arc;

/// A fair counting semaphore.
///
/// ```text
///            next              serving
///   tickets:  7   6   5   4      3
///            (new) wait wait wait  may take as soon as `available` covers it
/// ```
///
/// Every [`acquire`](Self::acquire) draws a ticket and takes its permits when its ticket is served *and*
/// enough permits are there. Nobody overtakes, so a large request is never starved by small ones; and n
/// permits are taken in one step, so nobody holds half of what it needs while waiting for the
/// rest. Two writers that each took N permits one by one would wait for each other for ever.
#[derive(Debug)]
pub struct Semaphore {
    permits: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    available: usize,
    next: u64,
    serving: u64,
}

impl Semaphore {
    /// A semaphore of `permits` permits, all available.
    pub const fn new(permits: usize) -> Self {
        Self {
            permits,
            state: Mutex::new(State {
                available: permits,
                next: 0,
                serving: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// How many permits there are in all.
    pub const fn permits(&self) -> usize {
        self.permits
    }

    /// How many permits nobody holds. Out of date as soon as it is read.
    pub fn available(&self) -> usize {
        self.state.lock().available
    }

    /// Takes `n` permits in one step; blocks until it is this caller's turn and they are there. From any
    /// thread.
    ///
    /// # Panics
    /// When `n` exceeds [`permits`](Self::permits): it would wait for ever.
    pub fn acquire(&self, n: usize) -> Permit<'_> {
        self.take(n);
        Permit { semaphore: self, n }
    }

    /// [`acquire`](Self::acquire), with a permit that owns its semaphore.
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    pub fn acquire_owned(self: &Arc<Self>, n: usize) -> OwnedPermit {
        self.take(n);
        OwnedPermit {
            semaphore: Arc::clone(self),
            n,
        }
    }

    fn take(&self, n: usize) {
        assert!(
            n <= self.permits,
            "{n} permits asked of a semaphore that has {}",
            self.permits
        );
        let mut state = self.state.lock();
        let ticket = state.next;
        state.next += 1;
        while state.serving != ticket || state.available < n {
            self.changed.wait(&mut state);
        }
        state.available -= n;
        state.serving += 1;
        // The next ticket may already find enough.
        if state.serving != state.next {
            self.changed.notify_all();
        }
    }

    /// Takes `n` permits if they are there and nobody waits for any. Never blocks, never overtakes.
    pub fn try_acquire(&self, n: usize) -> Option<Permit<'_>> {
        // Made only when taken: a permit that is made and dropped gives back what it never took.
        self.try_take(n).then(|| Permit { semaphore: self, n })
    }

    /// [`try_acquire`](Self::try_acquire), with a permit that owns its semaphore: it can move into a
    /// connection, and returns when that is dropped.
    pub fn try_acquire_owned(self: &Arc<Self>, n: usize) -> Option<OwnedPermit> {
        self.try_take(n).then(|| OwnedPermit {
            semaphore: Arc::clone(self),
            n,
        })
    }

    fn try_take(&self, n: usize) -> bool {
        let mut state = self.state.lock();
        let may = state.serving == state.next && state.available >= n;
        if may {
            state.available -= n;
        }
        may
    }

    fn release(&self, n: usize) {
        let mut state = self.state.lock();
        state.available += n;
        if state.serving != state.next {
            self.changed.notify_all();
        }
    }
}

/// Permits held; dropping it gives them back.
#[derive(Debug)]
#[must_use = "dropping a permit gives it back at once"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    n: usize,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.release(self.n);
    }
}

/// Permits held by something that lives on its own; dropping it gives them back.
#[derive(Debug)]
#[must_use = "dropping a permit gives it back at once"]
pub struct OwnedPermit {
    semaphore: Arc<Semaphore>,
    n: usize,
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        self.semaphore.release(self.n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    /// Waits on the thing itself: until `n` callers have drawn a ticket that is not served yet.
    fn until_waiting(semaphore: &Semaphore, n: u64) {
        loop {
            let state = semaphore.state.lock();
            if state.next - state.serving == n {
                return;
            }
            drop(state);
            thread::yield_now();
        }
    }

    #[test]
    fn permits_come_back_when_their_holder_is_dropped() {
        let semaphore = Arc::new(Semaphore::new(3));
        let two = semaphore.acquire(2);
        assert!(semaphore.try_acquire(2).is_none());
        let one = semaphore.try_acquire_owned(1).unwrap();
        assert_eq!(semaphore.available(), 0);
        drop(one);
        drop(two);
        assert_eq!(semaphore.available(), 3);
    }

    #[test]
    #[should_panic(expected = "4 permits asked of a semaphore that has 3")]
    fn asking_for_more_than_there_are_panics_instead_of_waiting_for_ever() {
        let _ = Semaphore::new(3).acquire(4);
    }

    #[test]
    fn a_large_request_is_not_overtaken_by_small_ones() {
        let semaphore = Semaphore::new(2);
        let order = Mutex::new(Vec::new());
        let held = semaphore.acquire(1);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _all = semaphore.acquire(2);
                order.lock().push("large");
            });
            until_waiting(&semaphore, 1);
            scope.spawn(|| {
                let _one = semaphore.acquire(1);
                order.lock().push("small");
            });
            until_waiting(&semaphore, 2);
            // One permit is free, and yet it is neither taken nor given away.
            assert_eq!(semaphore.available(), 1);
            assert!(semaphore.try_acquire(1).is_none());
            drop(held);
        });
        assert_eq!(*order.lock(), ["large", "small"]);
    }

    #[test]
    fn no_more_than_the_permits_are_ever_inside() {
        let semaphore = Semaphore::new(3);
        let inside = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    for _ in 0..if cfg!(miri) { 20 } else { 500 } {
                        let _permit = semaphore.acquire(1);
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < 3);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(semaphore.available(), 3);
    }
}
