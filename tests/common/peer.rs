//! [`Peer`]: a client that is nothing but a socket. Every call is bounded in time, and says what it waited for
//! when it gives up.

use super::unacknowledged::unacknowledged;
use super::{PATIENCE, wait_until};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::Duration;

/// Read at one call.
const CHUNK: usize = 16 * 1024;

/// More than the kernel takes for a client that does not read: 4 MiB to send, and a receive buffer that only grows
/// for who reads.
pub(crate) const LONG_LINE: usize = 5_000_000;

pub(crate) struct Peer {
    stream: TcpStream,
    /// Received, and not handed out yet.
    ahead: Vec<u8>,
}

impl Peer {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE)
            .unwrap_or_else(|error| panic!("connecting to {addr}: {error}"));
        Self::of(stream)
    }

    /// Connects with buffers that stay small, so that what it does not read piles up at the server soon.
    pub(crate) fn hard_of_hearing(addr: SocketAddr) -> Self {
        const SMALL: usize = 64 * 1024;
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).unwrap();
        // Before it connects: the window is agreed on then.
        socket.set_recv_buffer_size(SMALL).unwrap();
        socket.set_send_buffer_size(SMALL).unwrap();
        socket
            .connect_timeout(&addr.into(), PATIENCE)
            .unwrap_or_else(|error| panic!("connecting to {addr}: {error}"));
        Self::of(socket.into())
    }

    pub(crate) fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            ahead: Vec::new(),
        }
    }

    /// Connects, and waits until the server serves: its answer to a line of one's own shows that.
    pub(crate) fn greeted(addr: SocketAddr, hello: &str) -> Self {
        let mut peer = Self::connect(addr);
        peer.send(format!("{hello}\n"));
        assert_eq!(peer.line(), hello);
        peer
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        if let Err(error) = self.stream.write_all(bytes.as_ref()) {
            panic!("sending to the server: {error}");
        }
    }

    /// [`send`](Self::send), to a server that may have hung up already.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        if let Err(error) = self.stream.write_all(bytes.as_ref()) {
            let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
            assert!(gone.contains(&error.kind()), "sending: {error}");
        }
    }

    /// The next line, without its newline.
    pub(crate) fn line(&mut self) -> String {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.ahead) {
                let line = self.take(end + 1);
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            assert!(
                self.receive("a line") > 0,
                "the server closed instead of sending a line; unfinished: {:?}",
                String::from_utf8_lossy(&self.ahead)
            );
        }
    }

    /// The next `count` bytes.
    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.ahead.len() < count {
            assert!(
                self.receive("more bytes") > 0,
                "the server closed after {} of {count} bytes",
                self.ahead.len()
            );
        }
        self.take(count)
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.ahead.split_off(count);
        std::mem::replace(&mut self.ahead, rest)
    }

    /// Everything until the server closes.
    pub(crate) fn rest(&mut self) -> String {
        while self.receive("the server's close") > 0 {}
        let rest = std::mem::take(&mut self.ahead);
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// Waits until the connection is over, whichever way it ends.
    pub(crate) fn cut_off(&mut self) {
        let mut scrap = [0; CHUNK];
        loop {
            match self.read(&mut scrap) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
                Err(error) => panic!("waiting to be cut off: {error}"),
            }
        }
    }

    fn receive(&mut self, what: &str) -> usize {
        let mut chunk = [0; CHUNK];
        match self.read(&mut chunk) {
            Ok(count) => {
                self.ahead.extend_from_slice(&chunk[..count]);
                count
            }
            Err(error) => panic!(
                "waiting for {what}: {error}; received so far: {:?}",
                String::from_utf8_lossy(&self.ahead)
            ),
        }
    }

    /// A signal that this process ignores ends a read all the same: it may have come while another thread, which
    /// was starting a child, had it blocked.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }

    /// Sends a line, and says whether it comes back; or else the server has closed.
    pub(crate) fn is_answered(&mut self, text: &str) -> bool {
        let line = format!("{text}\n");
        self.try_send(&line);
        while self.ahead.len() < line.len() {
            let mut chunk = [0; CHUNK];
            match self.read(&mut chunk) {
                Ok(0) => return false,
                Ok(count) => self.ahead.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return false,
                Err(error) => panic!("waiting for an answer or the end: {error}"),
            }
        }
        assert_eq!(self.take(line.len()), line.as_bytes());
        true
    }

    /// Sends a line, and waits for it to come back.
    pub(crate) fn round_trip(&mut self, text: &str) {
        self.send(format!("{text}\n"));
        assert_eq!(self.line(), text);
    }

    /// Whether the server says something, or closes, before so long has passed.
    pub(crate) fn hears_within(&self, time: Duration) -> bool {
        self.becomes(PollFlags::IN, time)
    }

    /// Listens for so long, and finds that the server says nothing.
    pub(crate) fn stays_silent(&mut self, time: Duration) {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let heard = self.read(&mut [0]);
        let silent = heard
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        assert!(silent, "{heard:?}");
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }

    /// Ends its own side; the server's stays open.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Leaves in order, and waits until the server has closed, too. It must have nothing left to say.
    pub(crate) fn leave(mut self) {
        self.finish();
        assert_eq!(self.rest(), "");
    }

    /// Leaves by RST.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    /// Sends `pieces` one write each, ends its side, and reads meanwhile; returns what came until the server
    /// closed.
    pub(crate) fn pour(&mut self, pieces: &[&[u8]]) -> Vec<u8> {
        let stream = self.stream.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                for piece in pieces {
                    (&stream).write_all(piece).unwrap();
                }
                stream.shutdown(Shutdown::Write).unwrap();
            });
            while self.receive("all that was poured") > 0 {}
        });
        std::mem::take(&mut self.ahead)
    }

    /// Another handle on the same connection, to write with while this one reads.
    pub(crate) fn second_hand(&self) -> Self {
        Self::of(self.stream.try_clone().unwrap())
    }

    /// Waits until the server's kernel has everything that was sent. What `send` took may still be under way.
    pub(crate) fn delivered(&self) {
        wait_until("the kernel's acknowledgement of what was sent", || {
            unacknowledged(self.stream.as_fd()) == 0
        });
    }

    /// Says a line to a chat that comes back as an answer larger than every buffer on the way, and takes only
    /// the beginning of that. `LONG_LINE` must fit the server's limit.
    pub(crate) fn leave_a_long_line_unread(&mut self) {
        self.send("x".repeat(LONG_LINE));
        self.send("\n");
        assert_eq!(self.exactly(1), b"x");
    }

    /// Writes `line` over and over and reads nothing, until every buffer on the way is full and the server
    /// takes no more. `meanwhile` runs whenever it seems to have come to that.
    pub(crate) fn flood(&mut self, line: &str, meanwhile: impl FnMut()) -> Flood {
        self.flood_on(line, 0, meanwhile)
    }

    /// A [`flood`](Self::flood) of a server that may be slow for longer than that takes to tell: until it `is_stuck`, and
    /// takes nothing more then.
    pub(crate) fn flood_until(&mut self, line: &str, is_stuck: impl Fn() -> bool) -> Flood {
        let mut flood = self.flood(line, || {});
        wait_until("the server is stuck", || {
            let (stuck, before) = (is_stuck(), flood.sent);
            flood = self.flood_on(line, before, || {});
            stuck && flood.sent == before
        });
        flood
    }

    /// A [`flood`](Self::flood) that goes on, where `sent` bytes have been sent already.
    pub(crate) fn flood_on(
        &mut self,
        line: &str,
        mut sent: usize,
        mut meanwhile: impl FnMut(),
    ) -> Flood {
        /// The kernel's buffers, at their largest, hold a good half of this.
        const MOST: usize = 64 << 20;
        let pattern = line.repeat(64 * 1024 / line.len() + 2);
        let mut stuck = 0;
        // The call does not wait, and not the socket: another hand may read from it meanwhile.
        let at_once = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        while stuck < 2 {
            let from = sent % line.len();
            match send(&self.stream, &pattern.as_bytes()[from..], at_once) {
                Ok(count) => {
                    sent += count;
                    stuck = 0;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if !self.becomes(PollFlags::OUT, Duration::from_millis(30)) {
                        stuck += 1;
                        meanwhile();
                    }
                }
                Err(error) => panic!("flooding the server: {error}"),
            }
            assert!(
                sent < MOST,
                "{sent} bytes were taken from a client that never reads"
            );
        }
        Flood {
            line_length: line.len(),
            pattern,
            sent,
        }
    }

    /// Writes `line` over and over and reads nothing, until the server hangs up.
    pub(crate) fn flood_until_hung_up(&mut self, line: &str) {
        let lines = line.repeat(64 * 1024 / line.len());
        loop {
            match self.stream.write(lines.as_bytes()) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset]
                        .contains(&error.kind()) =>
                {
                    return;
                }
                Err(error) => panic!("waiting to be hung up on: {error}"),
            }
        }
    }

    fn becomes(&self, ready: PollFlags, patience: Duration) -> bool {
        let mut fds = [PollFd::new(&self.stream, ready)];
        let patience = Timespec::try_from(patience).unwrap();
        poll(&mut fds, Some(&patience)).is_ok_and(|ready| ready > 0)
    }

    /// After a flood: completes its last line, ends its side, reads, and finds every byte in its place.
    pub(crate) fn drink(&mut self, flood: &Flood) {
        let mut writer = self.second_hand();
        let whole = flood.sent.next_multiple_of(flood.line_length);
        thread::scope(|scope| {
            scope.spawn(move || {
                let missing = whole - flood.sent;
                let from = flood.sent % flood.line_length;
                writer.send(&flood.pattern.as_bytes()[from..from + missing]);
                writer.finish();
            });
            self.takes_back(flood, whole);
        });
        assert_eq!(self.rest(), "", "no more than was sent");
    }

    /// After a flood: reads its first `count` bytes, each in its place.
    pub(crate) fn takes_back(&mut self, flood: &Flood, count: usize) {
        let pattern = flood.pattern.as_bytes();
        let mut received = 0;
        while received < count {
            let more = self.receive("the rest of the flood");
            assert!(more > 0, "{received} of {count} bytes came back");
            for piece in self.ahead.chunks(32 * 1024) {
                let from = received % flood.line_length;
                assert!(
                    piece == &pattern[from..from + piece.len()],
                    "garbled after {received} bytes"
                );
                received += piece.len();
            }
            self.ahead.clear();
        }
        assert_eq!(received, count, "no more than was sent");
    }
}

impl AsFd for Peer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// What a [`Peer::flood`] came to.
pub(crate) struct Flood {
    line_length: usize,
    pattern: String,
    pub(crate) sent: usize,
}
