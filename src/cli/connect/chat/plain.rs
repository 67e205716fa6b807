//! [`Plain`]: in a pipe. No prompt, and no colour unless somebody insists.

use super::LONGEST_LINE;
use super::face::Face;
use super::paint::Paint;
use crate::cli::output;
use anyhow::Context;
use guardhouse::codec::Lines;
use rustix::io::Errno;
use std::io::{self, IsTerminal};
use std::os::fd::BorrowedFd;

const CHUNK: usize = 16 * 1024;

pub(super) struct Plain {
    typed: Lines,
    /// On a terminal, lines are shown whole, without their control characters. A pipe gets every byte as it came.
    painted: Option<Paint>,
}

impl Plain {
    pub(super) fn new(paint: Paint) -> Self {
        Self {
            typed: Lines::new(LONGEST_LINE),
            painted: (io::stdout().is_terminal() || paint.is_on()).then_some(paint),
        }
    }
}

impl Face for Plain {
    const INTERACTIVE: bool = false;

    fn greet(&mut self, _: &str) -> anyhow::Result<()> {
        Ok(())
    }

    fn show(&mut self, raw: &[u8], lines: &[u8]) -> anyhow::Result<()> {
        match self.painted {
            None => output::print(raw),
            Some(paint) => output::print(paint.lines(lines).as_bytes()),
        }
    }

    fn needs_lines(&self) -> bool {
        self.painted.is_some()
    }

    fn tell(&mut self, text: &str) -> anyhow::Result<()> {
        output::complain(text);
        Ok(())
    }

    fn rename(&mut self, _: &str) -> anyhow::Result<()> {
        Ok(())
    }

    fn read(&mut self, lines: &mut Vec<u8>) -> anyhow::Result<bool> {
        let mut chunk = [0; CHUNK];
        // Not through `Stdin`: what its buffer held back, poll would not know of.
        match rustix::io::read(io::stdin(), &mut chunk) {
            Ok(0) => {
                self.typed.finish(lines);
                Ok(false)
            }
            Ok(n) => {
                let fed = self.typed.feed(&chunk[..n], lines);
                fed.context("cannot send")?;
                Ok(true)
            }
            Err(Errno::INTR) => Ok(true),
            Err(error) => Err(error).context("cannot read what is typed"),
        }
    }

    fn signals(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn signalled(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn close_input(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}
