//! `guardhouse compare` as people and scripts run it.
#![cfg(feature = "cli")]

use guardhouse::strategy::{self, ModelKind, ModelOptions};
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
            &["--clients=1001", "--models=select"],
            &["--clients 1001", "--models select", "FD_SETSIZE", "1024"],
        ),
        (
            &["--clients=50", "--models=select,epoll", "--idle=5000"],
            &["--clients 50", "--idle 5000", "--models select", "1024"],
        ),
        (&["--idle=many"], &["--idle", "many"]),
        (&["--idle=25001"], &["--idle 25001", "25000"]),
        (
            &["--models=pool", "--clients=50", "--idle=16350"],
            &["--clients 50", "--idle 16350", "--models pool", "16384"],
        ),
        (
            &["--services=chat", "--idle=3"],
            &["--idle 3", "--services echo", "nobody is idle"],
        ),
        (
            &["--models=iterative", "--clients=1", "--idle=3"],
            &["--models iterative", "--idle is 3"],
        ),
        (
            &["--models=select", "--stack-size=64KiB"],
            &[
                "--stack-size 65536",
                "--models thread",
                "--models is select",
            ],
        ),
        (
            &["--models=thread", "--stack-size=1KiB"],
            &["--stack-size 1024", "is outside 65536"],
        ),
        (
            &["--models=thread,poll", "--loops=2"],
            &["--loops 2", "--models epoll", "--models is thread,poll"],
        ),
        (
            &["--models=epoll", "--loops=1025"],
            &["--loops 1025", "1024"],
        ),
        (
            &["--models=pool,thread", "--workers=2"],
            &[
                "--workers 2",
                "--models leader-followers or hybrid",
                "pool,thread",
            ],
        ),
        (
            &["--models=epoll", "--syncs=none", "--loops=2"],
            &["--syncs none", "epoll x none with --loops 2"],
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

#[test]
fn more_idle_clients_than_there_are_descriptors_are_refused_with_the_limit() {
    let shell = "ulimit -n 200 && exec \"$@\"";
    let output = Command::new("/bin/sh")
        .args(["-c", shell, "sh", env!("CARGO_BIN_EXE_guardhouse")])
        .args(["compare", "--idle=150", "--clients=50"])
        .output()
        .unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    let sentence = "--clients 50 and --idle 150 together do not fit the limit of 200 file descriptors (ulimit -Hn)";
    assert!(error.contains(sentence), "{error}");

    let output = Command::new("/bin/sh")
        .args(["-c", shell, "sh", env!("CARGO_BIN_EXE_guardhouse")])
        .args(["compare", "--models=process", "--clients=100"])
        .output()
        .unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    let sentence = "--clients 100 does not fit --models process and the limit of 200 file descriptors (ulimit -Hn), of \
                    which 24 are for the server itself, and each client takes 2";
    assert!(error.contains(sentence), "{error}");
}

/// What `--json` says of a comparison that has to succeed.
fn report(args: &[&str]) -> serde_json::Value {
    let output = output(&[args, &["--json", "--quiet", "--duration=50ms"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn idle_clients_are_told_with_what_they_leave_and_what_they_take() {
    let report = report(&[
        "--models=thread,pool,select,poll",
        "--clients=4",
        "--idle=0,300",
        "--rounds=2",
        "--stack-size=64KiB",
    ]);
    assert_eq!(report["setup"]["idle"], serde_json::json!([0, 300]));
    assert_eq!(report["setup"]["tuning"]["stack_size"], 65536);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 8);
    for row in rows {
        assert_eq!(row["service"], "echo");
        assert_eq!((&row["lost"], &row["torn"]), (&0.into(), &0.into()));
        if row["idle"] == 0 {
            assert!(row["kept"].is_null() && row["idle_client_bytes"].is_null());
            continue;
        }
        assert_eq!(row["idle"], 300);
        assert!(row["kept"]["median"].as_f64().unwrap() > 0.0, "{row}");
        let bytes = row["idle_client_bytes"]["median"].as_f64().unwrap();
        // A stack is a page at least, whether it was made for the client or before; one thread for all has none for each.
        let least = match row["model"].as_str().unwrap() {
            "thread" | "pool" => 4096.0,
            _ => 1.0,
        };
        assert!(bytes >= least, "{row}");
        assert!(bytes < 1e6, "{row}");
        for sample in row["samples"].as_array().unwrap() {
            assert!(sample["idle_client_bytes"].is_number(), "{sample}");
        }
    }
}

#[test]
fn the_memory_of_all_processes_of_a_server_is_counted() {
    let report = report(&[
        "--models=process,prefork",
        "--clients=2",
        "--idle=0,6",
        "--rounds=1",
    ]);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        if row["idle"] == 6 {
            // Nothing of the kind is smaller.
            let bytes = row["idle_client_bytes"]["median"].as_f64().unwrap();
            assert!(bytes > 100_000.0, "{row}");
        }
    }
}

#[test]
fn processes_have_no_chat() {
    let args = ["--models=prefork,select", "--clients=2", "--rounds=1"];
    let report = report(&[&args[..], &["--services=chat,echo", "--syncs=mutex"]].concat());
    let rows = report["rows"].as_array().unwrap().iter();
    let cells: Vec<_> = rows.map(|row| (&row["service"], &row["model"])).collect();
    assert_eq!(
        cells,
        [
            (&"chat".into(), &"select".into()),
            (&"echo".into(), &"prefork".into()),
            (&"echo".into(), &"select".into()),
        ]
    );
    let left_out = report["left_out"].to_string();
    let sentence = "--models prefork goes with --services echo only";
    assert!(left_out.contains(sentence), "{left_out}");

    let output = output(&["--models=prefork", "--services=chat"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains(sentence));
}

#[test]
fn columns_on_idle_clients_are_there_when_some_are() {
    let args = [
        "--models=select",
        "--clients=2",
        "--duration=50ms",
        "--rounds=1",
    ];
    for (idle, titles) in [("--idle=0,20", true), ("--idle=0", false)] {
        let output = output(&[&args[..], &[idle]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let table = text(&output.stdout);
        let header = table.lines().next().unwrap();
        for title in ["idle", "kept", "B/idle"] {
            assert_eq!(header.contains(title), titles, "{title} in {header}");
        }
        assert_eq!(table.contains("VmRSS"), titles, "{table}");
    }
}

#[test]
fn of_what_was_named_what_cannot_be_is_left_out_with_a_sentence() {
    let report = report(&[
        "--models=select,poll",
        "--clients=2",
        "--idle=10,1100",
        "--rounds=1",
    ]);
    let measured: Vec<(&str, u64)> = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["model"].as_str().unwrap(),
                row["idle"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(measured, [("select", 10), ("poll", 10), ("poll", 1100)]);
    let left_out = report["left_out"].as_array().unwrap();
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    for word in ["--idle 1100", "--models select", "FD_SETSIZE is 1024"] {
        let sentence = left_out[0].as_str().unwrap();
        assert!(sentence.contains(word), "{word} is not in: {sentence}");
    }
}

#[test]
fn a_named_model_that_cannot_run_here_is_a_failure_that_says_why() {
    let missing = ModelKind::ALL.into_iter().filter(|kind| {
        let model = strategy::model(*kind, ModelOptions::default());
        kind.shares_memory() && model.check().is_err()
    });
    // kqueue and io_uring are on no system both.
    let mut some = false;
    for kind in missing {
        some = true;
        let output = output(&["--models", kind.name(), "--clients=1"]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        let sentence = format!("error: --models {kind} cannot run here: ");
        assert!(error.starts_with(&sentence), "{error}");
    }
    assert!(some);
}

#[test]
fn without_names_an_echo_has_one_lock_and_a_chat_several() {
    let report = report(&["--models=select", "--clients=2", "--rounds=1"]);
    let rows = report["rows"].as_array().unwrap();
    let syncs = |service: &str| {
        let own = rows.iter().filter(|row| row["service"] == service);
        own.map(|row| row["sync"].as_str().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(syncs("echo"), ["mutex"]);
    assert_eq!(syncs("chat"), ["mutex", "rwlock", "semaphore"]);
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
