//! What clients are granted: time to be silent, and a place.

use crate::common::peer::Peer;
use crate::house::{Subject, until};
use std::time::Duration;

pub(crate) fn closes_the_silent_and_keeps_the_talkative(subject: Subject) {
    let server = subject
        .echo()
        .idle_timeout(Duration::from_millis(250))
        .start()
        .unwrap();
    let addr = server.local_addr();
    let mut silent = Peer::greeted(addr, "and not a word more");
    if subject.serves_several() {
        let mut talkative = Peer::greeted(addr, "hello");
        // Says something much more often than it must.
        while !silent.hears_within(Duration::from_millis(10)) {
            talkative.round_trip("and so on");
        }
        assert_eq!(silent.rest(), "");
        talkative.round_trip("still here");
        until(&server, "one is left", |stats| stats.open == 1);
    } else {
        assert_eq!(silent.rest(), "");
        // Who waited behind the silent one is served now.
        Peer::greeted(addr, "hello").leave();
    }
    until(&server, "it was counted as idle", |stats| stats.idle == 1);
    server.shutdown().unwrap();
}

pub(crate) fn closes_a_client_that_takes_nothing_of_its_answer(subject: Subject) {
    let server = subject
        .echo()
        .idle_timeout(Duration::from_millis(80))
        .start()
        .unwrap();
    let addr = server.local_addr();
    Peer::hard_of_hearing(addr).flood_until_hung_up("an answer that nobody takes\n");
    Peer::greeted(addr, "the next one").leave();
    let stats = server.shutdown().unwrap();
    assert_eq!(stats.idle, 1);
    assert!(
        stats.lost_messages > 0,
        "its answers were not sent: {stats:?}"
    );
}

pub(crate) fn refuses_one_client_too_many_and_takes_the_next_after_one_left(subject: Subject) {
    if !subject.serves_several() {
        return takes_one_after_the_other(subject);
    }
    let server = subject.echo().max_clients(2).start().unwrap();
    let addr = server.local_addr();
    let mut first = Peer::greeted(addr, "first");
    let second = Peer::greeted(addr, "second");
    let sentence = "error: server is full: 2 clients are being served (limit: --max-clients 2)\n";
    for refused in 1..=2 {
        assert_eq!(Peer::connect(addr).rest(), sentence);
        assert_eq!(server.stats().refused_full, refused);
    }
    // Whoever has seen one leave finds its place free.
    second.leave();
    let mut third = Peer::greeted(addr, "third");
    assert_eq!(Peer::connect(addr).rest(), sentence);
    first.round_trip("still served");
    third.round_trip("still served");
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.accepted, stats.opened, stats.refused()), (6, 3, 3));
}

/// Who serves one at a time never has one too many: the others wait in the kernel.
fn takes_one_after_the_other(subject: Subject) {
    let server = subject.echo().max_clients(1).start().unwrap();
    let addr = server.local_addr();
    let first = Peer::greeted(addr, "first");
    let mut second = Peer::connect(addr);
    second.send("second\n");
    first.leave();
    assert_eq!(second.line(), "second");
    second.leave();
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.finished, stats.refused()), (2, 0));
}
