use crate::model::uring::proactor::op::Op;
use crate::model::uring::proactor::outgoing::Outgoing;
use crate::model::uring::proactor::ring::call::{COMPLETIONS, SUBMISSIONS};
use crate::model::uring::proactor::ring::tests::{
    PATIENCE, full, gather, happened, in_time, only_one, ring,
};
use crate::model::uring::proactor::ring::{Ring, Until};
use rustix::io::Errno;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

#[test]
fn a_refused_send_is_told_of_at_once_and_what_came_before_it_in_its_order() {
    let Some((mut ring, server, mut client)) = ring() else {
        return;
    };
    let (full_up, _unread) = full();
    let mut outgoing = Outgoing::new();
    ring.receive(7, server.as_fd());
    client.write_all(b"first").unwrap();
    let patiently = Until::Happened(Some(PATIENCE));
    ring.enter(&mut outgoing, patiently).unwrap();
    client.write_all(b"second").unwrap();
    gather(&mut outgoing, 8, full_up.as_fd(), b"no room");
    // This one is heard of where it is asked for, and before the send.
    ring.watch_writable(9, server.as_fd());
    ring.enter(&mut outgoing, Until::Polled).unwrap();
    outgoing.begin_anew();
    let [unsent] = ring.take_unsent()[..] else {
        panic!("one was submitted");
    };
    assert_eq!((unsent.key, unsent.result), (8, Err(Errno::AGAIN)));
    let mut received = Vec::new();
    let mut writable = 0;
    while received.len() < b"firstsecond".len() {
        let completion = happened(&mut ring);
        if completion.op() == Op::Writable(9) {
            writable += 1;
        } else if let Some(input) = completion.into_input() {
            received.extend_from_slice(ring.bytes(&input));
            ring.give_back(input);
        }
    }
    assert_eq!((&received[..], writable), (&b"firstsecond"[..], 1));
}

#[test]
fn more_that_happens_than_the_kernel_has_room_to_put_down_is_told_and_a_refused_send_with_it() {
    let Some((mut ring, ..)) = ring() else {
        return;
    };
    let (watched, mut other_end) = UnixStream::pair().unwrap();
    let (full_up, _unread) = full();
    let count = COMPLETIONS + SUBMISSIONS;
    for name in 0..count {
        ring.watch_readable(name, watched.as_fd());
    }
    let mut outgoing = Outgoing::new();
    ring.enter(&mut outgoing, Until::Submitted).unwrap();
    other_end.write_all(b"now").unwrap();
    gather(&mut outgoing, 7, full_up.as_fd(), b"no room");
    ring.enter(&mut outgoing, Until::Polled).unwrap();
    outgoing.begin_anew();
    let [unsent] = ring.take_unsent()[..] else {
        panic!("one was submitted");
    };
    assert_eq!((unsent.key, unsent.result), (7, Err(Errno::AGAIN)));
    let mut told: Vec<Op> = (0..count).map(|_| happened(&mut ring).op()).collect();
    told.sort_by_key(|op| op.data());
    assert!(told.into_iter().eq((0..count).map(Op::Readable)));
    assert_eq!(ring.in_flight, 0);
}

#[test]
fn a_hushed_send_that_is_refused_is_found_behind_what_was_asked_for_with_it() {
    let Some((mut ring, server, _client)) = ring() else {
        return;
    };
    let (full_up, _unread) = full();
    let mut outgoing = Outgoing::new();
    gather(&mut outgoing, 8, full_up.as_fd(), b"no room");
    // There is room at once, so that this completes first.
    ring.watch_writable(9, server.as_fd());
    let patiently = Until::Happened(Some(PATIENCE));
    ring.enter(&mut outgoing, patiently).unwrap();
    let [unsent] = ring.take_unsent()[..] else {
        panic!("one was submitted");
    };
    assert_eq!((unsent.key, unsent.result), (8, Err(Errno::AGAIN)));
    assert_eq!(only_one(&mut ring).op(), Op::Writable(9));
}

#[test]
fn a_hushed_send_that_is_refused_is_found_where_there_was_no_room_to_put_it_down() {
    let Some((mut ring, server, _client)) = ring() else {
        return;
    };
    let (full_up, _unread) = full();
    let mut outgoing = Outgoing::new();
    let count = COMPLETIONS + SUBMISSIONS / 2;
    for name in 0..count {
        ring.watch_writable(name, server.as_fd());
        // Nobody is told, so that the queue gets full.
        if (name + 1) % SUBMISSIONS == 0 {
            ring.enter(&mut outgoing, Until::Submitted).unwrap();
        }
    }
    gather(&mut outgoing, 8, full_up.as_fd(), b"no room");
    let patiently = Until::Happened(Some(PATIENCE));
    ring.enter(&mut outgoing, patiently).unwrap();
    outgoing.begin_anew();
    let [unsent] = ring.take_unsent()[..] else {
        panic!("one was submitted");
    };
    assert_eq!((unsent.key, unsent.result), (8, Err(Errno::AGAIN)));
    for name in 0..count {
        assert_eq!(happened(&mut ring).op(), Op::Writable(name));
    }
    assert!(!ring.has_completions() && ring.in_flight == 0);
}

/// Accepts at a listener, and receives from a client who has come before.
fn open_door(ring: &mut Ring, server: &TcpStream) -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ring.accept(listener.as_fd());
    ring.receive(7, server.as_fd());
    listener
}

#[test]
fn a_client_that_is_accepted_keeps_nobody_from_being_told_what_others_say() {
    let Some((mut ring, server, mut client)) = ring() else {
        return;
    };
    let listener = open_door(&mut ring, &server);
    let mut nothing = Outgoing::new();
    ring.enter(&mut nothing, Until::Submitted).unwrap();
    client.write_all(b"before").unwrap();
    let _newcomer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(b"behind").unwrap();
    let mut received = Vec::new();
    let patiently = Until::Happened(Some(PATIENCE));
    while received.len() < b"beforebehind".len() || !ring.has_arrivals() {
        ring.enter(&mut nothing, patiently).unwrap();
        assert!(ring.has_completions(), "nothing within {PATIENCE:?}");
        while let Some(completion) = ring.next_completion() {
            assert_eq!(completion.op(), Op::Receive(7));
            let input = completion.into_input().unwrap();
            received.extend_from_slice(ring.bytes(&input));
            ring.give_back(input);
        }
    }
    assert_eq!(received, b"beforebehind");
    assert!(ring.next_arrival().is_some() && ring.next_arrival().is_none());
    assert_eq!(ring.in_flight, 2, "both go on");
}

#[test]
fn a_ring_that_is_dropped_before_it_has_told_all_closes_who_was_accepted() {
    let Some((mut ring, server, mut client)) = ring() else {
        return;
    };
    let listener = open_door(&mut ring, &server);
    client.write_all(b"in vain").unwrap();
    let mut newcomer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    newcomer.set_read_timeout(Some(PATIENCE)).unwrap();
    let patiently = Until::Happened(Some(PATIENCE));
    ring.enter(&mut Outgoing::new(), patiently).unwrap();
    assert!(ring.has_completions(), "the wait ended for nothing");
    in_time("the ring is dropped", move || drop(ring));
    assert_eq!(newcomer.read(&mut [0]).unwrap(), 0);
}
