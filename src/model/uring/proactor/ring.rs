//! [`Ring`]: `io_uring(7)`, as far as a server needs it. What is asked for is collected, and goes to the kernel with
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
//! tell a send that was cut short from one that went out, and only the former completes. When more complete than the
//! kernel has room to put down, it is asked for the rest before [`Ring::enter`] returns: a send that says nothing by then
//! has gone out.
#![allow(unsafe_code)]

use super::inputs::{GROUP, Input, Inputs};
use super::outgoing::Outgoing;
use super::send::Send;
use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};
use rustix::event::PollFlags;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Submitted at one call.
const SUBMISSIONS: u32 = 512;

/// Completions that the kernel can put down before we take any. It keeps what exceeds that until it is asked again.
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

const RECEIVE: u64 = 0;
const ACCEPT: u64 = 1;
const WRITABLE: u64 = 2;
const READABLE: u64 = 3;
pub(super) const SEND: u64 = 4;
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

/// The user data of an operation.
#[inline]
pub(super) fn data(tag: u64, key: u32) -> u64 {
    u64::from(key) << 32 | tag
}

/// What kind of operation has this user data.
#[inline]
fn tag(data: u64) -> u64 {
    data & 0xff
}

/// Something that has happened.
#[repr(transparent)]
pub(super) struct Completion(cqueue::Entry);

impl Completion {
    /// One of the receives that go on, as nearly all are.
    #[inline]
    fn is_of_many(&self) -> bool {
        self.tag() == RECEIVE && self.has_more()
    }

    /// What was asked for.
    #[inline]
    pub(super) fn op(&self) -> Op {
        let key = self.key();
        match self.tag() {
            RECEIVE => Op::Receive(key),
            WRITABLE => Op::Writable(key),
            READABLE => Op::Readable(key),
            _ => Op::Accept,
        }
    }

    #[inline]
    fn tag(&self) -> u64 {
        tag(self.0.user_data())
    }

    #[inline]
    fn key(&self) -> u32 {
        (self.0.user_data() >> 32) as u32
    }

    /// What the call would have returned.
    #[inline]
    pub(super) fn result(&self) -> Result<u32, Errno> {
        let result = self.0.result();
        u32::try_from(result).map_err(|_| Errno::from_raw_os_error(-result))
    }

    /// The operation goes on.
    #[inline]
    pub(super) fn has_more(&self) -> bool {
        cqueue::more(self.0.flags())
    }

    /// Where it received what it received. Empty at the end of input, and when there was an error.
    #[inline]
    pub(super) fn into_input(self) -> Option<Input> {
        let id = cqueue::buffer_select(self.0.flags())?;
        Some(Input::of_completion(
            id,
            u32::try_from(self.0.result()).unwrap_or(0),
        ))
    }
}

