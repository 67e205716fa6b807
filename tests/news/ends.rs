//! How commands end: by count, by time, by a signal, by somebody who has seen enough; and what they say then.

use crate::child::{GUARDHOUSE, Program, guardhouse, piped};
use crate::common::wait_until;
use crate::stage::{
    NewsFile, Port, listening, on_loopback, receiver, sent, wait_for, wait_for_all, well,
};
use guardhouse::datagram::{Audience, Numbering, SendOptions, Sender};
use rustix::io::ioctl_fionbio;
use rustix::process::Signal;
use serde_json::Value;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::process::Command;

fn names(json: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(json).unwrap();
    report.as_object().unwrap().keys().cloned().collect()
}

/// `of` has these fields, in whatever order.
fn has(of: &str, mut fields: Vec<&str>) {
    fields.sort_unstable();
    let mut names = names(of);
    names.sort_unstable();
    assert_eq!(names, fields);
}

#[test]
fn both_reports_have_the_documented_fields_and_agree() {
    let port = Port::free();
    let group = port.group();
    let receiver = receiver(&format!("{group} --count 2 --json"));
    let file = NewsFile::of("one\ntwo\n");
    let sent = well(sent(
        &format!("{group} --rate 1000/s --sequence --json"),
        &file,
    ));
    let heard = well(receiver.ended());
    has(
        &sent,
        vec![
            "audience",
            "interface",
            "stream",
            "sent",
            "bytes",
            "cut",
            "refused",
            "failed",
            "seconds",
        ],
    );
    has(
        &heard,
        vec![
            "audience",
            "interface",
            "seconds",
            "plain",
            "malformed",
            "bytes",
            "dropped_here",
            "received",
            "lost",
            "duplicates",
            "reordered",
            "stale",
            "restarts",
            "streams",
        ],
    );
    let [sent, heard] = [sent, heard].map(|json| serde_json::from_str::<Value>(&json).unwrap());
    assert_eq!(sent["audience"], format!("224.1.1.2:{}", port.number()));
    for name in ["audience", "interface", "bytes"] {
        assert_eq!(sent[name], heard[name], "{name}");
    }
    assert_eq!(sent["stream"], heard["streams"][0]["stream"]);
    assert_eq!((&sent["sent"], &heard["received"]), (&2.into(), &2.into()));
}

#[test]
fn without_numbers_there_is_no_stream() {
    let port = Port::free();
    let group = port.group();
    let receiver = receiver(&format!("{group} --count 1 --json"));
    let sent = well(sent(&format!("{group} --json"), &NewsFile::of("one\n")));
    let sent: Value = serde_json::from_str(&sent).unwrap();
    assert_eq!(sent["stream"], Value::Null);
    let heard: Value = serde_json::from_str(&well(receiver.ended())).unwrap();
    assert_eq!(
        (&heard["plain"], &heard["streams"]),
        (&1.into(), &Value::Array(vec![]))
    );
}

#[test]
fn who_asks_is_told_who_sent_a_line_without_a_number() {
    let port = Port::free();
    let group = port.group();
    for (asks, told) in [("-v", true), ("", false)] {
        let receiver = receiver(&format!("{group} --count 1 {asks}"));
        well(sent(&group, &NewsFile::of("one\n")));
        let ended = receiver.ended();
        let from = ended.err.contains("\nfrom 127.0.0.1:");
        assert_eq!(from, told, "{ended:?}");
        assert_eq!(well(ended), "one\n");
    }
}

#[test]
fn who_hears_nothing_in_time_fails_and_says_what_finds_out_why() {
    let port = Port::free();
    for count in ["", "--count 1"] {
        let ended = receiver(&format!("{} --timeout 50ms {count}", port.group())).ended();
        assert_eq!((ended.code, &*ended.out), (Some(1), ""), "{ended:?}");
        assert!(ended.err.contains("guardhouse news doctor"), "{ended:?}");
    }
}

