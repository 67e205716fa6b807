//! Where lines go: answers to stdout, what happens to stderr.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, IsTerminal, Write};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::LevelFilter;

/// Prints one line and flushes it. Unlike `println!`, a closed pipe is an error and not a panic.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Sends the log to stderr, by way of a thread: a reader of stderr that stops reading must not stop the
/// server. Lines that find its queue full are dropped, and their number is told at the end.
pub(crate) fn start_log(level: LevelFilter) -> Log {
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .finish(io::stderr());
    let dropped = writer.error_counter();
    let colours =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(writer)
        .with_ansi(colours)
        .with_target(false)
        .init();
    Log { guard, dropped }
}

/// The log; dropping it writes out what is left.
pub(crate) struct Log {
    guard: WorkerGuard,
    dropped: tracing_appender::non_blocking::ErrorCounter,
}

impl Log {
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
