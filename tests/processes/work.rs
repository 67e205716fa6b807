//! Processes at work: whom they serve, what they hold, and by which limits.

use crate::child::{GUARDHOUSE, Serving};
use crate::common::PATIENCE;
use crate::common::peer::Peer;
use crate::family::{MODELS, THREE, counts, descriptors, served_by, tcp_sockets};
use guardhouse::Server;
use guardhouse::model::{self, Prefork, Process};
use guardhouse::service::Echo;
use rustix::process::Pid;
use std::time::Duration;

#[test]
fn prefork_serves_as_many_as_it_has_processes_and_the_next_when_one_has_left() {
    let server = Serving::start("echo --model prefork --workers 2");
    let first = Peer::greeted(server.addr, "first");
    let mut second = Peer::greeted(server.addr, "second");
    let mut third = Peer::connect(server.addr);
    third.send("third\n");
    third.stays_silent(Duration::from_millis(50));
    first.leave();
    assert_eq!(third.line(), "third");
    second.round_trip("still served");
    server.drained();
}

#[test]
fn a_process_holds_its_own_sockets_and_no_others() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --model {model}"));
        let clients: Vec<(Peer, Pid)> = (0..3).map(|_| served_by(&server, "hello")).collect();
        let listener = tcp_sockets(server.pid());
        assert_eq!(listener.len(), 1, "{listener:?}");
        let inherited: Vec<String> = descriptors(server.pid())
            .into_iter()
            .filter(|(_, what)| what.starts_with("socket:"))
            .map(|(_, what)| what)
            .collect();
        for (_, pid) in &clients {
            let mut own = tcp_sockets(*pid);
            own.retain(|socket| !listener.contains(socket));
            assert_eq!(own.len(), 1, "{model}: its client's, and nobody else's");
            let shared: Vec<_> = descriptors(*pid)
                .into_iter()
                .filter(|(_, what)| inherited.contains(what))
                .collect();
            // The listener is what the processes of prefork have in common.
            let expected = usize::from(model.starts_with("prefork"));
            assert_eq!(shared.len(), expected, "{model}: {shared:?}");
            let stdin = descriptors(*pid).into_iter().find(|(fd, _)| fd == "0");
            assert_eq!(stdin.unwrap().1, "/dev/null");
            // Who reads the server's output to its end does not wait for them.
            let stdout = descriptors(*pid).into_iter().find(|(fd, _)| fd == "1");
            assert_eq!(stdout.unwrap().1, "/dev/null");
        }
        let sockets = |pid: &Pid| {
            let all = descriptors(*pid).into_iter();
            all.filter(|(_, what)| what.starts_with("socket:")).count()
        };
        let each: Vec<usize> = clients.iter().map(|(_, pid)| sockets(pid)).collect();
        let (line, client, door) = (1, 1, usize::from(model.starts_with("prefork")));
        assert_eq!(each, [line + client + door; 3], "{model}");
        for (client, _) in clients {
            client.leave();
        }
        server.drained();
    }
}

#[test]
fn the_limits_of_a_server_are_those_of_its_processes() {
    for model in MODELS {
        let server = Serving::start(&format!(
            "echo --idle-timeout 50ms --nodelay off --model {model}"
        ));
        assert_eq!(Peer::connect(server.addr).rest(), "", "for its silence");
        counts(&server.drained(), &["accepted=1 ", " idle=1 "]);
    }
    // One who was not told them on its command line.
    let program = model::Program::new(GUARDHOUSE).args(["serve", "echo", "-q", "--as-child"]);
    let server = Server::new(Echo)
        .model(Process::new().program(program))
        .idle_timeout(Duration::from_millis(50))
        .drain(6 * PATIENCE)
        .start()
        .unwrap();
    assert_eq!(Peer::connect(server.local_addr()).rest(), "");
    assert_eq!(server.shutdown().unwrap().idle, 1);
}

#[test]
fn each_process_counts_as_an_acceptor() {
    let program = model::Program::new(GUARDHOUSE).args(["serve", "echo", "-q", "--as-child"]);
    let server = Server::new(Echo)
        .model(Prefork::new(THREE).program(program))
        .start()
        .unwrap();
    let all: Vec<Peer> = (0..3)
        .map(|_| Peer::greeted(server.local_addr(), "hello"))
        .collect();
    drop(all);
    let stats = server.shutdown().unwrap();
    assert_eq!(stats.accepted_by, [1, 1, 1]);
    assert_eq!(stats.accept_fairness(), Some(1.0));
}
