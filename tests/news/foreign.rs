//! The other side is a program that nobody here wrote, or one of a few lines that knows the documentation only.

use crate::child::{Ended, Program, piped};
use crate::stage::{NewsFile, Port, is_here, listening, receiver, sent, well};
use rustix::process::Signal;
use serde_json::Value;
use std::process::Command;

const NEWS: &str = "It rains.\n오늘의 뉴스\n\nthe end\n";
const LINES: usize = 4;

fn start(program: &str, args: &[&str]) -> Program {
    let mut command = Command::new(program);
    command.args(args);
    Program::start(piped(command))
}

/// The script beside this file, for the tutorial's group.
fn python(what: &str, port: &Port, args: &[&str]) -> Program {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/news/news.py");
    let port = port.number().to_string();
    let args = [&[script, what, "224.1.1.2", &port], args].concat();
    start("python3", &args)
}

#[test]
fn socat_hears_what_is_sent() {
    if !is_here("socat") {
        return;
    }
    let port = Port::free();
    let from = format!(
        "UDP4-RECV:{},bind=224.1.1.2,reuseaddr,ip-add-membership=224.1.1.2:127.0.0.1",
        port.number()
    );
    let socat = start("socat", &["-d", "-d", "-u", &from, "STDOUT"]);
    socat.err.until("that it listens", |err| {
        err.contains("starting data transfer")
    });
    well(sent(
        &format!("{} --rate 1000/s", port.group()),
        &NewsFile::of(NEWS),
    ));
    socat.out.until("the news", |out| out == NEWS);
}

#[test]
fn what_socat_sends_is_heard() {
    if !is_here("socat") {
        return;
    }
    let port = Port::free();
    let receiver = receiver(&format!("{} --count {LINES}", port.group()));
    let to = format!(
        "UDP4-DATAGRAM:224.1.1.2:{},ip-multicast-if=127.0.0.1",
        port.number()
    );
    let mut socat = start("socat", &["-u", "STDIN", &to]);
    let mut said = String::new();
    for line in NEWS.split_inclusive('\n') {
        // It sends what it reads at once, however many lines that are.
        socat.say(line);
        said.push_str(line);
        receiver.out.until("this line, too", |out| out == said);
    }
    well(socat.ended());
    well(receiver.ended());
}

#[test]
fn python_hears_what_is_sent() {
    if !is_here("python3") {
        return;
    }
    let port = Port::free();
    let receiver = listening(python("receive", &port, &[&LINES.to_string()]));
    well(sent(
        &format!("{} --rate 1000/s", port.group()),
        &NewsFile::of(NEWS),
    ));
    assert_eq!(well(receiver.ended()), NEWS);
}

#[test]
fn what_python_sends_is_heard() {
    if !is_here("python3") {
        return;
    }
    let port = Port::free();
    let receiver = receiver(&format!("{} --count {LINES}", port.group()));
    let mut sender = python("send", &port, &[]);
    sender.say(NEWS);
    well(sender.ended());
    assert_eq!(well(receiver.ended()), NEWS);
}

/// What was heard of these streams, each of which is over when its last number is told as lost.
fn heard_of(streams: &[(&str, &[&str], u64)], args: &str) -> Ended {
    let port = Port::free();
    let receiver = receiver(&format!("{} {args}", port.group()));
    for (stream, words, last) in streams {
        well(python("number", &port, &[&[*stream], *words].concat()).ended());
        let stream: u64 = stream.parse().unwrap();
        let lost = format!("lost 1: number {last} of stream {stream:016x}");
        receiver.err.until("its end", |err| err.contains(&lost));
    }
    receiver.signal(Signal::INT);
    receiver.ended()
}

const FIRST: (&str, &[&str], u64) = (
    "72623859790382856",
    &["0", "1", "3", "2", "3", "7", "6", "end:9", "end:9"],
    8,
);
const SECOND: (&str, &[&str], u64) = ("5", &["0", "version:2", "1", "end:3"], 2);

#[test]
fn numbers_by_the_documented_layout_are_understood() {
    if !is_here("python3") {
        return;
    }
    let report = well(heard_of(&[FIRST, SECOND], "--json"));
    let report: Value = serde_json::from_str(&report).unwrap();
    // What becomes of the numbers: 0 1, 3 before 2, 3 again, 7 before 6; 4, 5 and 8 never came.
    let [first, second] = &report["streams"].as_array().unwrap()[..] else {
        panic!("{report}");
    };
    for (of, name, expected) in [
        (first, "first", 0),
        (first, "next", 9),
        (first, "received", 6),
        (first, "lost", 3),
        (first, "duplicates", 1),
        (first, "reordered", 2),
        (second, "received", 2),
        (second, "lost", 1),
        (&report, "received", 8),
        (&report, "lost", 4),
        (&report, "malformed", 1),
        (&report, "plain", 0),
        (&report, "restarts", 1),
    ] {
        assert_eq!(of[name], expected, "{name} in {report}");
    }
    for (of, name, expected) in [
        (first, "stream", "0102030405060708"),
        (second, "stream", "0000000000000005"),
    ] {
        assert_eq!(of[name], expected, "{report}");
    }
    assert_eq!(
        (&first["ended"], &first["restarted"]),
        (&true.into(), &false.into())
    );
    assert_eq!(second["restarted"], true);
}

#[test]
fn of_numbered_lines_each_is_printed_once_as_it_comes_and_the_missing_are_told() {
    if !is_here("python3") {
        return;
    }
    let ended = heard_of(&[FIRST], "");
    assert!(!ended.err.contains("after all"), "{}", ended.err);
    for told in [
        "missing 1: number 2 of stream 0102030405060708\n",
        "missing 3: numbers 4 to 6 of stream 0102030405060708\n",
        ": 6 received, 3 lost (33.33 %), 1 duplicate, 2 reordered, ",
    ] {
        assert!(ended.err.contains(told), "no {told:?} in {}", ended.err);
    }
    let lines = [0, 1, 3, 2, 7, 6].map(|number| format!("number {number}\n"));
    assert_eq!(well(ended), lines.concat());
}

#[test]
fn who_asks_is_told_where_each_line_came_from_and_what_came_after_all() {
    if !is_here("python3") {
        return;
    }
    let ended = heard_of(&[FIRST], "-v");
    for number in [2, 6] {
        let told = format!("number {number} of stream 0102030405060708 came after all\n");
        assert!(ended.err.contains(&told), "no {told:?} in {}", ended.err);
    }
    let from = ended
        .err
        .lines()
        .filter(|line| line.starts_with("from 127.0.0.1:"));
    let numbers = from.filter_map(|line| line.split_once(", number ")?.1.parse().ok());
    assert_eq!(numbers.collect::<Vec<u64>>(), [0, 1, 3, 2, 7, 6]);
}
