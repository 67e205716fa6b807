//! The server as a process that is short of something: descriptors, threads, bits in an `fd_set`, luck with its
//! system calls. It goes on serving, and tells whom it cannot serve why.

#[path = "common/child.rs"]
mod child;
mod common;

use child::{GUARDHOUSE, Serving, limited, piped, serve};
use common::peer::Peer;
use common::{numbered_lines, wait_until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a client meets at the door.
enum Met {
    Served(Peer),
    Refused(String),
}

fn knock(addr: SocketAddr) -> Met {
    let mut peer = Peer::connect(addr);
    peer.try_send("hello\n");
    let line = peer.line();
    if line == "hello" {
        Met::Served(peer)
    } else {
        Met::Refused(line)
    }
}

/// Many clients that came, and those who may come still.
#[derive(Default)]
struct Crowd {
    served: Vec<Peer>,
    refused: Vec<String>,
    left: usize,
}

impl Crowd {
    fn come(&mut self, addr: SocketAddr, count: usize) {
        for _ in 0..count {
            match knock(addr) {
                Met::Served(peer) => self.served.push(peer),
                Met::Refused(line) => self.refused.push(line),
            }
        }
    }

    fn leave(&mut self, count: usize) {
        for peer in self.served.drain(..count) {
            peer.leave();
        }
        self.left += count;
    }

    /// Comes again until one is served: a client that left is gone a moment before what it held is.
    fn come_until_served(&mut self, addr: SocketAddr) {
        let served = self.served.len();
        wait_until("a new client is served", || {
            self.come(addr, 1);
            self.served.len() > served
        });
    }

    fn are_still_served(&mut self) {
        for peer in &mut self.served {
            peer.round_trip("still served");
        }
    }

    fn were_told(&self, sentence: &str) {
        for line in &self.refused {
            assert!(line.starts_with(sentence), "{line}");
        }
    }

    /// The counts that the server logs last: everyone who came, and each refusal once.
    fn counts(&self) -> String {
        let refused = self.refused.len();
        let accepted = self.served.len() + self.left + refused;
        format!("accepted={accepted} refused={refused} ")
    }
}

fn out_of_descriptors(args: &str) {
    out_of_so_many_descriptors("-n 40", args);
}

fn out_of_so_many_descriptors(limit: &str, args: &str) {
    let server = Serving::of(limited(limit, &serve(args)));
    let mut crowd = Crowd::default();
    crowd.come(server.addr, 60);
    let (served, refused) = (crowd.served.len(), crowd.refused.len());
    assert!(
        served >= 10 && refused >= 10,
        "{served} served, {refused} refused"
    );
    crowd.are_still_served();
    crowd.were_told("error: server is out of file descriptors");

    has_nothing_to_do(&server, &mut crowd);

    crowd.leave(5);
    crowd.come_until_served(server.addr);
    crowd.are_still_served();

    // One leaves, one comes: whoever takes the last descriptor must not leave the server to look for another.
    let refused = crowd.refused.len();
    while crowd.refused.len() == refused {
        crowd.come(server.addr, 1);
    }
    crowd.leave(1);
    crowd.come_until_served(server.addr);
    has_nothing_to_do(&server, &mut crowd);

    crowd.are_still_served();
    let ended = server.drained();
    let refusals = ended.err.matches(" refused addr=").count();
    assert_eq!(refusals, crowd.refused.len(), "each was refused once");
    assert!(ended.err.contains(&crowd.counts()), "{}", ended.err);
    assert!(
        ended.err.contains("clients are accepted again"),
        "{}",
        ended.err
    );
}

/// Nobody waits at the door, nobody talks: it does nothing.
fn has_nothing_to_do(server: &Serving, crowd: &mut Crowd) {
    let before = server.cpu_ticks();
    crowd.served[0].stays_silent(Duration::from_millis(250));
    let spent = server.cpu_ticks() - before;
    assert!(spent < 5, "{spent} ticks of CPU were spent on nothing");
}

#[test]
fn thread_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model thread");
}

#[test]
fn pool_tells_clients_that_it_is_out_of_descriptors() {
    // Workers for all: it is descriptors that are short.
    out_of_descriptors("echo --model pool --workers 64");
}

#[test]
fn workers_behind_a_lock_tell_clients_that_they_are_out_of_descriptors() {
    out_of_descriptors("echo --model pool --workers 64 --accept mutex");
}

#[test]
fn workers_that_accept_all_at_once_tell_clients_that_they_are_out_of_descriptors() {
    out_of_descriptors("echo --model pool --workers 64 --accept free");
}

#[test]
fn workers_with_a_listener_each_tell_clients_that_they_are_out_of_descriptors() {
    // A listener is a descriptor, too: 20 of them, as many again for clients, if there were no others.
    out_of_so_many_descriptors("-n 48", "echo --model pool --workers 20 --accept reuseport");
}

