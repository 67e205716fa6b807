//! Who was posted to since the last flush, and the bell for when the reactor sleeps.

use crate::mailbox::{Mailbox, Outlet};
use crate::poller::{Token, Waker};
use parking_lot::Mutex;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Clients with new mail. Posts of the reactor's own thread cost a push; only a post from another thread to
/// a sleeping reactor costs a system call, once per turn.
pub(in crate::model) struct Rings {
    state: Mutex<State>,
    waker: Waker,
}

#[derive(Default)]
struct State {
    rung: Vec<Token>,
    asleep: bool,
    /// Somebody's mailbox fills up.
    urgent: bool,
}

impl Rings {
    pub(in crate::model) fn new() -> io::Result<Self> {
        Ok(Self {
            state: Mutex::default(),
            waker: Waker::new()?,
        })
    }

    /// The outlet of the client that is called `token`.
    pub(in crate::model) fn outlet(self: &Arc<Self>, token: Token) -> impl Outlet + use<> {
        Bell {
            rings: Arc::clone(self),
            token,
        }
    }

    /// The reactor is about to wait; `false` when it must not, because there is mail.
    pub(in crate::model) fn fall_asleep(&self) -> bool {
        let mut state = self.state.lock();
        state.asleep = state.rung.is_empty();
        state.asleep
    }

    pub(in crate::model) fn wake_up(&self) {
        self.state.lock().asleep = false;
    }

    /// Silences the waker, before the mail is looked at.
    pub(in crate::model) fn clear(&self) {
        self.waker.clear();
    }

    pub(in crate::model) fn take(&self) -> Vec<Token> {
        let mut state = self.state.lock();
        state.urgent = false;
        std::mem::take(&mut state.rung)
    }

    /// Whether the mail should go out before anybody else is read.
    pub(in crate::model) fn is_urgent(&self) -> bool {
        self.state.lock().urgent
    }

    /// Gives an emptied list back, so that the next need not grow from nothing.
    pub(in crate::model) fn recycle(&self, mut list: Vec<Token>) {
        list.clear();
        let mut state = self.state.lock();
        if state.rung.is_empty() {
            state.rung = list;
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
        let urgent = mailbox.is_half_full();
        let must_wake = {
            let mut state = self.rings.state.lock();
            state.rung.push(self.token);
            state.urgent |= urgent;
            std::mem::replace(&mut state.asleep, false)
        };
        if must_wake {
            self.rings.waker.wake();
        }
    }
}
