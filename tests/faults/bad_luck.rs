//! System calls that fail, as strace has them fail.

use crate::child::{GUARDHOUSE, Serving, piped, serve};
use crate::common::numbered_lines;
use crate::common::peer::Peer;
use crate::crowd::Crowd;
use std::process::{Command, Stdio};

/// `serve` under strace, which makes system calls fail as `inject` says; `None` when there is no strace that works.
fn unlucky(inject: &str, args: &str) -> Option<Command> {
    let works = Command::new("strace")
        .args(["-D", "-f", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    if !works.as_ref().is_ok_and(std::process::ExitStatus::success) {
        eprintln!("skipped: it takes strace, and strace says {works:?}");
        return None;
    }
    let mut command = Command::new("strace");
    // -D: the server is our own child, and strace leaves with it.
    command.args(["-D", "-f", "-q", "-o", "/dev/null"]);
    command.args(["-e", inject, GUARDHOUSE]).args(serve(args));
    Some(piped(command))
}

const MODELS: [&str; 12] = [
    "iterative",
    "thread",
    "pool",
    "pool --accept mutex",
    "pool --accept free",
    "pool --accept reuseport",
    "leader-followers",
    "select",
    "poll",
    "epoll",
    "hybrid",
    "uring",
];

/// Their children are under strace, too.
const MODELS_OF_PROCESSES: [&str; 2] = ["process", "prefork"];

#[test]
fn interrupted_system_calls_lose_nobody_and_nothing() {
    let chats = MODELS.map(|model| ("chat", model));
    let echoes = MODELS_OF_PROCESSES.map(|model| ("echo", model));
    for (service, model) in chats.into_iter().chain(echoes) {
        let talking = "recvfrom,recvmsg,sendto,sendmsg,accept4";
        let waiting =
            "poll,ppoll,select,pselect6,epoll_wait,epoll_pwait,epoll_pwait2,io_uring_enter";
        let inject = format!("inject={talking},{waiting}:error=EINTR:when=2+3");
        let Some(command) = unlucky(&inject, &format!("{service} --model {model}")) else {
            return;
        };
        let server = Serving::of(command);
        let said = numbered_lines("", 40);
        for _ in 0..3 {
            let pieces: Vec<&[u8]> = said.as_bytes().chunks(7).collect();
            let heard = Peer::connect(server.addr).pour(&pieces);
            assert_eq!(String::from_utf8(heard).unwrap(), said, "{model}");
        }
        // Not by a signal: the pipe that wakes a thread for it never says EINTR outside of strace, and is
        // not asked twice.
        server.err.until("all three have ended well", |log| {
            log.matches("why=the client ended lost=0").count() == 3
        });
    }
}

#[test]
fn connections_that_break_before_they_are_accepted_cost_nobody_else_anything() {
    for model in MODELS.into_iter().chain(MODELS_OF_PROCESSES) {
        if model == "uring" {
            // Its kernel accepts without being called.
            continue;
        }
        let inject = "inject=accept4:error=ECONNABORTED:when=1+2";
        let Some(command) = unlucky(inject, &format!("echo --model {model}")) else {
            return;
        };
        let server = Serving::of(command);
        for _ in 0..5 {
            Peer::greeted(server.addr, "hello").leave();
        }
        let ended = server.drained();
        assert!(
            ended.err.contains("accepted=5 refused=0 "),
            "{model}: {}",
            ended.err
        );
        assert!(!ended.err.contains("aborted=0 "), "{model}: {}", ended.err);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_connection_that_is_broken_when_the_kernel_hands_it_over_costs_nobody_else_anything() {
    let inject = "inject=getpeername:error=ENOTCONN:when=1+2";
    let Some(command) = unlucky(inject, "echo --model uring") else {
        return;
    };
    let server = Serving::of(command);
    for _ in 0..3 {
        assert_eq!(Peer::connect(server.addr).rest(), "");
        Peer::greeted(server.addr, "hello").leave();
    }
    let ended = server.drained();
    assert!(
        ended.err.contains("accepted=3 refused=0 aborted=3 "),
        "{}",
        ended.err
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_kernel_without_what_io_uring_takes_is_told_from_one_that_forbids_it() {
    for (inject, says) in [
        ("io_uring_setup:error=ENOSYS", "CONFIG_IO_URING"),
        ("io_uring_setup:error=EINVAL", "Linux 6.1"),
        (
            "io_uring_setup:error=EPERM",
            "io_uring_setup(2) is forbidden",
        ),
        ("io_uring_setup:error=EMFILE", "ulimit -n"),
        ("io_uring_register:error=EINVAL", "Linux 5.19"),
        (
            "io_uring_enter:error=EPERM",
            "io_uring_enter(2) is forbidden",
        ),
    ] {
        let Some(mut command) = unlucky(&format!("inject={inject}"), "echo --model uring") else {
            return;
        };
        let refused = command.output().unwrap();
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{inject}: {told}");
        assert!(
            told.contains("--model uring cannot run here: ") && told.contains(says),
            "{inject}: {told}"
        );
    }
}

#[test]
fn a_process_that_cannot_be_started_costs_its_client_only() {
    // The thread that accepts makes nothing else by this call, and no thread of a child gets so far.
    let inject = "inject=clone3:error=EAGAIN:when=4..6";
    let Some(command) = unlucky(inject, "echo --model process") else {
        return;
    };
    let server = Serving::of(command);
    let mut crowd = Crowd::default();
    crowd.come(server.addr, 8);
    assert_eq!((crowd.served.len(), crowd.refused.len()), (5, 3));
    crowd.are_still_served();
    crowd.were_told("error: server could not start a process for you");
    let ended = server.drained();
    assert!(ended.err.contains(&crowd.counts()), "{}", ended.err);
}
