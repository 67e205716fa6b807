//! [`Ring`]: `io_uring(7)`, as far as a server needs it. What is asked for is collected, and goes to the kernel with
//! everything that is to be sent in one system call, which also brings what has happened.
//!
//! | operation | asked for | completes |
//! |---|---|---|
//! | accept, receive | once | again and again, until told otherwise, the last time without `more` |
//! | watch | once | once |
//! | cancel | once | what it cancels completes; by itself, it says nothing |
//! | send | gathered in [`Outgoing`] | once, or only where not everything was sent |
//!
//! A send may not block (`MSG_DONTWAIT`), so the kernel does not keep it: when the call that submitted it is back, it is
//! over. That is why it may have its bytes from a buffer that is filled anew each turn. When more complete than the kernel
//! has room to put down, it is asked for the rest of the sends before [`Ring::enter`] returns: one of which nothing is heard
//! by then has gone out.
//!
//! A send can be *hushed* (`IOSQE_CQE_SKIP_SUCCESS`): it completes only if not everything was sent. Sends that are not end
//! a wait for anything to happen, since they are the first thing that does; if they are all that did, there is a second
//! call. Where much is going on, there is none: when the last client is sent to, something has come from the first. To hush
//! them would cost each of them something: the kernel takes note of it in a place that the processors where bytes arrive for
//! us read all the time. A turn that sends to one client, as most do while there is little to do, is hushed.
//!
//! ```text
//!                         one send: hushed
//!   to wait for anything ------------------+------------------------------------> back, with what has happened
//!                     |                    ^
//!                     | several: aloud     | nothing has, but the sends
//!                     +--------------------+------------------------------------> back, with what has happened
//!                                            something came meanwhile
//! ```
#![allow(unsafe_code)]

mod call;
#[cfg(test)]
mod tests;

pub(super) use call::{Until, setup};

