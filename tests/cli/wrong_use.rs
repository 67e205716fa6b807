//! What cannot hold together is refused before anything is started: exit code 2, and a sentence that names the flag,
//! its value and the limit. What fails is exit code 1, with its reason.

use crate::chat_models;
use crate::child::{Program, Serving, guardhouse, limited, serve};
use guardhouse::sync::Semaphore;

/// `serve` with `args` is refused, and says all of `words`.
pub(crate) fn refused(args: &str, words: &[&str]) {
    let ended = Program::start(guardhouse(&serve(args))).ended();
    assert_eq!(
        (ended.code, &*ended.out),
        (Some(2), ""),
        "{args}: {}",
        ended.err
    );
    assert!(ended.err.starts_with("error: "), "{args}: {}", ended.err);
    for word in words {
        assert!(
            ended.err.contains(word),
            "{args}: no {word:?} in {}",
            ended.err
        );
    }
}

#[test]
fn options_of_a_pool_need_a_pool() {
    refused(
        "echo --workers 4",
        &[
            "--workers 4",
            "--model prefork or pool or ",
            "--model is thread",
        ],
    );
    refused(
        "echo --model select --queue 3",
        &["--queue 3", "--model pool", "select"],
    );
    refused(
        "chat --model iterative --when-full reject",
        &["--when-full reject", "--model pool", "iterative"],
    );
}

#[test]
fn ways_to_accept_need_a_model_that_has_them() {
    refused(
        "echo --accept free",
        &["--accept free", "--model pool or ", "--model is thread"],
    );
    for accept in ["mutex", "free"] {
        refused(
            &format!("echo --model epoll --accept {accept}"),
            &[
                &format!("--accept {accept}"),
                "--model pool only",
                "acceptor or reuseport",
            ],
        );
    }
    refused(
        "echo --model epoll --accept workers",
        &["--accept mutex or workers goes with --model pool only"],
    );
    refused(
        "echo --model pool --accept everybody",
        &["'everybody'", "acceptor, mutex, free, reuseport"],
    );
}

#[test]
fn without_an_acceptor_there_is_no_queue_to_have_options() {
    for accept in ["mutex", "free", "reuseport"] {
        for flag in [
            "--queue 3",
            "--when-full caller-runs",
            "--executor stealing",
        ] {
            refused(
                &format!("echo --model pool --accept {accept} {flag}"),
                &[flag, &format!("--accept {accept}"), "no queue"],
            );
        }
    }
}

#[test]
fn an_executor_needs_a_model_that_hands_work_over() {
    refused(
        "echo --executor rayon",
        &["--executor rayon", "--model pool or hybrid", "thread"],
    );
    refused(
        "echo --model pool --executor tokio",
        &["'tokio'", "channel, stealing, rayon"],
    );
    refused(
        "echo --model pool --when-full panic",
        &["'panic'", "wait, reject, caller-runs"],
    );
}

#[test]
fn numbers_out_of_range_are_refused_with_the_range() {
    refused(
        "echo --model pool --workers 0",
        &["--workers", "'0'", "at least 1"],
    );
    refused(
        "echo --max-clients 0",
        &["--max-clients", "'0'", "at least 1"],
    );
    refused(
        "echo --model pool --workers 99999",
        &["--workers 99999", "16384"],
    );
    refused("echo --model epoll --loops 1025", &["--loops 1025", "1024"]);
    refused(
        "echo --model pool --queue 99999999",
        &["--queue 99999999", "1048576"],
    );
    refused("echo --backlog 0", &["--backlog", "'0'", "1.."]);
    refused("echo --idle-timeout 0s", &["--idle-timeout 0s", "1ms"]);
    refused("echo --drain 9years", &["--drain 9years"]);
    refused("echo --mailbox 0", &["--mailbox 0"]);
    refused(
        "chat --mailbox 2GiB",
        &["--mailbox 2147483648 is more than 1073741824 bytes"],
    );
    refused("chat --max-line 0", &["--max-line 0"]);
}

#[test]
fn a_number_that_is_none_is_refused() {
    refused("echo --max-clients many", &["--max-clients", "'many'"]);
    refused("echo --idle-timeout soon", &["--idle-timeout", "'soon'"]);
    refused("echo --nodelay maybe", &["--nodelay", "'maybe'", "on, off"]);
}

#[test]
fn permits_need_a_semaphore() {
    refused(
        "chat --permits 4 --sync mutex",
        &["--permits 4", "--sync semaphore", "mutex"],
    );
}

#[test]
fn more_permits_than_a_semaphore_counts_are_refused_with_their_number() {
    let most = Semaphore::MAX_PERMITS;
    for permits in [most + 1, isize::MAX.unsigned_abs(), usize::MAX] {
        refused(
            &format!("echo --sync semaphore --permits {permits}"),
            &[&format!("--permits {permits} is more than {most}")],
        );
    }
    Serving::start(&format!("echo --sync semaphore --permits {most}")).drained();
}

#[test]
fn no_lock_needs_one_thread() {
    for model in chat_models() {
        let args = format!("chat --sync none --model {model}");
        if model.has_many_threads() {
            let name = format!("--model is {model}");
            refused(&args, &["--sync none", "--model iterative or ", &name]);
        } else {
            Serving::start(&args).drained();
        }
    }
    let args = [
        "compare",
        "--models",
        "select,pool",
        "--syncs",
        "mutex,none",
    ];
    let ended = Program::start(guardhouse(&args)).ended();
    assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{}", ended.err);
    for word in [
        "pool x none",
        "--syncs none",
        "--models iterative or ",
        " or select or ",
    ] {
        assert!(ended.err.contains(word), "no {word:?} in {}", ended.err);
    }
}

