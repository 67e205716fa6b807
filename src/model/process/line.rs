//! [`Line`]: what a server and each of the processes that serve for it talk over. A pair of Unix sockets, the child's
//! end of which is its standard input; one line of text for each thing that is said:
//!
//! ```text
//!   parent                                                       child
//!     connection 7 127.0.0.1:40001 262144 - 5.000000000 nodelay
//!     (with the socket itself)            ------------------------>     one client to serve
//!     listener 262144 30.000000000 ...    ------------------------>     a door to stand at
//!                                         <------------------------     accepted, ask
//!     admitted 8   |   full 100           ------------------------>
//!                                         <------------------------     opened, closed Finished 0 0
//!     drain, force                        ------------------------>
//!                                         <------------------------     draining 1 0, forced 1
//! ```
//!
//! A socket goes over it as W. R. Stevens, *UNIX Network Programming*, chapter 15.7, passes descriptors: it belongs to
//! nobody but the child from then on, and nothing is open in a child that was not handed to it. The end of the line on
//! either side is the end of the process there.

use super::words::{ASK, Order, Task};
use crate::codec::Lines;
use crate::net::socket::{self, QUIETLY, Wait};
use crate::stats::Event;
use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{self, MaybeUninit};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

/// A descriptor that is handed over is not for the programs that its new owner starts.
#[cfg(not(target_vendor = "apple"))]
const TO_ITSELF: RecvFlags = RecvFlags::CMSG_CLOEXEC;
/// Not known here, where `check` refuses processes.
#[cfg(target_vendor = "apple")]
const TO_ITSELF: RecvFlags = RecvFlags::empty();

/// The longest line that is said, and some.
pub(super) const LONGEST: usize = 256;

/// One end.
#[derive(Debug)]
pub(super) struct Line {
    stream: UnixStream,
    /// What was told and can wait for what is told next.
    held: Mutex<Held>,
    left: AtomicBool,
}

#[derive(Debug, Default)]
struct Held {
    text: String,
    /// In vain, so many times.
    woken: u64,
}

impl Held {
    fn say(&mut self, what: impl fmt::Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{what}");
    }
}

