//! A mailbox whose client listens to a [`Log`]: what is said there is not posted to it. It *follows*, and whoever flushes
//! takes what is new from the log itself.

use super::batch::Parcel;
use super::duty::Duty;
use super::{Fate, Mailbox, ON_ITS_WAY, Posted, State};
use crate::limits::Slow;
use crate::log::{Log, Position};
use std::sync::Arc;

/// How far a client has come in a log.
pub(super) struct Following {
    log: Arc<Log>,
    at: Position,
}

impl State {
    /// Takes in what the log has, unless more waits than there is room for. Before anything else is put into the queue, so
    /// that what was said earlier stays before it.
    pub(super) fn listen(&mut self, limit: usize, slow: Slow) {
        if self.posted > limit {
            return;
        }
        if !self.has_news() {
            return;
        }
        let Some(following) = &mut self.following else {
            return;
        };
        let at_most = if self.was_full {
            limit
        } else {
            limit.max(ON_ITS_WAY)
        };
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
                    && let Some(following) = &state.following
                    && following.log.behind(following.at) > self.limit
                {
                    state.lost += 1;
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
    use super::super::{Flushed, Posters, Stay};
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
}
