//! [`Ring`]: `io_uring(7)`, as far as a server needs it. What is asked for is collected, and goes to the kernel with
//! everything that is to be sent in one system call, which also brings what has happened.
//!
//! | operation | asked for | completes |
//! |---|---|---|
//! | accept, receive | once | again and again, until told otherwise, the last time without `more` |
//! | watch | once | once |
//! | cancel | once | what it cancels completes; by itself, it says nothing |
//! | register | once | once |
//! | unregister | once | only if it fails, which is logged |
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
mod completions;
pub(super) mod files;
#[cfg(test)]
mod tests;

pub(super) use call::{Until, setup};

use super::inputs::{GROUP, Input, Inputs};
use super::op::{CANCEL, Completion, Op, UNREGISTER, Unsent, data, tag};
use super::outgoing::Outgoing;
use super::send::Send;
use call::enter;
use files::Files;
use io_uring::types::{CancelBuilder, Fd};
use io_uring::{IoUring, opcode, squeue};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `SOCK_CLOEXEC`, which accept takes with this number.
const CLOSE_ON_EXEC: i32 = rustix::net::SocketFlags::CLOEXEC.bits() as i32;

pub(super) struct Ring {
    queues: ManuallyDrop<IoUring>,
    inputs: ManuallyDrop<Inputs>,
    files: ManuallyDrop<Option<Files>>,
    asked: Vec<squeue::Entry>,
    /// Operations that were asked for and are to complete once more, at least.
    in_flight: usize,
    /// What has happened, taken from the queue and not told yet. See [`completions`].
    aside: VecDeque<Completion>,
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
    /// What the kernel says when it is asked for memory for the buffers, or told of them: see [`needs`](super::needs) for what that means.
    pub(super) fn over(queues: IoUring) -> io::Result<Self> {
        let inputs = Inputs::new()?;
        // SAFETY: a `Ring` is dropped only after the last of its receives has completed, and its inputs after it.
        unsafe { inputs.register(&queues) }?;
        let files = Files::of(&queues);
        Ok(Self {
            queues: ManuallyDrop::new(queues),
            inputs: ManuallyDrop::new(inputs),
            files: ManuallyDrop::new(files),
            asked: Vec::new(),
            in_flight: 0,
            aside: VecDeque::new(),
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
        self.ask_hushed(cancel, data(CANCEL, 0));
    }

    fn ask_hushed(&mut self, entry: squeue::Entry, data: u64) {
        let entry = entry.flags(squeue::Flags::SKIP_SUCCESS);
        self.asked.push(entry.user_data(data));
    }

    /// A client was accepted.
    fn arrived(&mut self, socket: u32) {
        // SAFETY: the kernel has just opened it for us, and tells so once.
        let accepted = unsafe { OwnedFd::from_raw_fd(socket as i32) };
        self.arrivals.push_back(accepted);
    }

    /// The next client that the kernel has accepted.
    pub(super) fn next_arrival(&mut self) -> Option<OwnedFd> {
        self.arrivals.pop_front()
    }

    /// Whether there is one.
    pub(super) fn has_arrivals(&self) -> bool {
        !self.arrivals.is_empty()
    }

    /// Whether there are [unsent](Self::take_unsent).
    #[inline]
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
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
    #[inline(always)]
    #[allow(clippy::inline_always)] // Once per turn, which may be of one message.
    pub(super) fn enter(&mut self, outgoing: &mut Outgoing, until: Until) -> io::Result<()> {
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.inputs.publish();
        let waits = matches!(until, Until::Happened(_)) && !outgoing.sends().is_empty();
        let hushed = waits && outgoing.hush_one_alone();
        let mut entered = self.submit(outgoing, until);
        if waits && !hushed && entered.is_ok() && self.has_nothing_to_tell() {
            entered = self.enter_again(until);
        }
        self.broken |= entered.is_err();
        entered
    }

    #[cold]
    fn enter_again(&mut self, until: Until) -> io::Result<()> {
        enter(&self.queues, until)
    }

    fn has_nothing_to_tell(&mut self) -> bool {
        !self.has_completions() && self.arrivals.is_empty() && self.unsent.is_empty()
    }

    fn submit(&mut self, outgoing: &Outgoing, mut until: Until) -> io::Result<()> {
        // What is to be cancelled must not fill more buffers while sends take several batches.
        if !self.asked.is_empty() {
            until = self.queue_asked(until)?;
        }
        let mut sends = Send::entries(outgoing.sends());
        loop {
            // SAFETY: they have the memory of `outgoing`, which is borrowed until this function returns. If it returns
            // well, they are over. If not, some may be in the queue still, and the kernel never looks at them: the ring
            // is `broken` then, and nobody enters it any more.
            let later = unsafe { self.queue(sends) };
            if later.is_empty() {
                self.submit_queue(until)?;
                self.take_sends(sends.len());
                return Ok(());
            }
            until = self.submit_batch(until)?;
            sends = later;
        }
    }

    /// Puts what was asked for in the queue, and submits it where that is not long enough. Says until when to wait then.
    #[cold]
    fn queue_asked(&mut self, mut until: Until) -> io::Result<Until> {
        let asked = std::mem::take(&mut self.asked);
        let mut asked = asked.as_slice();
        loop {
            // SAFETY: receives use the inputs, and updates the files, which live for as long as this ring is entered; the
            // others have no memory but their descriptor.
            asked = unsafe { self.queue(asked) };
            if asked.is_empty() {
                return Ok(until);
            }
            until = self.submit_batch(until)?;
        }
    }

    /// Submits a full queue, which is not all that is to be submitted. Says until when to wait then.
    #[cold]
    fn submit_batch(&mut self, until: Until) -> io::Result<Until> {
        self.submit_queue(Until::Submitted)?;
        self.set_aside();
        Ok(match until {
            // Nobody waits while there is something from an earlier batch.
            Until::Happened(_) if !self.has_nothing_to_tell() => Until::Polled,
            until => until,
        })
    }

    /// Puts entries in the queue, and returns those for which there is no room.
    ///
    /// # Safety
    /// As for [`SubmissionQueue::push`](squeue::SubmissionQueue::push): what they point to is good until they are over.
    unsafe fn queue<'e>(&mut self, entries: &'e [squeue::Entry]) -> &'e [squeue::Entry] {
        let mut queue = self.queues.submission();
        let room = queue.capacity() - queue.len();
        let (now, later) = entries.split_at(room.min(entries.len()));
        // SAFETY: says the caller.
        let pushed = unsafe { queue.push_multiple(now) };
        debug_assert!(pushed.is_ok(), "there is room");
        later
    }

