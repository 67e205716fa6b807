//! What is particular to a pool: who accepts, what hands clients over, what happens when there is no room, and what
//! is told of it.

mod common;

use common::peer::{LONG_LINE, Peer};
use common::{PATIENCE, wait_until};
use guardhouse::executor::Executor;
use guardhouse::model::{Accept, Pool, WhenFull};
use guardhouse::service::{Chat, Echo};
use guardhouse::{Client, Flow, Reply, Service, Session};
use guardhouse::{Clients, Registry, Server};
use parking_lot::{Condvar, Mutex};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

const AT_THE_DOOR: [Accept; 3] = [Accept::Mutex, Accept::Free, Accept::ReusePort];

fn pool(workers: usize) -> Pool {
    Pool::new(NonZeroUsize::new(workers).unwrap())
}

fn echo(pool: Pool) -> Server {
    Server::new(Echo).model(pool)
}

#[test]
fn as_many_clients_as_workers_fall_to_one_each_whoever_accepts() {
    const WORKERS: usize = 8;
    for accept in AT_THE_DOOR {
        let server = echo(pool(WORKERS).accept(accept)).start().unwrap();
        // Dealt out by hash alone, as good as never.
        let clients: Vec<Peer> = (0..WORKERS)
            .map(|_| Peer::greeted(server.local_addr(), "hello"))
            .collect();
        let stats = server.stats();
        assert_eq!(stats.accepted_by, [1; WORKERS], "{accept:?}");
        assert_eq!(stats.accept_fairness(), Some(1.0));
        assert_eq!(stats.queue_wait.count, 0, "there is no queue");
        clients.into_iter().for_each(Peer::leave);
        assert_eq!(server.shutdown().unwrap().finished, WORKERS as u64);
    }
}

#[test]
fn one_acceptor_is_neither_fair_nor_unfair() {
    let server = echo(pool(2)).start().unwrap();
    Peer::greeted(server.local_addr(), "hello").leave();
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.accepted_by, stats.woken_in_vain), (vec![1], 0));
}

#[test]
fn behind_a_lock_nobody_is_woken_in_vain() {
    let server = echo(pool(8).accept(Accept::Mutex)).start().unwrap();
    for _ in 0..100 {
        Peer::greeted(server.local_addr(), "hello").leave();
    }
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.accepted, stats.woken_in_vain), (100, 0));
}

/// Those who wait behind two clients are served as soon as one of these leaves, whichever it is.
#[test]
fn a_client_waits_for_any_worker_and_not_for_one() {
    for accept in AT_THE_DOOR {
        for leaves in [0, 1] {
            let server = echo(pool(2).accept(accept)).start().unwrap();
            let addr = server.local_addr();
            let mut inside = vec![Peer::greeted(addr, "ann"), Peer::greeted(addr, "bob")];
            let mut waiting: Vec<Peer> = (0..3).map(|_| Peer::connect(addr)).collect();
            for peer in &mut waiting {
                peer.send("eve\n");
                peer.finish();
            }
            inside.remove(leaves).leave();
            for peer in &mut waiting {
                assert_eq!(peer.rest(), "eve\n", "{accept:?}");
            }
            inside[0].round_trip("still served");
            server.shutdown().unwrap();
        }
    }
}

#[test]
fn a_busy_worker_keeps_no_listener_open_during_a_drain() {
    for accept in AT_THE_DOOR {
        let registry = Registry::new(Mutex::new(Clients::new()));
        let server = Server::new(Chat::new(registry).max_line(LONG_LINE))
            .model(pool(1).accept(accept))
            .drain(6 * PATIENCE)
            .start()
            .unwrap();
        let addr = server.local_addr();
        let mut busy = Peer::connect(addr);
        busy.leave_a_long_line_unread();
        server.switch().drain();
        wait_until("the door is closed", || {
            let late = TcpStream::connect_timeout(&addr, PATIENCE);
            late.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        });
        let stats = server.stats();
        assert_eq!((stats.open, stats.forced), (1, 0), "{accept:?}: {stats:?}");
        server.switch().force();
        assert_eq!(server.wait().unwrap().forced, 1);
        busy.cut_off();
    }
}

#[test]
fn the_caller_runs_who_finds_no_room_and_accepts_nobody_meanwhile() {
    for executor in Executor::ALL {
        let full = pool(1).queue(0).when_full(WhenFull::CallerRuns);
        let server = echo(full.executor(executor)).start().unwrap();
        let addr = server.local_addr();
        let mut first = Peer::greeted(addr, "by the worker");
        let second = Peer::greeted(addr, "by the acceptor");
        let mut third = Peer::connect(addr);
        third.send("by nobody yet\n");
        first.round_trip("still served");
        assert_eq!(server.stats().accepted, 2);
        second.leave();
        assert_eq!(third.line(), "by nobody yet");
        // The worker is free, and the acceptor is not there to see it.
        first.leave();
        let mut fourth = Peer::connect(addr);
        fourth.send("by the worker again\n");
        third.round_trip("still served");
        assert_eq!(server.stats().accepted, 3);
        third.leave();
        assert_eq!(fourth.line(), "by the worker again");
        fourth.leave();
        let stats = server.shutdown().unwrap();
        assert_eq!((stats.finished, stats.refused()), (4, 0), "{executor:?}");
        assert_eq!(stats.queue_wait.count, 2, "two came to the worker");
    }
}

