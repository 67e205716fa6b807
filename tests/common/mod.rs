//! What the test binaries share: a client of a socket, the server as a child process, bounded waiting.
#![allow(dead_code, reason = "each binary uses its own part")]

pub(crate) mod peer;
/// The server's own look at what has not arrived.
#[path = "../../src/net/unacknowledged.rs"]
mod unacknowledged;

use rustix::process::Pid;
#[cfg(target_os = "linux")]
use std::fs;
#[cfg(target_os = "linux")]
use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

/// After how long a test says that what it waits for will not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until `done`, and says what it waited for when it never is. For what nothing signals, like a
/// counter.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        between_two_looks();
    }
}

/// Who looks again and again leaves the core, for a moment, to those who bring about what it looks for.
pub(crate) fn between_two_looks() {
    thread::park_timeout(Duration::from_micros(100));
}

/// Whether a thread of a process waits until somebody takes what it sends. Where nobody can tell, one does.
#[cfg(target_os = "linux")]
pub(crate) fn waits_to_send(pid: Pid) -> bool {
    let sends = [libc::SYS_sendto, libc::SYS_sendmsg].map(|number| number.to_string());
    fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()))
        .unwrap()
        .filter_map(|task| Some(fs::read_to_string(task.ok()?.path().join("syscall"))))
        .any(|call| match call {
            // "running" while it does not sleep, also in a call: one that was only put aside goes on by itself.
            Ok(call) => sends
                .iter()
                .any(|send| call.split(' ').next() == Some(send)),
            // Who may not be debugged is not told of, either.
            Err(error) => error.kind() == ErrorKind::PermissionDenied,
        })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn waits_to_send(_: Pid) -> bool {
    true
}

/// `count` different lines, each with `before` at its head.
pub(crate) fn numbered_lines(before: &str, count: usize) -> String {
    let numbered = |n| [before, "line ", &usize::to_string(&n), "\n"].concat();
    (0..count).map(numbered).collect()
}

/// Numbers that look random and are the same every time (`SplitMix64`).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 1 to `most`.
    pub(crate) fn roll(&mut self, most: usize) -> usize {
        1 + self.next() as usize % most
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = (0..count.div_ceil(8)).map(|_| self.next().to_le_bytes());
        let mut bytes = words.collect::<Vec<_>>().concat();
        bytes.truncate(count);
        bytes
    }

    /// `bytes` cut into pieces of 1 to `longest`.
    pub(crate) fn cut<'a>(&mut self, mut bytes: &'a [u8], longest: usize) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(self.roll(longest).min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }
}
