//! The load generator against servers that are right, wrong, or silent.

use guardhouse::load::{Idle, Load, LoadError, Shape, Stalled, Stop, Traffic};
use guardhouse::model::Thread;
use guardhouse::service::Echo;
use guardhouse::strategy::{self, LockKind, LockOptions, ModelKind, ModelOptions, ServiceKind};
use guardhouse::{Client, Fanout, Flow, Handle, Limits, Reply, Server, Service, Session};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CONCURRENT: [ModelKind; 3] = [ModelKind::Thread, ModelKind::Pool, ModelKind::Select];

fn server(model: ModelKind, service: ServiceKind) -> Handle {
    let options = ModelOptions {
        workers: NonZeroUsize::new(16).unwrap(),
        ..ModelOptions::default()
    };
    let service = strategy::service(service, LockKind::Mutex, LockOptions::default()).unwrap();
    Server::new(service)
        .boxed_model(strategy::model(model, options))
        .start()
        .unwrap()
}

fn impatient(clients: usize, traffic: Traffic) -> Shape {
    Shape {
        patience: Duration::from_millis(200),
        ..Shape::new(clients, traffic)
    }
}

#[test]
fn exactly_as_many_echoes_are_counted_as_were_asked_for() {
    for model in CONCURRENT {
        let server = server(model, ServiceKind::Echo);
        let mut load = Load::connect(server.local_addr(), Shape::new(8, Traffic::Echo)).unwrap();
        for messages in [0, 1, 7, 1000] {
            let measured = load.run(Stop::Messages(messages)).unwrap();
            assert_eq!(measured.messages, messages, "{model}");
            assert_eq!((measured.lost, measured.torn), (0, 0), "{model}");
        }
    }
}

#[test]
fn every_line_of_a_chat_is_counted_at_every_client() {
    for model in CONCURRENT {
        let server = server(model, ServiceKind::chat(4096));
        let traffic = Traffic::Chat { talkers: 3 };
        let mut load = Load::connect(server.local_addr(), Shape::new(8, traffic)).unwrap();
        for lines in [1, 2, 500] {
            let measured = load.run(Stop::Messages(lines)).unwrap();
            assert_eq!(measured.messages, lines * 8, "{model}");
            assert_eq!((measured.lost, measured.torn), (0, 0), "{model}");
        }
    }
}

#[test]
fn a_run_for_a_time_takes_that_time_and_orders_its_percentiles() {
    let server = server(ModelKind::Select, ServiceKind::Echo);
    let mut load = Load::connect(server.local_addr(), Shape::new(4, Traffic::Echo)).unwrap();
    let measured = load.run(Stop::After(Duration::from_millis(100))).unwrap();
    assert!(measured.elapsed >= Duration::from_millis(100));
    assert!(measured.messages > 0);
    assert!(measured.p50 > Duration::ZERO);
    assert!(measured.p50 <= measured.p99 && measured.p99 <= measured.p999);
    assert!(measured.p999 <= measured.max && measured.max <= measured.elapsed);
}

#[test]
fn messages_larger_than_the_socket_buffers_come_back_whole() {
    let server = server(ModelKind::Select, ServiceKind::Echo);
    let shape = Shape {
        message: 1 << 20,
        ..Shape::new(2, Traffic::Echo)
    };
    let mut load = Load::connect(server.local_addr(), shape).unwrap();
    let measured = load.run(Stop::Messages(20)).unwrap();
    assert_eq!((measured.messages, measured.torn), (20, 0));
}

/// Passes on what the test's function makes of every arrival, the first excepted.
struct Spoil {
    answer: fn(&[u8]) -> Vec<u8>,
    arrivals: Arc<AtomicU64>,
}

impl Service for Spoil {
    fn open(&self, _: Client) -> Box<dyn Session> {
        Box::new(Self {
            answer: self.answer,
            arrivals: Arc::clone(&self.arrivals),
        })
    }
}

impl Session for Spoil {
    fn receive(&mut self, bytes: &[u8], reply: &mut Reply<'_>) -> Flow {
        if self.arrivals.fetch_add(1, Ordering::Relaxed) == 0 {
            reply.append(bytes);
        } else {
            reply.append(&(self.answer)(bytes));
        }
        Flow::Continue
    }
}

fn spoiling(answer: fn(&[u8]) -> Vec<u8>) -> Handle {
    let service = Spoil {
        answer,
        arrivals: Arc::default(),
    };
    Server::new(service).model(Thread::new()).start().unwrap()
}

#[test]
fn an_echo_that_changes_a_byte_is_found_out() {
    let server = spoiling(|bytes| {
        let mut bytes = bytes.to_vec();
        bytes[30] ^= 1;
        bytes
    });
    let mut load = Load::connect(server.local_addr(), Shape::new(1, Traffic::Echo)).unwrap();
    let measured = load.run(Stop::Messages(5)).unwrap();
    assert_eq!((measured.messages, measured.lost, measured.torn), (0, 5, 5));
}

