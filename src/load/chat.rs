//! The clients of a chat: everyone listens, some talk, and each listener keeps account of every talker.

use super::line::{Form, Kind, Line};
use super::measured::Arrival;
use crate::codec::Lines;
use memchr::memchr_iter;

#[derive(Debug)]
pub(super) struct Chat {
    form: Form,
    /// Per talker: the number of its next line.
    next: Vec<u64>,
    listeners: Vec<Listener>,
    whole: Vec<u8>,
}

#[derive(Debug)]
struct Listener {
    lines: Lines,
    /// Per talker: the number of the line that must come next.
    awaited: Vec<u64>,
}

impl Chat {
    pub(super) fn new(message: usize, talkers: usize) -> Self {
        Self {
            form: Form::new(message),
            next: vec![0; talkers],
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
            awaited: self.next.clone(),
        });
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
        let Self {
            form,
            next,
            listeners,
            whole,
        } = self;
        let listener = &mut listeners[client];
        let mut arrival = Arrival::default();
        whole.clear();
        if listener.lines.feed(bytes, whole).is_err() {
            arrival.torn += 1;
        }
        let mut start = 0;
        for newline in memchr_iter(b'\n', whole) {
            let line = form.read(&whole[start..=newline]);
            start = newline + 1;
            match line {
                Some(line) => listener.take(client, line, next, &mut arrival),
                None => arrival.torn += 1,
            }
        }
        arrival
    }
}

impl Listener {
    fn take(&mut self, own: usize, line: Line, next: &[u64], arrival: &mut Arrival) {
        if line.kind == Kind::Hello {
            arrival.came_back |= line.sender == own;
            return;
        }
        // From a talker that there is, not said before it was, and not heard before.
        let expected = next
            .get(line.sender)
            .map(|&next| self.awaited[line.sender]..next);
        if !expected.is_some_and(|expected| expected.contains(&line.number)) {
            arrival.torn += 1;
            return;
        }
        let awaited = &mut self.awaited[line.sender];
        arrival.lost += line.number - *awaited;
        arrival.delivered += 1;
        arrival.came_back |= line.sender == own;
        *awaited = line.number + 1;
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
}
