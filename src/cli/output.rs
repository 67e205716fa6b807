//! Where lines go: answers to stdout, what happens to stderr.

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, IsTerminal, Write};
use tracing_appender::non_blocking::{
    DEFAULT_BUFFERED_LINES_LIMIT, NonBlocking, NonBlockingBuilder, WorkerGuard,
};
use tracing_subscriber::filter::LevelFilter;

/// Whoever read stdout has closed it.
#[derive(Debug)]
pub(crate) struct SeenEnough;

impl std::fmt::Display for SeenEnough {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nobody reads stdout any more")
    }
}

impl std::error::Error for SeenEnough {}

/// Prints to stdout and flushes it. Unlike `print!`, a closed pipe is an error, [`SeenEnough`], and not a panic.
pub(crate) fn print(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(SeenEnough.into()),
        printed => printed.context("cannot print"),
    }
}

/// [`print`] with a line's end.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    print(format!("{text}\n").as_bytes())
}

/// Text for a terminal, with control characters made visible: whoever sent it is not to rule the screen.
pub(crate) fn harmless(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            '\0'..='\x1f' | '\x7f' => {
                shown.push('^');
                shown.push(char::from(character as u8 ^ 64));
            }
            // These turn the direction of what is written after them, or end a line.
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(character.escape_unicode());
            }
            _ if character.is_control() => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown
}

/// Sends the log to stderr, by way of a thread: a reader of stderr that stops reading must not stop the
/// server. Lines that find its queue full are dropped, and their number is told at the end.
pub(crate) fn start_log(level: LevelFilter) -> Log {
    start_log_for(level, DEFAULT_BUFFERED_LINES_LIMIT)
}

/// [`start_log`] with a queue of so many lines: room for a line is made before the first is written.
pub(crate) fn start_log_for(level: LevelFilter, lines: usize) -> Log {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(lines)
        .lossy(true)
        .finish(io::stderr());
    let dropped = writer.error_counter();
    let lines = writer.clone();
    let colours =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(writer)
        .with_ansi(colours)
        .with_target(false)
        .init();
    Log {
        guard,
        dropped,
        lines,
    }
}

/// The log; dropping it writes out what is left.
pub(crate) struct Log {
    guard: WorkerGuard,
    dropped: tracing_appender::non_blocking::ErrorCounter,
    lines: NonBlocking,
}

impl Log {
    /// For lines that somebody asked for: they are written at any level.
    pub(crate) fn writer(&self) -> LogWriter {
        LogWriter(self.lines.clone())
    }

    /// Writes out what is left, and says how many lines were lost.
    pub(crate) fn end(self) {
        drop(self.guard);
        let dropped = self.dropped.dropped_lines();
        if dropped > 0 {
            complain(&format!(
                "warning: {dropped} log lines were dropped: stderr was not read fast enough"
            ));
        }
    }
}

/// Writes whole lines between those of the log, and waits for its reader as little.
pub(crate) struct LogWriter(NonBlocking);

impl LogWriter {
    pub(crate) fn line(&mut self, text: &str) {
        // Handed to the log's thread; one that finds no room is counted among the dropped.
        let _ = self.0.write_all(format!("{text}\n").as_bytes());
    }
}

/// Prints one line to stderr, unless nobody reads that: then nobody can be told. Not through `Stderr`'s lock: the
/// log's thread may hold it for ever, waiting for a reader.
pub(crate) fn complain(text: &str) {
    let stderr = io::stderr();
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    if poll(&mut fds, Some(&PATIENCE)).is_ok_and(|ready| ready > 0) {
        let _ = rustix::io::write(&stderr, format!("{text}\n").as_bytes());
    }
}

/// For somebody to read stderr, where it is full.
const PATIENCE: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(harmless(b"a\x1b[2Jb\tc\r\n"), "a^[[2Jb\tc^M\n");
        assert_eq!(harmless("\u{9b}2J".as_bytes()), "\\u{9b}2J");
        assert_eq!(harmless("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(harmless("가\n".as_bytes()), "가\n");
    }
}
