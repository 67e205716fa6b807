//! [`Told`]: what is said on stderr while news go on.

use super::words::some;
use crate::cli::args::Verbosity;
use crate::cli::output::{self, Log, LogWriter};
use std::time::{Duration, Instant};
use tracing_subscriber::filter::LevelFilter;

/// By way of the log's thread: who does not read stderr holds up no news. What needs attention is told at most so often, and the
/// rest counted.
pub(super) struct Told {
    log: Log,
    lines: LogWriter,
    chatty: bool,
    detailed: bool,
    window: Instant,
    in_window: u32,
    untold: u64,
}

const WINDOW: Duration = Duration::from_secs(1);

/// Warnings in a second.
const MOST: u32 = 10;

impl Told {
    pub(super) fn start(verbosity: Verbosity) -> Self {
        let level = verbosity.level();
        let log = output::start_log(level);
        Self {
            lines: log.writer(),
            log,
            chatty: level >= LevelFilter::INFO,
            detailed: level >= LevelFilter::DEBUG,
            window: Instant::now(),
            in_window: 0,
            untold: 0,
        }
    }

    /// What one may want to know; not with `--quiet`.
    pub(super) fn note(&mut self, text: &str) {
        if self.chatty {
            self.lines.line(text);
        }
    }

    /// What one asks for with `--verbose`.
    pub(super) fn detail(&mut self, text: impl FnOnce() -> String) {
        if self.detailed {
            self.lines.line(&text());
        }
    }

    /// What one should know.
    pub(super) fn warn(&mut self, text: &str) {
        if self.window.elapsed() >= WINDOW {
            self.count_untold();
            (self.window, self.in_window) = (Instant::now(), 0);
        }
        self.in_window += 1;
        if self.in_window > MOST {
            self.untold += 1;
        } else {
            self.lines.line(text);
        }
    }

    /// At the end, after everything else: what one may want to know.
    pub(super) fn sum_up(&mut self, lines: impl IntoIterator<Item = String>) {
        self.count_untold();
        for line in lines {
            self.note(&line);
        }
    }

    fn count_untold(&mut self) {
        let untold = std::mem::take(&mut self.untold);
        if untold > 0 {
            let times = some(untold, "time");
            self.lines.line(&format!("and {times} more like that"));
        }
    }

    /// Writes out what is left.
    pub(super) fn end(mut self) {
        self.count_untold();
        drop(self.lines);
        self.log.end();
    }
}
