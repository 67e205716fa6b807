use super::call::{COMPLETIONS, SUBMISSIONS};
use super::*;
use crate::model::uring::proactor::inputs::COUNT;
use crate::model::uring::proactor::needs;
use crate::model::uring::proactor::outgoing::Gathered;
use crate::model::uring::proactor::send::Target;
use std::io::{IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;
use std::{process, thread};

pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A ring, and both ends of a connection; `None`, with a word about it, where there are no rings.
pub(super) fn ring() -> Option<(Ring, TcpStream, TcpStream)> {
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
    server.set_nodelay(true).unwrap();
    Some((ring, server, client))
}

pub(super) fn happened(ring: &mut Ring) -> Completion {
    if !ring.has_completions() {
        let mut nothing = Outgoing::new();
        ring.enter(&mut nothing, Until::Happened(Some(PATIENCE)))
            .unwrap();
    }
    assert!(ring.has_completions(), "nothing within {PATIENCE:?}");
    ring.next_completion().unwrap()
}

/// What has happened, which is one thing.
pub(super) fn only_one(ring: &mut Ring) -> Completion {
    let one = happened(ring);
    assert!(!ring.has_completions(), "something more has happened");
    one
}

/// Submits a send aloud, and hushed, without waiting for anything else.
const ALOUD_AND_HUSHED: [Until; 2] = [Until::Submitted, Until::Happened(Some(Duration::ZERO))];

pub(super) fn gather(outgoing: &mut Outgoing, key: u32, stream: BorrowedFd<'_>, bytes: &[u8]) {
    let slices = [IoSlice::new(bytes)];
    let gathered = outgoing.gather(&mut Gathered::of(key, Target::descriptor(stream)), &slices);
    assert_eq!(gathered, Some(bytes.len()));
}

#[test]
fn of_a_send_that_goes_out_nothing_is_told_and_it_is_over_when_it_was_submitted() {
    let Some((mut ring, server, mut client)) = ring() else {
        return;
    };
    let mut outgoing = Outgoing::new();
    for until in ALOUD_AND_HUSHED {
        gather(&mut outgoing, 7, server.as_fd(), b"words");
        ring.enter(&mut outgoing, until).unwrap();
        assert!(ring.take_unsent().is_empty() && !ring.has_completions());
        // The kernel has no use for the bytes any more: they may be overwritten.
        outgoing.begin_anew();
    }
    let mut heard = [0; 10];
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"wordswords");
}