    /// Has the kernel take the whole queue.
    #[inline(always)]
    #[allow(clippy::inline_always)] // As above.
    fn submit_queue(&mut self, until: Until) -> io::Result<()> {
        enter(&self.queues, until)?;
        while self.is_behind() {
            self.catch_up()?;
        }
        Ok(())
    }

    /// The kernel may have taken a part only, when it was short of memory or interrupted. And what there was no room to put
    /// down may be a send that was refused.
    #[cold]
    fn catch_up(&mut self) -> io::Result<()> {
        self.set_aside();
        self.enter_again(Until::Polled)
    }

    /// Whether the kernel has something to take yet, or to put down.
    fn is_behind(&mut self) -> bool {
        let queue = self.queues.submission();
        !queue.is_empty() || queue.cq_overflow()
    }
}

impl Drop for Ring {
    /// Waits for the end of everything that is in flight: the kernel may write into the inputs until then.
    fn drop(&mut self) {
        // What was asked for and never submitted completes never.
        let asked = self.asked.iter().map(squeue::Entry::get_user_data);
        self.in_flight -= asked
            .filter(|&data| !matches!(tag(data), CANCEL | UNREGISTER))
            .count();
        self.forget();
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
            self.broken = self.enter_again(Until::Happened(None)).is_err();
            self.forget();
        }
        self.close_files();
        // SAFETY: it is not used again.
        unsafe { ManuallyDrop::drop(&mut self.queues) };
        if self.in_flight > 0 {
            tracing::error!("a ring could not be emptied; its buffers are never used again");
            return;
        }
        // SAFETY: nor are these, by us or by the kernel.
        unsafe {
            ManuallyDrop::drop(&mut self.inputs);
            ManuallyDrop::drop(&mut self.files);
        }
    }
}
