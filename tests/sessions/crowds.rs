//! Many threads and few names: whichever lock guards them, a name is one client's.

use super::{Guest, service};
use guardhouse::strategy::{LockKind, ServiceKind};
use guardhouse::{Fanout, Service};
use std::collections::{HashMap, HashSet};
use std::sync::Barrier;
use std::thread;

/// Chats behind each lock that lets several threads in: with one list of all, and with several.
fn chats() -> impl Iterator<Item = (String, Box<dyn Service>)> {
    let locks = LockKind::ALL.into_iter();
    let locks = locks.filter(|lock| *lock != LockKind::None);
    locks.flat_map(|lock| {
        [Fanout::Log, Fanout::Sharded].map(|fanout| {
            let chat = ServiceKind::Chat {
                max_line: 4096,
                fanout,
                mailbox: 1 << 20,
            };
            (format!("{lock}, {fanout}"), service(chat, lock))
        })
    })
}

#[test]
fn of_64_threads_that_claim_one_name_one_gets_it() {
    const CROWD: u64 = 64;
    for (which, chat) in chats() {
        let together = Barrier::new(CROWD as usize);
        let claim = |id| {
            let mut guest = Guest::open(&*chat, id);
            together.wait();
            guest.receive(b"/name ann\n");
            // Nobody leaves, and frees the name, before everyone has tried.
            together.wait();
            guest.saw()
        };
        let (claim, mut won) = (&claim, 0);
        thread::scope(|scope| {
            let crowd: Vec<_> = (0..CROWD)
                .map(|id| scope.spawn(move || claim(id)))
                .collect();
            for thread in crowd {
                let saw = thread.join().unwrap();
                let wins = saw.matches("-- you are now ann\n").count();
                let losses = saw.matches("error: the name ann is taken").count();
                assert_eq!(wins + losses, 1, "{which}: {saw}");
                won += wins;
            }
        });
        assert_eq!(won, 1, "{which}");
    }
}

#[test]
fn while_all_swap_names_and_rooms_at_random_each_is_in_one_room_under_its_own_name() {
    const CROWD: u64 = 8;
    const STEPS: usize = 60;
    for (which, chat) in chats() {
        let swap = |id: u64| {
            let mut guest = Guest::open(&*chat, id);
            let mut dice = fastrand::Rng::with_seed(id);
            let (mut name, mut room) = (format!("guest-{id}"), "lobby".to_owned());
            for _ in 0..STEPS {
                guest.screen.0.lock().clear();
                let wanted = format!("n{}", dice.u64(0..=CROWD));
                if dice.bool() {
                    guest.receive(format!("/name {wanted}\n").as_bytes());
                    if guest.saw().contains(&format!("-- you are now {wanted}\n")) {
                        name = wanted;
                    }
                } else {
                    room = format!("r{}", dice.u64(0..3));
                    guest.receive(format!("/join {room}\n").as_bytes());
                    // Others may have its mailbox in their hands.
                    guest.waits_for(&format!("-- you are in {room} ("));
                }
            }
            (guest, name, room)
        };
        let swap = &swap;
        let mut crowd: Vec<(Guest, String, String)> = thread::scope(|scope| {
            let crowd: Vec<_> = (0..CROWD).map(|id| scope.spawn(move || swap(id))).collect();
            crowd
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });

        let mut expected: HashMap<String, Vec<String>> = HashMap::new();
        for (_, name, room) in &crowd {
            expected.entry(room.clone()).or_default().push(name.clone());
        }
        let names: Vec<&String> = expected.values().flatten().collect();
        let distinct: HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{which}: {expected:?}");
        for (guest, _, room) in &mut crowd {
            guest.screen.0.lock().clear();
            guest.receive(b"/who\n");
            let mut names = expected[&*room].clone();
            names.sort_unstable_by_key(|name| (name.starts_with("guest-"), name.clone()));
            let line = format!("-- in {room}: {} ({})\n", names.join(", "), names.len());
            assert_eq!(guest.saw(), line, "{which}");
        }
    }
}