#[test]
fn a_send_that_finds_no_room_says_how_far_it_came_before_anything_else_is_told() {
    for until in ALOUD_AND_HUSHED {
        let Some((mut ring, server, mut client)) = ring() else {
            return;
        };
        let mut outgoing = Outgoing::new();
        let chunk = vec![b'x'; 60_000];
        let mut sent = 0;
        let refused = loop {
            gather(&mut outgoing, 7, server.as_fd(), &chunk);
            ring.enter(&mut outgoing, until).unwrap();
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
}

#[test]
fn who_sends_and_waits_comes_back_with_what_has_happened_and_not_with_the_sends() {
    for sends in 1..4 {
        send_and_wait(sends);
    }
}

/// Has a client answer when it was sent so many words, each as if to another client.
fn send_and_wait(sends: u32) {
    let Some((mut ring, server, mut client)) = ring() else {
        return;
    };
    let until = Until::Happened(Some(PATIENCE));
    ring.receive(7, server.as_fd());
    client.write_all(b"hello").unwrap();
    happened(&mut ring);
    let answers = thread::spawn(move || {
        for _ in 0..100 {
            let mut words = vec![0; 4 * sends as usize];
            client.read_exact(&mut words).unwrap();
            client.write_all(b"answer").unwrap();
        }
        client
    });
    let mut outgoing = Outgoing::new();
    for _ in 0..100 {
        for key in 0..sends {
            gather(&mut outgoing, key, server.as_fd(), b"word");
        }
        ring.enter(&mut outgoing, until).unwrap();
        outgoing.begin_anew();
        assert!(ring.has_completions(), "the wait ended for nothing");
        let answer = only_one(&mut ring);
        assert_eq!((answer.op(), answer.result()), (Op::Receive(7), Ok(6)));
    }
    answers.join().unwrap();
}

#[test]
fn a_send_that_is_not_hushed_ends_a_wait_and_so_does_one_that_is_and_fails() {
    let Some((mut ring, server, _client)) = ring() else {
        return;
    };
    let for_ever = Until::Happened(None);
    let mut outgoing = Outgoing::new();
    gather(&mut outgoing, 7, server.as_fd(), b"aloud");
    in_time("what is aloud ends the wait", || {
        ring.submit(&outgoing, for_ever).unwrap();
    });
    assert!(ring.has_nothing_to_tell());
    outgoing.begin_anew();

    let (full_up, _unread) = full();
    gather(&mut outgoing, 8, full_up.as_fd(), b"no room");
    in_time("what fails ends the wait", || {
        ring.enter(&mut outgoing, for_ever).unwrap();
    });
    let [unsent] = ring.take_unsent()[..] else {
        panic!("one was submitted");
    };
    assert_eq!((unsent.key, unsent.result), (8, Err(Errno::AGAIN)));
}

/// A socket that is full, and stays so, and its other end. No TCP: there, room comes back that nobody has made, when a
/// delayed acknowledgement arrives after some 40 ms.
pub(super) fn full() -> (UnixStream, UnixStream) {
    let (full_up, unread) = UnixStream::pair().unwrap();
    full_up.set_nonblocking(true).unwrap();
    for size in [60_000, 1] {
        while (&full_up).write(&vec![b'x'; size]).is_ok() {}
    }
    (full_up, unread)
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
    assert!(
        inputs.len() >= COUNT.into(),
        "all of them were given back before"
    );
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
        outgoing.gather(
            &mut Gathered::of(n, Target::descriptor(server.as_fd())),
            &word,
        );
    }
    ring.receive(7, server.as_fd());
    ring.enter(&mut outgoing, Until::Submitted).unwrap();
    for n in 0..count {
        let mut word = [0; 4];
        client.read_exact(&mut word).unwrap();
        assert_eq!(u32::from_be_bytes(word), n);
    }
    client.write_all(b"after all of them").unwrap();
    assert_eq!(happened(&mut ring).op(), Op::Receive(7));
}

#[test]
fn what_came_with_the_first_of_several_batches_ends_the_wait_behind_the_last() {
    let Some((mut ring, server, mut client)) = ring() else {
        return;
    };
    client.write_all(b"there already").unwrap();
    ring.receive(7, server.as_fd());
    let (silent, _other_end) = UnixStream::pair().unwrap();
    for name in 0..SUBMISSIONS {
        ring.watch_readable(name, silent.as_fd());
    }
    in_time("what is there ends the wait", || {
        let mut nothing = Outgoing::new();
        ring.enter(&mut nothing, Until::Happened(None)).unwrap();
    });
    assert!(ring.has_completions(), "the wait ended for nothing");
    let came = only_one(&mut ring);
    assert_eq!((came.op(), came.result()), (Op::Receive(7), Ok(13)));
}

#[test]
fn a_ring_that_is_dropped_lets_go_of_everything() {
    let Some((mut ring, server, mut client)) = ring() else {
        return;
    };
    ring.receive(7, server.as_fd());
    ring.watch_readable(8, server.as_fd());
    ring.enter(&mut Outgoing::new(), Until::Submitted).unwrap();
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
    ring.enter(&mut Outgoing::new(), Until::Submitted).unwrap();
    ring.watch_readable(8, server.as_fd());
    ring.cancel(Op::Receive(7));
    assert_eq!(ring.in_flight, 2);
    in_time("the ring is dropped", move || drop(ring));
}

/// Runs what may wait for ever, and ends the tests if it does. Nobody but this thread can do it: a ring is of one thread.
pub(super) fn in_time<R>(what: &'static str, run: impl FnOnce() -> R) -> R {
    let (done, is_done) = mpsc::channel();
    let watch = thread::spawn(move || {
        if is_done.recv_timeout(PATIENCE).is_err() {
            eprintln!("{what}: still not after {PATIENCE:?}");
            process::abort();
        }
    });
    let result = run();
    done.send(()).unwrap();
    watch.join().unwrap();
    result
}

#[test]
fn however_many_sends_find_no_room_each_is_told_of_before_anything_is_gathered() {
    let Some((mut ring, ..)) = ring() else {
        return;
    };
    let (full_up, _unread) = full();
    let mut outgoing = Outgoing::new();
    let count = COMPLETIONS + SUBMISSIONS;
    for key in 0..count {
        // Each as if it were another client's.
        gather(&mut outgoing, key, full_up.as_fd(), b"no room");
    }
    ring.enter(&mut outgoing, Until::Submitted).unwrap();
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
    let refused = ring.enter(&mut Outgoing::new(), Until::Polled);
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert!(!ring.has_completions());
}
