//! Those who read more slowly than others talk: what they get, what they are told, and what it costs the others. One model
//! of each kind, every fan-out that has the policy.
//!
//! Whatever stands still here is shown by what was said, not by a clock: a talker can say no more, and a newcomer is not
//! answered, until the one who sleeps reads.

use crate::common::peer::Peer;
use crate::house::{Subject, inspect, until};
use guardhouse::service::Chat;
use guardhouse::strategy::LockKind;
use guardhouse::{
    Client, Clients, Fanout, Flow, Handle, Limits, Registry, Reply, Service, Session, Slow,
};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const MAX_LINE: usize = 4096;
const MAILBOX: usize = 64 * 1024;
/// Lines of which one batch consists.
const BATCH: usize = 8;
/// More than fits the kernel's buffers, which is 4 MiB, and a mailbox.
const SAID: usize = 1600;

fn models() -> Vec<Subject> {
    let mut models = blocking_models();
    let mutex = LockKind::Mutex;
    models.push(crate::poll::subject(mutex));
    #[cfg(target_os = "linux")]
    models.extend([
        crate::epoll::subject(mutex),
        crate::epoll_loops::subject(mutex),
        crate::uring::subject(mutex),
        crate::uring_loops::subject(mutex),
        crate::hybrid::subject(mutex),
        crate::leader_followers::subject(mutex),
    ]);
    models
}

fn blocking_models() -> Vec<Subject> {
    let mutex = LockKind::Mutex;
    vec![crate::thread::subject(mutex), crate::pool::subject(mutex)]
}

/// `scenario` for each of `models` by each fan-out that has the policy.
fn by_all_that_have(
    slow: Slow,
    models: impl IntoIterator<Item = Subject>,
    scenario: impl Fn(Subject) + Copy + Send,
) {
    for subject in models {
        for fanout in Fanout::ALL {
            if fanout.policies().contains(&slow) && fanout.goes_with(subject.model) {
                let subject = subject.with_fanout(fanout);
                // Shown if it fails.
                println!(
                    "{} {:?} by {}",
                    subject.model, subject.options, subject.fanout
                );
                inspect(subject, scenario);
            }
        }
    }
}

fn serve(subject: Subject, slow: Slow, drain: Duration) -> Handle {
    let limits = Limits {
        mailbox: MAILBOX,
        slow,
        drain,
        ..Limits::default()
    };
    subject.chat_within(limits, MAX_LINE).start().unwrap()
}

fn room(subject: Subject, slow: Slow) -> (Handle, Peer, Peer, Peer) {
    let server = serve(subject, slow, Limits::default().drain);
    let addr = server.local_addr();
    let mut sleeper = Peer::hard_of_hearing(addr);
    sleeper.round_trip("sleeper");
    let mut witness = Peer::greeted(addr, "witness");
    let talker = Peer::greeted(addr, "talker");
    assert_eq!(witness.line(), "talker");
    for heard in ["witness", "talker"] {
        assert_eq!(sleeper.line(), heard);
    }
    (server, sleeper, witness, talker)
}

/// The `n`th line: its number, and a tail by which a torn one shows.
fn line(n: usize) -> String {
    let tail = (b'a' + (n % 26) as u8) as char;
    format!("{n} {}", tail.to_string().repeat(4000 - n % 97))
}

fn dropped(heard: &str) -> Option<usize> {
    let rest = heard.strip_prefix("... ")?;
    let count = rest.strip_suffix(" lines dropped").or_else(|| {
        let count = rest.strip_suffix(" line dropped")?;
        assert_eq!(count, "1", "{heard}");
        Some(count)
    })?;
    Some(count.parse().unwrap())
}

/// Says all that is to be said, while one sleeps: the two who read lose nothing.
fn all_is_said(talker: &mut Peer, witness: &mut Peer) {
    for batch in 0..SAID / BATCH {
        let said = (batch * BATCH..).take(BATCH);
        let said: String = said.map(|n| line(n) + "\n").collect();
        talker.send(&said);
        for peer in [&mut *talker, &mut *witness] {
            assert!(
                peer.exactly(said.len()) == said.as_bytes(),
                "in batch {batch}"
            );
        }
    }
}

/// Whether it is told in the very place what is missing there: of the oldest in a mailbox, some may be on their way out
/// when others are dropped.
fn tells_the_place(fanout: Fanout, slow: Slow) -> bool {
    slow == Slow::DropNewest || fanout == Fanout::Log
}

