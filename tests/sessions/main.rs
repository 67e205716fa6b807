//! Sessions without sockets: the same handlers, driven byte by byte in memory. Wherever the stream of a client is
//! cut, everyone receives the same.

mod commands;
mod crowds;

use guardhouse::mailbox::{Mailbox, Outlet};
use guardhouse::strategy::{self, LockKind, LockOptions, ServiceKind};
use guardhouse::{Client, ClientId, Flow, Reply, Service, Session};
use parking_lot::Mutex;
use proptest::prelude::*;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const MAX_LINE: usize = 8;
const TOO_LONG: &str = "error: line longer than 8 bytes\n";

/// Takes what is posted, at once: a client that always reads.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Outlet for Screen {
    fn ring(&self, mailbox: &Arc<Mailbox>) {
        self.0.lock().extend(mailbox.take());
    }
}

/// One client, without a socket. What a driver does for it is in here.
struct Guest {
    session: Option<Box<dyn Session>>,
    screen: Screen,
}

impl Guest {
    fn open(service: &dyn Service, id: u64) -> Self {
        let screen = Screen::default();
        let mailbox = Arc::new(Mailbox::new(1 << 20, Box::new(screen.clone())));
        let client = Client::new(ClientId(id), ([127, 0, 0, 1], 7).into(), mailbox);
        Self {
            session: Some(service.open(client)),
            screen,
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        let Some(session) = &mut self.session else {
            return;
        };
        let mut buffer = Vec::new();
        let mut reply = Reply::new(&mut buffer);
        let flow = session.receive(bytes, &mut reply);
        self.screen.0.lock().extend(reply.as_bytes());
        if flow == Flow::Close {
            self.session = None;
        }
    }

    fn end(&mut self) {
        if let Some(mut session) = self.session.take() {
            let mut buffer = Vec::new();
            let mut reply = Reply::new(&mut buffer);
            session.end(&mut reply);
            self.screen.0.lock().extend(reply.as_bytes());
        }
    }

    fn waits_for(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.saw().contains(text) {
            assert!(Instant::now() < deadline, "{text:?} in {:?}", self.saw());
            thread::yield_now();
        }
    }

    fn saw(&self) -> String {
        String::from_utf8(self.screen.0.lock().clone()).unwrap()
    }
}

fn service(kind: ServiceKind, lock: LockKind) -> Box<dyn Service> {
    let options = LockOptions {
        permits: NonZeroUsize::new(2).unwrap(),
        ..LockOptions::default()
    };
    strategy::service(kind, lock, options).unwrap()
}

fn echo() -> Box<dyn Service> {
    service(ServiceKind::Echo, LockKind::Mutex)
}

fn chat(lock: LockKind) -> Box<dyn Service> {
    service(ServiceKind::chat(MAX_LINE), lock)
}

/// What a client alone on a server sees when it sends `pieces` and ends.
fn alone(service: &dyn Service, pieces: &[&[u8]]) -> String {
    let mut guest = Guest::open(service, 1);
    for piece in pieces {
        guest.receive(piece);
    }
    guest.end();
    guest.saw()
}

/// What a chat is to say, written as differently from it as can be: one byte at a time, each line sent to
/// everyone by a loop.
#[derive(Default)]
struct Model {
    here: Vec<bool>,
    unfinished: Vec<String>,
    saw: Vec<String>,
}

impl Model {
    fn of(guests: usize) -> Self {
        Self {
            here: vec![true; guests],
            unfinished: vec![String::new(); guests],
            saw: vec![String::new(); guests],
        }
    }

    fn receive(&mut self, guest: usize, bytes: &[u8]) {
        for &byte in bytes {
            if !self.here[guest] {
                return;
            }
            if byte == b'\n' {
                self.complete(guest);
            } else {
                self.unfinished[guest].push(byte as char);
                if self.unfinished[guest].len() > MAX_LINE {
                    self.saw[guest] += TOO_LONG;
                    self.here[guest] = false;
                }
            }
        }
    }