#[test]
fn select_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model select");
}

#[test]
fn poll_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model poll");
}

#[test]
fn epoll_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model epoll");
}

#[test]
fn leader_followers_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model leader-followers --workers 4");
}

#[test]
fn hybrid_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model hybrid --workers 4");
}

#[test]
#[cfg(target_os = "linux")]
fn uring_tells_clients_that_it_is_out_of_descriptors() {
    out_of_descriptors("echo --model uring");
}

#[test]
fn iterative_needs_descriptors_for_one_client_only() {
    let server = Serving::of(limited("-n 40", &serve("echo --model iterative")));
    let mut queue: Vec<Peer> = (0..60).map(|_| Peer::connect(server.addr)).collect();
    for peer in &mut queue {
        peer.send("hello\n");
    }
    for mut peer in queue {
        assert_eq!(peer.line(), "hello");
        peer.leave();
    }
    let ended = server.drained();
    assert!(
        ended.err.contains("accepted=60 refused=0 "),
        "{}",
        ended.err
    );
}

#[test]
fn a_thread_that_cannot_be_started_costs_its_client_only() {
    // 2 GiB of address space: room for a few stacks of 512 MiB.
    let args = serve("echo --model thread --stack-size 512MiB");
    let server = Serving::of(limited("-v 2097152", &args));
    let mut crowd = Crowd::default();
    crowd.come(server.addr, 8);
    let (served, refused) = (crowd.served.len(), crowd.refused.len());
    assert!(
        served >= 1 && refused >= 3,
        "{served} served, {refused} refused"
    );
    crowd.are_still_served();
    crowd.were_told("error: server could not start a thread for you");
    crowd.leave(1);
    crowd.come_until_served(server.addr);
    crowd.are_still_served();
    let ended = server.drained();
    assert!(ended.err.contains(&crowd.counts()), "{}", ended.err);
}

#[test]
fn a_descriptor_past_the_end_of_an_fd_set_costs_its_client_only() {
    const CLIENTS: usize = 1_060;
    const NEEDED: u64 = 1_200;
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < NEEDED) {
        eprintln!("skipped: it takes {NEEDED} descriptors, and ulimit -Hn allows {limit:?}");
        return;
    }
    if limit.current.is_some_and(|now| now < NEEDED) {
        let raised = Rlimit {
            current: Some(NEEDED),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised).unwrap();
    }
    let server = Serving::start("echo --model select");
    let mut crowd = Crowd::default();
    crowd.come(server.addr, CLIENTS);
    let (served, refused) = (crowd.served.len(), crowd.refused.len());
    assert!(served < 1_024 && served > 1_000, "{served} served");
    assert_eq!(refused, CLIENTS - served);
    for line in &crowd.refused {
        let number = line
            .strip_prefix("error: descriptor ")
            .and_then(|rest| rest.strip_suffix(" is out of select's reach: FD_SETSIZE is 1024"))
            .and_then(|number| number.parse::<u32>().ok());
        assert!(number.is_some_and(|number| number >= 1_024), "{line}");
    }
    crowd.are_still_served();
    crowd.leave(1);
    crowd.come_until_served(server.addr);
    let ended = server.drained();
    assert!(ended.err.contains(&crowd.counts()), "{}", ended.err);
}

