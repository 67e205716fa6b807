//! [`Source`]: the lines of a file, of a pipe or of stdin, as they are there to be sent.

use super::ending::{Ending, Wake};
use super::words::some;
use crate::cli::WrongUse;
use anyhow::{Context, bail};
use rustix::event::PollFlags;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What comes after the end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Stop,
    Repeat,
    Follow,
}

/// The next that a source has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Line(Line),
    /// Nothing to send, but something to say.
    Remark(String),
    /// There are no more.
    Over,
    /// A signal came while it waited.
    Signal(i32),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// With its end. Of one that is longer than any datagram, the beginning.
    pub(super) text: Vec<u8>,
    /// Bytes of it, kept or not.
    pub(super) length: usize,
    /// LF, CR LF, or nothing, which only the last can have.
    pub(super) end: &'static [u8],
}

pub(super) struct Source {
    input: Input,
    then: Then,
    chunk: Box<[u8]>,
    /// What was read, and where the next line begins in it.
    read: std::ops::Range<usize>,
    line: Unfinished,
    /// Lines since the beginning of the file.
    lines: u64,
    /// How often it was read again.
    repeats: u64,
    /// What has taken the file's place, until that is read to its end.
    successor: Option<File>,
    /// Nothing has the file's name.
    gone: bool,
}

enum Input {
    Stdin,
    File { file: File, path: PathBuf },
}

/// A line as far as it has come.
#[derive(Default)]
struct Unfinished {
    text: Vec<u8>,
    length: usize,
    /// Its last bytes.
    tail: [u8; 2],
}

/// No datagram is longer, so no more of a line need be kept.
const LONGEST: usize = 65_536;

/// How often to look whether a file has grown: there is no event for that which every file system has.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

impl Source {
    pub(super) fn open(path: &Path, then: Then) -> anyhow::Result<Self> {
        let input = if path == Path::new("-") {
            if then != Then::Stop {
                let flag = if then == Then::Repeat {
                    "--repeat"
                } else {
                    "--follow"
                };
                let sentence = format!(
                    "{flag} needs a file: - is stdin, which is read once, as it comes, to its end; name a file, or leave out {flag}"
                );
                return Err(WrongUse(sentence).into());
            }
            Input::Stdin
        } else {
            Input::File {
                file: open(path)?,
                path: path.into(),
            }
        };
        Ok(Self {
            input,
            then,
            chunk: vec![0; 64 * 1024].into(),
            read: 0..0,
            line: Unfinished::default(),
            lines: 0,
            repeats: 0,
            successor: None,
            gone: false,
        })
    }

    /// How often it was begun again.
    pub(super) fn repeats(&self) -> u64 {
        self.repeats
    }

    /// Bytes of a line that has no end yet.
    pub(super) fn unfinished(&self) -> usize {
        self.line.length
    }

