//! `news doctor` names the reason that holds: on the loopback interface, and on hosts with something wrong with them.

mod hosts;

use crate::child::{Ended, Program};
use crate::stage::{NewsFile, Port, on_loopback, receiver};
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process;
use std::time::Duration;

/// A group that no other test joins: who is a member of it is part of what is looked at.
struct OwnGroup {
    port: Port,
    ip: [u8; 3],
}

impl OwnGroup {
    fn new() -> Self {
        Self {
            port: Port::free(),
            ip: [fastrand::u8(..), fastrand::u8(..), fastrand::u8(1..255)],
        }
    }

    fn addr(&self) -> String {
        self.at(self.port.number())
    }

    fn at(&self, port: u16) -> String {
        let [a, b, c] = self.ip;
        format!("239.{a}.{b}.{c}:{port}")
    }

    fn join(&self, socket: &UdpSocket) {
        let [a, b, c] = self.ip;
        let group = Ipv4Addr::new(239, a, b, c);
        let joined = socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST);
        joined.unwrap();
    }

    fn arg(&self) -> String {
        format!("--group {}", self.addr())
    }
}

/// The last line, which is the verdict; it is the reason where the exit code says that there is one.
fn last_line(ended: &Ended) -> String {
    assert_eq!(ended.err, "", "{ended:?}");
    let last = ended.out.lines().last().unwrap_or_default();
    let code = i32::from(last.starts_with("the reason: "));
    assert_eq!(ended.code, Some(code), "{ended:?}");
    last.to_owned()
}

/// That the reason is this one, and told with these words.
fn the_reason_is(ended: &Ended, name: &str, words: &[&str]) {
    let last = last_line(ended);
    let reason = last.strip_prefix(&format!("the reason: {name}: "));
    let reason = reason.unwrap_or_else(|| panic!("it is not {name}: {}", ended.out));
    for word in words {
        assert!(reason.contains(word), "no {word:?}: {reason}");
    }
}

fn there_is_none(ended: &Ended) {
    let last = last_line(ended);
    assert!(last.starts_with("no reason"), "{}", ended.out);
}

fn doctor(args: &str) -> Ended {
    on_loopback(&format!("doctor --listen 200ms {args}")).ended()
}

/// A sender that goes on for as long as it is there, and sends already.
fn sending(args: &str, file: &NewsFile) -> Program {
    under_way(on_loopback(&format!(
        "send --interval 20ms --repeat {args} {file}"
    )))
}

fn under_way(sender: Program) -> Program {
    sender
        .err
        .until("that it sends", |err| err.contains("sending to "));
    sender
}

/// Bound to all addresses, and willing to share the port.
fn open_to_all() -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_reuse_address(true).unwrap();
    let any: SocketAddr = ([0, 0, 0, 0], 0).into();
    socket.bind(&any.into()).unwrap();
    let socket = UdpSocket::from(socket);
    let patience = Duration::from_secs(10);
    socket.set_read_timeout(Some(patience)).unwrap();
    socket
}

#[test]
fn without_a_receiver_all_is_in_order_and_the_hints_say_what_else_it_could_be() {
    let group = OwnGroup::new();
    let ended = doctor(&group.arg());
    there_is_none(&ended);
    for word in ["nobody on this host has joined", "came back to us", "hint"] {
        assert!(ended.out.contains(word), "no {word:?}: {}", ended.out);
    }
}

#[test]
fn a_running_receiver_is_seen_with_its_name_its_process_and_its_interface() {
    let group = OwnGroup::new();
    let receiver = receiver(&group.arg());
    let ended = doctor(&group.arg());
    there_is_none(&ended);
    let pid = receiver.pid().as_raw_nonzero();
    for word in [
        "1 socket on lo".to_owned(),
        format!("guardhouse (process {pid}, at {})", group.addr()),
    ] {
        assert!(ended.out.contains(&word), "no {word:?}: {}", ended.out);
    }
}

#[test]
fn what_comes_is_counted_and_reaches_the_receiver_all_the_same() {
    let group = OwnGroup::new();
    let heard = receiver(&group.arg());
    let file = NewsFile::of("news\n");
    let _sender = sending(&group.arg(), &file);
    let ended = doctor(&group.arg());
    there_is_none(&ended);
    assert!(last_line(&ended).contains("came to"), "{}", ended.out);
    // Not one line more than was sent, and none of the doctor's.
    let out = heard.out.until("news", |out| out.contains('\n'));
    assert!(out.lines().all(|line| line == "news"), "{out:?}");
}

