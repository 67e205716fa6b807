//! A comparison that does not come to its end.

use crate::lab::{compare, text};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A comparison that would take minutes, and its first server.
fn under_way() -> (Child, Pid) {
    let mut lab = compare(&["--duration=60s", "--rounds=3"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let children = format!("/proc/{0}/task/{0}/children", lab.id());
    let server = until(|| {
        let children = fs::read_to_string(&children).ok()?;
        let first = children.split_whitespace().next()?;
        Pid::from_raw(first.parse().ok()?)
    });
    // From here on it is the server, and no longer what is about to become it.
    until(|| {
        let command = fs::read(format!("/proc/{}/cmdline", server.as_raw_nonzero())).ok()?;
        let fds = fs::read_dir(format!("/proc/{}/fd", server.as_raw_nonzero())).ok()?;
        (text(&command).contains("serve") && fds.count() > 6).then_some(())
    });
    assert!(lab.try_wait().unwrap().is_none());
    (lab, server)
}

fn until<T>(look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not come");
        std::thread::yield_now();
    }
}

fn assert_gone(server: Pid) {
    let status = format!("/proc/{}/status", server.as_raw_nonzero());
    until(|| match fs::read_to_string(&status) {
        Ok(status) => status.contains("State:\tZ").then_some(()),
        Err(_) => Some(()),
    });
}

#[test]
fn a_signal_in_the_middle_leaves_no_server_behind_and_is_exit_code_1() {
    for signal in [Signal::INT, Signal::TERM] {
        let (mut lab, server) = under_way();
        kill_process(Pid::from_child(&lab), signal).unwrap();
        let stderr = BufReader::new(lab.stderr.take().unwrap());
        let last = stderr.lines().last().unwrap().unwrap();
        assert_eq!(lab.wait().unwrap().code(), Some(1));
        assert_eq!(last, "error: interrupted; no server is left running");
        assert_gone(server);
    }
}

#[test]
fn a_killed_comparison_leaves_no_server_behind() {
    let (mut lab, server) = under_way();
    lab.kill().unwrap();
    lab.wait().unwrap();
    assert_gone(server);
}

#[test]
fn a_server_that_dies_is_exit_code_1_and_named() {
    let (mut lab, server) = under_way();
    kill_process(server, Signal::KILL).unwrap();
    let stderr = BufReader::new(lab.stderr.take().unwrap());
    let last = stderr.lines().last().unwrap().unwrap();
    assert_eq!(lab.wait().unwrap().code(), Some(1));
    // Whatever symptom it showed as: it may have died before it said its first line.
    assert!(
        last.starts_with("error: echo ") || last.starts_with("error: chat "),
        "{last}"
    );
    assert_gone(server);
}
