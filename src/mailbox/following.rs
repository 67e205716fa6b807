//! A mailbox whose client listens to a [`Log`]: what is said there is not posted to it. It *follows*, and whoever flushes
//! takes what is new from the log itself.

use super::batch::Parcel;
use super::duty::Duty;
use super::{Fate, Mailbox, Posted, State};
use crate::limits::Slow;
use crate::log::{Log, Position};
use std::sync::Arc;

/// How far a client has come in a log.
pub(super) struct Following {
    log: Arc<Log>,
    at: Position,
}

impl State {
    /// Takes in what the log has: of a client whose socket was found full, no more than `limit`. Before anything else is put
    /// into the queue, so that what was said earlier stays before it.
    pub(super) fn listen(&mut self, limit: usize, slow: Slow) {
        if !self.has_news() {
            return;
        }
        let Some(following) = &mut self.following else {
            return;
        };
        // Nobody falls off for being slow who was not seen to be.
        let at_most = if self.was_full { limit } else { usize::MAX };
        let place = self.queue.len();
        let read = following.log.read(following.at, at_most, |segment| {
            self.posted += segment.as_bytes().len();
            self.queue.push_back(Parcel::Lines(segment));
        });
        following.at = read.to;
        if read.missed > 0 {
            self.fell_off(slow, read.missed, place);
        }
    }

    /// Whether the log has something that was not taken in.
    pub(super) fn has_news(&self) -> bool {
        let following = self.following.as_ref();
        following.is_some_and(|following| following.log.has_grown(following.at))
    }

    /// Lines of the log that were not taken in.
    pub(super) fn unheard(&self) -> u64 {
        let following = self.following.as_ref();
        following.map_or(0, |following| following.log.lines_since(following.at))
    }

    /// The duty of a mailbox that has nothing to send.
    pub(super) fn at_rest(&self) -> Duty {
        if self.following.is_some() {
            Duty::Following
        } else {
            Duty::Idle
        }
    }
}

impl Mailbox {
    /// Its client hears from now on what is said in `log`, once whoever appends has it [heed](Self::heed) that. From any
    /// thread, also inside the registry's critical section; not while its owner sends a reply.
    pub(crate) fn follow(&self, log: &Arc<Log>) {
        let mut state = self.state.lock();
        debug_assert!(state.following.is_none(), "one log at a time");
        state.following = Some(Following {
            log: Arc::clone(log),
            at: log.end(),
        });
        self.duty.step(Duty::Idle, Duty::Following);
    }

    /// Its client hears what was said until now, and no more. What comes of it is to be dealt with as after a
    /// [`post`](Self::post).
    pub(crate) fn unfollow(&self) -> Posted {
        let mut state = self.state.lock();
        state.listen(usize::MAX, self.slow);
        state.following = None;
        if state.fate != Fate::Open {
            return Posted::Overflowed;
        }
        if self.duty.is(Duty::Following) {
            if state.queue.is_empty() {
                self.duty.set(Duty::Idle);
            } else {
                self.duty.set(Duty::Posted);
                return Posted::Ring;
            }
        }
        Posted::Queued
    }

