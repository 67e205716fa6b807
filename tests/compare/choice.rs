//! What is measured of what was named, and what is refused or left out.

use crate::lab::{output, report, text};
use guardhouse::strategy::{self, ModelKind, ModelOptions};
use std::process::Command;

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
        is_refused(args, words);
    }
}

#[test]
fn wrong_use_of_what_a_chat_has_names_flag_value_and_limit() {
    for (args, words) in [
        (
            &["--clients=4", "--talkers=5"][..],
            &["--talkers 5", "--clients is 4"][..],
        ),
        (
            &["--fanouts=queue", "--services=echo"],
            &["--fanouts queue", "--services chat only"],
        ),
        (
            &["--stalled=2", "--services=echo"],
            &["--stalled 2", "--services chat only"],
        ),
        (
            &["--fanouts=under-lock", "--models=epoll"],
            &[
                "--fanouts under-lock",
                "--models",
                "thread",
                "epoll serves many",
            ],
        ),
        (
            &["--fanouts=under-lock", "--models=thread", "--stalled=1"],
            &["--stalled 1", "--fanouts under-lock", "stands still"],
        ),
        (
            &["--fanouts=log", "--slow=block"],
            &["--slow block", "--fanouts log", "drop-oldest"],
        ),
        (
            &["--fanouts=queue", "--slow=block", "--models=epoll"],
            &["--slow block", "thread", "epoll serves many"],
        ),
        (&["--fanouts=luck"], &["--fanouts", "luck", "sharded"]),
        (&["--stalled=1001"], &["--stalled 1001", "1000"]),
    ] {
        is_refused(args, words);
    }
}

fn is_refused(args: &[&str], words: &[&str]) {
    let output = output(args);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
    for word in words {
        assert!(error.contains(word), "{word} is not in: {error}");
    }
    assert!(output.stdout.is_empty());
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
fn a_fan_out_is_measured_under_the_models_that_it_goes_with() {
    let report = report(&[
        "--models=thread,select",
        "--fanouts=under-lock,log",
        "--syncs=mutex",
        "--clients=3",
        "--rounds=1",
    ]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let rows = report["rows"].as_array().unwrap().iter();
    let cells: Vec<String> = rows
        .map(|row| {
            ["service", "model", "fanout"]
                .map(|name| text(&row[name]))
                .join(" ")
        })
        .collect();
    assert_eq!(
        cells,
        [
            "chat thread under-lock",
            "chat thread log",
            "chat select log"
        ]
    );
    let left_out = report["left_out"].as_array().unwrap();
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    let sentence = "--fanouts under-lock goes with --models iterative or thread or pool only";
    assert!(text(&left_out[0]).starts_with(sentence), "{left_out:?}");
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
