//! What goes wrong in a lobby beside its sessions.

use super::*;
use crate::broken_log::BrokenLog;
use crate::limits::Limits;
use crate::mailbox::Flushed;
use crate::model::house::House;
use crate::model::{CHUNK, Hybrid, LeaderFollowers, Model};
use crate::net::Listener;
use crate::poller::{Signal, Signals};
use crate::stats::Snapshot;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// No moment is so far away: whoever adds it to the present panics.
const NO_TIME: Option<Duration> = Some(Duration::MAX);

/// Of a house whose clients may be idle for so long.
fn context(house: &House, idle_timeout: Option<Duration>) -> Context<'_> {
    let limits = Limits {
        idle_timeout,
        ..Limits::default()
    };
    Context {
        limits,
        ..house.context()
    }
}

fn listen() -> (Listener, SocketAddr) {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), 8).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&addr, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A client that was let in, as whoever sits at the desk gets it.
fn come<'a>(lobby: &Lobby<'a>, desk: &mut Desk<'a>, addr: SocketAddr) -> (TcpStream, Arc<Guest>) {
    let client = connect(addr);
    let guest = desk.next(lobby).unwrap().expect("it is not draining");
    (client, guest)
}

fn is_closed(mut client: &TcpStream) -> bool {
    matches!(client.read(&mut [0]), Ok(0))
}

#[test]
fn a_panic_at_the_desk_ends_the_model_and_leaves_nobody_behind() {
    let threads = |n| NonZeroUsize::new(n).unwrap();
    let models: [fn(NonZeroUsize) -> Box<dyn Model>; 2] = [
        |threads| Box::new(Hybrid::new(threads)),
        |threads| Box::new(LeaderFollowers::new(threads)),
    ];
    for (model, threads) in [
        (models[0], threads(1)),
        (models[0], threads(4)),
        (models[1], threads(1)),
        (models[1], threads(4)),
    ] {
        let model = model(threads);
        let (listener, addr) = listen();
        let (ended, end) = mpsc::channel();
        let server = thread::spawn(move || {
            let house = House::new();
            let ran = catch_unwind(AssertUnwindSafe(|| {
                model.run(vec![listener], context(&house, NO_TIME))
            }));
            let Snapshot { open, forced, .. } = house.stats.snapshot();
            ended.send((ran.is_err(), open, forced)).unwrap();
        });
        let client = connect(addr);
        let left = end.recv_timeout(PATIENCE);
        // It panicked, nobody is there any more, and one was cut off.
        assert_eq!(left, Ok((true, 0, 1)), "{threads} threads");
        server.join().unwrap();
        assert!(is_closed(&client));
    }
}

#[test]
fn a_log_that_panics_at_the_desk_ends_the_model_and_leaves_nobody_behind() {
    let (listener, addr) = listen();
    let (ended, end) = mpsc::channel();
    let server = thread::spawn(move || {
        // The only thread that says anything: a worker has nobody to serve.
        let _log = tracing::subscriber::set_default(BrokenLog(|| true));
        let house = House::new();
        let model = Hybrid::new(NonZeroUsize::MIN);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            model.run(vec![listener], house.context())
        }));
        let Snapshot { open, forced, .. } = house.stats.snapshot();
        ended.send((ran.is_err(), open, forced)).unwrap();
    });
    let client = connect(addr);
    assert_eq!(end.recv_timeout(PATIENCE), Ok((true, 0, 1)));
    server.join().unwrap();
    assert!(is_closed(&client));
}

