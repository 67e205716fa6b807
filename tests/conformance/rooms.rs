//! Rooms and names: a name is one client's, wherever it is; a room hears itself alone; who quits is told everything.

use crate::common::PATIENCE;
use crate::common::peer::Peer;
use crate::house::{Subject, until};
use std::net::SocketAddr;
use std::thread;

const MAX_LINE: usize = 4096;

fn named(addr: SocketAddr, name: &str) -> Peer {
    let mut peer = Peer::connect(addr);
    is_called(&mut peer, name);
    peer
}

fn is_called(peer: &mut Peer, name: &str) {
    peer.send(format!("/name {name}\n"));
    assert_eq!(peer.line(), format!("-- you are now {name}"));
}

pub(crate) fn a_name_is_one_clients_and_free_when_it_has_left(subject: Subject) {
    let ways: [fn(Peer); 3] = [Peer::leave, Peer::reset, |mut peer| {
        peer.send("/quit\n");
        assert_eq!(peer.rest(), "");
    }];
    let server = subject.chat(MAX_LINE).start().unwrap();
    let addr = server.local_addr();
    for leave in ways {
        let ann = named(addr, "ann");
        let mut other = subject.serves_several().then(|| {
            let mut other = Peer::connect(addr);
            other.send("/name ann\n");
            assert_eq!(other.line(), "error: the name ann is taken; choose another");
            other
        });
        leave(ann);
        match &mut other {
            Some(other) => assert_eq!(other.line(), "* ann has left"),
            None => until(&server, "it has left", |stats| stats.open == 0),
        }
        let mut other = other.unwrap_or_else(|| Peer::connect(addr));
        is_called(&mut other, "ann");
        other.leave();
        until(&server, "both have left", |stats| stats.open == 0);
    }
    server.shutdown().unwrap();
}

pub(crate) fn of_many_that_claim_a_name_at_once_one_gets_it(subject: Subject) {
    let server = subject.chat(MAX_LINE).start().unwrap();
    let addr = server.local_addr();
    let mut crowd: Vec<Peer> = (0..subject.at_once())
        .map(|_| Peer::connect(addr))
        .collect();
    thread::scope(|scope| {
        for peer in &mut crowd {
            scope.spawn(|| peer.send("/name ann\n/quit now\n"));
        }
    });
    let mut won = 0;
    for peer in &mut crowd {
        loop {
            match &*peer.line() {
                "-- you are now ann" => won += 1,
                "error: the name ann is taken; choose another" => {}
                line if line.starts_with("* guest-") => assert!(line.ends_with(" is now ann")),
                line => {
                    assert!(line.starts_with("error: /quit takes nothing"), "{line}");
                    break;
                }
            }
        }
    }
    assert_eq!(won, 1);
    server.shutdown().unwrap();
}

pub(crate) fn a_room_hears_itself_alone(subject: Subject) {
    let server = subject.chat(MAX_LINE).start().unwrap();
    let addr = server.local_addr();
    let mut ann = named(addr, "ann");
    ann.send("/join den\nin the den\n/me looks around\n");
    assert_eq!(ann.line(), "-- you are in den (1)");
    assert_eq!(ann.line(), "in the den");
    assert_eq!(ann.line(), "* ann looks around");
    if subject.serves_several() {
        let mut bob = named(addr, "bob");
        bob.round_trip("in the lobby");
        bob.send("/rooms\n/join den\n");
        for answer in ["-- den (1)", "-- lobby (1)", "-- you are in den (2)"] {
            assert_eq!(bob.line(), answer);
        }
        assert_eq!(ann.line(), "* bob has come");
        bob.round_trip("in the same room");
        assert_eq!(ann.line(), "in the same room");
        ann.send("/join lobby\n/who\nin another\n");
        assert_eq!(ann.line(), "-- you are in lobby (1)");
        assert_eq!(ann.line(), "-- in lobby: ann (1)");
        assert_eq!(ann.line(), "in another");
        assert_eq!(bob.line(), "* ann has left");
        bob.round_trip("and nothing else");
    }
    server.shutdown().unwrap();
}

pub(crate) fn who_quits_gets_its_last_line_and_a_close(subject: Subject) {
    let server = subject.chat(MAX_LINE).start().unwrap();
    let mut peer = Peer::connect(server.local_addr());
    let lines = "a line that ends\n".repeat(500);
    peer.send(format!("{lines}/foo\n/quit\nnot this\n"));
    let rest = peer.rest();
    let error = rest.strip_prefix(&*lines).unwrap();
    assert!(error.starts_with("error: no command /foo; "), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    drop(peer);
    until(&server, "it was closed by the service", |stats| {
        stats.by_service == 1
    });
    let stats = server.shutdown().unwrap();
    assert_eq!(stats.lost_messages, 0);
}

pub(crate) fn a_drain_of_those_who_are_announced_ends(subject: Subject) {
    // Patience enough for a test that waits for it to fail.
    let server = subject.chat(MAX_LINE).drain(6 * PATIENCE).start().unwrap();
    let addr = server.local_addr();
    let count = subject.at_once();
    let mut all: Vec<Peer> = (0..count)
        .map(|n| named(addr, &format!("name{n}")))
        .collect();
    let stats = server.shutdown().unwrap();
    for peer in &mut all {
        let heard = peer.rest();
        for line in heard.lines() {
            let told = line.ends_with(" has left") || line.contains(" is now name");
            assert!(told, "{heard}");
        }
    }
    assert_eq!((stats.drained, stats.forced), (count as u64, 0));
}