impl Line {
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((Self::over(ours), theirs.into()))
    }

    pub(super) fn over(stream: UnixStream) -> Self {
        Self {
            stream,
            held: Mutex::default(),
            left: AtomicBool::new(false),
        }
    }

    /// The child's: `task`, with the socket that it is about. The first thing that is said.
    pub(super) fn hand_over(&self, task: &Task, socket: BorrowedFd<'_>) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let sockets = [socket];
        ancillary.push(SendAncillaryMessage::ScmRights(&sockets));
        let text = format!("{task}\n");
        let slices = [IoSlice::new(text.as_bytes())];
        // A new line has room for it.
        let flags = QUIETLY | SendFlags::DONTWAIT;
        loop {
            match sendmsg(&self.stream, &slices, &mut ancillary, flags) {
                Err(Errno::INTR) => {}
                Ok(sent) if sent < text.len() => return Err(io::ErrorKind::WriteZero.into()),
                done => return Ok(done.map(drop)?),
            }
        }
    }

    /// What was [handed over](Self::hand_over) on the socket `line`, if it is one.
    pub(super) fn take_over(line: BorrowedFd<'_>, heard: &mut Heard) -> io::Result<OwnedFd> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; LONGEST];
        let received = loop {
            let mut slices = [IoSliceMut::new(&mut bytes)];
            match recvmsg(line, &mut slices, &mut ancillary, TO_ITSELF) {
                Err(Errno::INTR) => {}
                done => break done?.bytes,
            }
        };
        heard.feed(&bytes[..received])?;
        ancillary
            .drain()
            .find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
                _ => None,
            })
            .ok_or_else(|| garbled("nothing was handed over"))
    }

    /// Says `words` to the child, which reads whenever something comes. One that is gone is noticed elsewhere.
    pub(super) fn say(&self, order: Order) {
        let _ = self.send(&format!("{order}\n"), Wait::Never);
    }

    /// Tells the parent. That one is accepted is told with what comes of it, and that this process was woken in vain with
    /// whatever comes next: the parent is not to be woken for it as well.
    pub(super) fn tell(&self, event: Event) {
        let mut held = self.held.lock();
        match event {
            Event::WokenInVain { times } => held.woken += times,
            Event::Accepted => held.say(event),
            _ => {
                held.say(event);
                self.flush(&mut held);
            }
        }
    }

    /// Asks the parent whether the client that was just accepted may come in.
    pub(super) fn ask(&self) {
        let mut held = self.held.lock();
        held.say(ASK);
        self.flush(&mut held);
    }

    /// A parent that is gone is noticed by who listens.
    fn flush(&self, held: &mut Held) {
        let times = mem::take(&mut held.woken);
        if times > 0 {
            held.say(Event::WokenInVain { times });
        }
        let _ = self.send(&held.text, Wait::Block);
        held.text.clear();
    }

    fn send(&self, text: &str, wait: Wait) -> io::Result<()> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let sent = socket::send(self.stream.as_fd(), &[IoSlice::new(rest)], wait)?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    /// Hears what is said next. `false`: nobody is there any more.
    pub(super) fn hear(&self, heard: &mut Heard, wait: Wait) -> io::Result<bool> {
        let mut bytes = [0; 2 * LONGEST];
        let received = socket::receive(self.stream.as_fd(), &mut bytes, wait)?;
        heard.feed(&bytes[..received])?;
        Ok(received > 0)
    }

    /// Whoever waits in [`hear`](Self::hear) at this end hears that nobody is there.
    pub(super) fn stop_hearing(&self) {
        self.left.store(true, Ordering::SeqCst);
        // It can fail only where it is not needed.
        let _ = self.stream.shutdown(Shutdown::Read);
    }

    /// Whether it is this end that wants to hear no more.
    pub(super) fn is_left(&self) -> bool {
        self.left.load(Ordering::SeqCst)
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// What came over a line and was not looked at yet.
#[derive(Debug)]
pub(super) struct Heard {
    unfinished: Lines,
    lines: VecDeque<String>,
}

impl Heard {
    pub(super) fn nothing() -> Self {
        Self {
            unfinished: Lines::new(LONGEST),
            lines: VecDeque::new(),
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut whole = Vec::new();
        let fed = self.unfinished.feed(bytes, &mut whole);
        let text = String::from_utf8_lossy(&whole);
        self.lines.extend(text.lines().map(String::from));
        fed.map_err(|error| garbled(&error.to_string()))
    }

    pub(super) fn next(&mut self) -> Option<String> {
        self.lines.pop_front()
    }
}

/// What was said is nothing that this version of this program says.
pub(super) fn garbled(what: &str) -> io::Error {
    let text = format!("the line between a server and its process is garbled: {what}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::super::words::{Report, TaskKind};
    use super::*;
    use crate::limits::Limits;
    use std::fs::File;
    use std::io::Read;

    #[test]
    fn a_descriptor_comes_with_its_task_and_what_was_said_after_it_later() {
        let (parent, child) = Line::pair().unwrap();
        let (reader, writer) = io::pipe().unwrap();
        let task = Task {
            kind: TaskKind::Listener,
            limits: Limits::default(),
        };
        parent.hand_over(&task, reader.as_fd()).unwrap();
        parent.say(Order::Drain);
        drop((reader, parent));

        let mut heard = Heard::nothing();
        let handed = Line::take_over(child.as_fd(), &mut heard).unwrap();
        drop(writer);
        let mut text = String::new();
        File::from(handed).read_to_string(&mut text).unwrap();
        assert_eq!(text, "", "it is the pipe's end");
        assert_eq!(heard.next().unwrap(), task.to_string());
        let line = Line::over(child.into());
        assert!(heard.lines.len() == 1 || line.hear(&mut heard, Wait::Block).unwrap());
        assert_eq!(heard.next().unwrap(), "drain");
        assert!(!line.hear(&mut heard, Wait::Block).unwrap());
    }

    #[test]
    fn what_is_accepted_is_told_with_what_comes_of_it() {
        let (parent, child) = Line::pair().unwrap();
        let child = Line::over(child.into());
        let mut heard = Heard::nothing();
        child.tell(Event::WokenInVain { times: 1 });
        child.tell(Event::WokenInVain { times: 1 });
        child.tell(Event::Accepted);
        let early = parent.hear(&mut heard, Wait::Never).unwrap_err();
        assert_eq!(early.kind(), io::ErrorKind::WouldBlock);
        child.ask();
        assert!(parent.hear(&mut heard, Wait::Never).unwrap());
        let reports: Vec<_> = std::iter::from_fn(|| heard.next())
            .map(|text| Report::parse(&text))
            .collect();
        assert_eq!(
            reports,
            [
                Some(Report::Event(Event::Accepted)),
                Some(Report::Ask),
                Some(Report::Event(Event::WokenInVain { times: 2 }))
            ]
        );
    }

    #[test]
    fn a_line_without_an_end_is_an_error_and_not_a_heap() {
        let (parent, child) = Line::pair().unwrap();
        let child = Line::over(child.into());
        child.send(&"x".repeat(4 * LONGEST), Wait::Block).unwrap();
        let mut heard = Heard::nothing();
        let error = parent.hear(&mut heard, Wait::Never).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
