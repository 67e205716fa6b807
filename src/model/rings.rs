//! Who was posted to since the last flush, and the bell for when the reactor sleeps.
//!
//! ```text
//!            +-------------- take --------------+--------------- take ---------------+
//!            v                                  |                                    |
//!          Quiet ------------ ring ---------> Rung --- ring, a mailbox fills up --> Urgent
//!          |   ^                                ^                                    ^
//!     fall |   | wake_up                        |                                    |
//!   asleep v   |                                |                                    |
//!          Asleep ------- ring, and wake -------+------------------------------------+
//! ```
//!
//! A client is on the list before the state says so, and the state is quiet again before the list is taken. So whoever
//! finds it rung already may leave it at that.

use crate::mailbox::{Mailbox, Outlet, Work};
use crate::poller::{Token, Waker};
use parking_lot::Mutex;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Nobody was posted to, and the reactor is at work.
const QUIET: u8 = 0;
/// Nobody was posted to, and the reactor waits.
const ASLEEP: u8 = 1;
/// Somebody was posted to.
const RUNG: u8 = 2;
/// Somebody's mailbox fills up.
const URGENT: u8 = 3;

/// Clients with new mail. Posts of the reactor's own thread cost a push; only a post from another thread to
/// a sleeping reactor costs a system call, once per turn.
pub(super) struct Rings {
    state: AtomicU8,
    rung: Mutex<Vec<Token>>,
    /// To be done before the mail goes out.
    works: Mutex<Vec<Arc<dyn Work>>>,
    waker: Waker,
}

impl Rings {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            state: AtomicU8::new(QUIET),
            rung: Mutex::default(),
            works: Mutex::default(),
            waker: Waker::new()?,
        })
    }

    /// The outlet of the client that is called `token`.
    pub(super) fn outlet(self: &Arc<Self>, token: Token) -> impl Outlet + use<> {
        Bell {
            rings: Arc::clone(self),
            token,
        }
    }

    fn step(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// To be called after the list was locked: were it taken since it was rung, it would be seen to be quiet.
    fn raise(&self, state: u8) {
        if self.state.load(Ordering::Acquire) < state
            && self.state.fetch_max(state, Ordering::AcqRel) == ASLEEP
        {
            self.waker.wake();
        }
    }

    /// The reactor is about to wait; `false` when it must not, because there is mail.
    pub(super) fn fall_asleep(&self) -> bool {
        self.step(QUIET, ASLEEP)
    }

    pub(super) fn wake_up(&self) {
        self.step(ASLEEP, QUIET);
    }

    /// Silences the waker, before the mail is looked at.
    pub(super) fn clear(&self) {
        self.waker.clear();
    }

    /// `None` when there is no mail. Does what was left for the end of the turn first, which may bring some.
    pub(super) fn take(&self) -> Option<Vec<Token>> {
        if self.state.load(Ordering::Acquire) == QUIET {
            return None;
        }
        self.state.swap(QUIET, Ordering::AcqRel);
        self.work();
        Some(std::mem::take(&mut self.rung.lock()))
    }

    fn work(&self) {
        let works = std::mem::take(&mut *self.works.lock());
        for work in works {
            work.run();
        }
    }

    /// Whether the mail should go out before anybody else is read.
    pub(super) fn is_urgent(&self) -> bool {
        self.state.load(Ordering::Acquire) == URGENT
    }

    /// Whether there is mail.
    pub(super) fn is_rung(&self) -> bool {
        self.state.load(Ordering::Acquire) >= RUNG
    }

    /// Gives an emptied list back, so that the next need not grow from nothing.
    pub(super) fn recycle(&self, mut list: Vec<Token>) {
        list.clear();
        let mut rung = self.rung.lock();
        if rung.is_empty() {
            *rung = list;
        }
    }
}

impl AsFd for Rings {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.waker.as_fd()
    }
}

struct Bell {
    rings: Arc<Rings>,
    token: Token,
}

impl Outlet for Bell {
    fn ring(&self, mailbox: &Arc<Mailbox>) {
        let state = if mailbox.is_half_full() { URGENT } else { RUNG };
        self.rings.rung.lock().push(self.token);
        self.rings.raise(state);
    }

    fn in_a_moment(&self, work: Arc<dyn Work>, urgent: bool) {
        {
            let mut works = self.rings.works.lock();
            if !works.iter().any(|other| Arc::ptr_eq(other, &work)) {
                works.push(work);
            }
        }
        self.rings.raise(if urgent { URGENT } else { RUNG });
    }
}
