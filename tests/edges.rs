//! What comes right behind something else, where the kernel tells of it once: nothing is left lying until the client
//! speaks up again.
#![cfg(target_os = "linux")]

mod common;

use common::peer::Peer;
use guardhouse::service::Echo;
use guardhouse::strategy::{ModelKind, ModelOptions, model};
use guardhouse::{Handle, Server};
use rustix::net::{SendFlags, send};

/// Those that are told of edges.
const MODELS: [ModelKind; 2] = [ModelKind::Hybrid, ModelKind::LeaderFollowers];

fn servers() -> impl Iterator<Item = Handle> {
    MODELS.into_iter().map(|kind| {
        Server::new(Echo)
            .boxed_model(model(kind, ModelOptions::default()))
            .start()
            .unwrap()
    })
}

#[test]
fn bytes_behind_urgent_data_are_read_without_another_word() {
    for server in servers() {
        for _ in 0..50 {
            let mut peer = Peer::greeted(server.local_addr(), "hello");
            // A read ends before the urgent byte, however much comes behind it.
            peer.send("before ");
            send(&peer, b"!", SendFlags::OOB).unwrap();
            peer.send("and after\n");
            assert_eq!(peer.line(), "before and after");
            peer.leave();
        }
        server.shutdown().unwrap();
    }
}

#[test]
fn the_end_right_behind_the_last_bytes_is_seen() {
    for server in servers() {
        for _ in 0..200 {
            let mut peer = Peer::connect(server.local_addr());
            peer.send("the last words\n");
            peer.finish();
            assert_eq!(peer.rest(), "the last words\n");
        }
        assert_eq!(server.shutdown().unwrap().finished, 200);
    }
}

#[test]
fn more_than_one_read_takes_is_read_to_the_end_without_another_word() {
    // A whole number of reads, and a little more or less.
    const READ: usize = 16 * 1024;
    for server in servers() {
        let mut peer = Peer::greeted(server.local_addr(), "hello");
        for bytes in [READ - 1, READ, READ + 1, 4 * READ, 9 * READ] {
            let text = "x".repeat(bytes);
            peer.send(&text);
            assert!(peer.exactly(bytes) == text.as_bytes(), "{bytes} bytes");
        }
        peer.leave();
        server.shutdown().unwrap();
    }
}