    fn complete(&mut self, guest: usize) {
        let line = std::mem::take(&mut self.unfinished[guest]) + "\n";
        for (saw, _) in self
            .saw
            .iter_mut()
            .zip(&self.here)
            .filter(|(_, here)| **here)
        {
            *saw += &line;
        }
    }

    fn end(&mut self, guest: usize) {
        if self.here[guest] {
            if !self.unfinished[guest].is_empty() {
                self.complete(guest);
            }
            self.here[guest] = false;
        }
    }
}

#[test]
fn an_echo_cut_at_every_position_is_the_same() {
    let text = b"one\n\ntwo\xff three\nlast";
    let echo = echo();
    for cut in 0..=text.len() {
        let (head, tail) = text.split_at(cut);
        let mut session = Guest::open(&*echo, 1);
        session.receive(head);
        assert_eq!(*session.screen.0.lock(), head, "nothing is held back");
        session.receive(tail);
        session.end();
        assert_eq!(*session.screen.0.lock(), text, "cut at {cut}");
    }
}

#[test]
fn a_chat_cut_at_every_position_is_the_same() {
    let cases = [
        ("one\n\ntwo\nlast", "one\n\ntwo\nlast\n"),
        ("12345678\n12345678", "12345678\n12345678\n"),
        (
            "fits\n123456789\nafter\n",
            "fits\nerror: line longer than 8 bytes\n",
        ),
        ("", ""),
    ];
    for (text, expected) in cases {
        for cut in 0..=text.len() {
            for second in cut..=text.len() {
                let pieces = [&text[..cut], &text[cut..second], &text[second..]];
                let pieces = pieces.map(str::as_bytes);
                let saw = alone(&*chat(LockKind::Mutex), &pieces);
                assert_eq!(saw, expected, "{text:?} cut at {cut} and {second}");
            }
        }
    }
}

#[test]
fn whoever_left_is_sent_nothing_more() {
    for lock in LockKind::ALL {
        let chat = chat(lock);
        let mut stays = Guest::open(&*chat, 1);
        let mut leaves = Guest::open(&*chat, 2);
        stays.receive(b"both\n");
        leaves.end();
        stays.receive(b"one\n");
        assert_eq!(
            (stays.saw(), leaves.saw()),
            ("both\none\n".into(), "both\n".into())
        );
    }
}

/// Who sends what next; nothing is the end of that client's input.
fn steps() -> impl Strategy<Value = Vec<(usize, String)>> {
    proptest::collection::vec((0_usize..4, "[a-c\n]{0,12}"), 0..40)
}

proptest! {
    #[test]
    fn an_echo_is_the_same_however_it_is_cut(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        piece in 1_usize..50,
    ) {
        let mut guest = Guest::open(&*echo(), 1);
        for piece in bytes.chunks(piece) {
            guest.receive(piece);
        }
        guest.end();
        prop_assert_eq!(&*guest.screen.0.lock(), &bytes);
    }

    #[test]
    fn a_chat_is_the_same_however_it_is_cut(
        text in "[a-c\n]{0,60}",
        piece in 1_usize..20,
    ) {
        let chat = chat(LockKind::Mutex);
        let whole = alone(&*chat, &[text.as_bytes()]);
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(piece).collect();
        prop_assert_eq!(alone(&*chat, &pieces), whole);
    }

    #[test]
    fn everyone_sees_the_lines_that_were_completed_while_it_was_there(steps in steps()) {
        for lock in LockKind::ALL {
            let chat = chat(lock);
            let mut guests: Vec<Guest> = (0..4).map(|id| Guest::open(&*chat, id)).collect();
            let mut model = Model::of(guests.len());
            for (guest, text) in &steps {
                if text.is_empty() {
                    guests[*guest].end();
                    model.end(*guest);
                } else {
                    guests[*guest].receive(text.as_bytes());
                    model.receive(*guest, text.as_bytes());
                }
            }
            let saw: Vec<String> = guests.iter().map(Guest::saw).collect();
            prop_assert_eq!(&saw, &model.saw, "{}", lock);
        }
    }
}
