//! The book of a lobby: who is there, who is to be looked at when, and who waits for a thread.

use super::calls::Call;
use super::guest::Guest;
use super::key;
use crate::model::timers::Timers;
use crate::poller::{Signal, Waker};
use parking_lot::{Mutex, MutexGuard};
use slab::Slab;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shared by all threads of a lobby, and by nobody for long: there is no I/O and no session inside its lock. Whoever
/// waits for events is woken, by a system call, only when it sleeps, and past what has come up.
pub(super) struct Book {
    pages: Mutex<Pages>,
    waker: Waker,
}

#[derive(Default)]
struct Pages {
    guests: Slab<Arc<Guest>>,
    timers: Timers,
    /// Owned by nobody else: to be served.
    handed_over: Vec<Arc<Guest>>,
    sleep: Option<Sleep>,
    /// No more guests come: the one who waits is to be told when the last is gone.
    closing: bool,
}

/// Somebody waits for events.
#[derive(Clone, Copy)]
struct Sleep {
    until: Option<Instant>,
}

impl Book {
    pub(super) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            pages: Mutex::default(),
            waker: Waker::new()?,
        }))
    }

    /// Enters the guest that `make` makes of its key.
    pub(super) fn enter(&self, make: impl FnOnce(usize) -> Guest) -> Arc<Guest> {
        let mut pages = self.pages.lock();
        let entry = pages.guests.vacant_entry();
        let guest = Arc::new(make(entry.key()));
        entry.insert(Arc::clone(&guest));
        guest
    }

    /// Strikes out a guest that is gone, if it is still in here.
    pub(super) fn strike(&self, guest: &Guest) {
        let mut pages = self.pages.lock();
        let Pages { guests, timers, .. } = &mut *pages;
        if guests.get(guest.key).is_some_and(|g| g.id == guest.id) {
            guests.remove(guest.key);
        }
        timers.prune(guests.len(), |key, id| {
            guests.get(key).is_some_and(|guest| guest.id == id)
        });
        if pages.closing && pages.guests.is_empty() {
            self.leave_and_wake(pages);
        }
    }

    pub(super) fn guests(&self) -> Vec<Arc<Guest>> {
        let pages = self.pages.lock();
        pages.guests.iter().map(|(_, g)| Arc::clone(g)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pages.lock().guests.is_empty()
    }

    /// No more guests come.
    pub(super) fn close(&self) {
        self.pages.lock().closing = true;
    }

    /// Has a guest served by the next thread that is free. Only by its owner, who is no more. From any thread.
    pub(super) fn hand_over(&self, guest: Arc<Guest>) {
        let mut pages = self.pages.lock();
        pages.handed_over.push(guest);
        self.leave_and_wake(pages);
    }

    /// Has a guest looked at when the time has come.
    pub(super) fn look_at(&self, guest: &Guest, at: Instant) {
        let mut pages = self.pages.lock();
        pages.timers.set(at, guest.key, guest.id);
        if pages
            .sleep
            .is_some_and(|sleep| sleep.until.is_none_or(|until| at < until))
        {
            self.leave_and_wake(pages);
        }
    }

    /// Ends a section, and the sleep of who waits for events.
    fn leave_and_wake(&self, mut pages: MutexGuard<'_, Pages>) {
        let asleep = pages.sleep.take().is_some();
        drop(pages);
        if asleep {
            self.waker.wake();
        }
    }

    /// Somebody is about to wait for events, until `other` at the latest: says for how long.
    pub(super) fn fall_asleep(&self, other: Option<Instant>) -> Option<Duration> {
        let mut pages = self.pages.lock();
        if !pages.handed_over.is_empty() || (pages.closing && pages.guests.is_empty()) {
            return Some(Duration::ZERO);
        }
        let until = [other, pages.timers.next()].into_iter().flatten().min();
        pages.sleep = Some(Sleep { until });
        until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Calls everyone for whom a signal came or whose time has come. Appends to `ready` whom the caller owns now, and
    /// whoever was handed over.
    pub(super) fn wake_up(
        &self,
        signals: impl Iterator<Item = Signal>,
        ready: &mut VecDeque<Arc<Guest>>,
    ) {
        let mut pages = self.pages.lock();
        let pages = &mut *pages;
        pages.sleep = None;
        ready.extend(pages.handed_over.drain(..));
        for signal in signals {
            // Gone since.
            let Some(guest) = pages.guests.get(key(signal.token)) else {
                continue;
            };
            if guest.calls.call(calls(signal)) {
                ready.push_back(Arc::clone(guest));
            }
        }
        if pages.timers.is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some((key, id)) = pages.timers.due(now) {
            if let Some(guest) = pages.guests.get(key)
                && guest.id == id
                && guest.calls.call(Call::LOOK)
            {
                ready.push_back(Arc::clone(guest));
            }
        }
    }

    /// Silences the waker.
    pub(super) fn clear(&self) {
        self.waker.clear();
    }
}

impl AsFd for Book {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.waker.as_fd()
    }
}

fn calls(signal: Signal) -> Call {
    let mut calls = Call::NOTHING;
    if signal.readable {
        calls = calls | Call::READABLE;
    }
    if signal.writable {
        calls = calls | Call::WRITABLE;
    }
    if signal.singular {
        calls = calls | Call::SINGULAR;
    }
    calls
}
