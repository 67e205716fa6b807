//! A server that is out of descriptors.

use crate::child::{Serving, limited, serve};
use crate::common::peer::Peer;
use crate::crowd::Crowd;
use std::time::Duration;

fn out_of_descriptors(args: &str) {
    out_of_so_many_descriptors("-n 40", args);
}

fn out_of_so_many_descriptors(limit: &str, args: &str) {
    let server = Serving::of(limited(limit, &serve(args)));
    let mut crowd = Crowd::default();
    crowd.come(server.addr, 60);
    let (served, refused) = (crowd.served.len(), crowd.refused.len());
    assert!(
        served >= 10 && refused >= 10,
        "{served} served, {refused} refused"
    );
    crowd.are_still_served();
    crowd.were_told("error: server is out of file descriptors");

    has_nothing_to_do(&server, &mut crowd);

    crowd.leave(5);
    crowd.come_until_served(server.addr);
    crowd.are_still_served();

    // One leaves, one comes: whoever takes the last descriptor must not leave the server to look for another.
    let refused = crowd.refused.len();
    while crowd.refused.len() == refused {
        crowd.come(server.addr, 1);
    }
    crowd.leave(1);
    crowd.come_until_served(server.addr);
    has_nothing_to_do(&server, &mut crowd);

    crowd.are_still_served();
    let ended = server.drained();
    let refusals = ended.err.matches(" refused addr=").count();
    assert_eq!(refusals, crowd.refused.len(), "each was refused once");
    assert!(ended.err.contains(&crowd.counts()), "{}", ended.err);
    assert!(
        ended.err.contains("clients are accepted again"),
        "{}",
        ended.err
    );
}

/// Nobody waits at the door, nobody talks: it does nothing.
fn has_nothing_to_do(server: &Serving, crowd: &mut Crowd) {
    let before = server.cpu_ticks();
    crowd.served[0].stays_silent(Duration::from_millis(250));
    let spent = server.cpu_ticks() - before;
    assert!(spent < 5, "{spent} ticks of CPU were spent on nothing");
}

#[test]
fn thread_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model thread");
}

#[test]
fn pool_tells_clients_that_it_is_out_of_descriptors() {
    // Workers for all: it is descriptors that are short.
    out_of_descriptors("echo --model pool --workers 64");
}

#[test]
fn workers_behind_a_lock_tell_clients_that_they_are_out_of_descriptors() {
    out_of_descriptors("echo --model pool --workers 64 --accept mutex");
}

#[test]
fn workers_that_accept_all_at_once_tell_clients_that_they_are_out_of_descriptors() {
    out_of_descriptors("echo --model pool --workers 64 --accept free");
}

#[test]
fn workers_with_a_listener_each_tell_clients_that_they_are_out_of_descriptors() {
    // A listener is a descriptor, too: 20 of them, as many again for clients, if there were no others.
    out_of_so_many_descriptors("-n 48", "echo --model pool --workers 20 --accept reuseport");
}

#[test]
fn select_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model select");
}

#[test]
fn poll_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model poll");
}

#[test]
fn epoll_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model epoll");
}

#[test]
fn leader_followers_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model leader-followers --workers 4");
}

#[test]
fn hybrid_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model hybrid --workers 4");
}

#[test]
#[cfg(target_os = "linux")]
fn uring_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model uring");
}

#[test]
fn process_tells_clients_that_it_is_out_of_descriptors() {
    let server = Serving::of(limited("-n 40", &serve("echo --model process")));
    let mut crowd = Crowd::default();
    crowd.come(server.addr, 60);
    let (served, refused) = (crowd.served.len(), crowd.refused.len());
    assert!(
        served >= 10 && refused >= 10,
        "{served} served, {refused} refused"
    );
    crowd.are_still_served();
    crowd.were_told("error: server is out of file descriptors");
    crowd.leave(5);
    crowd.come_until_served(server.addr);
    crowd.are_still_served();
    let ended = server.drained();
    assert!(ended.err.contains(&crowd.counts()), "{}", ended.err);
}

#[test]
fn iterative_needs_descriptors_for_one_client_only() {
    let server = Serving::of(limited("-n 40", &serve("echo --model iterative")));
    let mut queue: Vec<Peer> = (0..60).map(|_| Peer::connect(server.addr)).collect();
    for peer in &mut queue {
        peer.send("hello\n");
    }
    for mut peer in queue {
        assert_eq!(peer.line(), "hello");
        peer.leave();
    }
    let ended = server.drained();
    assert!(
        ended.err.contains("accepted=60 refused=0 "),
        "{}",
        ended.err
    );
}
