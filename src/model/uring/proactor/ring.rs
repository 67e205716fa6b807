//! [`Ring`]: io_uring(7), as far as a server needs it. What is asked for is collected, and goes to the kernel with
//! everything that is to be sent in one system call, which also brings what has happened.
//!
//! | operation | asked for | completes |
//! |---|---|---|
//! | accept, receive | once | again and again, until told otherwise, the last time without `more` |
//! | watch | once | once |
//! | cancel | once | what it cancels completes; by itself, it says nothing |
//! | send | gathered in [`Outgoing`] | only where not everything was sent |
//!
//! A send may not block (`MSG_DONTWAIT`), so the kernel does not keep it: when the call that submitted it is back, it is
//! over. That is why it may have its bytes from a buffer that is filled anew each turn. `MSG_WAITALL` makes the kernel
//! tell a send that was cut short from one that went out, and only the former completes.
#![allow(unsafe_code)]

use super::inputs::{GROUP, Input, Inputs};
use super::outgoing::{Outgoing, Parcel};
use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::SendFlags;
use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Submitted at one call.
const SUBMISSIONS: u32 = 512;

/// Completions that the kernel can put down before we take any. It keeps what exceeds that, at a price.
const COMPLETIONS: u32 = 2048;

/// `SOCK_CLOEXEC`, which accept takes with this number.
const CLOSE_ON_EXEC: i32 = rustix::net::SocketFlags::CLOEXEC.bits() as i32;

/// What an operation is for. It comes back with its completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// A client waits at the listener.
    Accept,
    /// Something came from the client of this key.
    Receive(u32),
    /// The client of this key has room again.
    Writable(u32),
    /// The descriptor of this name is readable.
    Readable(u32),
}

const ACCEPT: u64 = 0;
const RECEIVE: u64 = 1;
const WRITABLE: u64 = 2;
const READABLE: u64 = 3;
const SEND: u64 = 4;
const CANCEL: u64 = 5;

impl Op {
    fn data(self) -> u64 {
        match self {
            Self::Accept => ACCEPT,
            Self::Receive(key) => data(RECEIVE, key),
            Self::Writable(key) => data(WRITABLE, key),
            Self::Readable(name) => data(READABLE, name),
        }
    }
}

fn data(tag: u64, key: u32) -> u64 {
    u64::from(key) << 8 | tag
}

/// Something that has happened.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) op: Op,
    /// What the call would have returned. (An accepted client is among the [arrivals](Ring::next_arrival).)
    pub(super) result: Result<u32, Errno>,
    /// The operation goes on.
    pub(super) more: bool,
    /// Where it received what it received.
    pub(super) input: Option<Input>,
}

/// A send of which something is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unsent {
    /// Its place in [`Outgoing`].
    pub(super) parcel: u32,
    pub(super) result: Result<u32, Errno>,
}

/// How long an [`Ring::enter`] waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Everything is submitted. What has happened meanwhile may be told later.
    Submitted,
    /// What has happened already is told.
    Polled,
    /// Something has happened, or the time is over (`None`: for ever), or a signal came.
    Happened(Option<Duration>),
}

pub(super) struct Ring {
    ring: ManuallyDrop<IoUring>,
    inputs: ManuallyDrop<Inputs>,
    asked: Vec<squeue::Entry>,
    /// Operations that are to complete once more, at least.
    in_flight: usize,
    /// What has happened, as the kernel put it, and how much of that was told.
    happened: Vec<cqueue::Entry>,
    told: usize,
    unsent: Vec<Unsent>,
    /// Clients that the kernel accepted.
    arrivals: VecDeque<OwnedFd>,
    /// The kernel did not take what it was to take.
    broken: bool,
}

