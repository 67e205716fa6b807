//! What becomes of a client that reads too slowly: [`Slow`], applied to a mailbox that has no room.

use super::batch::Parcel;
use super::{Duty, Fate, Mailbox, Posted, State};
use crate::limits::Slow;
use crate::message::Message;
use memchr::memchr_iter;

fn lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

fn notice(dropped: u64) -> Parcel {
    let word = if dropped == 1 { "line" } else { "lines" };
    let notice = format!("... {dropped} {word} dropped\n");
    Parcel::Reply(notice.into_bytes().into())
}

impl State {
    /// `message` does not fit under `limit`. `None` when it does after all, or else what became of it.
    pub(super) fn make_room(
        &mut self,
        slow: Slow,
        message: &Message,
        limit: usize,
    ) -> Option<Posted> {
        match slow {
            Slow::Disconnect => {
                self.lost += 1;
                self.fate = Fate::Overflowed;
                Some(Posted::Overflowed)
            }
            Slow::DropNewest => Some(self.drop_it(message.as_bytes())),
            Slow::DropOldest => {
                while self.posted > 0 && self.posted + message.len() > limit {
                    // What is on its way, in a batch that somebody sends, is beyond recall.
                    let Some(place) = self.first_droppable() else {
                        return Some(self.drop_it(message.as_bytes()));
                    };
                    if let Some(parcel) = self.queue.remove(place) {
                        self.posted -= parcel.counted();
                        self.drop_it(parcel.as_bytes());
                    }
                }
                None
            }
            Slow::Block => Some(Posted::Full),
        }
    }

    fn drop_it(&mut self, bytes: &[u8]) -> Posted {
        self.missed(lines(bytes));
        Posted::Queued
    }

    fn missed(&mut self, lines: u64) {
        self.dropped += lines;
        self.untold += lines;
    }

    fn first_droppable(&self) -> Option<usize> {
        let from = usize::from(self.sent_of_first > 0);
        (from..self.queue.len()).find(|&place| self.queue[place].counted() > 0)
    }

    /// Tells its client, behind what waits, of what was dropped after that.
    pub(super) fn tell(&mut self) {
        if self.untold > 0 {
            let untold = std::mem::take(&mut self.untold);
            self.queue.push_back(notice(untold));
        }
    }

    /// Tells its client, before what waits, of what was dropped before that.
    pub(super) fn tell_first(&mut self) {
        if self.untold > 0 {
            let untold = std::mem::take(&mut self.untold);
            // Never into a line of which a part is out.
            let begun =
                self.sent_of_first > 0 || matches!(self.queue.front(), Some(Parcel::Rest(_)));
            self.queue.insert(usize::from(begun), notice(untold));
        }
    }

    /// Its client has fallen off the log that it follows, before the parcel at `place`.
    pub(super) fn fell_off(&mut self, slow: Slow, missed: u64, place: usize) {
        match slow {
            Slow::Disconnect => {
                self.lost += missed;
                self.fate = Fate::Overflowed;
            }
            Slow::DropNewest | Slow::DropOldest | Slow::Block => {
                self.dropped += missed;
                self.queue.insert(place, notice(missed));
            }
        }
    }
}

impl Mailbox {
    /// Waits until a message of `bytes` has room, or its client leaves, where the policy is
    /// [`Slow::Block`]. From any thread but that of a reactor, never inside a critical section:
    /// it is the client who decides how long it takes.
    pub fn wait_for_room(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.posters_wait += 1;
        while state.fate == Fate::Open
            && !self.duty.is(Duty::CutOff)
            && state.posted > 0
            && state.posted + bytes > self.limit_now(&state)
        {
            self.room.wait(&mut state);
        }
        state.posters_wait -= 1;
    }

    pub(super) fn let_posters_go(&self, state: &State) {
        if state.posters_wait > 0 {
            self.room.notify_all();
        }
    }

