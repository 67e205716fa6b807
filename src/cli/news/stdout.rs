//! Printing, with an ear for signals: nobody may be reading stdout, and that must not keep a command from its end.

use super::ending::{Ending, Wake};
use super::told::Told;
use crate::cli::{Interrupted, output};
use anyhow::Context;
use rustix::event::PollFlags;
use serde::Serialize;
use std::io::{self, Write};
use std::os::fd::AsFd;

/// A pipe that says it has room takes so much without waiting (`PIPE_BUF`).
const PIECE: usize = 4096;

/// Prints `text`, and takes from it what is printed. Says which signal came before all of it was.
pub(super) fn print(text: &mut Vec<u8>, ending: &mut Ending) -> anyhow::Result<Option<i32>> {
    let mut stdout = io::stdout().lock();
    let mut written = 0;
    for piece in text.chunks(PIECE) {
        let ready = ending.wait(Some((stdout.as_fd(), PollFlags::OUT)), None)?;
        if let Wake::Signal(signal) = ready {
            text.drain(..written);
            return Ok(Some(signal));
        }
        written += piece.len();
        match stdout.write_all(piece).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Err(output::SeenEnough.into());
            }
            done => done.context("cannot print")?,
        }
    }
    text.clear();
    Ok(None)
}

/// Prints the report of `--json`. A signal that comes meanwhile, after the one that asked for the report perhaps, ends that too.
pub(super) fn report(
    report: &impl Serialize,
    ending: &mut Ending,
    told: &mut Told,
) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec(report)?;
    text.push(b'\n');
    match print(&mut text, ending)? {
        None => Ok(()),
        Some(signal) => {
            told.warn("the report was not printed: nobody reads stdout");
            Err(Interrupted(signal).into())
        }
    }
}
