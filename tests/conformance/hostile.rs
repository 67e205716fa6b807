//! Clients that write and never read: bounded memory, and nobody else's time.

use crate::common::peer::Peer;
use crate::house::{Subject, until};
use guardhouse::Limits;

pub(crate) fn an_echo_client_that_never_reads_costs_nobody_anything(subject: Subject) {
    let server = subject.echo().start().unwrap();
    let addr = server.local_addr();
    let mut bystander = subject
        .serves_several()
        .then(|| Peer::greeted(addr, "bystander"));
    let mut hostile = Peer::hard_of_hearing(addr);
    let mut served = 0;
    let flood = hostile.flood("a line that wants its answer, but not now\n", || {
        if let Some(bystander) = &mut bystander {
            bystander.round_trip("still served");
        }
        served += 1;
    });
    assert!(served > 0, "the flood was stemmed");
    hostile.drink(&flood);
    until(&server, "the hostile client got everything", |stats| {
        stats.finished == 1
    });
    Peer::greeted(addr, "the next one").leave();
    drop(bystander);
    let stats = server.shutdown().unwrap();
    assert_eq!(stats.lost_messages, 0);
}

/// Alone in the room: the only lines that can pile up are its own, and it is not read on before it takes them.
pub(crate) fn a_chat_client_that_never_reads_its_own_lines_loses_none(subject: Subject) {
    let server = subject.chat(4096).start().unwrap();
    let addr = server.local_addr();
    let mut hostile = Peer::hard_of_hearing(addr);
    let flood = hostile.flood("a line that comes back, but not now\n", || {});
    hostile.drink(&flood);
    until(&server, "the hostile client got everything", |stats| {
        stats.finished == 1
    });
    Peer::greeted(addr, "the next one").leave();
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.too_slow, stats.lost_messages), (0, 0));
}

pub(crate) fn a_listener_that_never_reads_is_hung_up_and_the_others_get_every_line(
    subject: Subject,
) {
    if !subject.serves_several() {
        // Whoever is served is alone in the room.
        return a_chat_client_that_never_reads_its_own_lines_loses_none(subject);
    }
    let limits = Limits {
        mailbox: 64 * 1024,
        ..Limits::default()
    };
    let server = subject.chat_within(limits, 4096).start().unwrap();
    let addr = server.local_addr();
    let mut sleeper = Peer::hard_of_hearing(addr);
    sleeper.round_trip("sleeper");
    let mut witness = Peer::greeted(addr, "witness");
    let mut talker = Peer::greeted(addr, "talker");
    assert_eq!(witness.line(), "talker");

    // What the kernel's buffers take is unknown; past 64 MiB, they are not what takes it.
    let line = "z".repeat(4000);
    let mut said = 0;
    while server.stats().too_slow == 0 {
        let batch = format!("{line}\n").repeat(8);
        talker.send(&batch);
        for peer in [&mut talker, &mut witness] {
            assert!(
                peer.exactly(batch.len()) == batch.as_bytes(),
                "after {said} lines"
            );
        }
        said += 8;
        assert!(
            said * line.len() < 64 << 20,
            "nobody hung up on the sleeper"
        );
    }
    let stats = server.stats();
    assert!(
        stats.lost_messages > 0,
        "what it did not get is counted: {stats:?}"
    );
    assert_eq!(stats.open, 2);
    sleeper.cut_off();
    witness.round_trip("the room goes on");
    assert_eq!(talker.line(), "the room goes on");
    server.shutdown().unwrap();
}
