//! The mailbox on sockets made by hand.

use super::sending::SPARE;
use super::*;
use parking_lot::Mutex;
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::sync::atomic::AtomicUsize;

pub(super) struct Silent;

impl Outlet for Silent {
    fn ring(&self, _: &Arc<Mailbox>) {}
}

fn mailbox(limit: usize) -> Mailbox {
    Mailbox::new(limit, Box::new(Silent))
}

pub(super) fn would_block() -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// A socket that takes `room` bytes and then is full.
pub(super) fn socket(
    room: usize,
    taken: &RefCell<Vec<u8>>,
) -> impl FnMut(&[IoSlice<'_>]) -> io::Result<usize> {
    let mut room = room;
    move |slices| {
        if room == 0 {
            return would_block();
        }
        let mut sent = 0;
        for slice in slices {
            let part = &slice[..slice.len().min(room)];
            taken.borrow_mut().extend_from_slice(part);
            room -= part.len();
            sent += part.len();
        }
        Ok(sent)
    }
}

#[test]
fn only_the_first_post_gives_the_duty_and_one_flush_sends_for_all() {
    let mailbox = mailbox(99);
    assert_eq!(mailbox.post(&Message::from("a")), Posted::Ring);
    assert_eq!(mailbox.post(&Message::from("b")), Posted::Queued);
    let calls = AtomicUsize::new(0);
    let flushed = mailbox.flush(|slices| {
        calls.fetch_add(1, Ordering::Relaxed);
        Ok(slices.iter().map(|slice| slice.len()).sum())
    });
    assert_eq!(flushed.unwrap(), Flushed::Empty);
    assert_eq!(calls.into_inner(), 1);
    assert_eq!(mailbox.posted(), 0);
    assert_eq!(mailbox.post(&Message::from("c")), Posted::Ring);
}

#[test]
fn room_that_a_crowd_needed_is_given_back_when_it_is_quiet_again() {
    let mailbox = mailbox(9999);
    let taken = RefCell::default();
    for posts in [500, 1, 1] {
        for _ in 0..posts {
            let _ = mailbox.post(&Message::from("."));
        }
        let flushed = mailbox.flush(socket(posts, &taken));
        assert_eq!(flushed.unwrap(), Flushed::Empty);
    }
    let state = mailbox.state.lock();
    let room = state.queue.capacity() + state.spare.capacity();
    assert!(room <= 2 * SPARE, "room for {room} is kept");
}

#[test]
fn a_mailbox_that_fills_up_before_anybody_sends_makes_later_posters_responsible_too() {
    let mailbox = mailbox(10);
    assert_eq!(mailbox.post(&Message::from("1234")), Posted::Ring);
    assert_eq!(mailbox.post(&Message::from("5")), Posted::Queued);
    assert_eq!(mailbox.post(&Message::from("6")), Posted::Ring);
    assert!(mailbox.is_half_full());
    let blocked = mailbox.flush(|_| would_block()).unwrap();
    assert_eq!(blocked, Flushed::Blocked);
    let waits_for_the_socket = mailbox.post(&Message::from("7"));
    assert_eq!(waits_for_the_socket, Posted::Queued);
}

#[test]
fn what_a_full_socket_left_goes_first_however_it_was_cut() {
    for room in 0..=9 {
        let mailbox = mailbox(99);
        let taken = RefCell::default();
        let _ = mailbox.post(&Message::from("abc"));
        let _ = mailbox.post(&Message::from("def"));
        let first = mailbox.flush(socket(room, &taken)).unwrap();
        assert_eq!(first == Flushed::Empty, room >= 6, "{room}");
        let _ = mailbox.post(&Message::from("ghi"));
        assert_eq!(mailbox.flush(socket(99, &taken)).unwrap(), Flushed::Empty);
        assert_eq!(taken.into_inner(), b"abcdefghi", "{room}");
        assert_eq!(mailbox.posted(), 0);
    }
}

#[test]
fn a_reply_cut_at_every_position_stays_whole_and_before_later_posts() {
    for room in 0..=3 {
        let mailbox = mailbox(99);
        let taken = RefCell::default();
        let replied = mailbox.reply(b"abc", Posters::Send, Stay::AWhile, socket(room, &taken));
        assert_eq!(replied.unwrap() == Flushed::Empty, room == 3, "{room}");
        let _ = mailbox.post(&Message::from("def"));
        assert_eq!(mailbox.flush(socket(99, &taken)).unwrap(), Flushed::Empty);
        assert_eq!(taken.into_inner(), b"abcdef", "{room}");
    }
}

#[test]
fn a_post_during_a_reply_is_sent_by_who_replies() {
    let mailbox = mailbox(99);
    let taken = RefCell::new(Vec::new());
    let mut first = true;
    let replied = mailbox.reply(b"reply ", Posters::Send, Stay::AWhile, |slices| {
        if std::mem::take(&mut first) {
            assert_eq!(mailbox.post(&Message::from("post")), Posted::Queued);
        }
        socket(99, &taken)(slices)
    });
    assert_eq!(replied.unwrap(), Flushed::Empty);
    assert_eq!(taken.into_inner(), b"reply post");
}

#[test]
fn a_reply_goes_out_after_what_was_posted_before_it() {
    let mailbox = mailbox(99);
    let taken = RefCell::default();
    assert_eq!(mailbox.post(&Message::from("post ")), Posted::Ring);
    let replied = mailbox.reply(b"reply", Posters::Send, Stay::AWhile, socket(99, &taken));
    assert_eq!(replied.unwrap(), Flushed::Empty);
    assert_eq!(taken.into_inner(), b"post reply");
    // The poster comes too late, which is no harm.
    assert_eq!(mailbox.flush(|_| would_block()).unwrap(), Flushed::Empty);
}

#[test]
fn an_overflow_is_told_to_the_next_sender_even_while_another_sends() {
    let mailbox = mailbox(5);
    let _ = mailbox.post(&Message::from("1234"));
    let large = Message::from(&vec![b'x'; ON_ITS_WAY][..]);
    let outcome = mailbox.flush(|_| {
        assert_eq!(mailbox.post(&large), Posted::Overflowed);
        assert_eq!(mailbox.flush(|_| would_block()).unwrap(), Flushed::CutOff);
        would_block()
    });
    assert_eq!(outcome.unwrap(), Flushed::Blocked);
    assert_eq!(mailbox.flush(|_| would_block()).unwrap(), Flushed::CutOff);
    assert_eq!(mailbox.close().messages, 2);
    assert_eq!(mailbox.post(&Message::from("late")), Posted::Closed);
}

#[test]
fn an_empty_mailbox_takes_one_message_of_any_length() {
    let mailbox = mailbox(1);
    assert_eq!(mailbox.post(&Message::from("long")), Posted::Ring);
    let blocked = mailbox.flush(|_| would_block()).unwrap();
    assert_eq!(blocked, Flushed::Blocked);
    assert_eq!(mailbox.post(&Message::from("x")), Posted::Overflowed);
}

#[test]
fn posts_before_the_socket_was_found_full_do_not_overflow_a_small_mailbox() {
    let mailbox = mailbox(5);
    let post = Message::from(&[b'x'; 1024][..]);
    for _ in 0..ON_ITS_WAY / post.len() {
        assert_eq!(mailbox.post(&post), Posted::Ring);
    }
    assert_eq!(mailbox.post(&Message::from("1")), Posted::Overflowed);
}

#[test]
fn a_reply_that_waits_leaves_room_for_posts() {
    let mailbox = mailbox(5);
    let replied = mailbox.reply(b"a long reply", Posters::Send, Stay::AWhile, |_| {
        would_block()
    });
    assert_eq!(replied.unwrap(), Flushed::Blocked);
    assert!(!mailbox.is_idle());
    assert_eq!(mailbox.post(&Message::from("12345")), Posted::Queued);
    assert_eq!(mailbox.posted(), 5);
    assert_eq!(mailbox.post(&Message::from("6")), Posted::Overflowed);
}

#[test]
fn a_broken_socket_closes_the_mailbox_and_counts_what_was_lost() {
    let mailbox = mailbox(99);
    let _ = mailbox.post(&Message::from("a"));
    let _ = mailbox.post(&Message::from("b"));
    let broken = mailbox.flush(|_| Err(io::ErrorKind::BrokenPipe.into()));
    assert_eq!(broken.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(mailbox.post(&Message::from("c")), Posted::Closed);
    assert_eq!(mailbox.close().messages, 2);
}

#[test]
fn many_posters_and_a_replying_owner_lose_and_mix_nothing() {
    const POSTERS: usize = 3;
    // Miri runs each step a thousand times slower.
    const EACH: usize = if cfg!(miri) { 20 } else { 2_000 };
    let mailbox = mailbox(usize::MAX);
    let taken = Mutex::new(Vec::new());
    let send = |slices: &[IoSlice<'_>]| {
        // Two senders at once would be two holders of this lock.
        let mut taken = taken.try_lock().expect("one sender at a time");
        let first = slices[0];
        // A socket that takes an odd number of bytes of the first message only.
        let part = &first[..first.len().min(5)];
        taken.extend_from_slice(part);
        Ok(part.len())
    };
    std::thread::scope(|scope| {
        for poster in 0..POSTERS {
            let (mailbox, send) = (&mailbox, &send);
            scope.spawn(move || {
                for n in 0..EACH {
                    let line = format!("poster {poster} {n}\n");
                    if mailbox.post(&Message::from(line.as_str())) == Posted::Ring {
                        // Cut short after a few batches, as if blocked: whoever is next sends on.
                        mailbox.flush(send).unwrap();
                    }
                }
            });
        }
        for n in 0..EACH {
            mailbox
                .reply(
                    format!("owner {n}\n").as_bytes(),
                    Posters::Send,
                    Stay::ToTheEnd,
                    send,
                )
                .unwrap();
        }
    });
    assert_eq!(mailbox.flush_to_the_end(send).unwrap(), Flushed::Empty);
    let taken = String::from_utf8(taken.into_inner()).unwrap();
    assert_eq!(taken.lines().count(), (POSTERS + 1) * EACH);
    for who in ["poster 0 ", "poster 1 ", "poster 2 ", "owner "] {
        let numbers = taken.lines().filter_map(|line| line.strip_prefix(who));
        assert!(
            numbers.eq((0..EACH).map(|n| n.to_string())),
            "{who}: every line once, and in order"
        );
    }
}