#[test]
fn a_stack_size_needs_threads_per_client_and_room_to_run() {
    refused(
        "echo --model pool --stack-size 1MiB",
        &["--stack-size", "--model thread", "pool"],
    );
    refused("echo --stack-size 1KiB", &["--stack-size", "is outside"]);
    refused("echo --stack-size 4GiB", &["--stack-size", "is outside"]);
}

#[test]
fn a_line_limit_needs_lines_and_a_mailbox_that_takes_them() {
    refused("echo --max-line 10", &["--max-line 10", "chat"]);
    refused(
        "chat --max-line 1000 --mailbox 1000",
        &["--max-line 1000", "--mailbox 1000"],
    );
    Serving::start("chat --max-line 1000 --mailbox 1001").drained();
}

#[test]
fn more_clients_than_there_can_be_descriptors_are_refused() {
    refused(
        "echo --model select --max-clients 5000",
        &["--max-clients 5000", "--model select", "FD_SETSIZE is 1024"],
    );
    refused(
        "echo --max-clients 99999999",
        &["--max-clients 99999999", "file descriptors"],
    );
}

#[test]
fn what_a_model_needs_itself_is_counted_against_the_limit_of_descriptors() {
    for (args, words) in [
        ("--model epoll --loops 40", ["--loops 40", "takes 224 "]),
        (
            "--model uring --loops 40 --accept reuseport",
            ["--loops 40", "takes 184 "],
        ),
        (
            "--model pool --workers 150 --accept reuseport",
            ["--workers 150", "takes 174 "],
        ),
        (
            "--model prefork --workers 80",
            ["--workers 80", "takes 184 "],
        ),
        (
            "--model epoll --loops 20 --max-clients 30",
            ["--max-clients 30", "of which 124 "],
        ),
        (
            "--model process --max-clients 70",
            ["--max-clients 70", "each client takes 2"],
        ),
    ] {
        let ended = Program::start(limited("-n 150", &serve(&format!("echo {args}")))).ended();
        assert_eq!(
            (ended.code, &*ended.out),
            (Some(2), ""),
            "{args}: {}",
            ended.err
        );
        let limit = "the limit of 150 file descriptors (ulimit -Hn)";
        for word in [words[0], words[1], limit] {
            assert!(
                ended.err.contains(word),
                "{args}: no {word:?} in {}",
                ended.err
            );
        }
    }
}

#[test]
fn what_just_fits_the_limit_of_descriptors_is_served() {
    for args in [
        "--model epoll --loops 20 --max-clients 26",
        "--model epoll --loops 20 --accept reuseport --max-clients 46",
        "--model pool --workers 60 --accept reuseport --max-clients 66",
        "--model process --max-clients 63",
    ] {
        let server = Serving::of(limited("-n 150", &serve(&format!("echo {args}"))));
        server.drained();
    }
}

#[test]
fn unknown_names_are_refused_with_the_known_ones() {
    refused(
        "echo --model fork",
        &["'fork'", "iterative, process, prefork, thread, pool, "],
    );
    refused(
        "echo --sync recursive",
        &[
            "'recursive'",
            "mutex, fair-mutex, rwlock, std-mutex, std-rwlock, semaphore, ticket, spin, snapshot, sharded, actor, none",
        ],
    );
    refused("gopher", &["'gopher'", "echo, chat"]);
}

#[test]
fn a_name_with_control_characters_is_refused() {
    let server = Serving::start("chat");
    let addr = server.addr.to_string();
    for name in ["", "a\nb", "\u{1b}[2J"] {
        let ended = Program::start(guardhouse(&["connect", "chat", &addr, "--name", name])).ended();
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains("--name"), "{ended:?}");
    }
    server.drained();
}

#[test]
fn an_address_in_use_is_a_failure_that_names_it() {
    let first = Serving::start("echo");
    let addr = first.addr.to_string();
    let args = ["serve", "chat", "--model", "select", "--listen", &addr];
    let ended = Program::start(guardhouse(&args)).ended();
    assert_eq!((ended.code, &*ended.out), (Some(1), ""));
    assert!(
        ended
            .err
            .contains(&format!("cannot listen on {addr}: Address already in use")),
        "{}",
        ended.err
    );
    first.drained();
}

#[test]
fn an_address_that_is_none_is_refused_with_the_form_it_should_have() {
    for addr in ["nowhere", "127.0.0.1", "127.0.0.1:99999"] {
        let ended = Program::start(guardhouse(&["serve", "echo", "--listen", addr])).ended();
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        for word in [&format!("--listen \"{addr}\""), "HOST:PORT"] {
            assert!(ended.err.contains(word), "{}", ended.err);
        }
    }
}

#[test]
fn an_address_of_another_machine_is_a_failure_that_names_it() {
    // TEST-NET-1: no machine's own. Only bound to, never sent to.
    let addr = "192.0.2.1:0";
    let ended = Program::start(guardhouse(&["serve", "echo", "--listen", addr])).ended();
    assert_eq!(ended.code, Some(1));
    let reason = format!("cannot listen on {addr}: ");
    assert!(ended.err.contains(&reason), "{}", ended.err);
}
