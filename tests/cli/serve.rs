//! `serve`: its first line, its signals, its refusals and its log.

use crate::chat_models;
use crate::child::{Program, Serving, guardhouse, serve};
use crate::common::peer::Peer;

use guardhouse::strategy::{LockKind, ModelKind, ModelOptions};
use rustix::process::Signal;

#[test]
fn the_first_line_says_where_and_what() {
    for model in chat_models() {
        for sync in LockKind::ALL
            .into_iter()
            .filter(|sync| sync.goes_with(model, &ModelOptions::default()))
        {
            let server = Serving::start(&format!("chat --model {model} --sync {sync}"));
            assert_ne!(server.addr.port(), 0, "the real port");
            assert_eq!(
                server.first_line,
                format!(
                    "listening on {} (chat, model={model}, sync={sync})",
                    server.addr
                )
            );
            Peer::greeted(server.addr, "hello").leave();
            let line = format!("{}\n", server.first_line);
            assert_eq!(server.drained().out, line, "and nothing after it");
        }
    }
}

#[test]
fn connected_and_closed_are_logged_per_client_unless_quiet() {
    let lines = |args: &str| {
        let server = Serving::start(args);
        Peer::greeted(server.addr, "hello").leave();
        let log = server.drained().err;
        [
            "INFO connected client=1",
            "INFO closed client=1",
            "INFO ended",
        ]
        .map(|s| log.contains(s))
    };
    assert_eq!(lines("echo"), [true; 3]);
    assert_eq!(lines("echo -v"), [true; 3]);
    assert_eq!(lines("echo -q"), [false; 3]);
}

#[test]
fn a_signal_closes_idle_clients_and_logs_the_counts() {
    for signal in [Signal::TERM, Signal::INT] {
        for model in chat_models() {
            let server = Serving::start(&format!("echo --drain 1h --model {model}"));
            let mut idle = Peer::connect(server.addr);
            server.err.until("the client is served", |log| {
                log.contains("connected client=1")
            });
            server.signal(signal);
            assert_eq!(idle.rest(), "");
            let ended = server.ended();
            assert_eq!(ended.code, Some(0), "{ended:?}");
            for phase in [
                "draining",
                "idle=1 busy=0 patience=1h",
                "drained idle=1 busy=0 forced=0",
            ] {
                let log = ended.err.replace("3600s", "1h");
                assert!(log.contains(phase), "{model}: no {phase:?} in {log}");
            }
        }
    }
}

/// A chat in which [`Peer::leave_a_long_line_unread`] can say its line.
const LONG_LINES: &str = "chat --max-line 10MB --mailbox 11MB";

#[test]
fn a_second_signal_cuts_off_who_never_reads() {
    for model in chat_models() {
        let server = Serving::start(&format!("{LONG_LINES} --drain 1h --model {model}"));
        let mut busy = Peer::connect(server.addr);
        busy.leave_a_long_line_unread();
        server.signal(Signal::TERM);
        server.err.until("the drain begins", |log| {
            log.contains("idle=0 busy=1 patience=")
        });
        server.signal(Signal::INT);
        // Not read from before: it might take all of its answer still.
        let ended = server.ended();
        busy.cut_off();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended.err.contains("drained idle=0 busy=1 forced=1"),
            "{model}: {}",
            ended.err
        );
        assert!(
            ended.err.contains("second signal"),
            "{model}: {}",
            ended.err
        );
    }
}

#[test]
fn a_drain_that_is_over_cuts_off_who_never_reads() {
    let server = Serving::start(&format!("{LONG_LINES} --drain 50ms"));
    let mut busy = Peer::connect(server.addr);
    busy.leave_a_long_line_unread();
    let ended = server.drained();
    busy.cut_off();
    assert!(
        ended.err.contains("drained idle=0 busy=1 forced=1"),
        "{}",
        ended.err
    );
}

#[test]
fn a_full_pool_without_a_queue_refuses_with_a_sentence() {
    let server = Serving::start("echo --model pool --workers 1 --queue 0 --when-full reject");
    let sentence = "error: server is busy: every worker serves a client and the queue is full (limit: --queue 0)";
    let mut inside = Peer::greeted(server.addr, "hello");
    assert_eq!(Peer::connect(server.addr).rest(), format!("{sentence}\n"));
    inside.round_trip("still served");
    inside.leave();
    // The place of one who has left is free at once, however long its worker takes to look up.
    for _ in 0..200 {
        Peer::greeted(server.addr, "one after the other").leave();
    }
    server.drained();
}

