//! Chat: a complete line reaches everyone whole and once; an incomplete or over-long one reaches nobody.

use crate::common::Dice;
use crate::common::peer::Peer;
use crate::house::{Subject, until};
use guardhouse::service::Chat;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::thread;

const MAX_LINE: usize = Chat::<Mutex<guardhouse::Clients>>::DEFAULT_MAX_LINE;
const TALKERS: usize = 8;
const LINES: usize = 150;

/// The `n`th line of a talker: who it is from, which one it is, and a tail of a length of its own.
fn line(talker: usize, n: usize) -> String {
    let tail = (b'a' + talker as u8) as char;
    format!(
        "{talker} {n} {}",
        tail.to_string().repeat((talker * 31 + n * 17) % 150)
    )
}

/// Clients that all hear each other.
fn room(addr: SocketAddr, talkers: &[usize]) -> Vec<Peer> {
    let mut members: Vec<Peer> = Vec::new();
    for talker in talkers {
        let hello = format!("hello {talker}");
        let newcomer = Peer::greeted(addr, &hello);
        for member in &mut members {
            assert_eq!(member.line(), hello);
        }
        members.push(newcomer);
    }
    members
}

fn hears_everyone(peer: &mut Peer, talkers: &[usize]) {
    let mut next = [0; TALKERS];
    for _ in 0..talkers.len() * LINES {
        let heard = peer.line();
        let talker: usize = heard
            .split(' ')
            .next()
            .and_then(|number| number.parse().ok())
            .filter(|talker| talkers.contains(talker))
            .unwrap_or_else(|| panic!("not a line that was sent: {heard:?}"));
        assert_eq!(
            heard,
            line(talker, next[talker]),
            "its next line, and whole"
        );
        next[talker] += 1;
    }
}

pub(crate) fn relays_every_line_whole_once_and_in_order(subject: Subject) {
    let server = subject.chat(MAX_LINE).start().unwrap();
    let everyone: Vec<usize> = (0..TALKERS).collect();
    for talkers in everyone.chunks(subject.at_once().min(TALKERS)) {
        let mut members = room(server.local_addr(), talkers);
        thread::scope(|scope| {
            for (member, &talker) in members.iter_mut().zip(talkers) {
                let mut mouth = member.second_hand();
                scope.spawn(move || {
                    let said: String = (0..LINES).map(|n| line(talker, n) + "\n").collect();
                    let mut dice = Dice::seeded(talker as u64);
                    for piece in dice.cut(said.as_bytes(), 300) {
                        mouth.send(piece);
                    }
                });
                scope.spawn(move || hears_everyone(member, talkers));
            }
        });
        for member in members {
            member.leave();
        }
    }
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.finished, stats.lost_messages), (TALKERS as u64, 0));
}

pub(crate) fn completes_the_unfinished_last_line_at_a_half_close(subject: Subject) {
    let server = subject.chat(MAX_LINE).start().unwrap();
    let addr = server.local_addr();
    let mut witness = subject
        .serves_several()
        .then(|| Peer::greeted(addr, "witness"));
    let mut peer = Peer::connect(addr);
    peer.send("one\ntwo\nand the la");
    peer.send("st");
    peer.finish();
    assert_eq!(peer.rest(), "one\ntwo\nand the last\n");
    if let Some(witness) = &mut witness {
        for expected in ["one", "two", "and the last"] {
            assert_eq!(witness.line(), expected);
        }
        witness.round_trip("and nothing else");
    }
    drop(witness);
    until(&server, "it ended well", |stats| stats.finished >= 1);
    server.shutdown().unwrap();
}

pub(crate) fn answers_a_half_close_with_lines_and_close(subject: Subject) {
    let server = subject.chat(MAX_LINE).start().unwrap();
    let mut peer = Peer::connect(server.local_addr());
    let lines = "a line that ends\n".repeat(500);
    peer.send(&lines);
    peer.finish();
    assert_eq!(
        peer.rest(),
        lines,
        "no newline is added to a complete last line"
    );
    // An end without a word before it is an end, too.
    Peer::connect(server.local_addr()).leave();
    until(&server, "both have ended well", |stats| stats.finished == 2);
    server.shutdown().unwrap();
}

pub(crate) fn a_reset_in_mid_line_relays_nothing_of_it(subject: Subject) {
    let server = subject.chat(MAX_LINE).start().unwrap();
    let addr = server.local_addr();
    let mut witness = subject
        .serves_several()
        .then(|| Peer::greeted(addr, "witness"));
    let mut victim = Peer::connect(addr);
    // One write, one segment: when the line has come back, its rest has been read, too.
    victim.send("a whole line\nhalf a li");
    assert_eq!(victim.line(), "a whole line");
    victim.reset();
    until(&server, "the reset is noticed", |stats| stats.lost == 1);

    let witness = match &mut witness {
        Some(witness) => {
            assert_eq!(witness.line(), "a whole line");
            witness
        }
        None => &mut Peer::connect(addr),
    };
    witness.round_trip("and nothing of the half");
    if subject.serves_several() {
        let mut newcomer = Peer::greeted(addr, "a newcomer");
        assert_eq!(witness.line(), "a newcomer");
        witness.round_trip("the registry works");
        assert_eq!(newcomer.line(), "the registry works");
        assert_eq!(server.stats().open, 2);
    }
    server.shutdown().unwrap();
}

pub(crate) fn refuses_an_over_long_line_and_relays_nothing_of_it(subject: Subject) {
    let server = subject.chat(64).start().unwrap();
    let addr = server.local_addr();
    let mut witness = subject
        .serves_several()
        .then(|| Peer::greeted(addr, "witness"));

    let fits = "y".repeat(64);
    let mut peer = Peer::connect(addr);
    peer.send(format!("before\n{fits}\n{}\nafter\n", "x".repeat(65)));
    assert_eq!(
        peer.rest(),
        format!("before\n{fits}\nerror: line longer than 64 bytes\n")
    );
    drop(peer);
    if let Some(witness) = &mut witness {
        assert_eq!(witness.line(), "before");
        assert_eq!(witness.line(), fits);
        witness.round_trip("and nothing else");
    }
    drop(witness);
    until(&server, "it was closed by the service", |stats| {
        stats.by_service == 1
    });
    Peer::greeted(addr, "the next one").leave();
    server.shutdown().unwrap();
}

pub(crate) fn tells_the_writer_of_an_endless_line_why_it_is_closed(subject: Subject) {
    let server = subject.chat(MAX_LINE).start().unwrap();
    let addr = server.local_addr();
    let mut witness = subject
        .serves_several()
        .then(|| Peer::greeted(addr, "witness"));

    let mut peer = Peer::connect(addr);
    // Reads only when all is written: the server has closed its side long before.
    peer.send("x".repeat(3 << 20));
    peer.finish();
    assert_eq!(
        peer.rest(),
        format!("error: line longer than {MAX_LINE} bytes\n")
    );
    if let Some(witness) = &mut witness {
        witness.round_trip("nothing of it was relayed");
    }
    drop(witness);
    until(&server, "it was closed by the service", |stats| {
        stats.by_service == 1
    });
    server.shutdown().unwrap();
}
