//! What every backend does.

use super::*;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// A moment that is never used up: what is waited for has happened.
const LONG: Option<Duration> = Some(Duration::from_secs(10));

struct Pair {
    here: UnixStream,
    there: UnixStream,
}

fn pairs<P: Poller>(poller: &mut P, count: usize) -> Vec<Pair> {
    let pair = |token| {
        let (here, there) = UnixStream::pair().unwrap();
        poller
            .add(here.as_fd(), Token(token), Interest::READ)
            .unwrap();
        Pair { here, there }
    };
    (0..count).map(pair).collect()
}

fn told<P: Poller>(poller: &mut P) -> Vec<Event> {
    let mut cursor = poller.wait(LONG).unwrap();
    std::iter::from_fn(|| poller.next(&mut cursor)).collect()
}

fn names(events: &[Event]) -> BTreeSet<usize> {
    events.iter().map(|event| event.token.0).collect()
}

fn tells_each_that_is_ready_once_and_what_for<P: Poller>() {
    let mut poller = P::new().unwrap();
    // More than the words of a set, or the places of a short list.
    let mut pairs = pairs(&mut poller, 100);
    for at in [3, 64, 99] {
        pairs[at].there.write_all(b"x").unwrap();
    }
    let both = Interest {
        read: true,
        write: true,
    };
    poller
        .modify(pairs[7].here.as_fd(), Token(700), Interest::WRITE)
        .unwrap();
    poller
        .modify(pairs[64].here.as_fd(), Token(64), both)
        .unwrap();
    poller
        .modify(pairs[3].here.as_fd(), Token(3), Interest::NONE)
        .unwrap();
    let events = told(&mut poller);
    assert_eq!(names(&events), [64, 99, 700].into());
    let of = |token| {
        let mut told = (0, 0);
        for event in events.iter().filter(|event| event.token.0 == token) {
            told.0 += u8::from(event.is_readable());
            told.1 += u8::from(event.is_writable());
        }
        told
    };
    assert_eq!((of(64), of(99), of(700)), ((1, 1), (1, 0), (0, 1)));
}

fn an_end_is_told_as_readable<P: Poller>() {
    let mut poller = P::new().unwrap();
    let Pair { here, there } = pairs(&mut poller, 1).remove(0);
    drop(there);
    let events = told(&mut poller);
    assert_eq!(names(&events), [0].into());
    assert!(events.iter().all(|event| event.is_readable()));
    assert_eq!((&here).read(&mut [0; 1]).unwrap(), 0);
}

/// Who leaves on the way takes nobody's event along for good, and who comes is not told before it is ready.
fn changes_on_the_way_lose_nobody<P: Poller>() {
    let mut poller = P::new().unwrap();
    let mut pairs = pairs(&mut poller, 10);
    for pair in &mut pairs {
        pair.there.write_all(b"x").unwrap();
    }
    let (late, _there) = UnixStream::pair().unwrap();
    let mut served = BTreeSet::new();
    let mut serve = |Event { token, .. }| {
        assert!(token.0 < pairs.len(), "{token:?} is not ready");
        if served.insert(token.0) {
            (&pairs[token.0].here).read_exact(&mut [0; 1]).unwrap();
        }
    };

    let mut cursor = poller.wait(LONG).unwrap();
    let first = poller.next(&mut cursor).unwrap();
    serve(first);
    let second = poller.next(&mut cursor).unwrap();
    serve(second);
    // In a list, those at the end come to lie where the cursor has been.
    for Event { token, .. } in [first, second] {
        poller.delete(pairs[token.0].here.as_fd()).unwrap();
    }
    poller.add(late.as_fd(), Token(99), Interest::READ).unwrap();
    while let Some(event) = poller.next(&mut cursor) {
        serve(event);
    }
    let mut cursor = poller.wait(Some(Duration::ZERO)).unwrap();
    while let Some(event) = poller.next(&mut cursor) {
        serve(event);
    }
    assert_eq!(served, (0..10).collect());
}

fn a_time_out_and_an_empty_set_tell_nothing<P: Poller>() {
    let mut poller = P::new().unwrap();
    let mut pairs = pairs(&mut poller, 2);
    pairs[1].there.write_all(b"x").unwrap();
    assert_eq!(names(&told(&mut poller)), [1].into());
    pairs[1].here.read_exact(&mut [0; 1]).unwrap();
    for pair in &pairs {
        let mut cursor = poller.wait(Some(Duration::ZERO)).unwrap();
        assert!(poller.next(&mut cursor).is_none());
        poller.delete(pair.here.as_fd()).unwrap();
        assert!(poller.delete(pair.here.as_fd()).is_err());
    }
    let mut cursor = poller.wait(Some(Duration::ZERO)).unwrap();
    assert!(poller.next(&mut cursor).is_none());
}

macro_rules! holds_on {
    ($name:ident, $Backend:ty) => {
        mod $name {
            #[test]
            fn tells_each_that_is_ready_once_and_what_for() {
                super::tells_each_that_is_ready_once_and_what_for::<$Backend>();
            }

            #[test]
            fn an_end_is_told_as_readable() {
                super::an_end_is_told_as_readable::<$Backend>();
            }

            #[test]
            fn changes_on_the_way_lose_nobody() {
                super::changes_on_the_way_lose_nobody::<$Backend>();
            }

            #[test]
            fn a_time_out_and_an_empty_set_tell_nothing() {
                super::a_time_out_and_an_empty_set_tell_nothing::<$Backend>();
            }
        }
    };
}

holds_on!(select, crate::poller::Select);
holds_on!(poll, crate::poller::Poll);
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
holds_on!(kqueue, crate::poller::Kqueue);
#[cfg(target_os = "linux")]
holds_on!(epoll, crate::poller::Epoll);
