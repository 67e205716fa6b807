//! Every order of posters, an owner and its watcher at a mailbox: who sends is never nobody, and never two.

use super::check;
use crate::mailbox::{Flushed, Mailbox, Outlet, Posted, Posters, Stay};
use crate::message::Message;
use loom::cell::UnsafeCell;
use loom::thread;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A socket that only one thread may be sending on. What it took is beyond the model.
pub(super) struct Socket {
    in_use: UnsafeCell<()>,
    /// The next send finds no room.
    is_full: AtomicBool,
    taken: Mutex<Vec<u8>>,
}

// SAFETY: that it is never used by two threads at once is what loom finds out.
#[allow(unsafe_code)]
unsafe impl Send for Socket {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Socket {}

impl Socket {
    pub(super) fn new(is_full: bool) -> Arc<Self> {
        Arc::new(Self {
            in_use: UnsafeCell::new(()),
            is_full: AtomicBool::new(is_full),
            taken: Mutex::default(),
        })
    }

    /// The way out through this socket, as a mailbox takes it.
    pub(super) fn sender(&self) -> impl FnMut(&[IoSlice<'_>]) -> io::Result<usize> {
        |slices| self.send(slices)
    }

    fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.in_use.with_mut(|_| ());
        if self.is_full.swap(false, Ordering::Relaxed) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut taken = self.taken.lock().unwrap();
        let before = taken.len();
        for slice in slices {
            taken.extend_from_slice(slice);
        }
        Ok(taken.len() - before)
    }

    /// What arrived, in the order of the alphabet: the order of two posters is nobody's promise.
    pub(super) fn arrived(&self) -> String {
        let mut taken = self.taken.lock().unwrap().clone();
        taken.sort_unstable();
        String::from_utf8(taken).unwrap()
    }
}

/// The outlet of a blocking model: whoever is to ring sends at once.
struct AtOnce(Arc<Socket>);

impl Outlet for AtOnce {
    fn ring(&self, mailbox: &Arc<Mailbox>) {
        let flushed = mailbox.flush(self.0.sender());
        assert!(flushed.is_ok());
    }
}

/// The outlet of a reactor: whoever is to ring says so, and the owner sends at the end of its turn.
#[derive(Clone, Default)]
struct Bell(Arc<AtomicBool>);

impl Outlet for Bell {
    fn ring(&self, _: &Arc<Mailbox>) {
        self.0.store(true, Ordering::Release);
    }
}

fn mailbox(socket: &Arc<Socket>) -> Arc<Mailbox> {
    Arc::new(Mailbox::new(1024, Box::new(AtOnce(Arc::clone(socket)))))
}

pub(super) fn post(mailbox: &Arc<Mailbox>, text: &str) {
    if mailbox.post(&Message::from(text)) == Posted::Ring {
        mailbox.ring();
    }
}

fn poster(mailbox: &Arc<Mailbox>, text: &'static str) -> thread::JoinHandle<()> {
    let mailbox = Arc::clone(mailbox);
    thread::spawn(move || post(&mailbox, text))
}

#[test]
fn a_reply_and_a_post_are_both_sent_by_one_at_a_time() {
    check(|| {
        let socket = Socket::new(false);
        let mailbox = mailbox(&socket);
        let other = poster(&mailbox, "p");
        let replied = mailbox.reply(b"r", Posters::Send, Stay::ToTheEnd, socket.sender());
        assert!(replied.is_ok());
        other.join().unwrap();
        assert_eq!(socket.arrived(), "pr");
        assert!(mailbox.is_idle());
    });
}

#[test]
fn two_replies_and_two_posts_are_all_sent() {
    check(|| {
        let socket = Socket::new(false);
        let mailbox = mailbox(&socket);
        let other = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || {
                post(&mailbox, "p");
                post(&mailbox, "q");
            })
        };
        for answer in [b"r", b"s"] {
            let replied = mailbox.reply(answer, Posters::Send, Stay::AWhile, socket.sender());
            assert!(replied.is_ok());
        }
        other.join().unwrap();
        assert_eq!(socket.arrived(), "pqrs");
        assert!(mailbox.is_idle());
    });
}

#[test]
fn two_posters_and_a_reply_are_all_sent() {
    check(|| {
        let socket = Socket::new(false);
        let mailbox = mailbox(&socket);
        let others = [poster(&mailbox, "p"), poster(&mailbox, "q")];
        let replied = mailbox.reply(b"r", Posters::Send, Stay::AWhile, socket.sender());
        assert!(replied.is_ok());
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(socket.arrived(), "pqr");
        assert!(mailbox.is_idle());
    });
}

