//! Every order of those who speak and of the one who walks: nothing that was said is left unheard.

use super::check;
use super::mailbox::{Socket, post};
use crate::fanout::herald::Herald;
use crate::log::Log;
use crate::mailbox::{Mailbox, Outlet, Posted};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::sync::Arc;

#[test]
fn whatever_is_said_is_heard_whoever_walks() {
    check(|| {
        let herald = Arc::new(Herald::new());
        let (said, heard) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let speak = {
            let (herald, said, heard) =
                (Arc::clone(&herald), Arc::clone(&said), Arc::clone(&heard));
            move || {
                said.fetch_add(1, Ordering::Relaxed);
                if herald.said() {
                    herald.walk(|| {
                        // The look is ordered by the herald alone.
                        heard.fetch_max(said.load(Ordering::Relaxed), Ordering::Relaxed);
                    });
                }
            }
        };
        let others = [(); 2].map(|()| thread::spawn(speak.clone()));
        speak();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(heard.load(Ordering::Relaxed), said.load(Ordering::Relaxed));
        assert!(herald.said(), "and it is quiet");
    });
}

/// Sends at once.
struct AtOnce(Arc<Socket>);

impl Outlet for AtOnce {
    fn ring(&self, mailbox: &Arc<Mailbox>) {
        assert!(mailbox.flush(self.0.sender()).is_ok());
    }
}

#[test]
fn a_follower_gets_what_two_say_beside_a_post() {
    check(|| {
        let socket = Socket::new(false);
        let mailbox = Arc::new(Mailbox::new(99, Box::new(AtOnce(Arc::clone(&socket)))));
        let (log, herald) = (Arc::new(Log::new(99)), Arc::new(Herald::new()));
        mailbox.follow(&log);
        let speak = {
            let (mailbox, log, herald) =
                (Arc::clone(&mailbox), Arc::clone(&log), Arc::clone(&herald));
            move |line: &str| {
                log.append(line.as_bytes());
                if herald.said() {
                    herald.walk(|| {
                        if mailbox.heed() == Posted::Ring {
                            mailbox.ring();
                        }
                    });
                }
            }
        };
        let other = {
            let speak = speak.clone();
            thread::spawn(move || speak("a"))
        };
        speak("b");
        post(&mailbox, "p");
        other.join().unwrap();
        assert_eq!(socket.arrived(), "abp");
        assert!(mailbox.is_idle());
    });
}