/// A send of which something is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unsent {
    pub(super) key: u32,
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

    /// Whether more has happened than what was told.
    pub(super) fn has_more(&mut self) -> bool {
        self.queues.submission().taskrun()
    }

    /// Submits what was asked for and what is `outgoing`, and waits.
    ///
    /// # Errors
    /// When the kernel does not take it; the ring is then of no use any more.
    pub(super) fn enter(&mut self, outgoing: &Outgoing, until: Until) -> io::Result<()> {
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.inputs.publish();
        let entered = self.submit(outgoing, until);
        self.broken |= entered.is_err();
        self.collect();
        entered
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
            let until = if everything { until } else { Until::Submitted };
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
        if !self.happened[from..].iter().all(Completion::is_of_many) {
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

/// Queues as ours are: the thread that calls this submits, and completions are put down only while it waits for them.
///
/// # Errors
/// What the kernel says: see [`needs`](super::needs) for what that means.
pub(super) fn setup() -> io::Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_coop_taskrun()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_cqsize(COMPLETIONS)
        .build(SUBMISSIONS)
}

/// `io_uring_enter(2)`, once.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::uring::proactor::needs;
    use crate::model::uring::proactor::outgoing::Gathered;
    use std::io::{IoSlice, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::sync::mpsc;
    use std::{process, thread};

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A ring, and both ends of a connection; `None`, with a word about it, where there are no rings.
    fn ring() -> Option<(Ring, TcpStream, TcpStream)> {
        let ring = match needs::ring() {
            Ok(ring) => ring,
            Err(refused) => {
                eprintln!("skipped: {refused}");
                return None;
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let (server, _) = listener.accept().unwrap();
        Some((ring, server, client))
    }

    fn happened(ring: &mut Ring) -> Completion {
        while !ring.has_completions() {
            let nothing = Outgoing::new();
            ring.enter(&nothing, Until::Happened(Some(PATIENCE)))
                .unwrap();
        }
        let mut completions = ring.take_completions();
        let first = completions.remove(0);
        ring.happened.splice(0..0, completions);
        first
    }

    #[test]
    fn a_send_that_goes_out_says_nothing_and_is_over_when_it_was_submitted() {
        let Some((mut ring, server, mut client)) = ring() else {
            return;
        };
        let mut outgoing = Outgoing::new();
        for word in ["first", "again"] {
            let mut gathered = Gathered::default();
            let slices = [IoSlice::new(word.as_bytes())];
            outgoing.gather(&mut gathered, 7, server.as_fd(), &slices);
            ring.enter(&outgoing, Until::Submitted).unwrap();
            assert!(ring.take_unsent().is_empty() && !ring.has_completions());
            // The kernel has no use for the bytes any more: they may be overwritten.
            outgoing.begin_anew();
        }
        let mut heard = [0; 10];
        client.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"firstagain");
    }

    #[test]
    fn a_send_that_finds_no_room_says_how_far_it_came_before_anything_else_is_told() {
        let Some((mut ring, server, mut client)) = ring() else {
            return;
        };
        let mut outgoing = Outgoing::new();
        let chunk = vec![b'x'; 60_000];
        let mut sent = 0;
        let refused = loop {
            let mut gathered = Gathered::default();
            outgoing.gather(&mut gathered, 7, server.as_fd(), &[IoSlice::new(&chunk)]);
            ring.enter(&outgoing, Until::Submitted).unwrap();
            outgoing.begin_anew();
            match ring.take_unsent()[..] {
                [] => sent += chunk.len(),
                [unsent] => break unsent,
                _ => panic!("one was submitted"),
            }
        };
        assert_eq!(refused.key, 7);
        match refused.result {
            Ok(part) => {
                assert!((part as usize) < chunk.len());
                sent += part as usize;
            }
            Err(errno) => assert_eq!(errno, Errno::AGAIN),
        }
        drop(server);
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).unwrap();
        assert_eq!(heard.len(), sent, "what was told is what arrives");
    }

    #[test]
    fn a_receive_goes_on_until_it_is_cancelled_or_the_buffers_are_used_up() {
        let Some((mut ring, server, mut client)) = ring() else {
            return;
        };
        ring.receive(7, server.as_fd());
        for word in [b"first", b"again"] {
            client.write_all(word).unwrap();
            let completion = happened(&mut ring);
            assert_eq!(completion.op(), Op::Receive(7));
            assert!(completion.has_more());
            let input = completion.into_input().unwrap();
            assert_eq!(ring.bytes(&input), word);
            ring.give_back(input);
        }
        ring.cancel(Op::Receive(7));
        let last = happened(&mut ring);
        assert_eq!(last.result(), Err(Errno::CANCELED));
        assert!(!last.has_more() && ring.in_flight == 0);

        ring.receive(7, server.as_fd());
        let mut inputs = Vec::new();
        let errno = loop {
            client.write_all(b"x").unwrap();
            let completion = happened(&mut ring);
            match completion.result() {
                Ok(count) => {
                    assert_eq!(count, 1);
                    inputs.push(completion.into_input().unwrap());
                }
                Err(errno) => break errno,
            }
        };
        assert_eq!(errno, Errno::NOBUFS);
        assert!(inputs.len() >= 512, "all of them were given back before");
        // With one given back it goes on, and finds what it had no buffer for.
        let buffer = inputs.pop().unwrap();
        ring.give_back(buffer);
        ring.receive(7, server.as_fd());
        let waited = happened(&mut ring);
        assert_eq!(ring.bytes(&waited.into_input().unwrap()), b"x");
    }

    #[test]
    fn more_than_the_queue_holds_is_submitted_in_turns() {
        let Some((mut ring, server, mut client)) = ring() else {
            return;
        };
        let mut outgoing = Outgoing::new();
        let count = SUBMISSIONS * 2 + 3;
        for n in 0..count {
            // Each as if it were another client's.
            let number = n.to_be_bytes();
            let word = [IoSlice::new(&number), IoSlice::new(b"")];
            outgoing.gather(&mut Gathered::default(), n, server.as_fd(), &word);
        }
        ring.receive(7, server.as_fd());
        ring.enter(&outgoing, Until::Submitted).unwrap();
        for n in 0..count {
            let mut word = [0; 4];
            client.read_exact(&mut word).unwrap();
            assert_eq!(u32::from_be_bytes(word), n);
        }
        client.write_all(b"after all of them").unwrap();
        assert_eq!(happened(&mut ring).op(), Op::Receive(7));
    }

    #[test]
    fn a_ring_that_is_dropped_lets_go_of_everything() {
        let Some((mut ring, server, mut client)) = ring() else {
            return;
        };
        ring.receive(7, server.as_fd());
        ring.watch_readable(8, server.as_fd());
        ring.enter(&Outgoing::new(), Until::Submitted).unwrap();
        drop(server);
        drop(ring);
        // The socket was closed with the last that had it.
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_ring_does_not_wait_for_what_was_asked_for_and_never_submitted() {
        let Some((mut ring, server, _client)) = ring() else {
            return;
        };
        ring.receive(7, server.as_fd());
        ring.enter(&Outgoing::new(), Until::Submitted).unwrap();
        ring.watch_readable(8, server.as_fd());
        ring.cancel(Op::Receive(7));
        assert_eq!(ring.in_flight, 2);
        // No other thread can drop it, so another looks whether this one is done.
        let (done, dropped) = mpsc::channel();
        let watch = thread::spawn(move || {
            if dropped.recv_timeout(PATIENCE).is_err() {
                eprintln!("the ring waits for what the kernel does not know of");
                process::abort();
            }
        });
        drop(ring);
        done.send(()).unwrap();
        watch.join().unwrap();
    }

    #[test]
    fn however_many_sends_find_no_room_each_is_told_of_before_anything_is_gathered() {
        let Some((mut ring, server, _client)) = ring() else {
            return;
        };
        let mut outgoing = Outgoing::new();
        let chunk = [IoSlice::new(&[b'x'; 60_000])];
        let mut full = false;
        while !full {
            outgoing.gather(&mut Gathered::default(), 7, server.as_fd(), &chunk);
            ring.enter(&outgoing, Until::Submitted).unwrap();
            outgoing.begin_anew();
            let unsent = ring.take_unsent();
            full = unsent.iter().any(|unsent| unsent.result.is_err());
        }
        let count = COMPLETIONS + SUBMISSIONS;
        for key in 0..count {
            // Each as if it were another client's.
            let word = [IoSlice::new(b"no room")];
            outgoing.gather(&mut Gathered::default(), key, server.as_fd(), &word);
        }
        ring.enter(&outgoing, Until::Submitted).unwrap();
        let told: Vec<u32> = ring.take_unsent().iter().map(|one| one.key).collect();
        assert_eq!(told, Vec::from_iter(0..count));
    }

    #[test]
    fn a_ring_that_failed_is_not_entered_again() {
        let Some((mut ring, server, _client)) = ring() else {
            return;
        };
        ring.watch_writable(7, server.as_fd());
        ring.broken = true;
        let refused = ring.enter(&Outgoing::new(), Until::Polled);
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(!ring.has_completions());
    }
}