#[test]
fn an_owner_who_alone_sends_loses_nothing_that_is_posted_while_it_replies() {
    for is_full in [false, true] {
        check(move || {
            let socket = Socket::new(is_full);
            let bell = Bell::default();
            let mailbox = Arc::new(Mailbox::new(1024, Box::new(bell.clone())));
            let other = poster(&mailbox, "p");
            for answer in [b"r", b"s"] {
                let replied = mailbox.reply(answer, Posters::Ring, Stay::AWhile, socket.sender());
                assert!(replied.is_ok());
            }
            other.join().unwrap();
            // The end of the turn, or room at last.
            if bell.0.load(Ordering::Acquire) || is_full {
                assert!(mailbox.flush(socket.sender()).is_ok());
            }
            let taken = String::from_utf8(socket.taken.lock().unwrap().clone()).unwrap();
            assert_eq!(socket.arrived(), "prs");
            assert!(taken.find('r') < taken.find('s'), "in this order: {taken}");
            assert!(mailbox.is_idle());
        });
    }
}

#[test]
fn what_found_the_socket_full_is_left_to_its_watcher() {
    check(|| {
        let socket = Socket::new(true);
        let mailbox = mailbox(&socket);
        let other = poster(&mailbox, "p");
        let replied = mailbox.reply(b"r", Posters::Send, Stay::AWhile, socket.sender());
        assert!(replied.is_ok());
        other.join().unwrap();
        // Whoever met the full socket left the duty blocked, unless another sent on after it.
        let flushed = mailbox.flush_if_blocked(Stay::AWhile, socket.sender());
        assert!(flushed.is_none_or(|flushed| flushed.is_ok()));
        assert_eq!(socket.arrived(), "pr");
        assert!(mailbox.is_idle());
    });
}

#[test]
fn a_watcher_beside_a_poster_and_the_owner_loses_nothing() {
    check(|| {
        let socket = Socket::new(true);
        let mailbox = mailbox(&socket);
        post(&mailbox, "a");
        let watcher = {
            let (mailbox, socket) = (Arc::clone(&mailbox), Arc::clone(&socket));
            thread::spawn(move || {
                let flushed = mailbox.flush_if_blocked(Stay::AWhile, socket.sender());
                assert!(flushed.is_none_or(|flushed| flushed.is_ok()));
            })
        };
        let other = poster(&mailbox, "p");
        let flushed = mailbox.flush_to_the_end(socket.sender());
        assert!(matches!(flushed, Ok(Flushed::Empty | Flushed::Elsewhere)));
        watcher.join().unwrap();
        other.join().unwrap();
        assert_eq!(socket.arrived(), "ap");
        assert!(mailbox.is_idle());
    });
}

#[test]
fn who_leaves_beside_a_poster_gets_its_answer_before_the_closing() {
    check(|| {
        let socket = Socket::new(false);
        let mailbox = mailbox(&socket);
        let other = poster(&mailbox, "p");
        let replied = mailbox.reply(b"r", Posters::Send, Stay::AWhile, socket.sender());
        assert!(replied.is_ok());
        let flushed = mailbox.flush_when_free(socket.sender());
        assert!(matches!(flushed, Ok(Flushed::Empty)));
        mailbox.close();
        assert!(socket.arrived().contains('r'));
        other.join().unwrap();
    });
}

#[test]
fn closing_beside_a_poster_counts_every_message_as_sent_or_lost() {
    check(|| {
        let socket = Socket::new(false);
        let mailbox = mailbox(&socket);
        let refused = Arc::new(AtomicBool::new(false));
        let other = {
            let (mailbox, refused) = (Arc::clone(&mailbox), Arc::clone(&refused));
            thread::spawn(move || match mailbox.post(&Message::from("p")) {
                Posted::Ring => mailbox.ring(),
                Posted::Closed => refused.store(true, Ordering::Relaxed),
                Posted::Queued | Posted::Full | Posted::Overflowed => unreachable!(),
            })
        };
        let lost = mailbox.close().messages;
        other.join().unwrap();
        let arrived = u64::from(socket.arrived() == "p");
        let refused = u64::from(refused.load(Ordering::Relaxed));
        assert_eq!(lost + arrived + refused, 1);
    });
}
