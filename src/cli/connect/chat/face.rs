//! [`Face`]: what the person, or the program, at this end sees and says.

use std::os::fd::BorrowedFd;

pub(super) trait Face {
    /// Somebody types: he is read from even while the server takes nothing, and does not wait for its goodbye for ever.
    const INTERACTIVE: bool;

    /// Everything is in order from the start.
    fn greet(&mut self, name: &str) -> anyhow::Result<()>;

    /// Shows what arrived. `raw` is all of it; `lines` are the lines that it completed.
    fn show(&mut self, raw: &[u8], lines: &[u8]) -> anyhow::Result<()>;

    /// Nothing but whole lines can be shown: a server that sends none is a failure.
    fn needs_lines(&self) -> bool;

    /// Says something of our own.
    fn tell(&mut self, text: &str) -> anyhow::Result<()>;

    /// This is who we are from now on.
    fn rename(&mut self, name: &str) -> anyhow::Result<()>;

    /// Takes what is ready on stdin, and appends the lines that it completes; `false` once there is no more.
    fn read(&mut self, lines: &mut Vec<u8>) -> anyhow::Result<bool>;

    /// Readable when [`signalled`](Self::signalled) has something to do.
    fn signals(&self) -> Option<BorrowedFd<'_>>;

    fn signalled(&mut self) -> anyhow::Result<()>;

    /// No more is read, but some may still be shown.
    fn close_input(&mut self) -> anyhow::Result<()>;
}