/// `serve` under strace, which makes system calls fail as `inject` says; `None` when there is no strace that works.
fn unlucky(inject: &str, args: &str) -> Option<Command> {
    let works = Command::new("strace")
        .args(["-D", "-f", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    if !works.as_ref().is_ok_and(std::process::ExitStatus::success) {
        eprintln!("skipped: it takes strace, and strace says {works:?}");
        return None;
    }
    let mut command = Command::new("strace");
    // -D: the server is our own child, and strace leaves with it.
    command.args(["-D", "-f", "-q", "-o", "/dev/null"]);
    command.args(["-e", inject, GUARDHOUSE]).args(serve(args));
    Some(piped(command))
}

const MODELS: [&str; 12] = [
    "iterative",
    "thread",
    "pool",
    "pool --accept mutex",
    "pool --accept free",
    "pool --accept reuseport",
    "leader-followers",
    "select",
    "poll",
    "epoll",
    "hybrid",
    "uring",
];

/// Their children are under strace, too.
const MODELS_OF_PROCESSES: [&str; 2] = ["process", "prefork"];

#[test]
fn interrupted_system_calls_lose_nobody_and_nothing() {
    let chats = MODELS.map(|model| ("chat", model));
    let echoes = MODELS_OF_PROCESSES.map(|model| ("echo", model));
    for (service, model) in chats.into_iter().chain(echoes) {
        let talking = "recvfrom,recvmsg,sendto,sendmsg,accept4";
        let waiting =
            "poll,ppoll,select,pselect6,epoll_wait,epoll_pwait,epoll_pwait2,io_uring_enter";
        let inject = format!("inject={talking},{waiting}:error=EINTR:when=2+3");
        let Some(command) = unlucky(&inject, &format!("{service} --model {model}")) else {
            return;
        };
        let server = Serving::of(command);
        let said = numbered_lines("", 40);
        for _ in 0..3 {
            let pieces: Vec<&[u8]> = said.as_bytes().chunks(7).collect();
            let heard = Peer::connect(server.addr).pour(&pieces);
            assert_eq!(String::from_utf8(heard).unwrap(), said, "{model}");
        }
        // Not by a signal: the pipe that wakes a thread for it never says EINTR outside of strace, and is
        // not asked twice.
        server.err.until("all three have ended well", |log| {
            log.matches("why=the client ended lost=0").count() == 3
        });
    }
}

#[test]
fn connections_that_break_before_they_are_accepted_cost_nobody_else_anything() {
    for model in MODELS.into_iter().chain(MODELS_OF_PROCESSES) {
        if model == "uring" {
            // Its kernel accepts without being called.
            continue;
        }
        let inject = "inject=accept4:error=ECONNABORTED:when=1+2";
        let Some(command) = unlucky(inject, &format!("echo --model {model}")) else {
            return;
        };
        let server = Serving::of(command);
        for _ in 0..5 {
            Peer::greeted(server.addr, "hello").leave();
        }
        let ended = server.drained();
        assert!(
            ended.err.contains("accepted=5 refused=0 "),
            "{model}: {}",
            ended.err
        );
        assert!(!ended.err.contains("aborted=0 "), "{model}: {}", ended.err);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_connection_that_is_broken_when_the_kernel_hands_it_over_costs_nobody_else_anything() {
    let inject = "inject=getpeername:error=ENOTCONN:when=1+2";
    let Some(command) = unlucky(inject, "echo --model uring") else {
        return;
    };
    let server = Serving::of(command);
    for _ in 0..3 {
        assert_eq!(Peer::connect(server.addr).rest(), "");
        Peer::greeted(server.addr, "hello").leave();
    }
    let ended = server.drained();
    assert!(
        ended.err.contains("accepted=3 refused=0 aborted=3 "),
        "{}",
        ended.err
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_kernel_without_what_io_uring_takes_is_told_from_one_that_forbids_it() {
    for (inject, says) in [
        ("io_uring_setup:error=ENOSYS", "CONFIG_IO_URING"),
        ("io_uring_setup:error=EINVAL", "Linux 6.1"),
        (
            "io_uring_setup:error=EPERM",
            "io_uring_setup(2) is forbidden",
        ),
        ("io_uring_setup:error=EMFILE", "ulimit -n"),
        ("io_uring_register:error=EINVAL", "Linux 5.19"),
        (
            "io_uring_enter:error=EPERM",
            "io_uring_enter(2) is forbidden",
        ),
    ] {
        let Some(mut command) = unlucky(&format!("inject={inject}"), "echo --model uring") else {
            return;
        };
        let refused = command.output().unwrap();
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{inject}: {told}");
        assert!(
            told.contains("--model uring cannot run here: ") && told.contains(says),
            "{inject}: {told}"
        );
    }
}

#[test]
fn a_process_that_cannot_be_started_costs_its_client_only() {
    // The thread that accepts makes nothing else by this call, and no thread of a child gets so far.
    let inject = "inject=clone3:error=EAGAIN:when=4..6";
    let Some(command) = unlucky(inject, "echo --model process") else {
        return;
    };
    let server = Serving::of(command);
    let mut crowd = Crowd::default();
    crowd.come(server.addr, 8);
    assert_eq!((crowd.served.len(), crowd.refused.len()), (5, 3));
    crowd.are_still_served();
    crowd.were_told("error: server could not start a process for you");
    let ended = server.drained();
    assert!(ended.err.contains(&crowd.counts()), "{}", ended.err);
}

#[test]
fn process_tells_clients_that_it_is_out_of_descriptors() {
    let server = Serving::of(limited("-n 40", &serve("echo --model process")));
    let mut crowd = Crowd::default();
    crowd.come(server.addr, 60);
    let (served, refused) = (crowd.served.len(), crowd.refused.len());
    assert!(
        served >= 10 && refused >= 10,
        "{served} served, {refused} refused"
    );
    crowd.are_still_served();
    crowd.were_told("error: server is out of file descriptors");
    crowd.leave(5);
    crowd.come_until_served(server.addr);
    crowd.are_still_served();
    let ended = server.drained();
    assert!(ended.err.contains(&crowd.counts()), "{}", ended.err);
}