#[test]
fn who_is_served_by_the_acceptor_is_drained_like_the_others() {
    let full = pool(1).queue(0).when_full(WhenFull::CallerRuns);
    let server = echo(full).drain(6 * PATIENCE).start().unwrap();
    let mut idle: Vec<Peer> = (0..2).map(|_| Peer::connect(server.local_addr())).collect();
    wait_until("both are served", || server.stats().open == 2);
    let stats = server.shutdown().unwrap();
    for peer in &mut idle {
        assert_eq!(peer.rest(), "");
    }
    assert_eq!((stats.drained, stats.drain.idle), (2, 2));
}

#[test]
fn the_wait_for_a_worker_is_measured() {
    for executor in Executor::ALL {
        let server = echo(pool(1).executor(executor)).start().unwrap();
        let addr = server.local_addr();
        let mut first = Peer::greeted(addr, "first");
        let mut second = Peer::connect(addr);
        second.send("second\n");
        let mut third = Peer::connect(addr);
        third.send("third\n");
        // Whoever has accepted the third has put the second into the queue.
        wait_until("both are accepted", || server.stats().accepted == 3);
        let waiting = Instant::now();
        for _ in 0..20 {
            first.round_trip("the others wait");
        }
        let waited = waiting.elapsed();
        first.leave();
        for (mut peer, said) in [(second, "second"), (third, "third")] {
            assert_eq!(peer.line(), said);
            peer.leave();
        }
        let wait = server.shutdown().unwrap().queue_wait;
        assert_eq!(wait.count, 3, "{executor:?}");
        assert!(wait.max >= waited, "{wait:?}, and at least {waited:?}");
        assert!(wait.p99 >= waited && wait.p50 <= wait.p99);
    }
}

/// What the sessions below have come to.
#[derive(Default)]
struct Scene {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    part_is_taken: bool,
    part_may_end: bool,
    part_has_ended: bool,
    joins: Option<ThreadId>,
    answers: Option<ThreadId>,
}

impl Scene {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.changed.notify_all();
    }

    fn until(&self, done: impl Fn(&State) -> bool) {
        let mut state = self.state.lock();
        while !done(&state) {
            let late = self.changed.wait_for(&mut state, PATIENCE).timed_out();
            assert!(!late, "waited in vain");
        }
    }
}

/// An echo that has some of its answers made in two parts, by rayon.
struct InParts(Arc<Scene>);

impl Service for InParts {
    fn open(&self, _: Client) -> Box<dyn Session> {
        Box::new(Self(Arc::clone(&self.0)))
    }
}

impl Session for InParts {
    fn receive(&mut self, bytes: &[u8], reply: &mut Reply<'_>) -> Flow {
        let scene = &*self.0;
        let here = Some(thread::current().id());
        if bytes.starts_with(b"join") {
            scene.change(|state| state.joins = here);
            rayon::join(
                || scene.until(|state| state.part_is_taken),
                || {
                    scene.change(|state| state.part_is_taken = true);
                    scene.until(|state| state.part_may_end);
                    scene.change(|state| state.part_has_ended = true);
                },
            );
        } else {
            scene.change(|state| state.answers = here);
        }
        reply.append(bytes);
        Flow::Continue
    }
}

/// Why a pool of whole clients warns of rayon. One worker waits for the part that the other one has; a client comes;
/// and the one that waits takes it, and does not get back to its own before that client has left.
#[test]
fn a_session_that_waits_for_rayon_is_held_up_by_a_client_that_its_worker_takes_meanwhile() {
    let scene = Arc::new(Scene::default());
    let server = Server::new(InParts(Arc::clone(&scene)))
        .model(pool(2).executor(Executor::Rayon))
        .start()
        .unwrap();
    let addr = server.local_addr();
    let mut joins = Peer::connect(addr);
    joins.send("join\n");
    scene.until(|state| state.part_is_taken);

    let mut guest = Peer::greeted(addr, "hello");
    scene.until(|state| state.joins == state.answers);
    scene.change(|state| state.part_may_end = true);
    scene.until(|state| state.part_has_ended);
    guest.round_trip("still here");
    // Both parts are done, and the answer lies under the guest, on one stack.
    joins.stays_silent(Duration::from_millis(20));

    guest.leave();
    assert_eq!(joins.line(), "join");
    joins.leave();
    assert_eq!(server.shutdown().unwrap().finished, 2);
}