#[test]
fn who_hears_less_than_the_count_fails_and_who_has_none_does_not() {
    let port = Port::free();
    let group = port.group();
    // The first line has as much time as the silence after it: a sender starts in less.
    let three = receiver(&format!("{group} --timeout 2s --count 3"));
    let any = receiver(&format!("{group} --timeout 2s"));
    well(sent(&group, &NewsFile::of("one\n")));
    let (three, any) = (three.ended(), any.ended());
    assert_eq!((three.code, &*three.out), (Some(1), "one\n"), "{three:?}");
    assert!(three.err.contains("1 of 3 came"), "{three:?}");
    assert_eq!(well(any), "one\n");
}

#[test]
fn what_is_no_news_does_not_keep_a_receiver_waiting() {
    let port = Port::free();
    let group = port.group();
    let receiver = receiver(&format!("{group} --timeout 1s"));
    let audience = format!("224.1.1.2:{}", port.number());
    let options = SendOptions {
        interface: Some("127.0.0.1".parse().unwrap()),
        ..SendOptions::default()
    };
    let sender = Sender::open(&Audience::Group(audience.parse().unwrap()), &options).unwrap();
    let header = Numbering::new().next_header().encode();
    let news = [&header[..], b"one\n"].concat();
    let mut newer = news.clone();
    // Its version.
    newer[4] += 1;
    wait_until("its end", || {
        for datagram in [&news, &newer] {
            sender.send(datagram).unwrap();
        }
        receiver.err.so_far().contains("heard 1 line, 4 bytes\n")
    });
    let ended = receiver.ended();
    assert!(
        ended
            .err
            .contains(" datagrams only began like a numbered one\n")
    );
    assert_eq!(well(ended), "one\n");
}

#[test]
fn a_signal_ends_a_receiver_with_the_statistics() {
    let port = Port::free();
    let group = port.group();
    let file = NewsFile::of("one\n");
    for (count, signal, code) in [
        ("", Signal::INT, 0),
        ("", Signal::TERM, 0),
        ("--count 5", Signal::INT, 130),
        ("--count 5", Signal::TERM, 143),
    ] {
        let receiver = receiver(&format!("{group} {count}"));
        well(sent(&format!("{group} --sequence"), &file));
        receiver.out.until("the line", |out| out == "one\n");
        receiver.signal(signal);
        let ended = receiver.ended();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        for told in ["heard 1 line, 4 bytes\n", ": 1 received, 0 lost "] {
            assert!(ended.err.contains(told), "no {told:?} in {}", ended.err);
        }
    }
}

#[test]
fn the_end_of_its_terminal_ends_it_like_sigterm_unless_it_is_to_outlive_that() {
    let port = Port::free();
    let group = port.group();
    let file = NewsFile::of("one\n");
    for (nohup, code) in [("", 129), ("trap '' HUP; ", 143)] {
        let news = format!("news receive --interface 127.0.0.1 {group} --count 5");
        let script = format!("{nohup}exec {GUARDHOUSE} {news}");
        // Whatever this test was started with.
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP", "sh", "-c", &script]);
        let receiver = listening(Program::start(piped(command)));
        receiver.signal(Signal::HUP);
        if !nohup.is_empty() {
            well(sent(&group, &file));
            receiver.out.until("the line", |out| out == "one\n");
            receiver.signal(Signal::TERM);
        }
        let ended = receiver.ended();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.err.contains("heard "), "{ended:?}");
    }
}

#[test]
fn the_help_names_the_exit_codes_of_signals() {
    for command in ["send", "receive"] {
        let help = well(on_loopback(&format!("{command} --help")).ended());
        let (_, codes) = help.split_once("Exit codes: ").unwrap();
        for code in ["129", "130", "143"] {
            assert!(codes.contains(code), "no {code} in {codes}");
        }
    }
}

