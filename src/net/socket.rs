//! The calls on a connected socket, each with the flags this crate wants.
//!
//! Sockets stay in blocking mode; a call that must not block says so itself (`MSG_DONTWAIT`). So one
//! descriptor serves a thread that waits in `recv` and, at the same time, others that post to it. No call
//! raises SIGPIPE, and all of them go on after EINTR. The two calls of every message take the descriptor by
//! value: it stays in a register, where a reference to the socket would be one more line of memory to fetch.

use crate::poller::timespec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown as Half, recv, sendmsg, shutdown,
};
use socket2::SockRef;
use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Whether a call may block its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// As long as it takes, or as the socket's time-out says.
    Block,
    /// Not at all: `WouldBlock` instead.
    Never,
}

/// Reads what is there; `Ok(0)` is the end of the stream.
#[inline]
pub(crate) fn receive(stream: BorrowedFd<'_>, buffer: &mut [u8], wait: Wait) -> io::Result<usize> {
    let flags = match wait {
        Wait::Block => RecvFlags::empty(),
        Wait::Never => RecvFlags::DONTWAIT,
    };
    loop {
        match recv(stream, &mut *buffer, flags) {
            Ok((_, received)) => return Ok(received),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reads what is there, or comes before `patience` is used up; then, it is the end: `Ok(0)`. Each wait takes from the
/// patience.
pub(crate) fn receive_within(
    stream: BorrowedFd<'_>,
    buffer: &mut [u8],
    patience: &mut Duration,
) -> io::Result<usize> {
    loop {
        match receive(stream, buffer, Wait::Never) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        let began = Instant::now();
        let mut fds = [PollFd::from_borrowed_fd(stream, PollFlags::IN)];
        let ready = poll(&mut fds, timespec(Some(*patience)).as_ref());
        *patience = patience.saturating_sub(began.elapsed());
        match ready {
            Ok(0) => return Ok(0),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A client that is gone is an error of the call, and no signal to the process.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const QUIETLY: SendFlags = SendFlags::NOSIGNAL;
/// Here, the socket was told when it was [accepted](super::Listener::accept).
#[cfg(target_vendor = "apple")]
pub(crate) const QUIETLY: SendFlags = SendFlags::empty();

/// Writes from `slices`; says how many bytes the kernel took.
#[inline]
pub(crate) fn send(
    stream: BorrowedFd<'_>,
    slices: &[IoSlice<'_>],
    wait: Wait,
) -> io::Result<usize> {
    let flags = match wait {
        Wait::Block => QUIETLY,
        Wait::Never => QUIETLY.union(SendFlags::DONTWAIT),
    };
    loop {
        let sent = match slices {
            [one] => rustix::net::send(stream, one, flags),
            many => sendmsg(stream, many, &mut SendAncillaryBuffer::default(), flags),
        };
        match sent {
            Ok(sent) => return Ok(sent),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

pub(crate) use super::unacknowledged::unacknowledged;

/// Bytes that have arrived and were not read yet.
pub(crate) fn unread(stream: &TcpStream) -> u64 {
    rustix::io::ioctl_fionread(stream).unwrap_or(0)
}

/// Nothing has arrived that was not read, and everything that was written has reached the other side.
pub(crate) fn is_quiet(stream: &TcpStream) -> bool {
    unread(stream) == 0 && unacknowledged(stream.as_fd()) == 0
}

/// How often to look whether everything has reached the other side: no event tells.
pub(crate) const ACKNOWLEDGED_YET: Duration = Duration::from_millis(5);

/// Waits until everything that was written has reached the other side, until the connection breaks, or until
/// `give_up`, which is asked every few milliseconds. Says whether everything has.
pub(crate) fn await_acknowledgement(stream: &TcpStream, give_up: impl Fn() -> bool) -> bool {
    loop {
        if unacknowledged(stream.as_fd()) == 0 {
            return true;
        }
        // Asked for nothing, poll tells hang-ups and errors.
        let mut fds = [PollFd::new(stream, PollFlags::empty())];
        let broken = poll(&mut fds, timespec(Some(ACKNOWLEDGED_YET)).as_ref());
        if give_up() || matches!(broken, Ok(1..)) {
            return false;
        }
    }
}

/// Reads what is there and throws it away, so that closing sends FIN and not RST. Within reason.
pub(crate) fn discard_unread(stream: &TcpStream, scrap: &mut [u8]) {
    for _ in 0..64 {
        if !matches!(receive(stream.as_fd(), scrap, Wait::Never), Ok(n) if n > 0) {
            return;
        }
    }
}

/// Ends reading: what has arrived can still be read, then comes the end of the stream. A thread that is
/// blocked in `recv` wakes. The receive window is never opened again, so what did not fit it is lost.
pub(crate) fn end_reading(stream: &TcpStream) {
    half(stream, Half::Read);
}

/// Sends FIN after what was written.
pub(crate) fn end_writing(stream: &TcpStream) {
    half(stream, Half::Write);
}

/// Ends both directions: whoever is blocked on this socket wakes.
pub(crate) fn hang_up(stream: &TcpStream) {
    half(stream, Half::Both);
}

/// Makes closing it an RST that waits for nothing and leaves nothing behind: no `TIME_WAIT`, and what was not read or not
/// acknowledged is gone.
pub(crate) fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

fn half(stream: &TcpStream, how: Half) {
    match shutdown(stream.as_fd(), how) {
        // The client was faster.
        Ok(()) | Err(Errno::NOTCONN) => {}
        Err(error) => tracing::debug!(%error, ?how, "shutdown of a socket failed"),
    }
}

/// Like a [`send`] that blocks, but no longer than `patience` for the client to make room: then `WouldBlock`.
///
/// `SO_SNDTIMEO` would not do: a call that had sent a part before its time was over reports the part, and
/// the wait begins anew.
pub(crate) fn send_within(
    stream: BorrowedFd<'_>,
    slices: &[IoSlice<'_>],
    patience: Duration,
) -> io::Result<usize> {
    let mut waiting = unacknowledged(stream);
    loop {
        let mut fds = [PollFd::from_borrowed_fd(stream, PollFlags::OUT)];
        match poll(&mut fds, timespec(Some(patience)).as_ref()) {
            Ok(0) => {
                // Writable is only what has room for a third of its buffer. Who reads slowly reads.
                let still = unacknowledged(stream);
                if still >= waiting {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                waiting = still;
            }
            Ok(_) => return send(stream, slices, Wait::Never),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// How long a connection that we ended is read on, at most. Closing a socket that still has unread input
/// sends RST, and an RST overtakes the last words that explain why.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// Reads and throws away until the client ends its side, or until [`LINGER`] is over.
pub(crate) fn linger(stream: &TcpStream) {
    let mut scrap = [0; 4096];
    end_writing(stream);
    let deadline = Instant::now() + LINGER;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match receive(stream.as_fd(), &mut scrap, Wait::Block) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// Tells a client in one sentence why it is not served, and ends the connection. Never blocks: the sentence
/// fits the empty send buffer of a new socket, and input that is already there is read first, so that
/// closing does not turn into an RST that overtakes the sentence.
pub(crate) fn refuse(stream: &TcpStream, sentence: &str) {
    let mut scrap = [0; 4096];
    let line = format!("error: {sentence}\n");
    // A client that is already gone cannot be told.
    let _ = send(
        stream.as_fd(),
        &[IoSlice::new(line.as_bytes())],
        Wait::Never,
    );
    end_writing(stream);
    discard_unread(stream, &mut scrap);
}
