//! What clients are granted: time to be silent, and a place.

use crate::common::PATIENCE;
use crate::common::peer::Peer;
use crate::house::{Subject, until};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A client that was to talk was kept from it for the whole time-out, by a machine that was busy with other things.
struct Inconclusive;

/// Tries with a time-out that is twice as long each time, until what came of it shows something.
fn with_a_timeout(shortest: Duration, attempt: impl Fn(Duration) -> Result<(), Inconclusive>) {
    let shown = (0..6).any(|doubled| attempt(shortest * (1 << doubled)).is_ok());
    assert!(
        shown,
        "clients were kept from talking, however long the time-out"
    );
}

/// A client that knows for how long it may have been silent.
struct Talker {
    peer: Peer,
    timeout: Duration,
    /// When it began to say what it said last.
    since: Instant,
}

impl Talker {
    fn connect(addr: SocketAddr, timeout: Duration) -> Self {
        let since = Instant::now();
        Self {
            peer: Peer::connect(addr),
            timeout,
            since,
        }
    }

    /// Says `text`, and must be answered if that came in time.
    fn says(&mut self, text: &str) -> Result<(), Inconclusive> {
        let since = Instant::now();
        let answered = self.peer.is_answered(text);
        let silent = self.since.elapsed();
        self.since = since;
        if answered {
            return Ok(());
        }
        let timeout = self.timeout;
        assert!(silent >= timeout, "closed after {silent:?} of {timeout:?}");
        Err(Inconclusive)
    }
}

pub(crate) fn closes_the_silent_and_keeps_the_talkative(subject: Subject) {
    with_a_timeout(Duration::from_millis(100), |timeout| {
        let server = subject.echo().idle_timeout(timeout).start().unwrap();
        let addr = server.local_addr();
        let mut silent = Talker::connect(addr, timeout);
        silent.says("and not a word more")?;
        if subject.serves_several() {
            let mut talkative = Talker::connect(addr, timeout);
            talkative.says("hello")?;
            let deadline = Instant::now() + PATIENCE;
            while !silent.peer.hears_within(timeout / 10) {
                talkative.says("and so on")?;
                assert!(Instant::now() < deadline, "nobody closes the silent one");
            }
            assert_eq!(silent.peer.rest(), "");
            talkative.says("still here")?;
            until(&server, "one is left", |stats| stats.open == 1);
        } else {
            assert_eq!(silent.peer.rest(), "");
            // Who waited behind the silent one is served now.
            Talker::connect(addr, timeout).says("hello")?;
        }
        until(&server, "it was counted as idle", |stats| stats.idle == 1);
        server.shutdown().unwrap();
        Ok(())
    });
}

pub(crate) fn closes_a_client_that_takes_nothing_of_its_answer(subject: Subject) {
    with_a_timeout(Duration::from_millis(80), |timeout| {
        let server = subject.echo().idle_timeout(timeout).start().unwrap();
        let addr = server.local_addr();
        Peer::hard_of_hearing(addr).flood_until_hung_up("an answer that nobody takes\n");
        let mut next = Talker::connect(addr, timeout);
        next.says("the next one")?;
        next.peer.leave();
        let stats = server.shutdown().unwrap();
        assert_eq!(stats.idle, 1);
        // Its answers were not sent; unless it was hung up for having sent nothing, before they filled its buffers.
        (stats.lost_messages > 0).then_some(()).ok_or(Inconclusive)
    });
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
