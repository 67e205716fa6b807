//! [`Sitting`]: the command at a pseudo-terminal, with somebody who types and looks at the screen.

use crate::child::GUARDHOUSE;
use crate::common::{PATIENCE, wait_until};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::time::Instant;

/// Dropping it kills the command.
pub(crate) struct Sitting {
    child: Child,
    /// Our side: keys go in, what is drawn comes out.
    ours: OwnedFd,
    /// The command's side. While this is open, too, ours can be read to the end.
    theirs: OwnedFd,
    screen: vt100::Parser,
}

impl Sitting {
    pub(crate) fn down(args: &[&str]) -> Self {
        Self::down_with((60, 12), &[], args)
    }

    /// At a screen of so many columns and rows, with these variables besides.
    pub(crate) fn down_with(
        (columns, rows): (u16, u16),
        variables: &[(&str, &str)],
        args: &[&str],
    ) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let path = ptsname(&ours, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let theirs = rustix::fs::open(path, flags, Mode::empty()).unwrap();
        let mut command = Command::new(GUARDHOUSE);
        command
            .args(args)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .envs(variables.iter().copied())
            .stdin(theirs.try_clone().unwrap())
            .stdout(theirs.try_clone().unwrap())
            .stderr(theirs.try_clone().unwrap());
        set_size(&theirs, columns, rows);
        Self {
            child: command.spawn().unwrap(),
            ours,
            theirs,
            screen: vt100::Parser::new(some(rows), some(columns), 0),
        }
    }

    pub(crate) fn types(&self, keys: &str) {
        let mut rest = keys.as_bytes();
        while !rest.is_empty() {
            let count = rustix::io::write(&self.ours, rest).unwrap();
            rest = &rest[count..];
        }
    }

    /// What is on the screen, without empty rows below.
    pub(crate) fn seen(&self) -> String {
        self.screen.screen().contents()
    }

    /// Looks at the screen until it is as `done` wants it.
    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self.screen.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            let came = self.take(Timespec::try_from(left).unwrap());
            assert!(came, "waited in vain: {what}; it shows:\n{}", self.seen());
        }
    }

    /// Looks until these are the last lines on the screen.
    pub(crate) fn until_below(&mut self, lines: &str) {
        self.until(lines, |screen| {
            screen.contents().trim_end().ends_with(lines.trim_end())
        });
    }

    pub(crate) fn cursor(&self) -> (u16, u16) {
        self.screen.screen().cursor_position()
    }

    /// The colour of the first cell of the row that begins with `text`.
    pub(crate) fn colour_of(&self, text: &str) -> vt100::Color {
        let screen = self.screen.screen();
        let row = screen
            .contents()
            .lines()
            .position(|line| line.starts_with(text));
        let row = row.unwrap_or_else(|| panic!("no {text:?} in:\n{}", self.seen()));
        screen.cell(row as u16, 0).unwrap().fgcolor()
    }

    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        set_size(&self.theirs, columns, rows);
        self.screen.screen_mut().set_size(some(rows), some(columns));
        // It is no session's terminal, so nobody else tells.
        self.signal(Signal::WINCH);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The terminal shows what is typed and hands it on line by line, as a shell wants it.
    pub(crate) fn is_cooked(&self) -> bool {
        let both = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        tcgetattr(&self.theirs).unwrap().local_modes.contains(both)
    }

    /// Waits for its exit, and returns its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        const NOW: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut status = None;
        wait_until("the command's exit", || {
            while self.take(NOW) {}
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        while self.take(NOW) {}
        status.and_then(|status| status.code())
    }

    /// Takes what is drawn within `time`; says whether anything was.
    fn take(&mut self, time: Timespec) -> bool {
        let mut fds = [PollFd::new(&self.ours, PollFlags::IN)];
        if poll(&mut fds, Some(&time)).is_ok_and(|ready| ready == 0) {
            return false;
        }
        let mut chunk = [0; 4096];
        let count = rustix::io::read(&self.ours, &mut chunk).unwrap();
        self.screen.process(&chunk[..count]);
        true
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        // It may have exited; nothing else can go wrong, and nothing could be done.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn some(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

fn set_size(terminal: &OwnedFd, columns: u16, rows: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).unwrap();
}
