//! The end of a server: idle clients are closed at once, busy ones may finish, the rest are cut off.

use crate::common::peer::{LONG_LINE, Peer};
use crate::common::{PATIENCE, wait_until, waits_to_send};
use crate::house::{PLANNED, Subject, until};
use crate::panics::{Fragile, which_process};
use guardhouse::{Client, Flow, Handle, Reply, Service, Session};
use parking_lot::{Condvar, Mutex};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub(crate) fn closes_idle_clients_at_once(subject: Subject) {
    // Patience enough for a test that waits for it to fail.
    let server = subject
        .chat_or_echo(4096)
        .drain(6 * PATIENCE)
        .start()
        .unwrap();
    let addr = server.local_addr();
    let clients = subject.at_once() as u64;
    let mut idle: Vec<Peer> = (0..clients).map(|_| Peer::connect(addr)).collect();
    until(&server, "everyone is being served", |stats| {
        stats.open == clients
    });

    let stats = server.shutdown().unwrap();
    for peer in &mut idle {
        assert_eq!(peer.rest(), "", "closed without a word");
    }
    assert_eq!((stats.drained, stats.open), (clients, 0));
    let drain = stats.drain;
    assert_eq!((drain.idle, drain.busy, drain.forced), (clients, 0, 0));
}

/// An echo that stops at a gate when it is told to wait.
#[derive(Clone, Default)]
struct Gated(Arc<(Mutex<Gate>, Condvar)>);

#[derive(Default)]
struct Gate {
    waiting: bool,
    open: bool,
}

impl Gated {
    fn until_somebody_waits(&self) {
        self.change(|_| {}, |gate| gate.waiting);
    }

    fn open_up(&self) {
        self.change(|gate| gate.open = true, |gate| gate.open);
    }

    fn change(&self, change: impl FnOnce(&mut Gate), until: impl Fn(&Gate) -> bool) {
        let (gate, changed) = &*self.0;
        let mut gate = gate.lock();
        change(&mut gate);
        changed.notify_all();
        while !until(&gate) {
            let late = changed.wait_for(&mut gate, PATIENCE).timed_out();
            assert!(!late, "{PLANNED}the gate stayed as it was");
        }
    }
}

impl Service for Gated {
    fn open(&self, _: Client) -> Box<dyn Session> {
        Box::new(self.clone())
    }
}

impl Session for Gated {
    fn receive(&mut self, bytes: &[u8], reply: &mut Reply<'_>) -> Flow {
        if bytes.starts_with(b"wait") {
            self.change(|gate| gate.waiting = true, |gate| gate.open);
        }
        reply.append(bytes);
        Flow::Continue
    }
}

pub(crate) fn answers_what_was_sent_before_the_drain(subject: Subject) {
    let gate = Gated::default();
    let (service, members) = subject.registered(gate.clone());
    let server = subject.serve(service).drain(6 * PATIENCE).start().unwrap();
    let mut peer = Peer::connect(server.local_addr());
    peer.send("wait\n");
    gate.until_somebody_waits();
    // Nobody reads this before the gate is open.
    let more = "and this\n".repeat(3000);
    peer.send(&more);
    peer.delivered();

    server.switch().drain();
    if !subject.drains_between_sessions() {
        until(&server, "the drain has begun", |stats| {
            stats.drain.busy == 1
        });
    }
    gate.open_up();
    assert_eq!(peer.rest(), format!("wait\n{more}"));
    let stats = server.wait().unwrap();
    assert_eq!((stats.drained, stats.forced), (1, 0));
    assert_eq!((stats.drain.busy, stats.drain.forced), (1, 0));
    if let Some(members) = members {
        assert_eq!(members.count(), 0);
    }
}

pub(crate) fn answers_what_the_clients_own_kernel_still_held_at_the_drain(subject: Subject) {
    let shared = subject.model.shares_memory();
    let server = if shared {
        subject.echo()
    } else {
        // An echo that says in which process.
        subject.serve_fragile(1, Box::new(Fragile::default()))
    };
    let server = server.drain(6 * PATIENCE).start().unwrap();
    // Somebody serves it: a flood comes no further than the backlog of a server that is slow to start.
    let mut peer = Peer::greeted(server.local_addr(), "hello");
    let child = (!shared).then(|| which_process(&mut peer));
    // Every buffer on the way is full, in both directions.
    let flood = peer.flood_until("said before the signal\n", || {
        child.is_none_or(waits_to_send)
    });
    // On a busy machine, the kernel may have taken all that for a client that is not accepted yet.
    until(&server, "it is being served", |stats| stats.open == 1);
    server.switch().drain();
    until(&server, "the drain has begun", |stats| {
        stats.drain.busy == 1
    });
    // Its kernel may take its time, though there is room now.
    peer.takes_back(&flood, flood.sent);
    assert_eq!(peer.rest(), "", "says nothing more, and is closed");
    let stats = server.wait().unwrap();
    assert_eq!((stats.drained, stats.forced), (1, 0), "{stats:?}");
    assert_eq!(stats.lost_messages, 0);
}

