//! The processes of a server that was killed.

use crate::child::Serving;
use crate::common::peer::Peer;
use crate::common::{wait_until, waits_to_send};
use crate::family::{MODELS, children, has_ended, served_by};
use rustix::process::{Signal, kill_process};
use std::net::TcpListener;

#[test]
fn the_processes_of_a_killed_server_end_with_their_clients_told() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --model {model}"));
        let mut idle = Peer::greeted(server.addr, "hello");
        let orphans = children(server.pid());
        assert!(!orphans.is_empty());
        server.signal(Signal::KILL);
        assert_eq!(idle.rest(), "", "closed in good order");
        for orphan in orphans {
            // Somebody else reaps it, or nobody does.
            wait_until("an orphan has ended", || has_ended(orphan));
        }
        assert_eq!(server.ended().code, None, "by a signal");
    }
}

#[test]
fn orphans_at_work_leave_the_port_and_heed_a_signal() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --drain 1h --model {model}"));
        let (mut busy, orphan) = served_by(&server, "hello");
        busy.flood_until("an answer that nobody takes\n", || waits_to_send(orphan));
        server.signal(Signal::KILL);
        let mut again = None;
        wait_until("the port is free", || {
            again = TcpListener::bind(server.addr).ok();
            again.is_some()
        });
        assert!(!has_ended(orphan), "it has an hour");
        // Again and again: it disregards them until it knows.
        wait_until("the orphan has ended", || {
            let _ = kill_process(orphan, Signal::TERM);
            has_ended(orphan)
        });
        busy.cut_off();
    }
}

#[test]
fn an_orphan_at_work_ends_when_the_time_of_the_drain_is_over() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --drain 100ms --model {model}"));
        let (mut busy, orphan) = served_by(&server, "hello");
        busy.flood_until("an answer that nobody takes\n", || waits_to_send(orphan));
        server.signal(Signal::KILL);
        wait_until("the orphan has ended", || has_ended(orphan));
        busy.cut_off();
    }
}