    /// Something was said in the log that it follows: says what is on the caller to do about it, as [`post`](Self::post)
    /// does. From any thread, also inside the registry's critical section.
    pub(crate) fn heed(&self) -> Posted {
        let mut state = self.state.lock();
        match state.fate {
            Fate::Closed | Fate::Overflowed => return Posted::Closed,
            Fate::Open => {}
        }
        match self.duty.get() {
            Duty::Blocked => {
                if self.slow == Slow::Disconnect
                    && state.was_full
                    && let Some(following) = &state.following
                    && following.log.behind(following.at) > self.limit
                {
                    state.fate = Fate::Overflowed;
                    return Posted::Overflowed;
                }
                Posted::Queued
            }
            Duty::Following if state.has_news() => self.take_note(&state),
            _ => Posted::Queued,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Silent, socket, would_block};
    use super::super::{Flushed, ON_ITS_WAY, Posters, Stay};
    use super::*;
    use crate::message::Message;
    use std::cell::RefCell;

    const LIMIT: usize = 10;

    fn follower(slow: Slow) -> (Mailbox, Arc<Log>) {
        let mailbox = Mailbox::new(LIMIT, Box::new(Silent)).slow(slow);
        let log = Arc::new(Log::new(ON_ITS_WAY));
        log.append(b"before\n");
        mailbox.follow(&log);
        (mailbox, log)
    }

    fn say(log: &Log, line: &str) {
        log.append(line.as_bytes());
    }

    fn sent(mailbox: &Mailbox) -> String {
        let taken = RefCell::default();
        let flushed = mailbox.flush(socket(9999, &taken)).unwrap();
        assert_eq!(flushed, Flushed::Empty);
        String::from_utf8(taken.into_inner()).unwrap()
    }

    fn block(mailbox: &Mailbox) {
        assert_eq!(mailbox.flush(|_| would_block()).unwrap(), Flushed::Blocked);
    }

    #[test]
    fn what_is_said_is_sent_at_once_after_the_first_was_heeded() {
        let (mailbox, log) = follower(Slow::Disconnect);
        assert!(mailbox.is_idle());
        assert_eq!(mailbox.heed(), Posted::Queued, "nothing is new");
        say(&log, "one\n");
        assert!(!mailbox.is_idle());
        assert_eq!(mailbox.heed(), Posted::Ring);
        say(&log, "two\n");
        assert_eq!(mailbox.heed(), Posted::Queued, "somebody is about to");
        assert_eq!(sent(&mailbox), "one\ntwo\n");
        assert!(mailbox.is_idle());
    }

    #[test]
    fn posts_and_answers_stay_behind_what_was_said_before_them() {
        let (mailbox, log) = follower(Slow::Disconnect);
        say(&log, "1\n");
        assert_eq!(mailbox.post(&Message::from("2\n")), Posted::Ring);
        say(&log, "3\n");
        let taken = RefCell::default();
        let replied = mailbox.reply(b"4\n", Posters::Ring, Stay::AWhile, socket(99, &taken));
        assert_eq!(replied.unwrap(), Flushed::Empty);
        assert_eq!(taken.into_inner(), b"1\n2\n3\n4\n");
    }

    #[test]
    fn who_follows_no_more_has_still_what_was_said_until_then() {
        let (mailbox, log) = follower(Slow::Disconnect);
        say(&log, "last\n");
        assert_eq!(mailbox.unfollow(), Posted::Ring);
        say(&log, "too late\n");
        assert_eq!(sent(&mailbox), "last\n");
        let other = Arc::new(Log::new(LIMIT));
        mailbox.follow(&other);
        say(&other, "elsewhere\n");
        assert_eq!(sent(&mailbox), "elsewhere\n");
        assert_eq!(mailbox.unfollow(), Posted::Queued);
        assert_eq!(mailbox.post(&Message::from("post\n")), Posted::Ring);
    }

    #[test]
    fn a_reader_too_far_behind_is_cut_off_when_it_is_to_heed() {
        let (mailbox, log) = follower(Slow::Disconnect);
        say(&log, "first\n");
        block(&mailbox);
        say(&log, "123456789\n");
        assert_eq!(mailbox.heed(), Posted::Queued);
        say(&log, "one more\n");
        assert_eq!(mailbox.heed(), Posted::Overflowed);
        assert_eq!(mailbox.heed(), Posted::Closed);
        assert!(mailbox.overflowed());
        assert!(mailbox.close().messages > 0);
    }

    #[test]
    fn a_reader_too_far_behind_is_told_how_many_lines_it_missed() {
        let (mailbox, log) = follower(Slow::DropOldest);
        say(&log, "first\n");
        block(&mailbox);
        for n in 1..=5 {
            say(&log, &format!("line {n}\n"));
            assert_eq!(mailbox.heed(), Posted::Queued);
            log.end();
        }
        assert_eq!(sent(&mailbox), "first\n... 4 lines dropped\nline 5\n");
        assert_eq!(mailbox.dropped(), 4);
        say(&log, "next\n");
        assert_eq!(mailbox.heed(), Posted::Ring);
        assert_eq!(sent(&mailbox), "next\n");
    }

    #[test]
    fn a_reader_whose_socket_was_never_full_is_not_cut_off() {
        let log = Arc::new(Log::new(4 << 20));
        let [first, last] = [(); 2].map(|()| Mailbox::new(ON_ITS_WAY, Box::new(Silent)));
        first.follow(&log);
        last.follow(&log);
        let line = format!("{}\n", "x".repeat(99_999));
        // A walk is at `first`, others speak; it has not come to `last`.
        for _ in 0..5 {
            say(&log, &line);
            assert_eq!(first.heed(), Posted::Ring);
            let taken = RefCell::default();
            first.flush(socket(999_999, &taken)).unwrap();
        }
        assert_eq!(last.heed(), Posted::Ring);
        let taken = RefCell::default();
        let flushed = last.flush(socket(999_999, &taken)).unwrap();
        assert_eq!(flushed, Flushed::Empty, "it reads as fast as it is sent");
    }

    #[test]
    fn a_flush_cut_short_after_a_while_is_not_taken_for_a_full_socket() {
        let mailbox = Mailbox::new(1000, Box::new(Silent));
        let log = Arc::new(Log::new(ON_ITS_WAY));
        mailbox.follow(&log);
        say(&log, "x\n");
        assert_eq!(mailbox.heed(), Posted::Ring);
        let flushed = mailbox.flush(|slices| {
            say(&log, "x\n");
            Ok(slices.iter().map(|s| s.len()).sum())
        });
        assert_eq!(flushed.unwrap(), Flushed::Blocked);
        say(&log, &format!("{}\n", "y".repeat(1200)));
        assert_ne!(
            mailbox.heed(),
            Posted::Overflowed,
            "its socket was never full"
        );
    }

    #[test]
    fn a_post_does_not_overtake_what_was_said_before_it() {
        let (mailbox, log) = follower(Slow::DropOldest);
        say(&log, "12345678901234\n");
        block(&mailbox);
        say(&log, "said\n");
        let _ = mailbox.post(&Message::from("post\n"));
        let all = sent(&mailbox);
        assert!(all.find("said") < all.find("post"), "{all:?}");
    }

    #[test]
    fn an_answer_does_not_overtake_what_was_said_before_it() {
        let (mailbox, log) = follower(Slow::Disconnect);
        say(&log, "12345678901234\n");
        assert_eq!(mailbox.post(&Message::from("news\n")), Posted::Ring);
        say(&log, "said\n");
        let taken = RefCell::default();
        let replied = mailbox.reply(b"answer\n", Posters::Ring, Stay::AWhile, socket(99, &taken));
        assert_eq!(replied.unwrap(), Flushed::Empty);
        let all = String::from_utf8(taken.into_inner()).unwrap();
        assert!(all.find("said") < all.find("answer"), "{all:?}");
    }

    #[test]
    fn what_was_in_the_log_for_one_cut_off_is_counted() {
        let (mailbox, log) = follower(Slow::Disconnect);
        say(&log, "first\n");
        block(&mailbox);
        for _ in 0..50 {
            say(&log, "1\n");
        }
        assert_eq!(mailbox.heed(), Posted::Overflowed);
        assert_eq!(mailbox.close().messages, 51);
    }

    #[test]
    fn who_falls_off_while_it_is_posted_to_is_rung_for() {
        let (mailbox, log) = follower(Slow::Disconnect);
        say(&log, "1\n");
        block(&mailbox);
        say(&log, "12345\n");
        assert_eq!(mailbox.heed(), Posted::Queued);
        log.end();
        say(&log, "1234\n");
        let posted = mailbox.post(&Message::from("x\n"));
        assert!(mailbox.overflowed());
        let heeded = mailbox.heed();
        assert!(
            posted == Posted::Overflowed || heeded == Posted::Overflowed,
            "nobody hangs it up: {posted:?} {heeded:?}"
        );
    }
}