fn is_told_what_it_missed(subject: Subject, slow: Slow) {
    let (server, mut sleeper, mut witness, mut talker) = room(subject, slow);
    all_is_said(&mut talker, &mut witness);

    let (mut heard, mut missed, mut next) = (0, 0, 0);
    while heard + missed < SAID {
        let said = sleeper.line();
        if let Some(count) = dropped(&said) {
            missed += count;
            if tells_the_place(subject.fanout, slow) {
                next += count;
            }
            continue;
        }
        let n: usize = said.split(' ').next().unwrap().parse().unwrap();
        assert!(said == line(n), "line {n} is torn");
        assert!(n >= next, "line {n} comes after line {next}");
        if tells_the_place(subject.fanout, slow) {
            assert_eq!(n, next, "the next that it was not told of");
        }
        (heard, next) = (heard + 1, n + 1);
    }
    assert_eq!(heard + missed, SAID);
    assert!(missed > 0 && heard > 0, "{heard} heard, {missed} missed");
    talker.round_trip("from here on all is well");
    for peer in [&mut sleeper, &mut witness] {
        assert_eq!(peer.line(), "from here on all is well");
    }

    sleeper.leave();
    until(&server, "what it missed is counted", |stats| {
        stats.dropped_lines == missed as u64
    });
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.too_slow, stats.lost_messages), (0, 0), "{stats:?}");
}

#[test]
fn who_misses_the_newest_is_told_how_many_and_the_others_miss_nothing() {
    by_all_that_have(Slow::DropNewest, models(), |subject| {
        is_told_what_it_missed(subject, Slow::DropNewest);
    });
}

#[test]
fn who_misses_the_oldest_is_told_how_many_and_the_others_miss_nothing() {
    by_all_that_have(Slow::DropOldest, models(), |subject| {
        is_told_what_it_missed(subject, Slow::DropOldest);
    });
}

#[test]
fn who_is_hung_up_costs_the_others_nothing_and_is_counted() {
    by_all_that_have(Slow::Disconnect, models(), |subject| {
        let (server, mut sleeper, mut witness, mut talker) = room(subject, Slow::Disconnect);
        all_is_said(&mut talker, &mut witness);
        until(&server, "it is hung up", |stats| stats.too_slow == 1);
        sleeper.cut_off();
        talker.round_trip("the room goes on");
        assert_eq!(witness.line(), "the room goes on");
        let stats = server.shutdown().unwrap();
        assert!(stats.lost_messages > 0, "{stats:?}");
        assert_eq!((stats.too_slow, stats.dropped_lines), (1, 0));
    });
}

/// Where talkers do not wait: who comes is answered while the one sleeps.
#[test]
fn a_room_goes_on_for_those_who_come_while_one_sleeps() {
    by_all_that_have(Slow::DropOldest, models(), |subject| {
        let (server, sleeper, mut witness, mut talker) = room(subject, Slow::DropOldest);
        all_is_said(&mut talker, &mut witness);
        let newcomer = Peer::greeted(server.local_addr(), "newcomer");
        for peer in [&mut talker, &mut witness] {
            assert_eq!(peer.line(), "newcomer");
        }
        newcomer.leave();
        sleeper.reset();
        server.shutdown().unwrap();
    });
}

const THE_LINE: &str = "a line for those who listen, said again and again";
const THE_END: &str = "the end";

/// Counts what is said until the end.
fn listen(mut peer: Peer) -> (Peer, usize) {
    let mut count = 0;
    loop {
        let heard = peer.line();
        match &*heard {
            THE_LINE => count += 1,
            THE_END => return (peer, count),
            "newcomer" => {}
            _ => panic!("nobody said {heard:?}"),
        }
    }
}

/// Listens until it hears itself, and leaves.
fn hears_itself(mut newcomer: Peer) {
    while newcomer.line() != "newcomer" {}
}

/// Who listens when a room goes on that stood still.
struct Awake {
    sleeper: Option<Peer>,
    newcomer: Option<Peer>,
}

/// One sleeps, two listen, and one talks until it can say no more, as it seems. Then `meanwhile` happens, with the sleeper,
/// who listens after that if it is still there, and with a way to have more said. Nobody has missed anything.
fn until_it_stands_still(
    subject: Subject,
    meanwhile: impl FnOnce(&Handle, Peer, &mut dyn FnMut()) -> Awake,
) -> Handle {
    let (server, sleeper, witness, talker) = room(subject, Slow::Block);
    let mut mouth = talker.second_hand();
    let line = format!("{THE_LINE}\n");
    thread::scope(|scope| {
        let listeners = [witness, talker].map(|peer| scope.spawn(move || listen(peer)));
        // Fails if more is taken than there are buffers for.
        let mut sent = mouth.flood(&line, || {}).sent;
        let mut say_more = || sent = mouth.flood_on(&line, sent, || {}).sent;
        let awake = meanwhile(&server, sleeper, &mut say_more);
        if let Some(newcomer) = awake.newcomer {
            scope.spawn(move || hears_itself(newcomer));
        }
        let awake = awake
            .sleeper
            .map(|sleeper| scope.spawn(move || listen(sleeper)));
        let said = sent.div_ceil(line.len());
        let unsaid = said * line.len() - sent;
        mouth.send(&line[line.len() - unsaid..]);
        mouth.send(format!("{THE_END}\n"));
        for listener in listeners.into_iter().chain(awake) {
            let (_peer, heard) = listener.join().unwrap();
            assert_eq!(heard, said);
        }
    });
    server
}

