//! `serve --model pool`: the ways to accept and to hand over, and what is told of them.

use crate::child::Serving;
use crate::common::peer::Peer;

/// Serves as many clients at once as there are workers, and returns the log.
fn log_of_four_at_once(args: &str) -> String {
    let server = Serving::start(&format!("echo --model pool --workers 4 {args}"));
    let clients: Vec<Peer> = (0..4)
        .map(|_| Peer::greeted(server.addr, "hello"))
        .collect();
    clients.into_iter().for_each(Peer::leave);
    server.drained().err
}

fn last_line(log: &str) -> &str {
    log.lines().last().unwrap_or_default()
}

#[test]
fn who_accepted_and_how_evenly_is_in_the_last_line() {
    for accept in ["mutex", "workers", "free", "reuseport"] {
        let log = log_of_four_at_once(&format!("--accept {accept}"));
        let last = last_line(&log);
        assert!(last.contains(" INFO ended accepted=4 "), "{log}");
        let evenly = "accepted_by=\"1+1+1+1\" fairness=\"1.00\" woken_in_vain=";
        assert!(last.contains(evenly), "{accept}: {last}");
        assert!(!last.contains("queue_wait"), "{accept}: {last}");
    }
}

#[test]
fn each_client_wakes_a_herd_where_all_workers_wait_for_it_and_no_herd_behind_a_lock() {
    const CLIENTS: u64 = 100;
    let sleeps = |accept: &str| {
        let server = Serving::start(&format!(
            "echo -q --model pool --workers 32 --accept {accept}"
        ));
        let before = server.sleeps();
        for _ in 0..CLIENTS {
            Peer::greeted(server.addr, "hello").leave();
        }
        server.sleeps() - before
    };
    let [herd, lock, dealt] = ["free", "mutex", "reuseport"].map(sleeps);
    assert!(
        herd > 2 * lock && herd > 2 * dealt,
        "for {CLIENTS} clients, workers went to sleep {herd} times, and {lock} behind a lock, {dealt} when dealt to"
    );
}

#[test]
fn how_long_the_queue_was_is_in_the_last_line() {
    for executor in ["channel", "stealing", "rayon"] {
        let log = log_of_four_at_once(&format!("--executor {executor}"));
        let last = last_line(&log);
        assert!(last.contains(" queue_wait=\"p50 "), "{executor}: {last}");
        assert!(!last.contains("accepted_by"), "{executor}: {last}");
    }
}

#[test]
fn rayon_under_a_pool_comes_with_a_warning() {
    let warns = |args: &str| log_of_four_at_once(args).contains(" WARN a session that uses rayon ");
    assert!(warns("--executor rayon"));
    assert!(!warns("--executor stealing"));
    assert!(!warns(""));
}

#[test]
fn who_accepts_is_told_of_live() {
    let server = Serving::start("echo --model pool --workers 2 --accept mutex --stats 50ms -q");
    let clients = [
        Peer::greeted(server.addr, "hello"),
        Peer::greeted(server.addr, "hello"),
    ];
    server.err.until("an interval's line", |log| {
        let of_both = log.contains("door: 2 accepted, 1+1; fairness 1.00; 0 woken in vain\n");
        of_both || log.matches("door: 1 accepted, ").count() == 2
    });
    server.err.until("an interval without a client", |log| {
        log.contains("door: 0 accepted, 0+0; 0 woken in vain\n")
    });
    clients.into_iter().for_each(Peer::leave);
    server.drained();
}

#[test]
fn the_queue_is_told_of_live() {
    let server = Serving::start("echo --model pool --stats 50ms -q");
    Peer::greeted(server.addr, "hello").leave();
    server.err.until("an interval's line", |log| {
        log.contains("queue: 1 client; wait p50 ")
    });
    server.err.until("an interval without a client", |log| {
        log.contains("queue: 0 clients\n")
    });
    server.drained();
}

#[test]
fn the_caller_runs_by_flag() {
    let server = Serving::start("echo --model pool --workers 1 --queue 0 --when-full caller-runs");
    let first = Peer::greeted(server.addr, "by the worker");
    let second = Peer::greeted(server.addr, "by the acceptor");
    first.leave();
    second.leave();
    let log = server.drained().err;
    assert!(last_line(&log).contains("accepted=2 refused=0 "), "{log}");
}
