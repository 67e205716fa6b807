//! A hundred thousand: what was sent is what was received and what is told as lost, to the last one.

use crate::child::Program;
use crate::stage::{NewsFile, Port, on_loopback, receiver, wait_for, wait_for_all, well};
use rustix::process::Signal;
use serde_json::Value;

const COUNT: u64 = 100_000;

fn sender(port: &Port, file: &NewsFile) -> Program {
    let group = port.group();
    let sender = on_loopback(&format!(
        "send {group} --rate 50000/s --repeat --count {COUNT} --sequence --json {file}"
    ));
    sender
        .err
        .until("its first line", |err| err.contains("sending to"));
    sender
}

/// Both reports, when nothing is under way any more; and they agree.
fn agreed(port: &Port, receiver: Program, sender: Program) -> Value {
    let sent: Value = serde_json::from_str(&well(sender.ended())).unwrap();
    wait_for_all(port);
    receiver.signal(Signal::INT);
    let heard: Value = serde_json::from_str(&well(receiver.ended())).unwrap();
    let number = |of: &Value, name: &str| of[name].as_u64().unwrap();
    assert_eq!(number(&sent, "sent"), COUNT, "{sent}");
    assert!(sent["seconds"].as_f64().unwrap() > 1.9, "{sent}");
    let accounted = number(&heard, "received") + number(&heard, "lost");
    assert_eq!(accounted, COUNT, "{heard}");
    let streams = heard["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 1, "{heard}");
    assert_eq!(streams[0]["stream"], sent["stream"]);
    assert_eq!(
        streams[0]["from"].as_str().unwrap().split(':').next(),
        Some("127.0.0.1")
    );
    for name in [
        "duplicates",
        "reordered",
        "stale",
        "restarts",
        "plain",
        "malformed",
    ] {
        assert_eq!(number(&heard, name), 0, "{name} in {heard}");
    }
    // On this interface nothing is lost but here; and what says that it is the end can be, too.
    let dropped = number(&heard, "dropped_here");
    let lost = number(&heard, "lost");
    assert!((lost..=lost + 2).contains(&dropped), "{heard}");
    heard
}

#[test]
fn sent_is_received_and_lost() {
    let port = Port::free();
    let receiver = receiver(&format!("{} --json", port.group()));
    let file = NewsFile::of("it rains\nit pours\n");
    let sender = sender(&port, &file);
    agreed(&port, receiver, sender);
}

#[test]
fn sent_is_received_and_lost_where_a_receiver_stood_still_for_a_while() {
    let port = Port::free();
    let receiver = receiver(&format!("{} --json", port.group()));
    let file = NewsFile::of("it rains\nit pours\n");
    let sender = sender(&port, &file);
    receiver.signal(Signal::STOP);
    wait_for(&port, "datagrams that found no room", |waiting| {
        waiting.dropped >= 1000
    });
    receiver.signal(Signal::CONT);
    let heard = agreed(&port, receiver, sender);
    assert!(heard["lost"].as_u64().unwrap() >= 1000, "{heard}");
}

#[test]
fn what_comes_while_nobody_receives_waits_in_a_buffer_that_is_large_enough() {
    const FEW: u64 = 100;
    for (buffer, enough) in [("200KiB", true), ("8KiB", false)] {
        let port = Port::free();
        let group = port.group();
        let receiver = receiver(&format!("{group} --buffer {buffer} --json"));
        receiver.signal(Signal::STOP);
        let file = NewsFile::of("it rains\n");
        let sender = on_loopback(&format!(
            "send {group} --rate 100000/s --repeat --count {FEW} --sequence {file}"
        ));
        well(sender.ended());
        receiver.signal(Signal::CONT);
        wait_for_all(&port);
        receiver.signal(Signal::INT);
        let heard: Value = serde_json::from_str(&well(receiver.ended())).unwrap();
        let [dropped, received] =
            ["dropped_here", "received"].map(|name| heard[name].as_u64().unwrap());
        assert_eq!(dropped == 0, enough, "{buffer}: {heard}");
        assert_eq!(received == FEW, enough, "{buffer}: {heard}");
    }
}