#[test]
fn where_talkers_wait_nothing_is_lost_and_the_room_goes_on_when_the_sleeper_reads() {
    by_all_that_have(Slow::Block, blocking_models(), |subject| {
        let server = until_it_stands_still(subject, |_, sleeper, _| Awake {
            sleeper: Some(sleeper),
            newcomer: None,
        });
        let stats = server.shutdown().unwrap();
        let lost = (stats.too_slow, stats.dropped_lines, stats.lost_messages);
        assert_eq!(lost, (0, 0, 0));
    });
}

#[test]
fn where_talkers_wait_the_room_goes_on_when_the_sleeper_leaves() {
    by_all_that_have(Slow::Block, blocking_models(), |subject| {
        let server = until_it_stands_still(subject, |_, sleeper, _| {
            sleeper.reset();
            Awake {
                sleeper: None,
                newcomer: None,
            }
        });
        let stats = server.shutdown().unwrap();
        assert_eq!((stats.lost, stats.dropped_lines), (1, 0));
    });
}

/// For how long a newcomer listens to a room that is not to answer.
const A_MOMENT: Duration = Duration::from_millis(200);

/// The exhibit: [`Fanout::UnderLock`] has somebody inside, who waits for the one who sleeps.
#[test]
fn where_talkers_wait_under_the_lock_nobody_comes_in_before_the_sleeper_reads() {
    by_all_that_have(Slow::Block, blocking_models(), |subject| {
        let server = until_it_stands_still(subject, |server, sleeper, say_more| {
            let come = || {
                let mut newcomer = Peer::connect(server.local_addr());
                newcomer.send("/who\nnewcomer\n");
                newcomer
            };
            let mut newcomer = come();
            if subject.fanout == Fanout::UnderLock {
                // One who is let in has come too early: on a busy machine, it only seemed that no more can be said.
                while newcomer.hears_within(A_MOMENT) {
                    say_more();
                    newcomer = come();
                }
            } else {
                while !newcomer.line().starts_with("-- in lobby: ") {}
            }
            Awake {
                sleeper: Some(sleeper),
                newcomer: Some(newcomer),
            }
        });
        server.shutdown().unwrap();
    });
}

#[test]
fn a_shutdown_ends_a_room_that_stands_still() {
    by_all_that_have(Slow::Block, blocking_models(), |subject| {
        // On a busy machine, it may only seem that it stands still.
        let shown = (0..6).any(|_| forced_by_a_shutdown(subject) == 2);
        assert!(shown, "nobody waits for anybody");
    });
}

fn forced_by_a_shutdown(subject: Subject) -> u64 {
    let server = serve(subject, Slow::Block, Duration::from_millis(60));
    let mut sleeper = Peer::hard_of_hearing(server.local_addr());
    sleeper.round_trip("sleeper");
    let mut talker = Peer::greeted(server.local_addr(), "talker");
    let mut mouth = talker.second_hand();
    let stats = thread::scope(|scope| {
        scope.spawn(move || talker.cut_off());
        mouth.flood(&format!("{THE_LINE}\n"), || {});
        server.shutdown().unwrap()
    });
    assert_eq!(stats.open, 0, "{stats:?}");
    sleeper.cut_off();
    stats.drain.forced
}

/// A chat that counts the bytes of its answers.
struct Overheard {
    chat: Chat<Mutex<Clients>>,
    answered: Arc<AtomicUsize>,
}

struct OverheardSession {
    session: Box<dyn Session>,
    answered: Arc<AtomicUsize>,
}

impl Service for Overheard {
    fn open(&self, client: Client) -> Box<dyn Session> {
        Box::new(OverheardSession {
            session: self.chat.open(client),
            answered: Arc::clone(&self.answered),
        })
    }
}

impl Session for OverheardSession {
    fn receive<'a>(&mut self, bytes: &'a [u8], reply: &mut Reply<'a>) -> Flow {
        let flow = self.session.receive(bytes, reply);
        let answer = reply.as_bytes().len();
        self.answered.fetch_add(answer, Ordering::SeqCst);
        flow
    }
}

/// More than what the kernel's buffers take, and the answers to all that was read at one time.
const MOST_ANSWERS: usize = 8 << 20;

#[test]
fn a_client_that_asks_and_does_not_read_is_not_read_from() {
    for question in ["/help\n", "/who\n"] {
        for subject in models() {
            // Shown if it fails.
            println!(
                "{} {:?} by {}",
                subject.model, subject.options, subject.fanout
            );
            inspect(subject, |subject| {
                let answered = Arc::new(AtomicUsize::new(0));
                let overheard = Overheard {
                    chat: Chat::new(Registry::new(Mutex::new(Clients::new()))),
                    answered: Arc::clone(&answered),
                };
                let server = subject.serve(overheard).start().unwrap();
                let mut bystander = Peer::greeted(server.local_addr(), "bystander");
                let mut asker = Peer::hard_of_hearing(server.local_addr());
                asker.send(question);
                assert!(asker.line().starts_with("-- "));
                asker.flood(question, || {});
                let made = answered.load(Ordering::SeqCst);
                assert!(made < MOST_ANSWERS, "{made} bytes of answers for nobody");
                bystander.round_trip("still served");
                asker.reset();
                bystander.round_trip("and goes on");
                server.shutdown().unwrap();
            });
        }
    }
}
