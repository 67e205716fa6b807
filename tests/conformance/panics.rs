//! A service that panics: at every place where the server calls it, the panic costs one client its connection
//! and nobody anything else.

use crate::common::peer::Peer;
use crate::house::{Members, PLANNED, Subject, until};
use guardhouse::strategy::ModelKind;
use guardhouse::{Client, Flow, Handle, Reply, Service, Session};
use rustix::process::Pid;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An echo that panics where it is told to.
#[derive(Default)]
pub(crate) struct Fragile {
    /// The next `open` panics.
    door_breaks: Arc<AtomicBool>,
}

#[derive(Default)]
struct FragileSession {
    breaks_at_end: bool,
    breaks_when_dropped: bool,
}

impl Service for Fragile {
    fn open(&self, _: Client) -> Box<dyn Session> {
        assert!(
            !self.door_breaks.swap(false, Ordering::SeqCst),
            "{PLANNED}open"
        );
        Box::new(FragileSession::default())
    }

    /// But for the door, which a test breaks from outside.
    fn needs_shared_memory(&self) -> bool {
        false
    }
}

impl Session for FragileSession {
    fn receive(&mut self, bytes: &[u8], reply: &mut Reply<'_>) -> Flow {
        assert_ne!(bytes, b"panic\n", "{PLANNED}receive");
        if bytes == b"which process?\n" {
            reply.append(format!("{}\n", process::id()).as_bytes());
            return Flow::Continue;
        }
        self.breaks_at_end = bytes == b"panic at the end\n";
        self.breaks_when_dropped = bytes == b"panic when dropped\n";
        reply.append(bytes);
        if self.breaks_when_dropped {
            Flow::Close
        } else {
            Flow::Continue
        }
    }

    fn end(&mut self, _: &mut Reply<'_>) {
        assert!(!self.breaks_at_end, "{PLANNED}end");
    }
}

impl Drop for FragileSession {
    fn drop(&mut self) {
        assert!(!self.breaks_when_dropped, "{PLANNED}drop");
    }
}

/// Where `peer` is served.
pub(crate) fn which_process(peer: &mut Peer) -> Pid {
    peer.send("which process?\n");
    let process = peer.line().parse().unwrap();
    Pid::from_raw(process).unwrap()
}

/// Two workers under a pool. With a bystander on one, every victim comes to the other: it must survive each.
const WORKERS: usize = 2;
const VICTIMS: u64 = 3;

/// `be_a_victim` is a client that makes the service panic and sees its connection end.
fn each_costs_its_client_only(subject: Subject, be_a_victim: impl Fn(&Handle, &AtomicBool)) {
    let fragile = Fragile::default();
    let door_breaks = Arc::clone(&fragile.door_breaks);
    let (service, members) = subject.registered(fragile);
    let server = subject.serve_fragile(WORKERS, service).start().unwrap();
    let addr = server.local_addr();
    let mut bystander = subject
        .serves_several()
        .then(|| Peer::greeted(addr, "bystander"));

    let mut survivor = None;
    for victims in 1..=VICTIMS {
        be_a_victim(&server, &door_breaks);
        until(&server, "the panic is counted", |stats| {
            stats.panicked == victims
        });
        let mut next = Peer::greeted(addr, "the next one");
        let process = which_process(&mut next);
        next.leave();
        if subject.model != ModelKind::Process {
            // With the bystander at one of two, it is where the victim was.
            assert_eq!(*survivor.get_or_insert(process), process);
        }
    }
    if let Some(bystander) = &mut bystander {
        still_hears(bystander, members.as_deref());
    }
    drop(bystander);
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.panicked, stats.lost, stats.open), (VICTIMS, 0, 0));
    if let Some(members) = members {
        assert_eq!(members.count(), 0, "nobody is left in the registry");
    }
}

/// The registry holds the bystander alone, and reaches it.
fn still_hears(bystander: &mut Peer, members: Option<&dyn Members>) {
    if let Some(members) = members {
        assert_eq!(members.count(), 1);
        members.tell("to everybody\n");
        assert_eq!(bystander.line(), "to everybody");
    }
    bystander.round_trip("still served");
}

pub(crate) fn a_panic_in_a_session_costs_its_client_only(subject: Subject) {
    each_costs_its_client_only(subject, |server, _| {
        let mut victim = Peer::greeted(server.local_addr(), "hello");
        victim.send("panic\n");
        assert_eq!(victim.rest(), "");
    });
}

pub(crate) fn a_panic_while_opening_a_session_costs_its_client_only(subject: Subject) {
    each_costs_its_client_only(subject, |server, door_breaks| {
        door_breaks.store(true, Ordering::SeqCst);
        assert_eq!(Peer::connect(server.local_addr()).rest(), "");
    });
}

pub(crate) fn a_panic_at_the_end_of_input_costs_its_client_only(subject: Subject) {
    each_costs_its_client_only(subject, |server, _| {
        let victim = Peer::greeted(server.local_addr(), "panic at the end");
        victim.leave();
    });
}

pub(crate) fn a_panic_in_a_drop_costs_its_client_only(subject: Subject) {
    each_costs_its_client_only(subject, |server, _| {
        let mut victim = Peer::greeted(server.local_addr(), "hello");
        victim.send("panic when dropped\n");
        assert_eq!(
            victim.rest(),
            "panic when dropped\n",
            "its answer was given before"
        );
    });
}
