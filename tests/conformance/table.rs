//! A descriptor table for every scenario: many run side by side, and each still finds exactly what its own server
//! left behind.
//!
//! A thread shares the table of whoever started it (`CLONE_FILES`, clone(2)), which is how a process comes to have one.
//! A thread that cuts itself loose has one of its own, and shares it with whatever it starts from then on:
//!
//! ```text
//!   the harness's table:    0 1 2   the other ends of the ropes
//!   a scenario's table:     0 1 2   its rope   whatever its server opens
//! ```
//!
//! So what is open in that table is the scenario's alone; and its rope, the end of a pipe, closes with the last thread
//! that has the table.
#![allow(
    unsafe_code,
    reason = "who cuts itself loose could think that it still has what is others'"
)]

use crate::common::{PATIENCE, between_two_looks};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

/// Runs `scenario` on a thread with a table of its own. Panics if a descriptor stays open there after it, or a thread that
/// it started goes on.
pub(crate) fn with_its_own(scenario: impl FnOnce() + Send) {
    watched(PATIENCE, scenario);
}

fn watched(patience: Duration, scenario: impl FnOnce() + Send) {
    let (end, rope) = io::pipe().unwrap();
    let ran = thread::scope(|scope| {
        // Under the test's name: it is what a panic says.
        let name = thread::current().name().unwrap_or_default().to_owned();
        let run = || {
            cut_loose(rope.as_raw_fd());
            let at_first = open_here();
            scenario();
            is_left_with(&at_first, patience);
        };
        let thread = Builder::new().name(name).spawn_scoped(scope, run);
        thread.unwrap().join()
    });
    if let Err(panic) = ran {
        panic::resume_unwind(panic);
    }
    is_let_go(&end, rope, patience);
}

/// The calling thread gets a table of its own, with the standard streams and `rope` in it.
fn cut_loose(rope: RawFd) {
    let after = |fd: RawFd| libc::c_uint::try_from(fd + 1).unwrap();
    let close = |first: libc::c_uint, last: libc::c_uint, flags: libc::c_uint| {
        // SAFETY: the call reads no memory. From the first one on, which leaves the shared table, it closes copies in a table
        // that is this thread's alone; and this thread has just begun, and owns no descriptor.
        let code = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
        assert_eq!(code, 0, "close_range: {}", io::Error::last_os_error());
    };
    close(after(rope), libc::c_uint::MAX, libc::CLOSE_RANGE_UNSHARE);
    let (first, rope) = (after(libc::STDERR_FILENO), after(rope) - 1);
    if first < rope {
        close(first, rope - 1, 0);
    }
}

/// Waits until what is open in the calling thread's table is what was at first.
fn is_left_with(at_first: &[String], patience: Duration) {
    let deadline = Instant::now() + patience;
    loop {
        let mut left = open_here();
        left.retain(|fd| !at_first.contains(fd));
        if left.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "left open by the server: {left:?}"
        );
        between_two_looks();
    }
}

fn open_here() -> Vec<String> {
    entries("/proc/thread-self/fd")
        .iter()
        // But for the list itself, which was open while it was made.
        .filter_map(|fd| {
            Some(format!(
                "{} -> {}",
                fd.display(),
                fs::read_link(fd).ok()?.display()
            ))
        })
        .collect()
}

/// Waits until nobody holds on to `rope`. A thread that was joined may still be on its last steps in the kernel.
fn is_let_go(end: &PipeReader, rope: PipeWriter, patience: Duration) {
    let number = rope.as_raw_fd().to_string();
    let pipe = fs::read_link(Path::new("/proc/self/fd").join(&number)).unwrap();
    drop(rope);
    let mut fds = [PollFd::new(end, PollFlags::IN)];
    let patience = Timespec::try_from(patience).unwrap();
    let ended = poll(&mut fds, Some(&patience)).unwrap();
    let hold_it = |task: &PathBuf| {
        let there = fs::read_link(task.join("fd").join(&number));
        there.is_ok_and(|there| there == pipe)
    };
    let names = || {
        let tasks = entries("/proc/self/task").into_iter().filter(hold_it);
        tasks
            .filter_map(|task| fs::read_to_string(task.join("comm")).ok())
            .collect::<String>()
    };
    assert_eq!(ended, 1, "left running by the server: {}", names());
}

fn entries(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

/// For what is left on purpose.
const LITTLE: Duration = Duration::from_millis(20);

#[test]
#[should_panic(expected = "left open by the server: [\"/proc/thread-self/fd/")]
fn a_descriptor_that_is_left_is_found() {
    watched(LITTLE, || std::mem::forget(io::pipe()));
}

#[test]
#[should_panic(expected = "left running by the server: gh-left\n")]
fn a_thread_that_is_left_is_found() {
    watched(LITTLE, || {
        let (sender, began) = mpsc::channel();
        let stay = move || {
            sender.send(()).unwrap();
            thread::park_timeout(PATIENCE);
        };
        Builder::new().name("gh-left".into()).spawn(stay).unwrap();
        began.recv().unwrap();
    });
}

#[test]
fn a_neighbours_descriptors_are_not_here() {
    let (mut reader, mut writer) = io::pipe().unwrap();
    with_its_own(|| {
        let open = open_here();
        assert_eq!(open.len(), 4, "the standard streams and a rope: {open:?}");
    });
    writer.write_all(b"open").unwrap();
    reader.read_exact(&mut [0; 4]).unwrap();
}
