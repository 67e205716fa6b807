//! The clients of a chat: everyone listens, some talk, and each listener keeps account of every talker.
//!
//! As a rule all listeners hear the same lines in the same order. So the first who hears a line reads it, and appends it to
//! a [transcript](Transcript); for the others it is enough that their bytes are those of the transcript, from where they are in it
//! on. A listener who hears another order, or misses a line, goes by an account of its own from there to the end of the
//! run. Either way every byte is looked at, and reading 500 times what 500 hear is not what is measured.

use super::line::{Form, Kind, Line};
use super::measured::Arrival;
use super::transcript::Transcript;
use crate::codec::Lines;
use memchr::{memchr, memchr_iter};

#[derive(Debug)]
pub(super) struct Chat {
    form: Form,
    /// Per talker: the number of its next line.
    next: Vec<u64>,
    listeners: Vec<Listener>,
    transcript: Transcript,
    whole: Vec<u8>,
}

#[derive(Debug)]
struct Listener {
    lines: Lines,
    /// Whether `lines` holds the beginning of a line.
    amid: bool,
    account: Account,
}

/// What a listener has heard.
#[derive(Debug)]
enum Account {
    /// What the transcript says, up to here.
    Along(u64),
    /// Per talker: the number of the line that must come next.
    Own(Vec<u64>),
}

impl Chat {
    pub(super) fn new(message: usize, talkers: usize) -> Self {
        let form = Form::new(message);
        let next = vec![0; talkers];
        Self {
            transcript: Transcript::new(form.size(), next.clone()),
            form,
            next,
            listeners: Vec::new(),
            whole: Vec::new(),
        }
    }

    pub(super) fn talkers(&self) -> usize {
        self.next.len()
    }

    /// A listener joins, who is told the lines from now on.
    pub(super) fn join(&mut self) {
        self.listeners.push(Listener {
            // Long enough for lines torn into each other to be seen as such.
            lines: Lines::new(4 * self.form.size()),
            amid: false,
            account: Account::Own(self.next.clone()),
        });
    }

    /// A run begins, and all that was said before has arrived: everybody is equally far.
    pub(super) fn begin(&mut self) {
        self.transcript = Transcript::new(self.form.size(), self.next.clone());
        for listener in &mut self.listeners {
            listener.account = Account::Along(self.transcript.end());
        }
    }

    /// Writes the client's next line; says at how many listeners it must arrive.
    pub(super) fn say(&mut self, client: usize, kind: Kind, message: &mut Vec<u8>) -> u64 {
        let mut line = Line {
            kind,
            sender: client,
            number: 0,
        };
        // Who is not served yet may or may not get a hello, so nobody waits for another's.
        let mut copies = 0;
        if kind == Kind::Counted {
            line.number = self.next[client];
            self.next[client] += 1;
            copies = self.listeners.len() as u64;
        }
        self.form.write(line, message);
        copies
    }

    /// `bytes` arrived at a client.
    pub(super) fn arrived(&mut self, client: usize, bytes: &[u8]) -> Arrival {
        let mut arrival = Arrival::default();
        let mut rest = bytes;
        if self.listeners[client].amid {
            let line = memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            self.read(client, &rest[..line], &mut arrival);
            rest = &rest[line..];
        }
        if let Account::Along(place) = &mut self.listeners[client].account {
            let lines = self.transcript.repeated(*place, rest);
            let to = self.transcript.after(*place, lines);
            arrival.delivered += lines as u64;
            arrival.came_back |= self.transcript.ends_between(client, *place, to);
            *place = to;
            rest = &rest[lines * self.form.size()..];
        }
        self.read(client, rest, &mut arrival);
        if self.transcript.is_long() {
            let places = self.listeners.iter().filter_map(Listener::place);
            let least = places.min().unwrap_or_else(|| self.transcript.end());
            self.transcript.forget(least);
        }
        arrival
    }