#[test]
fn a_chat_that_says_every_line_twice_is_found_out() {
    let server = spoiling(|bytes| bytes.repeat(2));
    let shape = Shape::new(1, Traffic::Chat { talkers: 1 });
    let mut load = Load::connect(server.local_addr(), shape).unwrap();
    let measured = load.run(Stop::Messages(5)).unwrap();
    assert_eq!((measured.messages, measured.lost, measured.torn), (5, 0, 5));
}

#[test]
fn a_server_that_stalls_is_an_error_that_says_so() {
    let server = spoiling(|_| Vec::new());
    let mut load = Load::connect(server.local_addr(), impatient(1, Traffic::Echo)).unwrap();
    let error = load.run(Stop::Messages(1)).unwrap_err();
    assert!(
        matches!(error, LoadError::Stalled { outstanding: 1, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("stalled"), "{error}");
}

#[test]
fn a_server_that_only_accepts_is_an_error_that_names_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = connect_error(listener.local_addr().unwrap(), impatient(3, Traffic::Echo));
    assert!(
        error.to_string().contains("did not answer client 1 of 3"),
        "{error}"
    );
}

#[test]
fn a_pool_with_a_worker_too_few_is_an_error_that_names_the_client() {
    let pool = server(ModelKind::Pool, ServiceKind::Echo);
    let error = connect_error(pool.local_addr(), impatient(17, Traffic::Echo));
    assert!(error.to_string().contains("client 17 of 17"), "{error}");
}

#[test]
fn a_refusal_is_passed_on() {
    let server = Server::new(Echo).max_clients(1).start().unwrap();
    let error = connect_error(server.local_addr(), Shape::new(2, Traffic::Echo));
    assert!(error.to_string().contains("--max-clients 1"), "{error}");
}

#[test]
fn idle_clients_are_served_and_stay_while_others_talk() {
    for model in CONCURRENT {
        let server = server(model, ServiceKind::Echo);
        let talkers = Shape::new(2, Traffic::Echo);
        let mut load = Load::connect(server.local_addr(), talkers).unwrap();
        let idle = idle(server.local_addr(), Shape::new(14, Traffic::Echo)).unwrap();
        let measured = load.run(Stop::Messages(500)).unwrap();
        assert_eq!((measured.messages, measured.torn), (500, 0), "{model}");
        idle.look().unwrap();
        drop((load, idle));
        // The idle leave by a reset, which is no farewell.
        let deadline = Instant::now() + Duration::from_secs(20);
        while (server.stats().finished, server.stats().lost) != (2, 14) {
            assert!(Instant::now() < deadline, "{model}: {:?}", server.stats());
            thread::yield_now();
        }
    }
}

#[test]
fn more_idle_clients_than_one_batch_are_all_served() {
    let server = server(ModelKind::Select, ServiceKind::Echo);
    let idle = idle(server.local_addr(), Shape::new(400, Traffic::Echo)).unwrap();
    assert_eq!(server.stats().opened, 400);
    idle.look().unwrap();
}

#[test]
fn an_idle_client_that_is_not_served_is_an_error_that_names_it() {
    let pool = server(ModelKind::Pool, ServiceKind::Echo);
    let error = idle(pool.local_addr(), impatient(17, Traffic::Echo)).unwrap_err();
    let sentence = "of the idle clients: the server did not answer client 17 of 17";
    assert!(error.to_string().contains(sentence), "{error}");

    let full = Server::new(Echo).max_clients(1).start().unwrap();
    let error = idle(full.local_addr(), Shape::new(2, Traffic::Echo)).unwrap_err();
    assert!(error.to_string().contains("--max-clients 1"), "{error}");

    let chat = Shape::new(2, Traffic::Chat { talkers: 1 });
    let error = idle(full.local_addr(), chat).unwrap_err();
    assert!(error.to_string().contains("no idle clients"), "{error}");
}

#[test]
fn an_idle_client_that_is_answered_wrongly_or_closed_is_found_out() {
    let right = server(ModelKind::Select, ServiceKind::Echo);
    let idle_ones = idle(right.local_addr(), Shape::new(3, Traffic::Echo)).unwrap();
    right.shutdown().unwrap();
    let error = idle_ones.look().unwrap_err().to_string();
    assert!(
        error.contains("closed the connection of client 1"),
        "{error}"
    );

    let mangling = spoiling(<[u8]>::to_ascii_uppercase);
    let error = idle(mangling.local_addr(), Shape::new(2, Traffic::Echo)).unwrap_err();
    assert!(error.to_string().contains("something else back"), "{error}");
}

#[test]
fn interrupted_idle_clients_wait_no_longer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let shape = Shape::new(2, Traffic::Echo);
    let interrupt = AtomicBool::new(true);
    let began = Instant::now();
    let error = Idle::connect_unless(listener.local_addr().unwrap(), shape, &interrupt)
        .expect_err("nobody answers");
    assert!(matches!(error, LoadError::Interrupted), "{error}");
    assert!(began.elapsed() < shape.patience);
}

