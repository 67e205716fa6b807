//! A process that dies, by whatever: it costs its client, is counted, and makes room for the next.

use crate::child::Serving;
use crate::common::peer::Peer;
use crate::common::wait_until;
use crate::family::{MODELS, children, counts, served_by};
use guardhouse::Server;
use guardhouse::model::{self, Model, Prefork, Process};
use guardhouse::service::Echo;
use rustix::process::{Signal, kill_process, test_kill_process};
use std::num::NonZeroUsize;
use std::time::Duration;

#[test]
fn a_killed_process_costs_its_client_only_and_is_counted() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --model {model}"));
        let (mut bystander, _) = served_by(&server, "bystander");
        let (mut victim, pid) = served_by(&server, "victim");
        kill_process(pid, Signal::KILL).unwrap();
        victim.cut_off();
        server.err.until("it says what became of it", |log| {
            log.contains("a process ended, and its client with it")
                && log.contains("signal: 9")
                && log.contains("why=the connection broke")
        });
        bystander.round_trip("still served");
        Peer::greeted(server.addr, "the next one").leave();
        bystander.leave();
        let parent = server.pid();
        counts(
            &server.drained(),
            &["accepted=3 refused=0 ", " finished=2 ", " lost=1 "],
        );
        assert_eq!(children(parent), [], "{model}");
    }
}

#[test]
fn the_place_of_a_client_that_was_lost_with_its_process_is_free() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --max-clients 1 --model {model}"));
        for _ in 0..3 {
            let (mut victim, pid) = served_by(&server, "victim");
            let refused = Peer::connect(server.addr).rest();
            assert!(
                refused.starts_with("error: server is full: 1 "),
                "{refused}"
            );
            kill_process(pid, Signal::KILL).unwrap();
            victim.cut_off();
            wait_until("its process is reaped", || test_kill_process(pid).is_err());
        }
        Peer::greeted(server.addr, "the next one").leave();
        counts(
            &server.drained(),
            &["accepted=7 refused=3 ", " finished=1 ", " lost=3 "],
        );
    }
}

#[test]
fn prefork_replaces_a_process_that_died_whatever_it_did() {
    let server = Serving::start("echo --model prefork --workers 2");
    let parent = server.pid();
    for _ in 0..3 {
        wait_until("both places are taken", || children(parent).len() == 2);
        for pid in children(parent) {
            kill_process(pid, Signal::KILL).unwrap();
            wait_until("it is reaped", || test_kill_process(pid).is_err());
        }
    }
    // Two at once: both places are taken again.
    let mut first = Peer::greeted(server.addr, "first");
    Peer::greeted(server.addr, "second").leave();
    first.round_trip("still served");
    first.leave();
    let ended = server.drained();
    counts(
        &ended,
        &["accepted=2 refused=0 ", " lost=0 ", "a process failed"],
    );
}

/// An echo whose processes run a line of shell.
fn serving_by_shell(script: &str) -> [Box<dyn Model>; 2] {
    let sh = model::Program::new("sh").args(["-c", script]);
    let prefork = Prefork::new(NonZeroUsize::MIN).program(sh.clone());
    [Box::new(Process::new().program(sh)), Box::new(prefork)]
}

#[test]
fn a_process_that_ends_without_a_word_costs_its_client_and_the_server_goes_on() {
    let [process, _] = serving_by_shell("exit 3");
    let server = Server::new(Echo).boxed_model(process).start().unwrap();
    for lost in 1..=3 {
        Peer::connect(server.local_addr()).cut_off();
        wait_until("its loss is counted", || server.stats().lost == lost);
    }
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.accepted, stats.opened, stats.open), (3, 3, 0));
}

#[test]
fn processes_that_end_as_soon_as_they_are_started_do_not_hold_up_the_end() {
    let [_, prefork] = serving_by_shell("exit 3");
    let server = Server::new(Echo).boxed_model(prefork).start().unwrap();
    let mut waits = Peer::connect(server.local_addr());
    waits.stays_silent(Duration::from_millis(200));
    let stats = server.shutdown().unwrap();
    waits.cut_off();
    assert_eq!(stats.accepted, 0);
}

#[test]
fn a_process_that_talks_nonsense_is_killed() {
    let [process, _] = serving_by_shell("echo nonsense >&0; read forever < /dev/zero");
    let server = Server::new(Echo).boxed_model(process).start().unwrap();
    Peer::connect(server.local_addr()).cut_off();
    wait_until("its loss is counted", || server.stats().lost == 1);
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.open, stats.forced), (0, 0), "{stats:?}");
}