#[test]
fn a_panic_beside_the_session_costs_its_guest_only() {
    let house = House::new();
    let mut lobby = Lobby::new(house.context()).unwrap();
    let (listener, addr) = listen();
    let mut desk = Desk::new(&lobby, listener).unwrap();
    let mut buffers = Buffers::new();
    let (bystander, guest) = come(&lobby, &mut desk, addr);
    lobby.serve(guest, &mut buffers);
    let (victim, guest) = come(&lobby, &mut desk, addr);

    lobby.context.limits.idle_timeout = NO_TIME;
    assert!(!guest.calls.call(Call::LOOK), "it was not parked yet");
    lobby.serve(guest, &mut buffers);
    assert!(is_closed(&victim));
    let stats = house.stats.snapshot();
    assert_eq!((stats.panicked, stats.open), (1, 1));

    let book = Arc::clone(&lobby.book);
    drop(lobby);
    assert!(is_closed(&bystander));
    assert!(book.is_empty());
    let stats = house.stats.snapshot();
    assert_eq!((stats.forced, stats.drain.forced, stats.open), (1, 1, 0));
}

fn unread(guest: &Guest) -> u64 {
    match &*guest.place.lock() {
        Place::Inside(occupant) => socket::unread(&occupant.stream),
        Place::Arriving(_) | Place::Gone => panic!("it is not inside"),
    }
}

#[test]
fn who_has_more_to_say_than_a_few_turns_take_makes_room_for_others_and_comes_again() {
    const SAID: usize = (TURNS + 1) * CHUNK;
    let house = House::new();
    let lobby = Lobby::new(house.context()).unwrap();
    let (listener, addr) = listen();
    let mut desk = Desk::new(&lobby, listener).unwrap();
    let mut buffers = Buffers::new();
    let (mut client, guest) = come(&lobby, &mut desk, addr);
    lobby.serve(guest, &mut buffers);

    client.write_all(&vec![b'x'; SAID]).unwrap();
    let guest = desk.next(&lobby).unwrap().expect("it has spoken");
    let deadline = Instant::now() + PATIENCE;
    while unread(&guest) < SAID as u64 {
        assert!(Instant::now() < deadline, "{} bytes came", unread(&guest));
        thread::yield_now();
    }
    lobby.serve(guest, &mut buffers);
    // Nobody speaks any more, and nothing is told: it was handed over.
    let guest = desk.next(&lobby).unwrap().expect("it has more to say");
    assert_eq!(unread(&guest), CHUNK as u64);
    lobby.serve(guest, &mut buffers);

    let mut heard = vec![0; SAID];
    client.read_exact(&mut heard).unwrap();
}

#[test]
fn room_that_was_told_of_is_told_of_again_while_something_waits_for_it() {
    let house = House::new();
    let lobby = Lobby::new(house.context()).unwrap();
    let (listener, addr) = listen();
    let mut desk = Desk::new(&lobby, listener).unwrap();
    let (_client, guest) = come(&lobby, &mut desk, addr);
    lobby.serve(Arc::clone(&guest), &mut Buffers::new());
    for _ in 0..3 {
        let mut place = guest.place.lock();
        if let Place::Inside(occupant) = &mut *place {
            // As a flush ends that others posted beside, although the socket has room.
            occupant.connection.flushed(Ok(Flushed::Blocked));
        }
        assert_eq!(lobby.settle(&guest, &mut place), Outcome::Stays);
        drop(place);
        let mut signals = Signals::default();
        lobby.set.wait(&mut signals, Some(PATIENCE)).unwrap();
        let told = |signal: Signal| signal.token == guest.token() && signal.writable;
        assert!(signals.iter().any(told));
    }
    assert!(guest.calls.call(Call::FORCE));
    lobby.serve(guest, &mut Buffers::new());
}

#[test]
fn who_was_found_idle_is_drained_also_when_force_comes_first() {
    let house = House::new();
    let lobby = Lobby::new(house.context()).unwrap();
    let (listener, addr) = listen();
    let mut desk = Desk::new(&lobby, listener).unwrap();
    let mut buffers = Buffers::new();
    let (_client, guest) = come(&lobby, &mut desk, addr);
    lobby.serve(Arc::clone(&guest), &mut buffers);
    guest.calls.set_was_idle();
    assert!(guest.calls.call(Call::CLOSE));
    assert!(!guest.calls.call(Call::FORCE));
    lobby.serve(guest, &mut buffers);
    let stats = house.stats.snapshot();
    assert_eq!((stats.drained, stats.forced), (1, 0));
}
