//! Those who come and go, while a few talk: whoever stays misses nothing, and nothing is left of those who went.

use crate::common::Dice;
use crate::common::peer::Peer;
use crate::house::{Subject, inspect, until};
use guardhouse::Fanout;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const TALKERS: usize = 4;
/// Said by each talker at least.
const LINES: usize = 30;
const PASSERS_BY: usize = 4;
/// Visits of each who passes by.
const VISITS: usize = 60;

fn line(talker: usize, n: usize) -> String {
    let tail = (b'a' + talker as u8) as char;
    let tail = tail.to_string().repeat((talker * 31 + n * 17) % 150);
    format!("talker {talker} says {n} {tail}")
}

fn last_words(talker: usize) -> String {
    format!("talker {talker} is done")
}

/// One who stays.
struct Talker {
    number: usize,
    peer: Peer,
    /// Of each talker, its next line.
    next: [usize; TALKERS],
    done: [bool; TALKERS],
    /// Said by those who pass by, which is said once.
    visits: HashMap<String, usize>,
}

impl Talker {
    fn hear(&mut self) {
        let heard = self.peer.line();
        if heard.starts_with("visitor ") {
            *self.visits.entry(heard).or_default() += 1;
            return;
        }
        let number = heard.strip_prefix("talker ").and_then(|rest| rest.get(..1));
        let Some(talker) = number.and_then(|number| number.parse::<usize>().ok()) else {
            panic!("nobody says {heard:?}");
        };
        assert!(!self.done[talker], "{heard:?} after the last words");
        if heard == last_words(talker) {
            self.done[talker] = true;
        } else {
            assert_eq!(
                heard,
                line(talker, self.next[talker]),
                "the next, and whole"
            );
            self.next[talker] += 1;
        }
    }

    /// Talks, hearing itself each time, until those who pass by are gone.
    fn talk(&mut self, all_are_gone: &AtomicBool) {
        let mut said = 0;
        while said < LINES || !all_are_gone.load(Ordering::SeqCst) {
            self.peer.send(line(self.number, said) + "\n");
            said += 1;
            while self.next[self.number] < said {
                self.hear();
            }
        }
        self.peer.send(last_words(self.number) + "\n");
        while self.done != [true; TALKERS] {
            self.hear();
        }
    }
}

/// Comes, does something or nothing, and goes, in one way or another. What it says, if it hears it, everybody does.
fn pass_by(addr: SocketAddr, visitor: usize) -> Vec<String> {
    let mut dice = Dice::seeded(visitor as u64);
    let mut said = Vec::new();
    for visit in 0..VISITS {
        let mut peer = Peer::connect(addr);
        let words = format!("visitor {visitor} was here {visit} times");
        match dice.roll(6) {
            1 => {}
            2 => peer.reset(),
            // Its end makes it a line.
            3 => peer.send("/help me, I come to no e"),
            4 => {
                peer.send("/join elsewhere\n/help\n");
                peer.line();
            }
            5 => {
                peer.send("/join elsewhere\n/join lobby\n");
                peer.send(format!("{words}\n"));
                while peer.line() != words {}
                said.push(words);
            }
            _ => {
                peer.send(format!("{words}\n"));
                while peer.line() != words {}
                said.push(words);
                peer.reset();
            }
        }
    }
    said
}

fn those_who_stay_miss_nothing(subject: Subject) {
    let server = subject.chat(4096).start().unwrap();
    let addr = server.local_addr();
    let mut talkers: Vec<Talker> = Vec::new();
    for number in 0..TALKERS {
        let hello = format!("hello {number}");
        let peer = Peer::greeted(addr, &hello);
        for talker in &mut talkers {
            assert_eq!(talker.peer.line(), hello);
        }
        talkers.push(Talker {
            number,
            peer,
            next: [0; TALKERS],
            done: [false; TALKERS],
            visits: HashMap::new(),
        });
    }
    let all_are_gone = AtomicBool::new(false);
    let said: Vec<String> = thread::scope(|scope| {
        for talker in &mut talkers {
            let all_are_gone = &all_are_gone;
            scope.spawn(move || talker.talk(all_are_gone));
        }
        let passing: Vec<_> = (0..PASSERS_BY)
            .map(|visitor| scope.spawn(move || pass_by(addr, visitor)))
            .collect();
        // Whether or not one fails: talkers wait for it.
        let said: Vec<_> = passing
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        all_are_gone.store(true, Ordering::SeqCst);
        said.into_iter().flat_map(Result::unwrap).collect()
    });
    assert!(!said.is_empty());
    for talker in &talkers {
        for words in &said {
            assert_eq!(talker.visits.get(words), Some(&1), "{words:?}");
        }
        let more = talker.visits.keys().find(|words| !said.contains(words));
        assert_eq!(more, None);
    }
    until(&server, "only those who stay are left", |stats| {
        stats.open == TALKERS as u64
    });
    for talker in talkers {
        talker.peer.leave();
    }
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.open, stats.too_slow, stats.panicked), (0, 0, 0));
}

#[test]
fn those_who_stay_miss_nothing_however_many_come_and_go_and_nothing_is_left_of_them() {
    use crate::{epoll, epoll_loops, hybrid, thread, uring};
    let models = [
        thread::subject,
        epoll::subject,
        epoll_loops::subject,
        uring::subject,
        hybrid::subject,
    ];
    for subject in models {
        for fanout in Fanout::ALL {
            let subject = subject(guardhouse::strategy::LockKind::Mutex).with_fanout(fanout);
            if fanout.goes_with(subject.model) {
                println!(
                    "{} {:?} by {}",
                    subject.model, subject.options, subject.fanout
                );
                inspect(subject, those_who_stay_miss_nothing);
            }
        }
    }
}