use super::inputs::{GROUP, Input, Inputs};
use super::op::{ACCEPT, CANCEL, Completion, Op, SEND, Unsent, data, tag};
use super::outgoing::Outgoing;
use super::send::Send;
use call::enter;
use io_uring::types::{CancelBuilder, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `SOCK_CLOEXEC`, which accept takes with this number.
const CLOSE_ON_EXEC: i32 = rustix::net::SocketFlags::CLOEXEC.bits() as i32;

pub(super) struct Ring {
    queues: ManuallyDrop<IoUring>,
    inputs: ManuallyDrop<Inputs>,
    asked: Vec<squeue::Entry>,
    /// Operations that were asked for and are to complete once more, at least.
    in_flight: usize,
    happened: Vec<Completion>,
    unsent: Vec<Unsent>,
    /// Clients that the kernel accepted.
    arrivals: VecDeque<OwnedFd>,
    /// The kernel did not take what it was to take.
    broken: bool,
}

impl Ring {
    /// Of queues that are [set up](setup) by the same thread, and buffers of its own.
    ///
    /// # Errors
    /// What the kernel says when it is told of the buffers: see [`needs`](super::needs) for what that means.
    pub(super) fn over(queues: IoUring) -> io::Result<Self> {
        let inputs = Inputs::new();
        // SAFETY: a `Ring` is dropped only after the last of its receives has completed, and its inputs after it.
        unsafe { inputs.register(&queues) }?;
        Ok(Self {
            queues: ManuallyDrop::new(queues),
            inputs: ManuallyDrop::new(inputs),
            asked: Vec::new(),
            in_flight: 0,
            happened: Vec::new(),
            unsent: Vec::new(),
            arrivals: VecDeque::new(),
            broken: false,
        })
    }

    /// Accepts at a listener that is in blocking mode: one that is not would complete at once, with nothing.
    pub(super) fn accept(&mut self, listener: BorrowedFd<'_>) {
        let accept = opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).flags(CLOSE_ON_EXEC);
        self.ask(accept.build(), Op::Accept);
    }

    /// Receives from a client. Each time takes a buffer; when there is none, it completes with [`Errno::NOBUFS`].
    pub(super) fn receive(&mut self, key: u32, stream: BorrowedFd<'_>) {
        let receive = opcode::RecvMulti::new(Fd(stream.as_raw_fd()), GROUP);
        self.ask(receive.build(), Op::Receive(key));
    }

    /// Tells when a client has room for more.
    pub(super) fn watch_writable(&mut self, key: u32, stream: BorrowedFd<'_>) {
        self.watch(stream, EventFlags::OUT, Op::Writable(key));
    }

    /// Tells when a descriptor is readable.
    pub(super) fn watch_readable(&mut self, name: u32, fd: BorrowedFd<'_>) {
        self.watch(fd, EventFlags::IN, Op::Readable(name));
    }

    fn watch(&mut self, fd: BorrowedFd<'_>, what: EventFlags, op: Op) {
        let poll = opcode::PollAdd::new(Fd(fd.as_raw_fd()), what.bits());
        self.ask(poll.build(), op);
    }

    fn ask(&mut self, entry: squeue::Entry, op: Op) {
        self.asked.push(entry.user_data(op.data()));
        self.in_flight += 1;
    }

    /// Ends an operation, which completes for the last time.
    pub(super) fn cancel(&mut self, op: Op) {
        self.cancel_by(CancelBuilder::user_data(op.data()));
    }

    /// Ends all operations on a descriptor, which is to stay open until they have completed.
    pub(super) fn cancel_all(&mut self, fd: BorrowedFd<'_>) {
        self.cancel_by(CancelBuilder::fd(Fd(fd.as_raw_fd())).all());
    }

    fn cancel_by(&mut self, what: CancelBuilder) {
        let cancel = opcode::AsyncCancel2::new(what).build();
        // It fails where there is nothing left to cancel, which completes all the same, and is ignored.
        self.asked.push(
            cancel
                .flags(squeue::Flags::SKIP_SUCCESS)
                .user_data(data(CANCEL, 0)),
        );
    }

    /// Whether something has happened and was not taken.
    #[inline]
    pub(super) fn has_completions(&self) -> bool {
        !self.happened.is_empty()
    }

    /// Takes what has happened since, in its order.
    #[inline]
    pub(super) fn take_completions(&mut self) -> Vec<Completion> {
        std::mem::take(&mut self.happened)
    }

    /// Gives an emptied list back, so that the next need not grow from nothing.
    #[inline]
    pub(super) fn recycle(&mut self, mut list: Vec<Completion>) {
        list.clear();
        if self.happened.is_empty() {
            self.happened = list;
        }
    }

    /// The next client that the kernel has accepted.
    pub(super) fn next_arrival(&mut self) -> Option<OwnedFd> {
        self.arrivals.pop_front()
    }

    /// Whether there is one.
    pub(super) fn has_arrivals(&self) -> bool {
        !self.arrivals.is_empty()
    }

    /// The last sends that were refused, or not done in full. To be taken before anything more is gathered.
    pub(super) fn take_unsent(&mut self) -> Vec<Unsent> {
        std::mem::take(&mut self.unsent)
    }

    /// What is in a buffer.
    #[inline]
    pub(super) fn bytes(&self, input: &Input) -> &[u8] {
        self.inputs.bytes(input)
    }

    /// Returns a buffer, for whoever's bytes come next.
    #[inline]
    pub(super) fn give_back(&mut self, input: Input) {
        self.inputs.give_back(input);
    }

    /// Whether more has happened than what was told. It may say so wrongly, and go on saying so until something happens:
    /// the kernel raises this flag after it has queued what happened, which may have been told before.
    pub(super) fn may_have_more(&mut self) -> bool {
        self.queues.submission().taskrun()
    }

    /// Submits what was asked for and what is `outgoing`, and waits.
    ///
    /// # Errors
    /// When the kernel does not take it; the ring is then of no use any more.
    pub(super) fn enter(&mut self, outgoing: &mut Outgoing, until: Until) -> io::Result<()> {
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.inputs.publish();
        let waits = matches!(until, Until::Happened(_)) && !outgoing.sends().is_empty();
        let hushed = waits && outgoing.hush_one_alone();
        let mut entered = self.submit(outgoing, until);
        self.collect();
        if waits && !hushed && entered.is_ok() && self.has_nothing_to_tell() {
            entered = enter(&self.queues, until);
            self.collect();
        }
        self.broken |= entered.is_err();
        entered
    }

    fn has_nothing_to_tell(&self) -> bool {
        self.happened.is_empty() && self.arrivals.is_empty() && self.unsent.is_empty()
    }

    fn submit(&mut self, outgoing: &Outgoing, until: Until) -> io::Result<()> {
        let mut sends = Send::entries(outgoing.sends());
        let asked = std::mem::take(&mut self.asked);
        let mut asked = asked.as_slice();
        loop {
            let mut queue = self.queues.submission();
            // What is to be cancelled must not fill more buffers while sends take several batches.
            for entries in [&mut asked, &mut sends] {
                let room = queue.capacity() - queue.len();
                let (now, later) = entries.split_at(room.min(entries.len()));
                // SAFETY: receives use the registered inputs; the others have no memory but their descriptor. Sends
                // have that of `outgoing`, which is borrowed until this function returns. If it returns well, they
                // are over. If not, some may be in the queue still, and the kernel never looks at them: the ring is
                // `broken` then, and nobody enters it any more.
                let pushed = unsafe { queue.push_multiple(now) };
                debug_assert!(pushed.is_ok(), "there is room");
                *entries = later;
            }
            drop(queue);
            let everything = sends.is_empty() && asked.is_empty();
            let until = match until {
                _ if !everything => Until::Submitted,
                // Nobody waits while there is something from an earlier batch.
                Until::Happened(_) if !self.has_nothing_to_tell() => Until::Polled,
                until => until,
            };
            enter(&self.queues, until)?;
            // The kernel may have taken a part only, when it was short of memory or interrupted. And what there was no
            // room to put down may be a send that was refused.
            while self.is_behind() {
                self.collect();
                enter(&self.queues, Until::Polled)?;
            }
            if everything {
                return Ok(());
            }
            // Each send completes, and the kernel keeps at some cost what it has no room to put down.
            self.collect();
        }
    }

    /// Whether the kernel has something to take yet, or to put down.
    fn is_behind(&mut self) -> bool {
        let queue = self.queues.submission();
        !queue.is_empty() || queue.cq_overflow()
    }

    /// Takes what the kernel has put down.
    fn collect(&mut self) {
        let mut queue = self.queues.completion();
        let from = self.happened.len();
        self.happened.reserve(queue.len());
        let room = std::ptr::from_mut(self.happened.spare_capacity_mut());
        // SAFETY: a `Completion` is nothing but an entry, `repr(transparent)`.
        let room = unsafe { &mut *(room as *mut [MaybeUninit<cqueue::Entry>]) };
        let taken = queue.fill(room).len();
        drop(queue);
        // SAFETY: so many were written to the spare capacity, beginning with its first.
        unsafe { self.happened.set_len(from + taken) };
        // As a rule, the sends of this turn come first, all in a row.
        let others = from + Completion::whole_sends_before_others(&self.happened[from..]);
        if Completion::are_of_many(&self.happened[others..]) {
            self.happened.drain(from..others);
        } else {
            self.sort_out(from);
        }
    }

    /// Takes out what is not for those who ask what has happened.
    fn sort_out(&mut self, from: usize) {
        let Self {
            happened,
            in_flight,
            unsent,
            arrivals,
            ..
        } = self;
        let sorted = happened.split_off(from).into_iter().filter(|completion| {
            if completion.is_whole_send() {
                return false;
            }
            if completion.tag() == SEND {
                unsent.push(Unsent {
                    key: completion.key(),
                    result: completion.result(),
                });
                return false;
            }
            if completion.tag() == CANCEL {
                return false;
            }
            if !completion.has_more() {
                *in_flight -= 1;
            }
            match completion.result() {
                Ok(accepted) if completion.tag() == ACCEPT => {
                    // SAFETY: the kernel has just opened it for us, and tells so once.
                    let accepted = unsafe { OwnedFd::from_raw_fd(accepted as i32) };
                    arrivals.push_back(accepted);
                    !completion.has_more()
                }
                _ => true,
            }
        });
        happened.extend(sorted);
    }
}

impl Drop for Ring {
    /// Waits for the end of everything that is in flight: the kernel may write into the inputs until then.
    fn drop(&mut self) {
        // What was asked for and never submitted completes never.
        let asked = self.asked.iter().map(squeue::Entry::get_user_data);
        self.in_flight -= asked.filter(|&data| tag(data) != CANCEL).count();
        if self.in_flight > 0 && !self.broken {
            let everything = CancelBuilder::any();
            let cancelled = self
                .queues
                .submitter()
                .register_sync_cancel(None, everything);
            // What is not there any more has completed.
            self.broken =
                cancelled.is_err_and(|error| Errno::from_io_error(&error) != Some(Errno::NOENT));
        }
        while self.in_flight > 0 && !self.broken {
            self.broken = enter(&self.queues, Until::Happened(None)).is_err();
            self.collect();
        }
        // SAFETY: it is not used again.
        unsafe { ManuallyDrop::drop(&mut self.queues) };
        if self.in_flight > 0 {
            tracing::error!("a ring could not be emptied; its buffers are never used again");
            return;
        }
        // SAFETY: nor are these, by us or by the kernel.
        unsafe { ManuallyDrop::drop(&mut self.inputs) };
    }
}