impl Ring {
    /// A ring for the thread that calls this, and for no other.
    ///
    /// # Errors
    /// What the kernel says: see [`needs`](super::needs) for what that means.
    pub(super) fn new() -> io::Result<Self> {
        let ring = setup(SUBMISSIONS, COMPLETIONS)?;
        let inputs = Inputs::new();
        // SAFETY: a `Ring` is dropped only after the last of its receives has completed, and its inputs after it.
        unsafe { inputs.register(&ring) }?;
        Ok(Self {
            ring: ManuallyDrop::new(ring),
            inputs: ManuallyDrop::new(inputs),
            asked: Vec::new(),
            in_flight: 0,
            happened: Vec::new(),
            told: 0,
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
        self.watch(stream, PollFlags::OUT, Op::Writable(key));
    }

    /// Tells when a descriptor is readable.
    pub(super) fn watch_readable(&mut self, name: u32, fd: BorrowedFd<'_>) {
        self.watch(fd, PollFlags::IN, Op::Readable(name));
    }

    fn watch(&mut self, fd: BorrowedFd<'_>, what: PollFlags, op: Op) {
        let poll = opcode::PollAdd::new(Fd(fd.as_raw_fd()), u32::from(what.bits()));
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

    /// What has happened, one by one.
    #[inline]
    pub(super) fn next_event(&mut self) -> Option<Event> {
        let Some(completion) = self.happened.get(self.told) else {
            self.happened.clear();
            self.told = 0;
            return None;
        };
        self.told += 1;
        let (data, flags) = (completion.user_data(), completion.flags());
        let key = (data >> 8) as u32;
        let result = result(completion);
        Some(Event {
            op: match data & 0xff {
                RECEIVE => Op::Receive(key),
                WRITABLE => Op::Writable(key),
                READABLE => Op::Readable(key),
                _ => Op::Accept,
            },
            result,
            more: cqueue::more(flags),
            input: cqueue::buffer_select(flags)
                .map(|id| Input::of_completion(id, result.unwrap_or(0))),
        })
    }

    /// The next client that the kernel has accepted.
    pub(super) fn next_arrival(&mut self) -> Option<OwnedFd> {
        self.arrivals.pop_front()
    }

    /// Whether there is one.
    pub(super) fn has_arrivals(&self) -> bool {
        !self.arrivals.is_empty()
    }

    /// Those of the last parcels that were not sent, or not in full. To be taken before anything more is gathered.
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

    /// Whether more has happened than what was told.
    pub(super) fn has_more(&mut self) -> bool {
        self.ring.submission().taskrun()
    }

    /// Submits what was asked for and what is `outgoing`, and waits.
    ///
    /// # Errors
    /// When the kernel does not take it; the ring is then of no use any more.
    pub(super) fn enter(&mut self, outgoing: &Outgoing, until: Until) -> io::Result<()> {
        self.inputs.publish();
        let entered = self.submit(outgoing, until);
        self.asked.clear();
        self.broken |= entered.is_err();
        self.collect();
        entered
    }

    fn submit(&mut self, outgoing: &Outgoing, until: Until) -> io::Result<()> {
        let mut sends = outgoing.parcels();
        let asked = std::mem::take(&mut self.asked);
        let mut asked = asked.into_iter();
        loop {
            let mut queue = self.ring.submission();
            let mut everything = false;
            while !queue.is_full() {
                let entry = match sends.next() {
                    Some((index, parcel)) => send(outgoing, index, parcel),
                    None => match asked.next() {
                        Some(entry) => entry,
                        None => {
                            everything = true;
                            break;
                        }
                    },
                };
                // SAFETY: receives use the registered inputs; sends are over before this function returns, for as
                // long `outgoing` is borrowed. The others have no memory but their descriptor.
                let pushed = unsafe { queue.push(&entry) };
                debug_assert!(pushed.is_ok(), "there was room");
            }
            drop(queue);
            let until = if everything { until } else { Until::Submitted };
            enter(&self.ring, until)?;
            // The kernel may have taken a part only, when it was short of memory or interrupted.
            while !self.ring.submission().is_empty() {
                self.collect();
                enter(&self.ring, Until::Polled)?;
            }
            if everything {
                return Ok(());
            }
        }
    }

    /// Takes what the kernel has put down.
    fn collect(&mut self) {
        for completion in self.ring.completion() {
            let data = completion.user_data();
            let more = cqueue::more(completion.flags());
            match data & 0xff {
                SEND => {
                    self.unsent.push(Unsent {
                        parcel: (data >> 8) as u32,
                        result: result(&completion),
                    });
                    continue;
                }
                CANCEL => continue,
                _ if !more => self.in_flight -= 1,
                _ => {}
            }
            if data & 0xff == ACCEPT && completion.result() >= 0 {
                // SAFETY: the kernel has just opened it for us, and tells so once.
                let accepted = unsafe { OwnedFd::from_raw_fd(completion.result()) };
                self.arrivals.push_back(accepted);
                if more {
                    continue;
                }
            }
            self.happened.push(completion);
        }
    }
}

#[inline]
fn result(completion: &cqueue::Entry) -> Result<u32, Errno> {
    u32::try_from(completion.result()).map_err(|_| Errno::from_raw_os_error(-completion.result()))
}

impl Drop for Ring {
    /// Waits for the end of everything that is in flight: the kernel may write into the inputs until then.
    fn drop(&mut self) {
        let cancelled = self
            .ring
            .submitter()
            .register_sync_cancel(None, CancelBuilder::any());
        if let Err(error) = cancelled
            && Errno::from_io_error(&error) != Some(Errno::NOENT)
        {
            self.broken = true;
        }
        while self.in_flight > 0 && !self.broken {
            let entered = enter(&self.ring, Until::Happened(None));
            self.broken |= entered.is_err();
            self.collect();
        }
        // SAFETY: neither is used again.
        unsafe { ManuallyDrop::drop(&mut self.ring) };
        if self.broken {
            // The kernel may still have them.
            tracing::error!("a ring could not be emptied; its buffers are never used again");
            return;
        }
        // SAFETY: nor are these.
        unsafe { ManuallyDrop::drop(&mut self.inputs) };
    }
}

/// A ring as ours are: one thread submits, and completions are put down only while that thread waits for them.
pub(super) fn setup(submissions: u32, completions: u32) -> io::Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_coop_taskrun()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_cqsize(completions)
        .build(submissions)
}

#[inline]
fn send(outgoing: &Outgoing, index: u32, parcel: &Parcel) -> squeue::Entry {
    const FLAGS: SendFlags = SendFlags::DONTWAIT
        .union(SendFlags::NOSIGNAL)
        .union(WAITALL);
    /// `MSG_WAITALL`, which rustix has for receiving only.
    const WAITALL: SendFlags = SendFlags::from_bits_retain(rustix::net::RecvFlags::WAITALL.bits());
    let bytes = outgoing.bytes(parcel);
    opcode::Send::new(Fd(parcel.fd), bytes.as_ptr(), bytes.len() as u32)
        .flags(FLAGS.bits() as i32)
        .build()
        .flags(squeue::Flags::SKIP_SUCCESS)
        .user_data(data(SEND, index))
}

/// io_uring_enter(2), once.
fn enter(ring: &IoUring, until: Until) -> io::Result<()> {
    let submitter = ring.submitter();
    // SAFETY: nobody has the submission queue at the moment: whoever fills it drops it before.
    let queued = unsafe { ring.submission_shared() }.len() as u32;
    let (least, flags) = match until {
        Until::Submitted => (0, EnterFlags::empty()),
        Until::Polled => (0, EnterFlags::GETEVENTS),
        Until::Happened(None) => (1, EnterFlags::GETEVENTS),
        Until::Happened(Some(_)) => (1, EnterFlags::GETEVENTS | EnterFlags::EXT_ARG),
    };
    let entered = if let Until::Happened(Some(timeout)) = until {
        let timeout = Timespec::from(timeout);
        let args = SubmitArgs::new().timespec(&timeout);
        // SAFETY: the argument is what EXT_ARG says it is, and outlives the call.
        unsafe { submitter.enter(queued, least, flags.bits(), Some(&args)) }
    } else {
        // SAFETY: there is no argument.
        unsafe { submitter.enter::<()>(queued, least, flags.bits(), None) }
    };
    match entered {
        Ok(_) => Ok(()),
        Err(error) => match Errno::from_io_error(&error) {
            // Interrupted; the time is over; short of memory for now, or of room for completions.
            Some(Errno::INTR | Errno::TIME | Errno::AGAIN | Errno::BUSY) => Ok(()),
            _ => Err(error),
        },
    }
}
