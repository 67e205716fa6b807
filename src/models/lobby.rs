//! Every order of those who call a guest: it is served by one at a time, and for everything it was called for.

use super::check;
use crate::model::lobby::calls::{Call, Calls};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::sync::Arc;

/// A guest, parked, and what waits for it where only a call tells of it.
struct Guest {
    calls: Calls,
    place: UnsafeCell<()>,
    arrived: AtomicUsize,
    answered: AtomicUsize,
    posted: AtomicUsize,
    sent: AtomicUsize,
}

// SAFETY: that its place is never used by two threads at once is what loom finds out.
#[allow(unsafe_code)]
unsafe impl Send for Guest {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Guest {}

impl Guest {
    fn parked() -> Arc<Self> {
        let calls = Calls::owned();
        assert!(calls.leave());
        Arc::new(Self {
            calls,
            place: UnsafeCell::new(()),
            arrived: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            posted: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
        })
    }

    /// Bytes have come, and their event. Whoever owns the guest by that serves it.
    fn arrival(&self) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        if self.calls.call(Call::READABLE) {
            self.serve();
        }
    }

    /// Somebody could not send everything.
    fn post(&self) {
        self.posted.fetch_add(1, Ordering::Relaxed);
        if self.calls.call(Call::RUNG) {
            self.serve();
        }
    }

    fn serve(&self) {
        loop {
            let calls = self.calls.take();
            self.place.with_mut(|_| ());
            if calls.any(Call::READABLE) {
                let arrived = self.arrived.load(Ordering::Relaxed);
                self.answered.store(arrived, Ordering::Relaxed);
            }
            if calls.any(Call::RUNG) {
                let posted = self.posted.load(Ordering::Relaxed);
                self.sent.store(posted, Ordering::Relaxed);
            }
            if self.calls.leave() {
                return;
            }
        }
    }

    /// All have done their part: it is parked, and nothing was forgotten.
    fn is_content(&self, arrived: usize, posted: usize) {
        assert!(self.calls.call(Call::NOTHING), "it is parked");
        assert_eq!(self.answered.load(Ordering::Relaxed), arrived);
        assert_eq!(self.sent.load(Ordering::Relaxed), posted);
    }
}

fn beside(guest: &Arc<Guest>, act: fn(&Guest)) -> thread::JoinHandle<()> {
    let guest = Arc::clone(guest);
    thread::spawn(move || act(&guest))
}

#[test]
fn two_arrivals_beside_each_other_are_answered() {
    check(|| {
        let guest = Guest::parked();
        let other = beside(&guest, Guest::arrival);
        guest.arrival();
        other.join().unwrap();
        guest.is_content(2, 0);
    });
}

#[test]
fn an_arrival_a_post_and_another_arrival_are_served_by_one_at_a_time() {
    check(|| {
        let guest = Guest::parked();
        let others = [beside(&guest, Guest::arrival), beside(&guest, Guest::post)];
        guest.arrival();
        for other in others {
            other.join().unwrap();
        }
        guest.is_content(2, 1);
    });
}

#[test]
fn a_drain_takes_nobody_for_idle_who_waits_for_an_answer() {
    check(|| {
        let guest = Guest::parked();
        guest.arrived.store(1, Ordering::Relaxed);
        assert!(guest.calls.call(Call::READABLE));
        let other = beside(&guest, Guest::serve);
        let owned = guest.calls.call(Call::NOTHING);
        if owned || !guest.calls.is_busy() {
            assert_eq!(guest.answered.load(Ordering::Relaxed), 1);
        }
        other.join().unwrap();
    });
}
