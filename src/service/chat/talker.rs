//! One client of a chat.

use super::command::{Command, HELP};
use super::listing::list;
use crate::codec::Lines;
use crate::message::Message;
use crate::registry::{Clients, Membership, Moved, Name, RoomName};
use crate::service::{Flow, Reply, Session};
use crate::sync::Lock;
use std::fmt::Display;
use std::io::Write;
use std::ops::Range;

/// Once the answers to one arrival are so long, lists are refused until the next. Small questions have large answers,
/// and the client can take none of them before all are made.
const ENOUGH: usize = 64 * 1024;

pub(super) struct Talker<L: Lock<Value = Clients>> {
    membership: Membership<L>,
    lines: Lines,
    max_line: usize,
}

impl<L: Lock<Value = Clients> + 'static> Talker<L> {
    pub(super) fn new(membership: Membership<L>, max_line: usize) -> Self {
        Self {
            membership,
            lines: Lines::new(max_line),
            max_line,
        }
    }

    /// All the whole lines of one arrival travel as one message: fewer sections, fewer system calls,
    /// and nothing of another talker can come between them.
    fn relay(&self, lines: &[u8], reply: &mut Reply<'_>) {
        if !lines.is_empty() {
            if !reply.is_empty() {
                self.send_before(reply);
            }
            self.membership.say(lines);
        }
    }

    /// A reply goes out after what is posted. What was answered before a line that is relayed goes the same way as that
    /// line, so as to stay before it.
    #[cold]
    fn send_before(&self, reply: &mut Reply<'_>) {
        self.membership.client().answer(reply.as_bytes());
        reply.buffer().clear();
    }

    /// Relays and obeys the lines of `whole`, in their order. Those at `slashed` begin with a slash.
    #[cold]
    fn obey(&mut self, whole: &[u8], slashed: &[Range<usize>], reply: &mut Reply<'_>) -> Flow {
        let mut plain = Vec::new();
        let mut seen = 0;
        let mut answered = 0;
        for line in slashed {
            plain.extend_from_slice(&whole[seen..line.start]);
            seen = line.end;
            let text = &whole[line.start + 1..line.end];
            if text.starts_with(b"/") {
                plain.extend_from_slice(text);
                continue;
            }
            self.relay(&plain, reply);
            plain.clear();
            let before = reply.as_bytes().len();
            match Command::parse(text) {
                Ok(Command::Quit) => return Flow::Close,
                Ok(Command::Me(text)) => self.act(text, reply),
                Ok(command) => self.carry_out(command, answered < ENOUGH, reply),
                Err(wrong) => complain(reply, &wrong),
            }
            answered += reply.as_bytes().len().saturating_sub(before);
        }
        plain.extend_from_slice(&whole[seen..]);
        self.relay(&plain, reply);
        Flow::Continue
    }

    /// What touches nobody's order but this client's own.
    fn carry_out(&mut self, command: Command<'_>, may_list: bool, reply: &mut Reply<'_>) {
        match command {
            Command::Name(name) => self.be_called(&name, reply),
            Command::Join(room) => self.go_into(&room, reply),
            Command::Who | Command::Rooms | Command::Help if !may_list => {
                complain(
                    reply,
                    &"too much asked at once: ask again when the answers are there",
                );
            }
            Command::Who => {
                let present = self.membership.who().sorted();
                let head = format!("in {}", self.membership.room());
                list(&head, &present, self.max_line, reply.buffer());
            }
            Command::Rooms => {
                for (room, present) in self.membership.registry().rooms() {
                    say(reply, &format_args!("{room} ({present})"));
                }
            }
            Command::Help => {
                for line in HELP {
                    say(reply, &line);
                }
            }
            Command::Me(_) | Command::Quit => unreachable!("carried out by the caller"),
        }
    }

    fn be_called(&mut self, name: &Name, reply: &mut Reply<'_>) {
        let before = self.membership.present();
        if before.name.as_ref() != Some(name) {
            let news = line(&format_args!("* {before} is now {name}"));
            if let Err(taken) = self.membership.claim(name.clone(), Some(&news)) {
                return complain(reply, &taken);
            }
            tracing::debug!(client = %before.id, %name, "has a name");
            let farewell = line(&format_args!("* {name} has left"));
            self.membership.set_farewell(farewell);
        }
        say(reply, &format_args!("you are now {name}"));
    }

    fn go_into(&mut self, room: &RoomName, reply: &mut Reply<'_>) {
        if room == self.membership.room() {
            let present = self.membership.who().len();
            return say(reply, &format_args!("you are in {room} ({present})"));
        }
        if !reply.is_empty() {
            self.send_before(reply);
        }
        let named = self.membership.name();
        let present = self.membership.registry().who(room).len() + 1;
        let news = Moved {
            gone: named.map(|name| line(&format_args!("* {name} has left"))),
            come: named.map(|name| line(&format_args!("* {name} has come"))),
            welcome: Some(line(&format_args!("-- you are in {room} ({present})"))),
        };
        self.membership.enter(room.clone(), &news);
    }

    fn act(&self, text: &[u8], reply: &mut Reply<'_>) {
        let mut line = format!("* {} ", self.membership.present()).into_bytes();
        line.extend_from_slice(text);
        if line.len() > self.max_line {
            let (bytes, limit) = (line.len(), self.max_line);
            let long =
                format_args!("with your name that line has {bytes} bytes; the limit is {limit}");
            return complain(reply, &long);
        }
        line.push(b'\n');
        self.relay(&line, reply);
    }
}

fn line(text: &dyn Display) -> Message {
    Message::from(&*format!("{text}\n"))
}

/// Told to this client alone.
fn say(reply: &mut Reply<'_>, what: &dyn Display) {
    writeln!(reply, "-- {what}").expect("a reply takes everything");
}

/// Told to this client alone.
fn complain(reply: &mut Reply<'_>, what: &dyn Display) {
    writeln!(reply, "error: {what}").expect("a reply takes everything");
}

impl<L: Lock<Value = Clients> + 'static> Session for Talker<L> {
    fn receive(&mut self, bytes: &[u8], reply: &mut Reply<'_>) -> Flow {
        let mut whole = Vec::new();
        let mut slashed = Vec::new();
        let fed = self.lines.feed_each(bytes, &mut whole, |whole, begins| {
            if whole[begins] == b'/' {
                slashed.push(begins..whole.len());
            }
        });
        if slashed.is_empty() {
            self.relay(&whole, reply);
        } else if self.obey(&whole, &slashed, reply) == Flow::Close {
            return Flow::Close;
        }
        match fed {
            Ok(()) => Flow::Continue,
            Err(too_long) => {
                complain(reply, &too_long);
                Flow::Close
            }
        }
    }

    fn end(&mut self, reply: &mut Reply<'_>) {
        let mut whole = Vec::new();
        self.lines.finish(&mut whole);
        if whole.starts_with(b"/") {
            let all = 0..whole.len();
            self.obey(&whole, &[all], reply);
        } else {
            self.relay(&whole, reply);
        }
    }
}