    /// The next line; waits for it, as long as no signal comes.
    pub(super) fn next(&mut self, ending: &mut Ending) -> anyhow::Result<Next> {
        loop {
            if let Some(line) = self.take() {
                return Ok(line);
            }
            if let Wake::Signal(signal) = ending.wait(Some((self.fd(), PollFlags::IN)), None)? {
                return Ok(Next::Signal(signal));
            }
            match self.fill()? {
                1.. => {}
                0 => {
                    if let Some(next) = self.end(ending)? {
                        return Ok(next);
                    }
                }
            }
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match &self.input {
            Input::Stdin => rustix::stdio::stdin(),
            Input::File { file, .. } => file.as_fd(),
        }
    }

    /// A whole line of what was read.
    fn take(&mut self) -> Option<Next> {
        let rest = &self.chunk[self.read.clone()];
        let Some(newline) = memchr::memchr(b'\n', rest) else {
            self.line.add(rest);
            self.read = 0..0;
            return None;
        };
        self.line.add(&rest[..=newline]);
        self.read.start += newline + 1;
        Some(self.finished())
    }

    fn finished(&mut self) -> Next {
        self.lines += 1;
        let Unfinished { text, length, tail } = std::mem::take(&mut self.line);
        let end: &[u8] = match tail {
            [b'\r', b'\n'] => b"\r\n",
            [_, b'\n'] => b"\n",
            _ => b"",
        };
        Next::Line(Line { text, length, end })
    }

    fn fill(&mut self) -> anyhow::Result<usize> {
        let read = loop {
            // Not through `Stdin`: what its buffer held back, poll would not know of.
            let read = match &mut self.input {
                Input::Stdin => rustix::io::read(io::stdin(), &mut *self.chunk).map_err(Into::into),
                Input::File { file, .. } => file.read(&mut self.chunk),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A pipe that is ready for nobody any more.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break 0,
                read => break read.with_context(|| format!("cannot read {}", self.name()))?,
            }
        };
        self.read = 0..read;
        Ok(read)
    }

    fn name(&self) -> String {
        match &self.input {
            Input::Stdin => "stdin".into(),
            Input::File { path, .. } => path.display().to_string(),
        }
    }

    /// Nothing more for now. `None`: look again.
    fn end(&mut self, ending: &mut Ending) -> anyhow::Result<Option<Next>> {
        let is_last = self.then != Then::Follow || self.successor.is_some();
        if is_last && self.line.length > 0 {
            return Ok(Some(self.finished()));
        }
        match (&mut self.input, self.then) {
            (Input::File { file, path }, Then::Repeat) => {
                if self.lines == 0 {
                    bail!("{} has no line to repeat", path.display());
                }
                let begin = file.seek(SeekFrom::Start(0));
                begin.with_context(|| {
                    let path = path.display();
                    format!("cannot repeat {path}: only a regular file can be read again")
                })?;
                self.lines = 0;
                self.repeats += 1;
                Ok(None)
            }
            (Input::File { file, .. }, Then::Follow) => {
                if let Some(successor) = self.successor.take() {
                    *file = successor;
                    return Ok(None);
                }
                let again = Some(Instant::now() + LOOK_AGAIN);
                if let Wake::Signal(signal) = ending.wait(None, again)? {
                    return Ok(Some(Next::Signal(signal)));
                }
                Ok(self.catch_up()?.map(Next::Remark))
            }
            _ => Ok(Some(Next::Over)),
        }
    }

    /// The file may have been cut, and then is read from its beginning. Or another may have taken its place: that one is read
    /// when this one is at its end, for who put it there may have written here until then. Returns what is worth a word.
    fn catch_up(&mut self) -> anyhow::Result<Option<String>> {
        let Input::File { file, path } = &mut self.input else {
            return Ok(None);
        };
        let shown = path.display();
        let own = file
            .metadata()
            .with_context(|| format!("cannot look at {shown}"))?;
        // Pipes have no position.
        if own.is_file()
            && let Ok(at) = file.stream_position()
            && own.len() < at
        {
            file.seek(SeekFrom::Start(0))
                .with_context(|| format!("cannot read {shown} again"))?;
            let unsent = std::mem::take(&mut self.line).length;
            let unsent_bytes = some(unsent as u64, "byte");
            let remark =
                format!("{shown} was cut: {unsent_bytes} of a line without an end not sent");
            return Ok((unsent > 0).then_some(remark));
        }
        let was_gone = self.gone;
        match successor(path, &own) {
            Ok(successor) => {
                self.successor = successor;
                self.gone = false;
                Ok(was_gone.then(|| format!("{shown} is back")))
            }
            Err(error) => {
                self.gone = true;
                let remark =
                    format!("{shown} is gone ({error}); what comes in its place will be sent");
                Ok((!was_gone).then_some(remark))
            }
        }
    }
}

/// What has the name now, unless it is the same file; or an empty one, which who writes may not know of yet.
fn successor(path: &Path, own: &Metadata) -> io::Result<Option<File>> {
    let there = std::fs::metadata(path)?;
    let is_empty = there.is_file() && there.len() == 0;
    if is_empty || identity(&there) == identity(own) {
        return Ok(None);
    }
    options().open(path).map(Some)
}

impl Unfinished {
    fn add(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.text.len());
        self.text.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.length += bytes.len();
        for byte in &bytes[bytes.len().saturating_sub(2)..] {
            self.tail = [self.tail[1], *byte];
        }
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    options().open(path).with_context(|| {
        format!(
            "cannot open {}; name a file, or - for stdin",
            path.display()
        )
    })
}

/// Without waiting for somebody to write, where it is a pipe with a name: a signal is to end that, too.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    options
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
