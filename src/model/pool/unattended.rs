//! [`Unattended`]: the listeners of workers that are busy, as one descriptor for those who are not.

use crate::net::Listener;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// An epoll set, to be polled by many: readable while a client waits at a listener in it. The kernel guards the set
/// itself, so threads change it while others wait for it.
pub(super) struct Unattended(OwnedFd);

impl Unattended {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(epoll::CreateFlags::CLOEXEC)?))
    }

    /// Nobody looks after `listener`, number `index`, from now on.
    pub(super) fn leave(&self, listener: &Listener, index: usize) -> io::Result<()> {
        let index = epoll::EventData::new_u64(index as u64);
        Ok(epoll::add(&self.0, listener, index, epoll::EventFlags::IN)?)
    }

    /// Its worker is back.
    pub(super) fn return_to(&self, listener: &Listener) -> io::Result<()> {
        Ok(epoll::delete(&self.0, listener)?)
    }

    /// The number of one at which a client waits; another one each time, when there are several. Never blocks.
    pub(super) fn first(&self) -> io::Result<Option<usize>> {
        let mut ready = [MaybeUninit::uninit()];
        match epoll::wait(&self.0, &mut ready, Some(&Timespec::default())) {
            Ok((ready, _)) => Ok(ready.first().map(|event| event.data.u64() as usize)),
            Err(Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Unattended {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
