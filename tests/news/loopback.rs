//! One host: every receiver that joined has all of it, and nobody else has any.

use crate::stage::{NewsFile, Port, receiver, sent, wait_for_all, well};
use rustix::process::Signal;
use serde_json::Value;

/// Several scripts, lines with nothing or little in them, and a last line without its newline.
const NEWS: &str = "It rains.\n\
    오늘의 뉴스\n\
    \n\
    Ein Süßölgefäß, 日本語, русский, ελληνικά\n\
    \t tabs and spaces \t\n\
    שלום — مرحبا\n\
    👩‍👩‍👧‍👦 e\u{301}\n\
    \n\
    the end";
const LINES: usize = 9;

/// What a receiver prints ends with a newline.
fn printed() -> String {
    format!("{NEWS}\n")
}

#[test]
fn two_who_joined_print_every_line_and_one_in_another_group_prints_nothing() {
    for sequence in ["", "--sequence"] {
        let port = Port::free();
        let group = port.group();
        let other_group = port.other_group();
        let joined = [(); 2].map(|()| receiver(&format!("{group} --count {LINES}")));
        let other = receiver(&format!("{other_group} --count 1"));
        let news = NewsFile::of(NEWS);
        well(sent(&format!("{group} --rate 1000/s {sequence}"), &news));
        for receiver in joined {
            assert_eq!(well(receiver.ended()), printed());
        }
        let for_others = NewsFile::of("for others\n");
        well(sent(&format!("{other_group} {sequence}"), &for_others));
        assert_eq!(well(other.ended()), "for others\n");
    }
}

#[test]
fn two_who_listen_for_a_broadcast_print_every_line_and_one_in_a_group_prints_nothing() {
    let port = Port::free();
    let (broadcast, group) = (port.broadcast(), port.group());
    let listen = [(); 2].map(|()| receiver(&format!("{broadcast} --count {LINES}")));
    let joined = receiver(&format!("{group} --count 1"));
    let news = NewsFile::of(NEWS);
    well(sent(&format!("{broadcast} --rate 1000/s"), &news));
    for receiver in listen {
        assert_eq!(well(receiver.ended()), printed());
    }
    well(sent(&group, &NewsFile::of("for the group\n")));
    assert_eq!(well(joined.ended()), "for the group\n");
}

#[test]
fn one_send_reaches_every_one_of_many() {
    const MANY: usize = 20;
    let port = Port::free();
    let group = port.group();
    let all: Vec<_> = (0..MANY)
        .map(|_| receiver(&format!("{group} --count 1")))
        .collect();
    let ended = sent(&format!("{group} --json"), &NewsFile::of("it rains\n"));
    assert!(well(ended).contains(r#""sent":1,"#));
    for receiver in all {
        assert_eq!(well(receiver.ended()), "it rains\n");
    }
}

#[test]
fn with_a_ttl_of_0_this_host_hears_it_and_is_told_that_no_other_does() {
    let port = Port::free();
    let group = port.group();
    let receiver = receiver(&format!("{group} --count 1"));
    let sender = sent(&format!("{group} --ttl 0"), &NewsFile::of("here\n"));
    assert!(sender.err.contains("--ttl 0"), "{}", sender.err);
    assert_eq!(well(receiver.ended()), "here\n");
}

#[test]
fn a_sender_that_is_started_again_is_told_and_nothing_is_counted_as_lost() {
    let port = Port::free();
    let group = port.group();
    let receiver = receiver(&format!("{group} --json"));
    let file = NewsFile::of("one\ntwo\n");
    for _ in 0..2 {
        well(sent(&format!("{group} --sequence --rate 1000/s"), &file));
    }
    wait_for_all(&port);
    receiver.signal(Signal::INT);
    let ended = receiver.ended();
    let again = "another stream from 127.0.0.1:";
    assert!(ended.err.contains(again), "no {again:?} in {}", ended.err);
    let heard: Value = serde_json::from_str(&well(ended)).unwrap();
    for (name, expected) in [("received", 4), ("lost", 0), ("restarts", 1)] {
        assert_eq!(heard[name], expected, "{name} in {heard}");
    }
}
