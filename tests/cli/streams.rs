//! Streams that nobody reads, or that are closed: no command panics over them, and no server stops.

use crate::child::{GUARDHOUSE, Program, Serving, guardhouse, piped, serve};
use crate::common::peer::Peer;
use std::io::{Read, pipe};
use std::process::Command;

#[test]
fn whoever_closes_the_pipe_has_seen_enough() {
    for args in [
        &["models"][..],
        &["models", "--json"],
        &["syncs"],
        &["syncs", "--json"],
        &["--help"],
    ] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut command = guardhouse(args);
        command.stdout(writer);
        let ended = Program::start(command).ended();
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        assert_eq!(ended.err, "", "{args:?}");
    }
}

#[test]
fn a_log_that_nobody_reads_stops_no_server() {
    /// Each is two lines in the log, and the pipe holds 64 KiB.
    const CLIENTS: usize = 2_000;
    for model in ["thread", "select"] {
        let (mut reader, writer) = pipe().unwrap();
        let mut command = guardhouse(&serve(&format!("echo --model {model}")));
        command.stderr(writer);
        let server = Serving::of(command);
        for _ in 0..CLIENTS {
            Peer::greeted(server.addr, "hello").leave();
        }
        server.drained();
        let mut head = [0; 4096];
        reader.read_exact(&mut head).unwrap();
        assert!(String::from_utf8_lossy(&head).contains("connected client=1"));
    }
}

#[test]
fn a_log_that_lost_lines_stops_no_exit() {
    /// Each is a line in the log; what waits to be written is bounded, by 128,000 lines and the pipe; those whom
    /// the kernel holds ready at the end are 4,096 at most.
    const REFUSED: usize = 140_000;
    let (mut reader, writer) = pipe().unwrap();
    let mut command = guardhouse(&serve("echo --model select --max-clients 1"));
    command.stderr(writer);
    let server = Serving::of(command);
    let mut inside = Peer::greeted(server.addr, "inside");
    for _ in 0..REFUSED {
        Peer::connect(server.addr).reset();
    }
    inside.round_trip("still served");
    server.drained();
    let mut log = String::new();
    reader.read_to_string(&mut log).unwrap();
    let written = log.matches(" refused addr=").count();
    assert!(
        0 < written && written < REFUSED,
        "{written} lines were written"
    );
}

/// `serve`, with one of its streams closed by the shell.
fn without(stream: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!("exec \"$0\" \"$@\" {stream}>&-");
    command
        .args(["-c", &script, GUARDHOUSE])
        .args(serve("chat"));
    piped(command)
}

#[test]
fn a_server_without_stderr_serves() {
    let server = Serving::of(without("2"));
    for _ in 0..20 {
        Peer::greeted(server.addr, "hello").leave();
    }
    server.drained();
}

#[test]
fn a_server_whose_stdout_is_a_closed_pipe_serves() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    // It cannot tell us where it listens; so we tell it, with a port that the kernel gave us a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut command = guardhouse(&["serve", "echo", "--listen", &port.to_string()]);
    command.stdout(writer);
    let server = Program::start(command);
    server.err.until("it says that nobody reads", |log| {
        log.contains("nobody reads stdout")
    });
    Peer::greeted(port, "hello").leave();
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.ended().code, Some(0));
}
