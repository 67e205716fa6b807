//! The end of a server: its processes end when it says so, each in good order, or else by force.

use crate::child::{Serving, guardhouse, serve};
use crate::common::{wait_until, waits_to_send};
use crate::family::{MODELS, counts, has_stopped, served_by};
use rustix::process::{Signal, getpgid, kill_process, kill_process_group};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;

#[test]
fn a_signal_for_everybody_ends_nobody_before_the_parent_says_so() {
    for model in MODELS {
        let mut command = guardhouse(&serve(&format!("echo --drain 1h --model {model}")));
        command.process_group(0);
        let server = Serving::of(command);
        let (mut idle, pid) = served_by(&server, "hello");
        assert_eq!(getpgid(Some(pid)).unwrap(), pid, "a group of its own");
        // As what ends all processes of a service.
        kill_process(pid, Signal::INT).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        idle.round_trip("still served");
        kill_process_group(server.pid(), Signal::INT).unwrap();
        assert_eq!(idle.rest(), "");
        let ended = server.ended();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        // Busy as long as its last answer is on its way.
        let once = [
            "drained idle=1 busy=0 forced=0",
            "drained idle=0 busy=1 forced=0",
        ];
        let counted = once.iter().filter(|count| ended.err.contains(**count));
        assert_eq!(counted.count(), 1, "{}", ended.err);
        counts(&ended, &[" lost=0 drained=1 "]);
    }
}

#[test]
fn a_second_signal_cuts_off_who_never_reads() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --drain 1h --model {model}"));
        let (mut busy, pid) = served_by(&server, "hello");
        busy.flood_until("an answer that nobody takes\n", || waits_to_send(pid));
        server.signal(Signal::TERM);
        server.err.until("the drain begins", |log| {
            log.contains("idle=0 busy=1 patience=")
        });
        server.signal(Signal::INT);
        let ended = server.ended();
        busy.cut_off();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        counts(&ended, &["drained idle=0 busy=1 forced=1", " forced=1 "]);
        assert_eq!(ended.err.matches("cutting off the clients").count(), 1);
    }
}

#[test]
fn nobody_is_let_into_a_prefork_that_drains() {
    let server = Serving::start("echo --drain 1h --model prefork --workers 2");
    let (mut busy, pid) = served_by(&server, "hello");
    let flood = busy.flood_until("an answer that is taken in the end\n", || {
        waits_to_send(pid)
    });
    server.signal(Signal::TERM);
    server.err.until("the drain begins", |log| {
        log.contains("idle=0 busy=1 patience=")
    });
    // The process at work holds the listener, too.
    wait_until("nobody listens", || {
        TcpStream::connect(server.addr).is_err()
    });
    busy.drink(&flood);
    counts(&server.ended(), &["drained idle=0 busy=1 forced=0"]);
}

#[test]
fn a_process_that_does_not_do_as_it_is_told_is_killed() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --drain 1ms --model {model}"));
        let (mut client, pid) = served_by(&server, "hello");
        kill_process(pid, Signal::STOP).unwrap();
        wait_until("it has stopped", || has_stopped(pid));
        let ended = server.drained();
        client.cut_off();
        counts(
            &ended,
            &[
                "killing a process that was to end and does not",
                "drained idle=0 busy=1 forced=1",
                " forced=1 ",
            ],
        );
    }
}
