//! [`Talk`]: the loop between a face and a link.

use super::LONGEST_LINE;
use super::face::Face;
use super::identity::{Heard, Identity, Typed};
use super::link::{Link, Progress};
use super::outbox::Outbox;
use super::pending::Pending;
use crate::cli::output::SeenEnough;
use anyhow::{Context, anyhow};
use guardhouse::codec::Lines;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

const CHUNK: usize = 16 * 1024;

/// What may wait for a server that takes nothing, while somebody goes on typing.
const KEPT: usize = 1 << 20;

/// For the server to say its last words to somebody who wants to leave.
const GOODBYE: Duration = Duration::from_secs(2);

pub(super) struct Talk<F> {
    face: F,
    link: Link,
    identity: Identity,
    outbox: Outbox,
    pending: Pending,
    arriving: Lines,
    /// More may be typed.
    typing: bool,
    /// The server hears nothing more, though it may still be heard.
    deaf: bool,
    /// Our side is ended.
    parted: bool,
    /// Until then, it may say goodbye.
    goodbye: Option<Instant>,
}

impl<F: Face> Talk<F> {
    pub(super) fn new(face: F, link: Link, identity: Identity) -> Self {
        Self {
            face,
            link,
            identity,
            outbox: Outbox::default(),
            pending: Pending::default(),
            arriving: Lines::new(LONGEST_LINE),
            typing: true,
            deaf: false,
            parted: false,
            goodbye: None,
        }
    }

    /// Talks until one side has had enough. `trouble` is why there is no connection yet.
    pub(super) fn run(mut self, trouble: Option<String>) -> anyhow::Result<()> {
        if let Some(trouble) = trouble {
            self.face.tell(&trouble)?;
        } else {
            self.face.greet(self.identity.name())?;
            self.introduce();
        }
        let ended = loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.face.close_input()?;
        let unsent = self.outbox.lines();
        let watched = !ended.as_ref().is_err_and(anyhow::Error::is::<SeenEnough>);
        if unsent > 0 && watched {
            let s = if unsent == 1 { " was" } else { "s were" };
            self.face.tell(&format!("{unsent} line{s} not sent"))?;
        }
        ended
    }

    /// Waits for whoever is first, and serves him; `false` once all is said.
    fn turn(&mut self) -> anyhow::Result<bool> {
        let sends = !self.outbox.is_empty() && !self.deaf;
        // What is not sent yet is not added to, unless somebody is there to be told.
        let reads = self.typing && (F::INTERACTIVE || self.outbox.is_empty());
        let stdin = io::stdin();
        let link = self.link.interest(sends);
        let signals = self.face.signals();
        let mut fds = Vec::with_capacity(3);
        fds.extend(link.map(|(stream, interest)| PollFd::new(stream, interest)));
        fds.extend(signals.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        if reads {
            fds.push(PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN));
        }
        let deadline = [self.link.deadline(), self.goodbye].into_iter().flatten();
        let time = deadline.min().map(from_now);
        match poll(&mut fds, time.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for input"),
        }
        let mut ready = fds.iter().map(PollFd::revents);
        let mut next = |there: bool| {
            let flags = there.then(|| ready.next()).flatten();
            flags.unwrap_or(PollFlags::empty())
        };
        let (server, signal, keyboard) =
            (next(link.is_some()), next(signals.is_some()), next(reads));

        if !signal.is_empty() {
            self.face.signalled()?;
        }
        if !self.attend(server)? {
            return Ok(false);
        }
        if !keyboard.is_empty() {
            self.read()?;
        }
        self.send()?;
        self.part()
    }

    /// Takes the link's next step; `false` once the server has said everything.
    fn attend(&mut self, ready: PollFlags) -> anyhow::Result<bool> {
        match self.link.progress(ready) {
            Progress::Nothing => Ok(true),
            Progress::Readable => self.receive(),
            Progress::Connected => {
                let name = self.identity.name();
                self.face.tell(&format!("connected as {name}"))?;
                self.introduce();
                Ok(true)
            }
            Progress::Failed(why) => self.lost(why).map(|()| true),
        }
    }

    fn introduce(&mut self) {
        let introduction = self.identity.introduction();
        self.outbox.introduce(&introduction);
    }

