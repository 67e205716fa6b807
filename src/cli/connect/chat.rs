//! `connect chat`: sends what is typed, and shows what arrives while you type.
//!
//! The tutorial's client has two threads, one to type and one to show. The one that types cannot be
//! woken when the server goes away, so this one waits for both in one place, poll(2).

use super::is_quit;
use crate::cli::output;
use anyhow::{Context, bail};
use guardhouse::codec::Lines;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io::{self, IsTerminal, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

const CHUNK: usize = 16 * 1024;

/// Which line is too long is the server's to say: here, only memory is bounded.
const LONGEST_LINE: usize = 64 << 20;

pub(crate) fn run(stream: TcpStream, name: &str) -> anyhow::Result<()> {
    stream.set_nonblocking(true)?;
    let mut chat = Chat {
        stream,
        name,
        typed: Lines::new(LONGEST_LINE),
        outgoing: Vec::new(),
        typing: true,
        shown: io::stdout().is_terminal().then(|| Lines::new(LONGEST_LINE)),
    };
    if io::stdin().is_terminal() && chat.shown.is_some() {
        output::line(&format!(
            "Connected as {name}. Type a line to send it, Q to quit."
        ))?;
    }
    while chat.turn()? {}
    Ok(())
}

struct Chat<'a> {
    stream: TcpStream,
    name: &'a str,
    typed: Lines,
    outgoing: Vec<u8>,
    /// More may be typed.
    typing: bool,
    /// On a terminal, lines are shown whole, without their control characters.
    shown: Option<Lines>,
}

impl Chat<'_> {
    /// Waits for one of the two sides, and serves it; `false` once the server has said everything.
    fn turn(&mut self) -> anyhow::Result<bool> {
        let stdin = io::stdin();
        let mut interest = PollFlags::IN;
        interest.set(PollFlags::OUT, !self.outgoing.is_empty());
        let mut fds = [
            PollFd::new(&self.stream, interest),
            PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN),
        ];
        // What is not sent yet is not added to.
        let reads_more = self.typing && self.outgoing.is_empty();
        match poll(&mut fds[..if reads_more { 2 } else { 1 }], None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for input"),
        }
        let (server, keyboard) = (fds[0].revents(), fds[1].revents());
        if server.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) && !self.show()? {
            return Ok(false);
        }
        if reads_more && !keyboard.is_empty() {
            self.read_typed()?;
        }
        self.send()?;
        Ok(true)
    }

    fn show(&mut self) -> anyhow::Result<bool> {
        let mut chunk = [0; CHUNK];
        match self.stream.read(&mut chunk) {
            Ok(0) => {
                if let Some(lines) = &mut self.shown {
                    let mut rest = Vec::new();
                    lines.finish(&mut rest);
                    output::print(output::harmless(&rest).as_bytes())?;
                }
                if self.typing {
                    bail!("the server closed the connection");
                }
                Ok(false)
            }
            Ok(n) => {
                match &mut self.shown {
                    None => output::print(&chunk[..n])?,
                    Some(lines) => {
                        let mut whole = Vec::new();
                        let fed = lines.feed(&chunk[..n], &mut whole);
                        output::print(output::harmless(&whole).as_bytes())?;
                        fed.context("the server sends no lines")?;
                    }
                }
                Ok(true)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(true)
            }
            Err(error) => Err(error).context("cannot receive"),
        }
    }

    fn read_typed(&mut self) -> anyhow::Result<()> {
        let mut chunk = [0; CHUNK];
        let mut lines = Vec::new();
        // Not through `Stdin`: what its buffer held back, poll would not know of.
        match rustix::io::read(io::stdin(), &mut chunk) {
            Ok(0) => {
                self.typed.finish(&mut lines);
                self.typing = false;
            }
            Ok(n) => self
                .typed
                .feed(&chunk[..n], &mut lines)
                .context("cannot send")?,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot read what is typed"),
        }
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            if is_quit(line) {
                self.typing = false;
                break;
            }
            write!(self.outgoing, "[{}] ", self.name)?;
            self.outgoing.extend_from_slice(line);
        }
        if !self.typing && self.outgoing.is_empty() {
            self.say_goodbye()?;
        }
        Ok(())
    }

    fn send(&mut self) -> anyhow::Result<()> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        match self.stream.write(&self.outgoing) {
            Ok(sent) => drop(self.outgoing.drain(..sent)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            // Its last words say why, and reading will come upon the end.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                self.outgoing.clear();
            }
            Err(error) => return Err(error).context("cannot send"),
        }
        if !self.typing && self.outgoing.is_empty() {
            self.say_goodbye()?;
        }
        Ok(())
    }

    /// Ends our side; the server answers what it got, and ends its own.
    fn say_goodbye(&self) -> anyhow::Result<()> {
        match self.stream.shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => {
                Err(error).context("cannot end the connection")
            }
            _ => Ok(()),
        }
    }
}
