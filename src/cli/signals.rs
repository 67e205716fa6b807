//! [`Signals`]: those that end, stop or resize a program, as something to poll.

use rustix::process::{Signal, kill_current_process_group};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

pub(crate) struct Signals(SignalDelivery<UnixStream, SignalOnly>);

impl Signals {
    /// Those that concern a program which rules its terminal.
    pub(crate) const OF_A_TERMINAL: [i32; 6] =
        [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCONT];
    /// Those that ask a program to come to its end. Without SIGHUP, where it is to outlive its terminal: `nohup` has it ignored.
    pub(crate) fn to_end() -> Vec<i32> {
        let mut signals = vec![SIGINT, SIGTERM];
        if !ignored(SIGHUP) {
            signals.push(SIGHUP);
        }
        signals
    }

    /// From now on, these do nothing by themselves.
    pub(crate) fn watch(signals: &[i32]) -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        SignalDelivery::with_pipe(read, write, SignalOnly, signals).map(Self)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }

    pub(crate) fn arrived(&mut self) -> impl Iterator<Item = i32> + use<> {
        self.0.pending()
    }
}

/// Whether this signal does nothing so far. True where the system does not tell: then it goes on to do what it does.
fn ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask & (1 << (signal - 1)) != 0)
}

/// Stops this program, and whoever else is at its terminal with it.
pub(crate) fn stop() -> io::Result<()> {
    Ok(kill_current_process_group(Signal::TSTP)?)
}
