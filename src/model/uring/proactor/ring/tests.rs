use super::*;
use crate::model::uring::proactor::needs;
use crate::model::uring::proactor::outgoing::Gathered;
use std::io::{IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::{process, thread};

const PATIENCE: Duration = Duration::from_secs(10);

/// A ring, and both ends of a connection; `None`, with a word about it, where there are no rings.
fn ring() -> Option<(Ring, TcpStream, TcpStream)> {
    let ring = match needs::ring() {
        Ok(ring) => ring,
        Err(refused) => {
            eprintln!("skipped: {refused}");
            return None;
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let (server, _) = listener.accept().unwrap();
    Some((ring, server, client))
}

fn happened(ring: &mut Ring) -> Completion {
    while !ring.has_completions() {
        let nothing = Outgoing::new();
        ring.enter(&nothing, Until::Happened(Some(PATIENCE)))
            .unwrap();
    }
    let mut completions = ring.take_completions();
    let first = completions.remove(0);
    ring.happened.splice(0..0, completions);
    first
}

#[test]
fn a_send_that_goes_out_says_nothing_and_is_over_when_it_was_submitted() {
    let Some((mut ring, server, mut client)) = ring() else {
        return;
    };
    let mut outgoing = Outgoing::new();
    for word in ["first", "again"] {
        let mut gathered = Gathered::default();
        let slices = [IoSlice::new(word.as_bytes())];
        outgoing.gather(&mut gathered, 7, server.as_fd(), &slices);
        ring.enter(&outgoing, Until::Submitted).unwrap();
        assert!(ring.take_unsent().is_empty() && !ring.has_completions());
        // The kernel has no use for the bytes any more: they may be overwritten.
        outgoing.begin_anew();
    }
    let mut heard = [0; 10];
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"firstagain");
}

#[test]
fn a_send_that_finds_no_room_says_how_far_it_came_before_anything_else_is_told() {
    let Some((mut ring, server, mut client)) = ring() else {
        return;
    };
    let mut outgoing = Outgoing::new();
    let chunk = vec![b'x'; 60_000];
    let mut sent = 0;
    let refused = loop {
        let mut gathered = Gathered::default();
        outgoing.gather(&mut gathered, 7, server.as_fd(), &[IoSlice::new(&chunk)]);
        ring.enter(&outgoing, Until::Submitted).unwrap();
        outgoing.begin_anew();
        match ring.take_unsent()[..] {
            [] => sent += chunk.len(),
            [unsent] => break unsent,
            _ => panic!("one was submitted"),
        }
    };
    assert_eq!(refused.key, 7);
    match refused.result {
        Ok(part) => {
            assert!((part as usize) < chunk.len());
            sent += part as usize;
        }
        Err(errno) => assert_eq!(errno, Errno::AGAIN),
    }
    drop(server);
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    assert_eq!(heard.len(), sent, "what was told is what arrives");
}

#[test]
fn a_receive_goes_on_until_it_is_cancelled_or_the_buffers_are_used_up() {
    let Some((mut ring, server, mut client)) = ring() else {
        return;
    };
    ring.receive(7, server.as_fd());
    for word in [b"first", b"again"] {
        client.write_all(word).unwrap();
        let completion = happened(&mut ring);
        assert_eq!(completion.op(), Op::Receive(7));
        assert!(completion.has_more());
        let input = completion.into_input().unwrap();
        assert_eq!(ring.bytes(&input), word);
        ring.give_back(input);
    }
    ring.cancel(Op::Receive(7));
    let last = happened(&mut ring);
    assert_eq!(last.result(), Err(Errno::CANCELED));
    assert!(!last.has_more() && ring.in_flight == 0);

    ring.receive(7, server.as_fd());
    let mut inputs = Vec::new();
    let errno = loop {
        client.write_all(b"x").unwrap();
        let completion = happened(&mut ring);
        match completion.result() {
            Ok(count) => {
                assert_eq!(count, 1);
                inputs.push(completion.into_input().unwrap());
            }
            Err(errno) => break errno,
        }
    };
    assert_eq!(errno, Errno::NOBUFS);
    assert!(inputs.len() >= 512, "all of them were given back before");
    // With one given back it goes on, and finds what it had no buffer for.
    let buffer = inputs.pop().unwrap();
    ring.give_back(buffer);
    ring.receive(7, server.as_fd());
    let waited = happened(&mut ring);
    assert_eq!(ring.bytes(&waited.into_input().unwrap()), b"x");
}

#[test]
fn more_than_the_queue_holds_is_submitted_in_turns() {
    let Some((mut ring, server, mut client)) = ring() else {
        return;
    };
    let mut outgoing = Outgoing::new();
    let count = SUBMISSIONS * 2 + 3;
    for n in 0..count {
        // Each as if it were another client's.
        let number = n.to_be_bytes();
        let word = [IoSlice::new(&number), IoSlice::new(b"")];
        outgoing.gather(&mut Gathered::default(), n, server.as_fd(), &word);
    }
    ring.receive(7, server.as_fd());
    ring.enter(&outgoing, Until::Submitted).unwrap();
    for n in 0..count {
        let mut word = [0; 4];
        client.read_exact(&mut word).unwrap();
        assert_eq!(u32::from_be_bytes(word), n);
    }
    client.write_all(b"after all of them").unwrap();
    assert_eq!(happened(&mut ring).op(), Op::Receive(7));
}

#[test]
fn a_ring_that_is_dropped_lets_go_of_everything() {
    let Some((mut ring, server, mut client)) = ring() else {
        return;
    };
    ring.receive(7, server.as_fd());
    ring.watch_readable(8, server.as_fd());
    ring.enter(&Outgoing::new(), Until::Submitted).unwrap();
    drop(server);
    drop(ring);
    // The socket was closed with the last that had it.
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_ring_does_not_wait_for_what_was_asked_for_and_never_submitted() {
    let Some((mut ring, server, _client)) = ring() else {
        return;
    };
    ring.receive(7, server.as_fd());
    ring.enter(&Outgoing::new(), Until::Submitted).unwrap();
    ring.watch_readable(8, server.as_fd());
    ring.cancel(Op::Receive(7));
    assert_eq!(ring.in_flight, 2);
    // No other thread can drop it, so another looks whether this one is done.
    let (done, dropped) = mpsc::channel();
    let watch = thread::spawn(move || {
        if dropped.recv_timeout(PATIENCE).is_err() {
            eprintln!("the ring waits for what the kernel does not know of");
            process::abort();
        }
    });
    drop(ring);
    done.send(()).unwrap();
    watch.join().unwrap();
}

#[test]
fn however_many_sends_find_no_room_each_is_told_of_before_anything_is_gathered() {
    let Some((mut ring, ..)) = ring() else {
        return;
    };
    // No TCP: there, room comes back that nobody has made, when a delayed acknowledgement arrives after some 40 ms. Here
    // what is full stays full until somebody reads.
    let (full_up, _unread) = UnixStream::pair().unwrap();
    let mut outgoing = Outgoing::new();
    let bytes = vec![b'x'; 60_000];
    let chunk = [IoSlice::new(&bytes)];
    let mut full = false;
    while !full {
        outgoing.gather(&mut Gathered::default(), 7, full_up.as_fd(), &chunk);
        ring.enter(&outgoing, Until::Submitted).unwrap();
        outgoing.begin_anew();
        let unsent = ring.take_unsent();
        full = unsent.iter().any(|unsent| unsent.result.is_err());
    }
    let count = COMPLETIONS + SUBMISSIONS;
    for key in 0..count {
        // Each as if it were another client's.
        let word = [IoSlice::new(b"no room")];
        outgoing.gather(&mut Gathered::default(), key, full_up.as_fd(), &word);
    }
    ring.enter(&outgoing, Until::Submitted).unwrap();
    let told: Vec<u32> = ring.take_unsent().iter().map(|one| one.key).collect();
    assert!(told.into_iter().eq(0..count));
}

#[test]
fn a_ring_that_failed_is_not_entered_again() {
    let Some((mut ring, server, _client)) = ring() else {
        return;
    };
    ring.watch_writable(7, server.as_fd());
    ring.broken = true;
    let refused = ring.enter(&Outgoing::new(), Until::Polled);
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert!(!ring.has_completions());
}