#[test]
fn a_program_that_does_not_share_the_port_is_named() {
    let group = OwnGroup::new();
    let taken = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let ended = doctor(&format!("--group {}", group.at(port)));
    let whom = format!("process {}", process::id());
    the_reason_is(&ended, "port", &["not shared", &whom, "SO_REUSEADDR"]);
}

#[test]
fn an_interface_that_is_not_there_is_answered_with_those_that_are() {
    let args = "news doctor --listen 0s --interface no-such0";
    let args: Vec<&str> = args.split_whitespace().collect();
    let ended = Program::start(crate::child::guardhouse(&args)).ended();
    the_reason_is(&ended, "interface", &["no-such0", "lo"]);
}

#[test]
fn neither_ttl_nor_loop_is_heard_by_nobody() {
    let group = OwnGroup::new();
    let ended = doctor(&format!("{} --ttl 0 --loop off", group.arg()));
    the_reason_is(&ended, "ttl", &["nobody could hear it"]);
}

#[test]
fn another_group_of_the_port_leaks_into_who_is_bound_to_all_addresses() {
    let leaky = open_to_all();
    let port = leaky.local_addr().unwrap().port();
    let own = OwnGroup::new();
    own.join(&leaky);
    let [group, other] = [own, OwnGroup::new()].map(|group| group.at(port));
    let other_arg = format!("--group {other}");
    let _joined = receiver(&other_arg);
    let file = NewsFile::of("for others\n");
    let _sender = sending(&other_arg, &file);

    let ended = doctor(&format!("--group {group}"));
    let whom = format!("process {}", process::id());
    the_reason_is(&ended, "others", &[&other, "leaks into", &whom]);
    // And it does.
    let mut bytes = [0; 64];
    let (length, _) = leaky.recv_from(&mut bytes).unwrap();
    assert_eq!(&bytes[..length], b"for others\n");

    // Where nobody is open to all, it is the other receiver's; or sender and receiver named different groups.
    drop(leaky);
    let ended = doctor(&format!("--group {group}"));
    there_is_none(&ended);
    let told = format!("and nothing to {group}; if these are the news");
    assert!(ended.out.contains(&told), "{}", ended.out);
}

#[test]
fn what_is_for_one_receiver_alone_is_not_taken_from_it() {
    let receiver = open_to_all();
    let port = receiver.local_addr().unwrap().port();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let doctor = on_loopback(&format!(
        "doctor --listen 300ms --group {}",
        OwnGroup::new().at(port)
    ));
    let mut bytes = [0; 8];
    let mut count = 0_u64;
    while !doctor.out.so_far().contains("reason") {
        sender
            .send_to(&count.to_be_bytes(), ("127.0.0.1", port))
            .unwrap();
        let (length, _) = receiver.recv_from(&mut bytes).expect("nobody took it");
        assert_eq!(bytes[..length], count.to_be_bytes());
        count += 1;
    }
    // And it is told what it lacks.
    let whom = format!("process {}", process::id());
    the_reason_is(
        &doctor.ended(),
        "membership",
        &["nobody", &whom, "let it join"],
    );
    assert!(count > 0);
}

#[test]
fn a_broadcast_has_its_own_way() {
    let port = Port::free();
    let ended = doctor(&port.broadcast());
    there_is_none(&ended);
    assert!(!ended.out.contains("membership"), "{}", ended.out);
    let ended = doctor(&format!("--broadcast 10.78.9.255:{}", port.number()));
    the_reason_is(&ended, "address", &["10.78.9.255", "127.255.255.255"]);
}

#[test]
fn json_says_the_same() {
    let group = OwnGroup::new();
    let ended = doctor(&format!("{} --ttl 0 --loop off --json", group.arg()));
    assert_eq!((ended.code, &ended.err[..]), (Some(1), ""));
    let told: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(told["reason"], "ttl");
    assert_eq!(told["audience"], group.addr());
    assert_eq!(told["interface"], "lo");
    assert_eq!(told["heard"], 0);
    let checks = told["checks"].as_array().unwrap();
    let ttl = checks.iter().find(|check| check["name"] == "ttl").unwrap();
    assert_eq!(ttl["verdict"], "problem");
    assert!(ttl["advice"].is_string(), "{ttl}");
}
