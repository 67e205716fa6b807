//! `connect echo` and `connect chat`, in a pipe.

use crate::child::{Ended, Program, Serving, guardhouse};
use crate::common::numbered_lines;
use crate::common::peer::Peer;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

/// Nobody listens on it: it is a privileged port of a service from 1988.
const DEAD: &str = "127.0.0.1:1";

fn connect(service: &str, addr: SocketAddr, more: &[&str]) -> Program {
    let addr = addr.to_string();
    let mut args = vec!["connect", service, &addr];
    args.extend(more);
    Program::start(guardhouse(&args))
}

/// What becomes of a client that is given `input` and then the end of it.
fn fed(mut client: Program, input: &str) -> Ended {
    client.say(input);
    client.ended()
}

fn ended_well(ended: &Ended, out: &str) {
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    assert!(ended.out == out, "{:.300}", ended.out);
}

#[test]
fn echo_shows_every_line_with_its_title_and_no_prompt() {
    let server = Serving::start("echo");
    let ended = fed(connect("echo", server.addr, &[]), "one\n\ntwo words\nlast");
    ended_well(
        &ended,
        "Message from server: one\nMessage from server: \n\
         Message from server: two words\nMessage from server: last\n",
    );
    server.drained();
}

#[test]
fn echo_waits_for_the_whole_of_a_long_line() {
    let server = Serving::start("echo --model select");
    let line = "long ".repeat(60_000);
    let ended = fed(
        connect("echo", server.addr, &[]),
        &format!("{line}\nshort\n"),
    );
    ended_well(
        &ended,
        &format!("Message from server: {line}\nMessage from server: short\n"),
    );
    server.drained();
}

#[test]
fn echo_puts_together_what_arrives_in_pieces() {
    // A server that answers byte by byte, each in a segment of its own: the tutorial's client shows the first.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).unwrap() > 0 {
            stream.write_all(&byte).unwrap();
        }
    });
    let ended = fed(connect("echo", addr, &[]), "in many pieces\n");
    ended_well(&ended, "Message from server: in many pieces\n");
    server.join().unwrap();
}

#[test]
fn q_quits() {
    let server = Serving::start("echo");
    for quit in ["q", "Q"] {
        let ended = fed(
            connect("echo", server.addr, &[]),
            &format!("one\n{quit}\ntwo\n"),
        );
        ended_well(&ended, "Message from server: one\n");
        let ended = fed(
            connect("chat", server.addr, &[]),
            &format!("one\n{quit}\ntwo\n"),
        );
        ended_well(&ended, "[guest] one\n");
    }
    server.drained();
}

#[test]
fn a_refused_connection_is_a_failure_that_names_the_address() {
    for service in ["echo", "chat"] {
        let ended = connect(service, DEAD.parse().unwrap(), &[]).ended();
        assert_eq!((ended.code, &*ended.out), (Some(1), ""));
        assert!(ended.err.contains(DEAD), "{}", ended.err);
        assert!(ended.err.contains("refused"), "{}", ended.err);
    }
}

#[test]
fn echo_shows_why_the_server_refused_it() {
    let server = Serving::start("echo --max-clients 1");
    let _inside = Peer::greeted(server.addr, "inside");
    let ended = fed(connect("echo", server.addr, &[]), "hello\n");
    assert_eq!((ended.code, &*ended.out), (Some(1), ""), "{ended:?}");
    assert!(
        ended.err.contains("server is full: 1 clients"),
        "{}",
        ended.err
    );
    server.drained();
}

#[test]
fn echo_fails_when_the_server_closes_in_mid_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = [0; 6];
        stream.read_exact(&mut line).unwrap();
        stream.write_all(b"hel").unwrap();
    });
    let ended = fed(connect("echo", addr, &[]), "hello\n");
    server.join().unwrap();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .err
            .contains("closed the connection after 3 of 6 bytes"),
        "{}",
        ended.err
    );
}

#[test]
fn chat_says_who_is_talking() {
    let server = Serving::start("chat");
    let ended = fed(
        connect("chat", server.addr, &["--name", "ann"]),
        "hello\nand goodbye",
    );
    ended_well(&ended, "[ann] hello\n[ann] and goodbye\n");
    server.drained();
}

#[test]
fn chat_shows_what_others_say_while_its_input_is_open() {
    let server = Serving::start("chat --model select");
    let mut ann = connect("chat", server.addr, &["--name", "ann"]);
    ann.say("I am here\n");
    ann.out
        .until("her own line", |out| out == "[ann] I am here\n");
    let mut bob = Peer::greeted(server.addr, "[bob] so am I");
    let heard = "[ann] I am here\n[bob] so am I\n";
    ann.out.until("Bob's line", |out| out == heard);
    ann.say("who else?\n");
    assert_eq!(bob.line(), "[ann] who else?");
    ended_well(&ann.ended(), &format!("{heard}[ann] who else?\n"));
    server.drained();
}

#[test]
fn chat_shows_all_that_is_still_to_come_after_the_end_of_input() {
    let server = Serving::start("chat");
    let said = numbered_lines("", 3_000);
    let shown = numbered_lines("[ann] ", 3_000);
    let ended = fed(connect("chat", server.addr, &["--name", "ann"]), &said);
    ended_well(&ended, &shown);
    server.drained();
}

#[test]
fn chat_fails_when_the_server_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = connect("chat", listener.local_addr().unwrap(), &[]);
    drop(listener.accept().unwrap());
    // Its input is open all the while: it is the server that ended this.
    client.err.until("its complaint", |err| {
        err.contains("the server closed the connection")
    });
    assert_eq!(client.ended().code, Some(1));
}

#[test]
fn chat_fails_when_the_server_complains_in_place_of_the_last_line() {
    let server = Serving::start("chat --max-line 20");
    for (input, code, out) in [
        (
            "this line is longer than it may be\n",
            1,
            "error: line longer than 20 bytes\n",
        ),
        (
            "short\nthis line is longer than it may be\n",
            1,
            "[guest] short\nerror: line longer than 20 bytes\n",
        ),
        (
            "/join\nshort\n",
            0,
            "error: /join needs something after it: /join ROOM\n[guest] short\n",
        ),
        (
            "short\n/join\n",
            0,
            "[guest] short\nerror: /join needs something after it: /join ROOM\n",
        ),
    ] {
        let ended = fed(connect("chat", server.addr, &[]), input);
        assert_eq!((ended.code, &*ended.out), (Some(code), out), "{input}");
        let told = ended.err.contains("the server closed the connection");
        assert_eq!(told, code == 1, "{}", ended.err);
    }
    server.drained();
}

#[test]
fn chat_fails_when_the_server_is_full() {
    let server = Serving::start("chat --max-clients 1");
    let _inside = Peer::greeted(server.addr, "inside");
    let ended = fed(connect("chat", server.addr, &[]), "hello\n");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("server is full: 1 clients"), "{ended:?}");
    server.drained();
}

#[test]
fn chat_shows_why_the_server_closed() {
    let server = Serving::start("chat --max-line 20");
    let mut client = connect("chat", server.addr, &[]);
    client.say("this line is longer than it may be\n");
    client.err.until("its complaint", |err| {
        err.contains("the server closed the connection")
    });
    let ended = client.ended();
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.out, "error: line longer than 20 bytes\n");
    server.drained();
}