fn idle(addr: SocketAddr, shape: Shape) -> Result<Idle, LoadError> {
    Idle::connect_unless(addr, shape, &AtomicBool::new(false))
}

/// A room of four, each line a kilobyte, and two megabytes of them.
const LINES: u64 = 2000;

fn room(model: ModelKind, fanout: Fanout) -> (Handle, Shape) {
    let service = ServiceKind::Chat {
        max_line: 4096,
        fanout,
        mailbox: Limits::default().mailbox,
    };
    let service = strategy::service(service, LockKind::Mutex, LockOptions::default()).unwrap();
    let limits = Limits {
        slow: fanout.policies()[0],
        ..Limits::default()
    };
    let server = Server::new(service)
        .boxed_model(strategy::model(model, ModelOptions::default()))
        .limits(limits);
    let shape = Shape {
        message: 1024,
        ..Shape::new(4, Traffic::Chat { talkers: 2 })
    };
    (server.start().unwrap(), shape)
}

fn stalled(addr: SocketAddr, shape: Shape) -> Result<Stalled, LoadError> {
    let shape = Shape {
        clients: 1,
        ..shape
    };
    Stalled::connect_unless(addr, shape, &AtomicBool::new(false))
}

#[test]
fn who_reads_nothing_takes_no_line_from_the_others() {
    for model in [ModelKind::Thread, ModelKind::Select] {
        let fanouts = Fanout::ALL.into_iter();
        for fanout in fanouts.filter(|&fanout| fanout != Fanout::UnderLock) {
            let (server, shape) = room(model, fanout);
            let mut load = Load::connect(server.local_addr(), shape).unwrap();
            let _stalled = stalled(server.local_addr(), shape).unwrap();
            let measured = load.run(Stop::Messages(LINES)).unwrap();
            assert_eq!(measured.messages, LINES * 4, "{model} {fanout}");
            assert_eq!((measured.lost, measured.torn), (0, 0), "{model} {fanout}");
        }
    }
}

#[test]
fn who_reads_nothing_stops_a_room_that_sends_under_its_lock_until_it_leaves() {
    let (server, shape) = room(ModelKind::Thread, Fanout::UnderLock);
    let impatient = Shape {
        patience: Duration::from_millis(500),
        ..shape
    };
    let mut load = Load::connect(server.local_addr(), impatient).unwrap();
    let stalled = stalled(server.local_addr(), shape).unwrap();
    let error = load
        .run(Stop::Messages(LINES))
        .expect_err("it stands still");
    assert!(matches!(error, LoadError::Stalled { .. }), "{error}");
    drop((stalled, load));
    let mut load = Load::connect(server.local_addr(), shape).unwrap();
    let measured = load.run(Stop::Messages(LINES)).unwrap();
    assert_eq!(measured.messages, LINES * 4);
}

#[test]
fn a_stalled_client_that_is_refused_is_told_as_such() {
    let (server, shape) = room(ModelKind::Thread, Fanout::Log);
    let addr = server.local_addr();
    server.shutdown().unwrap();
    let error = stalled(addr, shape)
        .expect_err("nobody is there")
        .to_string();
    assert!(
        error.starts_with("of the stalled clients: client 1 cannot connect"),
        "{error}"
    );
}

#[test]
fn a_server_that_ends_is_an_error_and_no_hang() {
    let server = server(ModelKind::Thread, ServiceKind::Echo);
    let mut load = Load::connect(server.local_addr(), Shape::new(2, Traffic::Echo)).unwrap();
    server.shutdown().unwrap();
    let error = load
        .run(Stop::After(Duration::from_mins(1)))
        .expect_err("nobody is there");
    assert!(matches!(error, LoadError::Closed { .. }), "{error}");
}

#[test]
fn an_interrupted_load_ends_long_before_its_time() {
    let server = server(ModelKind::Select, ServiceKind::Echo);
    let interrupt = Arc::new(AtomicBool::new(false));
    let shape = Shape::new(2, Traffic::Echo);
    let mut load =
        Load::connect_unless(server.local_addr(), shape, Arc::clone(&interrupt)).unwrap();
    let began = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| interrupt.store(true, Ordering::Relaxed));
        let error = load.run(Stop::After(Duration::from_mins(1))).unwrap_err();
        assert!(matches!(error, LoadError::Interrupted), "{error}");
    });
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_shape_that_cannot_hold_is_refused_with_value_and_limit() {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let shape = Shape::new(4, Traffic::Chat { talkers: 5 });
    let error = connect_error(nowhere, shape).to_string();
    assert!(
        error.contains("5 talkers") && error.contains('4'),
        "{error}"
    );
    let shape = Shape {
        message: 3,
        ..Shape::new(4, Traffic::Echo)
    };
    let error = connect_error(nowhere, shape).to_string();
    assert!(error.contains("3 bytes") && error.contains("22"), "{error}");
}

fn connect_error(addr: SocketAddr, shape: Shape) -> LoadError {
    match Load::connect(addr, shape) {
        Ok(_) => panic!("it connected"),
        Err(error) => error,
    }
}