    /// Reads line by line.
    fn read(&mut self, client: usize, bytes: &[u8], arrival: &mut Arrival) {
        let Some(last) = bytes.last() else { return };
        self.listeners[client].amid = *last != b'\n';
        let mut whole = std::mem::take(&mut self.whole);
        whole.clear();
        if self.listeners[client]
            .lines
            .feed(bytes, &mut whole)
            .is_err()
        {
            arrival.torn += 1;
        }
        let mut start = 0;
        for newline in memchr_iter(b'\n', &whole) {
            match self.form.read(&whole[start..=newline]) {
                Some(line) => self.take(client, line, &whole[start..=newline], arrival),
                None => arrival.torn += 1,
            }
            start = newline + 1;
        }
        self.whole = whole;
    }

    fn take(&mut self, client: usize, line: Line, bytes: &[u8], arrival: &mut Arrival) {
        if line.kind == Kind::Hello {
            arrival.came_back |= line.sender == client;
            return;
        }
        // From a talker that there is, and not said before it was.
        let is_said = self
            .next
            .get(line.sender)
            .is_some_and(|&next| line.number < next);
        if !is_said {
            arrival.torn += 1;
            return;
        }
        let account = &mut self.listeners[client].account;
        if let Account::Along(place) = account {
            let is_first = *place == self.transcript.end();
            if self.transcript.repeated(*place, bytes) == 1
                || (is_first && self.transcript.append(line, bytes))
            {
                *place = self.transcript.after(*place, 1);
                arrival.delivered += 1;
                arrival.came_back |= line.sender == client;
                return;
            }
            *account = Account::Own(self.transcript.awaited_at(*place, &self.form));
        }
        if let Account::Own(awaited) = account {
            let awaited = &mut awaited[line.sender];
            if line.number < *awaited {
                arrival.torn += 1; // heard before
                return;
            }
            arrival.lost += line.number - *awaited;
            arrival.delivered += 1;
            arrival.came_back |= line.sender == client;
            *awaited = line.number + 1;
        }
    }
}