    fn receive(&mut self) -> anyhow::Result<bool> {
        let Some(mut stream) = self.link.stream() else {
            return Ok(true);
        };
        let mut chunk = [0; CHUNK];
        let mut lines = Vec::new();
        match stream.read(&mut chunk) {
            Ok(0) => {
                self.arriving.finish(&mut lines);
                self.face.show(b"", &lines)?;
                self.hear(&lines)?;
                if self.is_done() && (F::INTERACTIVE || !self.pending.is_refused()) {
                    return Ok(false);
                }
                self.lost(anyhow!("the server closed the connection"))?;
            }
            Ok(n) => {
                let fed = self.arriving.feed(&chunk[..n], &mut lines);
                self.face.show(&chunk[..n], &lines)?;
                self.hear(&lines)?;
                if self.face.needs_lines() {
                    fed.context("the server sends no lines")?;
                }
            }
            Err(error) if is_nothing(&error) => {}
            Err(error) => self.lost(anyhow!("cannot receive: {error}"))?,
        }
        Ok(true)
    }

    fn hear(&mut self, lines: &[u8]) -> anyhow::Result<()> {
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            self.pending.hear(line);
            let heard = self.identity.hear(line);
            let (name, wanted) = (self.identity.name(), self.identity.wanted());
            match heard {
                Heard::Nothing => {}
                Heard::Renamed => self.face.rename(name)?,
                Heard::Refused => {
                    self.face.rename(name)?;
                    self.face.tell(&format!(
                        "you are not {wanted} here: lines go out as [{name}] until the server takes a /name NAME"
                    ))?;
                }
            }
        }
        Ok(())
    }

    /// All is typed and sent, and there was somebody to hear it.
    fn is_done(&self) -> bool {
        !self.typing && self.outbox.is_empty() && self.link.was_up()
    }

    /// There is no connection any more; perhaps there will be another.
    fn lost(&mut self, why: anyhow::Error) -> anyhow::Result<()> {
        if self.is_done() {
            return Err(why);
        }
        self.outbox.lost();
        self.arriving = Lines::new(LONGEST_LINE);
        self.deaf = false;
        let told = self.link.lost(why)?;
        self.face.tell(&told)
    }

    fn read(&mut self) -> anyhow::Result<()> {
        let mut lines = Vec::new();
        self.typing = self.face.read(&mut lines)?;
        let mut kept = false;
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            match self.identity.take(line) {
                Typed::Quit => {
                    self.typing = false;
                    break;
                }
                Typed::Line(line) if F::INTERACTIVE && self.outbox.len() + line.len() > KEPT => {
                    self.face.tell(
                        "not kept: 1 MiB waits for the server already (the key up brings it back)",
                    )?;
                }
                Typed::Line(line) => {
                    self.pending.say(&line);
                    self.outbox.push(&line);
                    kept = true;
                }
            }
        }
        if kept && F::INTERACTIVE && self.typing && self.link.stream().is_none() {
            self.face.tell("kept until the server is back")?;
        }
        if !self.typing {
            self.face.close_input()?;
            self.goodbye = F::INTERACTIVE.then(|| Instant::now() + GOODBYE);
        }
        Ok(())
    }

    fn send(&mut self) -> anyhow::Result<()> {
        let Some(mut stream) = self.link.stream() else {
            return Ok(());
        };
        if self.outbox.is_empty() || self.deaf {
            return Ok(());
        }
        match self.outbox.send(&mut stream) {
            Ok(()) => {}
            Err(error) if is_nothing(&error) => {}
            // Its last words say why, and reading will come upon the end.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                ) =>
            {
                self.deaf = true;
            }
            Err(error) => self.lost(anyhow!("cannot send: {error}"))?,
        }
        Ok(())
    }

    /// Ends our side when all is typed and sent; `false` if there is nothing more to wait for.
    fn part(&mut self) -> anyhow::Result<bool> {
        if self.typing {
            return Ok(true);
        }
        let up = self.link.stream().is_some();
        if self.outbox.is_empty() && up && !self.parted {
            self.link.say_goodbye()?;
            self.parted = true;
        }
        // Who typed the lines that wait is told of them; in a pipe nobody is there, so they are sent first, and a server
        // that was never there is a failure even of somebody with nothing to say.
        let waits = if up {
            self.goodbye.is_none_or(|until| until > Instant::now())
        } else {
            !F::INTERACTIVE && !self.is_done()
        };
        Ok(waits)
    }
}

/// No error, but nothing to do either.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn from_now(at: Instant) -> Timespec {
    let time = at.saturating_duration_since(Instant::now());
    Timespec {
        tv_sec: time.as_secs() as i64,
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}
