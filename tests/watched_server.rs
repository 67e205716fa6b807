//! A watched lock inside a server: what it has seen comes out with the server's own counters.

mod common;

use common::peer::Peer;
use guardhouse::service::{Chat, Registered};
use guardhouse::strategy::{self, LockKind, LockOptions, ServiceKind};
use guardhouse::sync::{Lock, Timed};
use guardhouse::{Clients, Handle, Registry, Server};
use std::sync::Arc;

/// Two clients say a line each, and leave.
fn sections_of_two_talkers(server: Handle) {
    let sections = |server: &Handle| {
        let lock = server.stats().lock.expect("it is watched");
        (lock.wait.count, lock.hold.count)
    };
    assert_eq!(sections(&server), (0, 0));
    let mut ann = Peer::greeted(server.local_addr(), "ann is here");
    assert_eq!(sections(&server), (2, 2), "a join, a broadcast");
    let bob = Peer::greeted(server.local_addr(), "bob is here");
    assert_eq!(ann.line(), "bob is here");
    assert_eq!(sections(&server), (4, 4));
    ann.leave();
    bob.leave();
    let counters = server.counters();
    let last = server.shutdown().unwrap();
    let lock = last.lock.expect("what was seen is told at the end");
    assert_eq!(lock.hold.count, 6, "and two have left");
    assert_eq!(counters.now().lock, None, "the service is gone");
    assert_eq!(counters.now().finished, 2, "its counters are not");
}

#[test]
fn a_chat_counts_its_joins_and_broadcasts() {
    let registry = Registry::new(Timed::<parking_lot::Mutex<_>>::new(Clients::new()));
    sections_of_two_talkers(Server::new(Chat::new(registry)).start().unwrap());
    for lock in LockKind::ALL
        .into_iter()
        .filter(|&lock| lock != LockKind::None)
    {
        let options = LockOptions {
            stats: true,
            ..LockOptions::default()
        };
        let kind = ServiceKind::chat(99);
        let service = strategy::service(kind, lock, options).unwrap();
        sections_of_two_talkers(Server::new(service).start().unwrap());
    }
}

#[test]
fn without_stats_nothing_is_watched() {
    let kind = ServiceKind::chat(99);
    let service = strategy::service(kind, LockKind::Mutex, LockOptions::default()).unwrap();
    let server = Server::new(service).start().unwrap();
    assert_eq!(server.stats().lock, None);
    assert_eq!(server.shutdown().unwrap().lock, None);
}

#[test]
fn a_registry_around_a_service_tells_of_its_own_lock_first() {
    fn counts(service: &dyn guardhouse::Service) -> Option<u64> {
        service.lock_stats().map(|lock| lock.hold.count)
    }
    let watched = Registry::new(Timed::<parking_lot::Mutex<_>>::new(Clients::new()));
    assert!(watched.is_empty(), "a section");
    let bare = Registry::new(parking_lot::Mutex::new(Clients::new()));
    let chat = || Chat::new(Arc::clone(&watched));
    assert_eq!(counts(&Registered::new(Arc::clone(&bare), chat())), Some(1));
    let other = Registry::new(Timed::<parking_lot::Mutex<_>>::new(Clients::new()));
    assert_eq!(counts(&Registered::new(other, chat())), Some(0));
    assert_eq!(counts(&Chat::new(bare)), None);
}