impl Listener {
    /// Where it is in the transcript, if it goes along.
    fn place(&self) -> Option<u64> {
        match self.account {
            Account::Along(place) => Some(place),
            Account::Own(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clients who both talk, and the first three lines of client 0.
    fn room() -> (Chat, Vec<Vec<u8>>) {
        let mut chat = Chat::new(32, 2);
        chat.join();
        chat.join();
        chat.begin();
        let lines = (0..3)
            .map(|_| {
                let mut line = Vec::new();
                assert_eq!(chat.say(0, Kind::Counted, &mut line), 2);
                line
            })
            .collect();
        (chat, lines)
    }

    #[test]
    fn lines_cut_anywhere_are_all_delivered() {
        let (_, lines) = room();
        let all = lines.concat();
        for cut in 0..all.len() {
            let (mut chat, _) = room();
            let first = chat.arrived(1, &all[..cut]);
            let rest = chat.arrived(1, &all[cut..]);
            assert_eq!(first.delivered + rest.delivered, 3, "cut at {cut}");
            assert_eq!(
                (first.lost, rest.lost, first.torn, rest.torn),
                (0, 0, 0, 0),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_skipped_line_is_lost() {
        let (mut chat, lines) = room();
        chat.arrived(1, &lines[0]);
        let arrival = chat.arrived(1, &lines[2]);
        assert_eq!((arrival.delivered, arrival.lost, arrival.torn), (1, 1, 0));
    }

    #[test]
    fn a_line_that_comes_twice_or_late_is_torn() {
        let (mut chat, lines) = room();
        chat.arrived(1, &lines[1]);
        for stale in [&lines[1], &lines[0]] {
            let arrival = chat.arrived(1, stale);
            assert_eq!((arrival.delivered, arrival.torn), (0, 1));
        }
    }

    #[test]
    fn two_lines_torn_into_each_other_are_torn() {
        let (mut chat, lines) = room();
        let mut other = Vec::new();
        chat.say(1, Kind::Counted, &mut other);
        let mixed = [&lines[0][..20], &other[..], &lines[0][20..]].concat();
        let arrival = chat.arrived(0, &mixed);
        assert_eq!((arrival.delivered, arrival.torn), (0, 2));
    }

    #[test]
    fn a_line_that_nobody_said_is_torn() {
        let (mut chat, lines) = room();
        let mut invented = Vec::new();
        for (sender, number) in [(0, 3), (1, 0), (2, 0)] {
            let line = Line {
                kind: Kind::Counted,
                sender,
                number,
            };
            chat.form.write(line, &mut invented);
            assert_eq!(
                chat.arrived(0, &invented).torn,
                1,
                "{number} of client {sender}"
            );
        }
        assert_eq!(chat.arrived(0, &lines[0]).delivered, 1);
    }

    #[test]
    fn only_a_talkers_own_line_lets_it_go_on() {
        let (mut chat, lines) = room();
        assert!(chat.arrived(0, &lines[0]).came_back);
        assert!(!chat.arrived(1, &lines[0]).came_back);
    }

    #[test]
    fn a_hello_is_heard_and_not_counted() {
        let (mut chat, _) = room();
        let mut hello = Vec::new();
        assert_eq!(chat.say(1, Kind::Hello, &mut hello), 0);
        let own = chat.arrived(1, &hello);
        assert_eq!((own.came_back, own.delivered), (true, 0));
        assert_eq!(chat.arrived(0, &hello), Arrival::default());
    }

    #[test]
    fn what_others_heard_is_heard_cut_anywhere() {
        let (_, lines) = room();
        let all = lines.concat();
        for cut in 0..all.len() {
            for known in 0..=3 {
                let (mut chat, _) = room();
                assert_eq!(
                    chat.arrived(1, &lines[..known].concat()).delivered,
                    known as u64
                );
                let (first, rest) = (chat.arrived(0, &all[..cut]), chat.arrived(0, &all[cut..]));
                assert_eq!(
                    first.delivered + rest.delivered,
                    3,
                    "{known} known, cut at {cut}"
                );
                assert_eq!((first.torn, rest.torn, first.lost, rest.lost), (0, 0, 0, 0));
                assert!(rest.came_back, "the last of its own is in the rest");
                assert_eq!(chat.listeners[0].place(), Some(chat.transcript.end()));
                assert_eq!(chat.arrived(0, &all).torn, 3, "heard before");
            }
        }
    }

    #[test]
    fn who_hears_another_order_has_an_account_of_its_own_until_the_next_run() {
        let (mut chat, lines) = room();
        let mut other = Vec::new();
        chat.say(1, Kind::Counted, &mut other);
        let one = [&lines[0][..], &other, &lines[1]].concat();
        let another = [&lines[0][..], &lines[1], &other].concat();
        assert_eq!(chat.arrived(0, &one).delivered, 3);
        let arrival = chat.arrived(1, &another);
        assert_eq!((arrival.delivered, arrival.lost, arrival.torn), (3, 0, 0));
        assert!(arrival.came_back && chat.listeners[1].place().is_none());
        for listener in 0..2 {
            assert_eq!(chat.arrived(listener, &lines[2]).delivered, 1);
        }
        chat.begin();
        assert!(chat.listeners[1].place().is_some());
        assert_eq!(chat.arrived(1, &lines[2]).torn, 1, "heard before");
    }

    #[test]
    fn a_hello_among_what_others_heard_is_passed_over() {
        let (mut chat, lines) = room();
        let mut hello = Vec::new();
        chat.say(1, Kind::Hello, &mut hello);
        chat.arrived(1, &lines.concat());
        let arrival = chat.arrived(0, &[&lines[0][..], &hello, &lines[1]].concat());
        assert_eq!((arrival.delivered, arrival.torn), (2, 0));
        assert_eq!(chat.arrived(0, &lines[2]).delivered, 1);
        assert!(chat.listeners[0].place().is_some());
    }

    #[test]
    fn what_everybody_heard_is_forgotten_and_the_rest_still_known() {
        let mut chat = Chat::new(1 << 15, 1);
        chat.join();
        chat.join();
        chat.begin();
        let mut line = Vec::new();
        for round in 0..200 {
            chat.say(0, Kind::Counted, &mut line);
            assert_eq!(chat.arrived(1, &line).delivered, 1);
            let arrival = chat.arrived(0, &line);
            assert!(arrival.delivered == 1 && arrival.came_back, "round {round}");
            assert!(!chat.transcript.is_long(), "round {round}");
        }
    }
}