/// An echo that counts what it has answered.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicUsize>);

impl Service for Counted {
    fn open(&self, _: Client) -> Box<dyn Session> {
        Box::new(self.clone())
    }
}

impl Session for Counted {
    fn receive(&mut self, bytes: &[u8], reply: &mut Reply<'_>) -> Flow {
        reply.append(bytes);
        self.0.fetch_add(bytes.len(), Ordering::SeqCst);
        Flow::Continue
    }
}

pub(crate) fn an_answer_on_its_way_survives_what_the_client_says_after_the_drain(subject: Subject) {
    // Fits the server's side of the connection, and not the client's.
    let text = "an answer that takes its time\n".repeat(8000);
    let answered = Counted::default();
    let server = subject
        .serve(answered.clone())
        .drain(6 * PATIENCE)
        .start()
        .unwrap();
    let mut peer = Peer::connect(server.local_addr());
    peer.send(&text);
    wait_until("everything is answered", || {
        answered.0.load(Ordering::SeqCst) == text.len()
    });

    server.switch().drain();
    until(&server, "the drain has begun", |stats| {
        stats.drain.idle + stats.drain.busy == 1
    });
    // A socket that was closed with its answer still on the way would turn this into an RST.
    peer.send("!");
    let rest = peer.rest();
    assert!(
        rest == text || rest == format!("{text}!"),
        "{} of {} bytes arrived",
        rest.len(),
        text.len()
    );
    let stats = server.wait().unwrap();
    assert_eq!((stats.drained, stats.forced), (1, 0), "{stats:?}");
}

/// Answers whatever is said with more than there are buffers for on the way.
pub(crate) struct Verbose;

impl Service for Verbose {
    fn open(&self, _: Client) -> Box<dyn Session> {
        Box::new(Self)
    }

    fn needs_shared_memory(&self) -> bool {
        false
    }
}

impl Session for Verbose {
    fn receive(&mut self, _: &[u8], reply: &mut Reply<'_>) -> Flow {
        reply.append("x".repeat(LONG_LINE).as_bytes());
        Flow::Continue
    }
}

/// A server with a client whose answer does not leave it; and, where there can be any, idle ones who came later and are
/// not sent it.
fn busy_and_idle(subject: Subject, drain: Duration) -> (Handle, Peer, Vec<Peer>) {
    let shared = subject.model.shares_memory();
    let server = if shared {
        subject.chat(LONG_LINE)
    } else {
        subject.serve_verbose()
    };
    let server = server.drain(drain).start().unwrap();
    let addr = server.local_addr();
    let mut busy = Peer::connect(addr);
    // Both wait for the first byte of the answer: no pause, however long, shows that a server is at work, and not only slow.
    if shared {
        busy.leave_a_long_line_unread();
    } else {
        busy.send("well?\n");
        assert_eq!(busy.exactly(1), b"x");
    }
    let idle: Vec<Peer> = (1..subject.at_once())
        .map(|_| Peer::connect(addr))
        .collect();
    until(&server, "everyone is being served", |stats| {
        stats.open == subject.at_once() as u64
    });
    (server, busy, idle)
}

pub(crate) fn cuts_off_after_the_drain_who_never_reads(subject: Subject) {
    let (server, mut busy, mut idle) = busy_and_idle(subject, Duration::from_millis(60));
    let stats = server.shutdown().unwrap();
    busy.cut_off();
    for peer in &mut idle {
        assert_eq!(peer.rest(), "");
    }
    assert_eq!(stats.drain.idle, idle.len() as u64);
    assert_eq!((stats.drain.busy, stats.drain.forced), (1, 1));
    assert_eq!((stats.drained, stats.forced), (idle.len() as u64, 1));
    assert!(
        stats.lost_messages > 0,
        "what was not sent is counted: {stats:?}"
    );
}

pub(crate) fn cuts_everybody_off_by_force(subject: Subject) {
    // Without force, this drain outlasts the test.
    let (server, mut busy, mut idle) = busy_and_idle(subject, 6 * PATIENCE);
    server.switch().drain();
    until(&server, "only the busy one is left", |stats| {
        stats.drain.busy == 1 && stats.drained == idle.len() as u64
    });
    server.switch().force();
    let stats = server.wait().unwrap();
    busy.cut_off();
    for peer in &mut idle {
        assert_eq!(peer.rest(), "", "it was closed in good order before");
    }
    assert_eq!((stats.forced, stats.open), (1, 0));
}

pub(crate) fn listens_no_more_after_it_ended(subject: Subject) {
    let server = subject.echo().start().unwrap();
    let addr = server.local_addr();
    Peer::greeted(addr, "hello").leave();
    drop(server);
    // Unless a neighbour's server, which came upon the free port, was faster.
    wait_until("the address is free", || TcpListener::bind(addr).is_ok());
}
