//! [`Signals`]: those that end, stop or resize a program, as something to poll.

use rustix::process::{Signal, kill_current_process_group};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

pub(crate) struct Signals(SignalDelivery<UnixStream, SignalOnly>);

impl Signals {
    /// Those that concern a program which rules its terminal.
    pub(crate) const OF_A_TERMINAL: [i32; 6] =
        [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCONT];
    /// Those that ask a program to come to its end.
    pub(crate) const TO_END: [i32; 2] = [SIGINT, SIGTERM];

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

/// Stops this program, and whoever else is at its terminal with it.
pub(crate) fn stop() -> io::Result<()> {
    Ok(kill_current_process_group(Signal::TSTP)?)
}
