//! `guardhouse compare` as people and scripts run it.
#![cfg(feature = "cli")]

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn compare(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guardhouse"));
    command.arg("compare").args(args).stdin(Stdio::null());
    command
}

fn output(args: &[&str]) -> Output {
    compare(args).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

const SMALL: [&str; 7] = [
    "--clients=4",
    "--duration=50ms",
    "--models",
    "pool,select",
    "--syncs=mutex",
    "--services",
    "echo,chat",
];

#[test]
fn the_table_has_a_row_per_cell_and_no_control_characters() {
    let output = output(&[&SMALL[..], &["--rounds=1"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    for cell in [
        ["echo", "pool", "mutex"],
        ["echo", "select", "mutex"],
        ["chat", "pool", "mutex"],
        ["chat", "select", "mutex"],
    ] {
        let rows = table
            .lines()
            .filter(|line| line.split_whitespace().take(3).eq(cell));
        assert_eq!(rows.count(), 1, "{cell:?} in {table}");
    }
    assert!(table.contains("--workers 4"), "{table}");
    let plan = text(&output.stderr);
    assert_eq!(plan, "4 cells x 1 round of 50ms: about 1s\n");
    let printed = table.chars().chain(plan.chars());
    assert!(printed.into_iter().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn json_is_one_report_with_every_round_in_it() {
    let output = output(&[&SMALL[..], &["--json", "--quiet", "--rounds=2"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["setup"]["clients"], 4);
    assert!(report["machine"]["cores"].as_u64().unwrap() >= 1);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        assert!(row["messages_per_second"]["median"].as_f64().unwrap() > 0.0);
        assert_eq!(row["samples"].as_array().unwrap().len(), 2);
        assert_eq!((&row["lost"], &row["torn"]), (&0.into(), &0.into()));
    }
}

#[test]
fn wrong_use_is_exit_code_2_and_names_flag_value_and_limit() {
    for (args, words) in [
        (&["--clients=0"][..], &["--clients", "0", "at least 1"][..]),
        (&["--clients=10001"], &["--clients 10001", "10000"]),
        (
            &["--clients=1001"],
            &["--clients 1001", "--models select", "FD_SETSIZE", "1024"],
        ),
        (&["--duration=1ms"], &["--duration 1ms", "50ms"]),
        (&["--duration=2h"], &["--duration 2h", "1h"]),
        (&["--rounds=1001"], &["--rounds 1001", "1000"]),
        (&["--rounds=0"], &["--rounds", "0", "at least 1"]),
        (&["--models=thread,fork"], &["--models", "fork", "select"]),
        (&["--syncs=luck"], &["--syncs", "luck", "rwlock"]),
        (
            &["--models=iterative"],
            &["--models iterative", "--clients is 16", "--clients 1"],
        ),
    ] {
        let output = output(args);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        for word in words {
            assert!(error.contains(word), "{word} is not in: {error}");
        }
        assert!(output.stdout.is_empty());
    }
}

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