    /// Lines that were dropped because its client read too slowly, of which it is told. None, once it is closed: they are
    /// the [server's](crate::stats::Snapshot::dropped_lines) then.
    pub fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Silent, socket, would_block};
    use super::super::{Flushed, Missed, Posters, Stay};
    use super::*;
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::thread;

    /// Has room for 10 bytes, and found its socket full.
    fn full(slow: Slow) -> Mailbox {
        let mailbox = Mailbox::new(10, Box::new(Silent)).slow(slow);
        let replied = mailbox.reply(b"old\n", Posters::Ring, Stay::AWhile, |_| would_block());
        assert_eq!(replied.unwrap(), Flushed::Blocked);
        mailbox
    }

    fn post(mailbox: &Mailbox, lines: &[&str]) {
        for line in lines {
            assert_eq!(mailbox.post(&Message::from(*line)), Posted::Queued);
        }
    }

    fn sent(mailbox: &Mailbox) -> String {
        let taken = RefCell::default();
        let flushed = mailbox.flush(socket(9999, &taken)).unwrap();
        assert_eq!(flushed, Flushed::Empty);
        String::from_utf8(taken.into_inner()).unwrap()
    }

    #[test]
    fn the_newest_are_dropped_and_told_where_they_are_missing() {
        let mailbox = full(Slow::DropNewest);
        post(&mailbox, &["12345678\n", "two\nmore\n", "x\ny\n"]);
        assert_eq!(sent(&mailbox), "old\n12345678\n... 4 lines dropped\n");
        let _ = mailbox.post(&Message::from("next\n"));
        assert_eq!(sent(&mailbox), "next\n");
        assert_eq!(mailbox.dropped(), 4);
        let missed = Missed {
            messages: 0,
            dropped_lines: 4,
        };
        assert_eq!(
            mailbox.close(),
            missed,
            "what was told is not lost silently"
        );
        assert_eq!(mailbox.close(), Missed::default(), "and counted once");
    }

    #[test]
    fn the_oldest_are_dropped_and_told_where_they_are_missing() {
        let mailbox = full(Slow::DropOldest);
        post(&mailbox, &["1234\n", "5678\n", "9\n", "0\n"]);
        assert_eq!(sent(&mailbox), "... 1 line dropped\nold\n5678\n9\n0\n");
        assert_eq!(mailbox.dropped(), 1);
        assert_eq!(mailbox.posted(), 0);
    }

    #[test]
    fn a_message_of_which_a_part_is_out_is_not_dropped() {
        let mailbox = full(Slow::DropOldest);
        post(&mailbox, &["123456\n"]);
        let taken = RefCell::default();
        let flushed = mailbox.flush(socket(6, &taken)).unwrap();
        assert_eq!(flushed, Flushed::Blocked);
        assert_eq!(taken.into_inner(), b"old\n12");
        post(&mailbox, &["abc\n", "def\n"]);
        assert_eq!(sent(&mailbox), "3456\n... 2 lines dropped\n");
        assert_eq!(mailbox.dropped(), 2);
    }

    #[test]
    fn an_answer_of_which_a_part_is_out_is_not_torn_by_what_was_dropped() {
        let by_a_send = |mailbox: &Mailbox| {
            let taken = RefCell::default();
            let send = socket(6, &taken);
            let replied = mailbox.reply(b"-- help\n", Posters::Ring, Stay::AWhile, send);
            assert_eq!(replied.unwrap(), Flushed::Blocked);
        };
        let by_a_ring = |mailbox: &Mailbox| {
            let rest = [&b"p\n"[..], b"and so on\n"];
            mailbox.take_back(rest.map(Box::from).into());
        };
        for (block, rest) in [
            (&by_a_send as &dyn Fn(&Mailbox), "p\n"),
            (&by_a_ring, "p\n"),
        ] {
            let mailbox = Mailbox::new(10, Box::new(Silent)).slow(Slow::DropOldest);
            block(&mailbox);
            post(&mailbox, &["1234567\n", "new\n"]);
            let sent = sent(&mailbox);
            assert!(
                sent.starts_with(&format!("{rest}... 1 line dropped\n")),
                "{sent}"
            );
            assert!(sent.ends_with("new\n"), "{sent}");
        }
    }

    #[test]
    fn a_poster_who_is_to_wait_goes_on_when_there_is_room_or_nobody_any_more() {
        for leaves in [false, true] {
            let mailbox = Arc::new(full(Slow::Block));
            post(&mailbox, &["12345678\n"]);
            let more = Message::from("more\n");
            assert_eq!(mailbox.post(&more), Posted::Full);
            let poster = {
                let (mailbox, more) = (Arc::clone(&mailbox), more.clone());
                thread::spawn(move || {
                    mailbox.wait_for_room(more.len());
                    mailbox.post(&more)
                })
            };
            if leaves {
                assert_eq!(mailbox.close().messages, 2);
                assert_eq!(poster.join().unwrap(), Posted::Closed);
            } else {
                assert_eq!(sent(&mailbox), "old\n12345678\n");
                assert_eq!(poster.join().unwrap(), Posted::Ring);
                assert_eq!(sent(&mailbox), "more\n");
            }
        }
    }

    #[test]
    fn no_notice_comes_between_a_line_and_its_rest_that_was_taken_back() {
        let mailbox = Mailbox::new(10, Box::new(Silent)).slow(Slow::DropOldest);
        // A ring took "abcdef", and the kernel only "abc".
        mailbox.take_back(vec![b"def\n".as_slice().into()]);
        post(&mailbox, &["12345678\n", "87654321\n"]);
        assert_eq!(sent(&mailbox), "def\n... 1 line dropped\n87654321\n");
    }
}