#[test]
fn a_full_queue_refuses_with_a_sentence_and_keeps_who_is_in_it() {
    let server = Serving::start("echo --model pool --workers 1 --queue 1 --when-full reject");
    let first = Peer::greeted(server.addr, "first");
    let mut second = Peer::connect(server.addr);
    second.send("second\n");
    let refused = Peer::connect(server.addr).rest();
    assert_eq!(
        refused,
        "error: server is busy: every worker serves a client and the queue is full (limit: --queue 1)\n"
    );
    first.leave();
    assert_eq!(second.line(), "second");
    second.leave();
    let log = server.drained().err;
    assert!(log.contains("accepted=3 refused=1 "), "{log}");
}

#[test]
fn a_full_pool_that_waits_refuses_nobody() {
    let server = Serving::start("echo --model pool --workers 1 --queue 1");
    let mut clients: Vec<Peer> = (0..5).map(|_| Peer::connect(server.addr)).collect();
    for client in &mut clients {
        client.send("hello\n");
    }
    for mut client in clients {
        assert_eq!(client.line(), "hello");
        client.leave();
    }
    let log = server.drained().err;
    assert!(log.contains("accepted=5 refused=0 "), "{log}");
}

#[test]
fn the_limits_on_the_command_line_reach_the_clients() {
    let server =
        Serving::start("chat --max-clients 1 --max-line 5 --idle-timeout 1h --nodelay off");
    let mut first = Peer::greeted(server.addr, "fits");
    assert_eq!(
        Peer::connect(server.addr).rest(),
        "error: server is full: 1 clients are being served (limit: --max-clients 1)\n"
    );
    first.send("does not fit\n");
    assert_eq!(first.rest(), "error: line longer than 5 bytes\n");
    drop(first);
    server.drained();

    let server = Serving::start("echo --idle-timeout 50ms");
    assert_eq!(
        Peer::connect(server.addr).rest(),
        "",
        "closed for its silence"
    );
    server.drained();
}

#[test]
fn help_and_version_are_no_errors() {
    for args in [&["--help"][..], &["--version"], &["serve", "--help"]] {
        let ended = Program::start(guardhouse(args)).ended();
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{args:?}");
        assert!(!ended.out.is_empty());
    }
}

#[test]
fn the_lock_is_told_of_live_and_at_the_end_even_quietly() {
    for model in [ModelKind::Thread, ModelKind::Select] {
        let server = Serving::start(&format!("chat --stats 50ms -q --model {model}"));
        let ann = Peer::greeted(server.addr, "hello");
        server.err.until("an interval's line", |log| {
            log.contains("lock: 2 sections; wait p50 ")
                || log.matches("lock: 1 sections; ").count() > 1
        });
        server.err.until("an interval without a section", |log| {
            log.contains("lock: 0 sections\n")
        });
        ann.leave();
        let log = server.drained().err;
        let last = log.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("lock, whole run: 3 sections; wait p50 "),
            "{log}"
        );
        for part in [
            "; hold p50 ",
            "; 1 inside at most; 0 overtakings; timing costs ",
        ] {
            assert!(last.contains(part), "no {part:?} in {last}");
        }
        assert!(last.ends_with(" ns per section"), "{last}");
    }
}

#[test]
fn without_stats_nothing_is_told_of_the_lock() {
    let server = Serving::start("chat");
    Peer::greeted(server.addr, "hello").leave();
    let log = server.drained().err;
    assert!(!log.contains("lock"), "{log}");
}

#[test]
fn statistics_too_often_or_too_seldom_are_refused() {
    for time in ["1ms", "0s", "2days"] {
        let args = format!("chat --stats {time}");
        let ended = Program::start(guardhouse(&serve(&args))).ended();
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{}", ended.err);
        let sentence = format!("error: --stats {time} is outside 10ms to 1day");
        assert!(ended.err.starts_with(&sentence), "{}", ended.err);
    }
}

#[test]
fn statistics_that_nobody_reads_stop_no_server() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = guardhouse(&serve("chat --stats 10ms"));
    // A full pipe from the start: not a byte more fits.
    let full = vec![b'.'; 1 << 16];
    std::io::Write::write_all(&mut &writer, &full).unwrap();
    command.stderr(writer);
    let server = Serving::of(command);
    let mut inside = Peer::greeted(server.addr, "hello");
    for _ in 0..100 {
        inside.round_trip("still served");
    }
    inside.leave();
    server.drained();
    drop(reader);
}
