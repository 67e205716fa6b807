//! An interface that lets nothing through: a sender that waits for it can be ended all the same.

use crate::common::wait_until;
use crate::netns::Network;
use crate::stage::{NewsFile, skip};
use rustix::process::Signal;

#[test]
fn a_signal_ends_a_sender_whose_interface_lets_nothing_through() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    let host = network.host(1);
    let narrow = "qdisc add dev eth0 root tbf rate 8bit burst 2000 limit 10000000";
    let words: Vec<&str> = narrow.split(' ').collect();
    let ended = host.run("tc", &words);
    if ended.code != Some(0) {
        skip(&format!("an interface cannot be made narrow: {ended:?}"));
        return;
    }
    let file = NewsFile::of(format!("{}\n", "x".repeat(1000)));
    let sender = host.guardhouse(&format!(
        "news send --interface eth0 --interval 0s --repeat --count 100000 {file}"
    ));
    wait_until("a full send buffer", || {
        waiting_to_leave(&host.run("cat", &["/proc/net/udp"]).out) > 200_000
    });
    sender.signal(Signal::TERM);
    let ended = sender.ended();
    assert_eq!(ended.code, Some(128 + 15), "{ended:?}");
    assert!(ended.err.contains("a line was not sent"), "{ended:?}");
}

/// Bytes that sockets have given to the interface, the kernel's overhead counted.
fn waiting_to_leave(table: &str) -> usize {
    let sockets = table.lines().skip(1);
    let queues = sockets.filter_map(|socket| socket.split_whitespace().nth(4));
    let sending = queues.filter_map(|queues| queues.split(':').next());
    let bytes = sending.map(|bytes| usize::from_str_radix(bytes, 16).expect("a number"));
    bytes.sum()
}
