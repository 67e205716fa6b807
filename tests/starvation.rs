//! Clients that stay connected and say little: whom do they keep from being served? 64 of them before 8 threads.
//!
//! Shown by counts and by answers, not by time: a client is answered while all others are connected, or only after
//! another one has left.

mod common;

use common::peer::Peer;
use common::{PATIENCE, wait_until};
use guardhouse::service::Echo;
use guardhouse::strategy::{ModelKind, ModelOptions, model};
use guardhouse::{Handle, Server};
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::time::Duration;

const WORKERS: usize = 8;
const CLIENTS: usize = 64;

fn server(kind: ModelKind) -> Handle {
    let options = ModelOptions {
        workers: NonZeroUsize::new(WORKERS).unwrap(),
        ..ModelOptions::default()
    };
    Server::new(Echo)
        .boxed_model(model(kind, options))
        .drain(6 * PATIENCE)
        .start()
        .unwrap()
}

fn come_and_say_hello(server: &Handle) -> Vec<Peer> {
    let come = |_| {
        let mut peer = Peer::connect(server.local_addr());
        peer.send("hello\n");
        peer
    };
    (0..CLIENTS).map(come).collect()
}

#[cfg(target_os = "linux")]
fn all_are_answered_while_all_stay(kind: ModelKind) {
    let server = server(kind);
    let mut peers = come_and_say_hello(&server);
    for peer in &mut peers {
        assert_eq!(peer.line(), "hello");
    }
    assert_eq!(server.stats().open, CLIENTS as u64);
    // And in whatever order they speak up again.
    for peer in peers.iter_mut().rev() {
        peer.round_trip("still here");
    }
    let stats = server.stats();
    assert_eq!((stats.open, stats.finished), (CLIENTS as u64, 0));
    drop(peers);
    assert_eq!(server.shutdown().unwrap().refused(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn hybrid_answers_all_of_them() {
    all_are_answered_while_all_stay(ModelKind::Hybrid);
}

#[cfg(target_os = "linux")]
#[test]
fn leader_followers_answers_all_of_them() {
    all_are_answered_while_all_stay(ModelKind::LeaderFollowers);
}

#[test]
fn pool_answers_as_many_as_it_has_workers_and_starves_the_others_until_one_leaves() {
    let server = server(ModelKind::Pool);
    let mut served = come_and_say_hello(&server);
    let mut starving: Vec<Peer> = served.split_off(WORKERS);
    for peer in &mut served {
        assert_eq!(peer.line(), "hello");
    }
    wait_until("everybody is in the queue", || {
        server.stats().accepted == CLIENTS as u64
    });
    for peer in &mut served {
        peer.round_trip("still here");
    }
    for peer in &mut starving {
        peer.stays_silent(Duration::from_millis(1));
    }
    assert_eq!(server.stats().opened, WORKERS as u64);

    let mut served = VecDeque::from(served);
    for (left, mut peer) in starving.into_iter().enumerate() {
        let stats = server.stats();
        let counts = (stats.opened, stats.finished);
        assert_eq!(counts, ((WORKERS + left) as u64, left as u64));
        served.pop_front().expect("eight of them").leave();
        assert_eq!(peer.line(), "hello");
        served.push_back(peer);
    }
    drop(served);
    server.shutdown().unwrap();
}