#[test]
fn a_signal_ends_a_sender_with_the_statistics_and_receivers_are_told() {
    let port = Port::free();
    let group = port.group();
    let file = NewsFile::of("one\ntwo\n");
    for (until, signal, code) in [
        ("", Signal::INT, 130),
        ("--count 2", Signal::TERM, 143),
        ("--repeat", Signal::INT, 0),
        ("--repeat --count 3", Signal::INT, 130),
        ("--follow", Signal::TERM, 0),
        ("--follow --count 3", Signal::TERM, 143),
    ] {
        let receiver = receiver(&group);
        let sender = on_loopback(&format!(
            "send {group} --interval 1h --sequence {until} {file}"
        ));
        // It is sent at once, and the next in an hour.
        receiver.out.until("the line", |out| out == "one\n");
        sender.signal(signal);
        let ended = sender.ended();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let told = "sent 1 line, 4 bytes\n";
        assert!(ended.err.contains(told), "no {told:?} in {}", ended.err);
        wait_for_all(&port);
        receiver.signal(Signal::INT);
        let ended = receiver.ended();
        let told = ": 1 received, 0 lost ";
        assert!(ended.err.contains(told), "no {told:?} in {}", ended.err);
        assert!(ended.err.ends_with(", ended\n"), "{}", ended.err);
    }
}

#[test]
fn who_closes_stdout_has_seen_enough() {
    let port = Port::free();
    let group = port.group();
    let (reader, writer) = io::pipe().unwrap();
    let receiver = listening(to_stdout(writer, &format!("receive {group}")));
    drop(reader);
    well(sent(&group, &NewsFile::of("one\n")));
    let ended = receiver.ended();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.err.contains("error"), "{ended:?}");
}

#[test]
fn a_signal_ends_a_receiver_whose_lines_nobody_reads() {
    let port = Port::free();
    let group = port.group();
    let (reader, writer) = io::pipe().unwrap();
    let receiver = listening(to_stdout(writer, &format!("receive {group}")));
    let line = "x".repeat(1000);
    let file = NewsFile::of(format!("{line}\n"));
    let sender = on_loopback(&format!("send {group} --repeat --rate 2000/s {file}"));
    // The pipe is full, and then the socket's buffer.
    wait_for(&port, "datagrams that find no room", |waiting| {
        waiting.dropped > 0
    });
    receiver.signal(Signal::INT);
    let ended = receiver.ended();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for told in ["were not printed", "buffer was full"] {
        assert!(ended.err.contains(told), "no {told:?} in {}", ended.err);
    }
    drop((reader, sender));
}

#[test]
fn a_second_signal_ends_who_has_a_report_that_nobody_reads() {
    let group = Port::free().group();
    let file = NewsFile::of("one\n");
    for command in ["receive", &format!("send {file} --repeat --interval 1h")] {
        let (reader, writer) = full_pipe();
        let program = to_stdout(writer, &format!("{command} {group} --json"));
        program.err.until("that it is under way", |err| {
            err.contains("listening to ") || err.contains("sending to ")
        });
        // Until it comes twice: two that come at once are one.
        wait_until("its end", || {
            program.signal(Signal::TERM);
            program.err.so_far().contains("the report was not printed")
        });
        let ended = program.ended();
        assert_eq!(ended.code, Some(143), "{ended:?}");
        drop(reader);
    }
}

/// One that takes nothing more.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = io::pipe().unwrap();
    ioctl_fionbio(&writer, true).unwrap();
    while (&writer).write(&[b'x'; 4096]).is_ok() {}
    ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

/// `news` with its stdout there.
fn to_stdout(stdout: PipeWriter, args: &str) -> Program {
    let args = format!("news {args} --interface 127.0.0.1");
    let args: Vec<&str> = args.split_whitespace().collect();
    let mut command = guardhouse(&args);
    command.stdout(stdout);
    Program::start(command)
}
