//! Echo: every byte back, in order, whatever the chunks.

use crate::common::Dice;
use crate::common::peer::Peer;
use crate::house::{Subject, until};
use guardhouse::{Client, Flow, Reply, Service, Session};
use std::thread;

pub(crate) fn echoes_1_mib_in_random_chunks(subject: Subject) {
    let server = subject.echo().start().unwrap();
    let addr = server.local_addr();
    // Three at once; a server that serves one at a time takes them in turn.
    thread::scope(|scope| {
        for seed in 1..=3 {
            scope.spawn(move || {
                let mut dice = Dice::seeded(seed);
                let bytes = dice.bytes(1 << 20);
                let longest = [100, 5000, 200_000][seed as usize % 3];
                let pieces = dice.cut(&bytes, longest);
                let echo = Peer::connect(addr).pour(&pieces);
                assert!(echo == bytes, "seed {seed}: {} bytes came back", echo.len());
            });
        }
    });
    until(&server, "all three have ended well", |stats| {
        stats.finished == 3
    });
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.accepted, stats.open, stats.refused()), (3, 0, 0));
}

pub(crate) fn answers_everything_sent_before_a_half_close(subject: Subject) {
    let server = subject.echo().start().unwrap();
    let mut peer = Peer::connect(server.local_addr());
    // Small enough for the buffers on the way: nothing is read before all is sent and ended.
    let text = "all of this\n".repeat(1000);
    peer.send(&text);
    peer.finish();
    assert_eq!(peer.rest(), text);
    until(&server, "it ended well", |stats| stats.finished == 1);
    server.shutdown().unwrap();
}

pub(crate) fn who_stays_long_is_answered_to_the_end_and_so_is_who_comes_next(subject: Subject) {
    let server = subject.echo().start().unwrap();
    // What a model does for those who stay must not show.
    for visit in 0..2 {
        let mut peer = Peer::connect(server.local_addr());
        for n in 0..300 {
            peer.round_trip(&format!("visit {visit}, line {n}"));
        }
        let mut dice = Dice::seeded(visit);
        let bytes = dice.bytes(1 << 20);
        let echo = peer.pour(&dice.cut(&bytes, 200_000));
        assert!(echo == bytes, "{} bytes came back", echo.len());
    }
    until(&server, "both have ended well", |stats| stats.finished == 2);
    server.shutdown().unwrap();
}

/// Lends of what arrives what goes up to the last newline: often nothing.
struct WholeLines;

impl Service for WholeLines {
    fn open(&self, _: Client) -> Box<dyn Session> {
        Box::new(Self)
    }
}

impl Session for WholeLines {
    fn receive<'a>(&mut self, bytes: &'a [u8], reply: &mut Reply<'a>) -> Flow {
        let end = bytes.iter().rposition(|&byte| byte == b'\n');
        reply.lend(&bytes[..end.map_or(0, |at| at + 1)]);
        Flow::Continue
    }
}

pub(crate) fn an_answer_that_is_lent_and_empty_is_none_and_mixes_nothing_up(subject: Subject) {
    let server = subject.serve(WholeLines).start().unwrap();
    let addr = server.local_addr();
    let several = if subject.serves_several() { 4 } else { 1 };
    thread::scope(|scope| {
        for name in 0..several {
            scope.spawn(move || {
                let mut peer = Peer::connect(addr);
                for round in 0..50 {
                    // Whether it arrives by itself or with the line is nobody's business: the answer ends like the line.
                    peer.send("not a line");
                    let line = format!(" of {name} in round {round}\n");
                    peer.send(&line);
                    let answer = format!("{}\n", peer.line());
                    let whole = format!("not a line{line}");
                    assert!(answer == line || answer == whole, "{name} got {answer:?}");
                }
                peer.finish();
                assert_eq!(peer.rest(), "");
            });
        }
    });
    until(&server, "all have ended well", |stats| {
        stats.finished == several
    });
    server.shutdown().unwrap();
}
