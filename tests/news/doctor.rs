//! `news doctor` names the reason that holds: on the loopback interface, and on hosts with something wrong with them.

use crate::child::{Ended, Program};
use crate::common::wait_until;
use crate::netns::{Host, Network};
use crate::stage::{NewsFile, Port, listening, on_loopback, receiver};
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

// On hosts of their own, in which anything can be broken.

const GROUP: &str = "--group 224.1.1.2:7777";

fn on(host: Host<'_>, args: &str) -> Ended {
    host.guardhouse(&format!("news doctor --listen 300ms {args}"))
        .ended()
}

/// Sends to its `eth0`, or another interface, for as long as it is there.
fn sending_from(host: Host<'_>, args: &str, file: &NewsFile) -> Program {
    under_way(host.guardhouse(&format!("news send --interval 20ms --repeat {args} {file}")))
}

/// Another network, on which nobody else is.
fn second_interface(host: Host<'_>) {
    host.ip("link add eth1 type veth peer name far\n\
             addr add 10.78.0.1/24 dev eth1\n\
             link set far up\n\
             link set eth1 up\n");
    wait_until("the link", || {
        let told = host.run("ip", &["-o", "link", "show", "eth1"]);
        told.out.contains("state UP")
    });
}

fn set(host: Host<'_>, what: &str) {
    let ended = host.run("sysctl", &["-w", what]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn news_of_another_host_are_heard_by_group_by_source_by_ipv6_and_by_broadcast() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    let file = NewsFile::of("news\n");
    let [one, two] = [1, 2].map(|number| network.host(number));
    for (to, source) in [
        (GROUP, ""),
        ("--group 232.1.1.2:7777", "--source 10.77.0.1"),
        ("--group [ff15::77]:7777", ""),
        ("--group [ff02::77]:7777", ""),
        ("--group [ff35::77]:7777", "--source fd77::1"),
        ("--broadcast 255.255.255.255:7777", ""),
    ] {
        let _sender = sending_from(one, &format!("--interface eth0 {to}"), &file);
        let ended = on(two, &format!("--interface eth0 {to} {source}"));
        there_is_none(&ended);
        assert!(last_line(&ended).contains("came to"), "{}", ended.out);
    }
}

#[test]
fn without_a_route_nobody_knows_by_which_interface() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    let host = network.host(1);
    there_is_none(&on(host, GROUP));
    host.ip("route del 224.0.0.0/4 dev eth0\n");
    the_reason_is(&on(host, GROUP), "route", &["unreachable", "ip route add"]);
    there_is_none(&on(host, &format!("{GROUP} --interface eth0")));
}

#[test]
fn an_interface_tells_what_it_lacks() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    let host = network.host(1);
    let args = format!("{GROUP} --interface eth0");
    host.ip("link set eth0 multicast off\n");
    the_reason_is(&on(host, &args), "interface", &["eth0", "MULTICAST"]);
    host.ip("link set eth0 multicast on\n");
    there_is_none(&on(host, &args));
    network.cut(1);
    the_reason_is(&on(host, &args), "interface", &["eth0", "no link"]);
    network.mend(1);
    host.ip("link set eth0 down\n");
    the_reason_is(&on(host, &args), "interface", &["eth0", "down"]);
}

#[test]
fn the_loopback_carries_ipv6_groups_only_when_told_to() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    let host = network.host(1);
    let args = "--group [ff15::77]:7777 --interface lo";
    the_reason_is(&on(host, args), "interface", &["lo", "MULTICAST"]);
    host.ip("link set lo multicast on\n");
    the_reason_is(&on(host, args), "route", &["unreachable", "ff00::/8"]);
    host.ip("route add local ff00::/8 dev lo table local\n");
    there_is_none(&on(host, args));
}

#[test]
fn a_receiver_that_joined_on_another_interface_is_found() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    let host = network.host(1);
    second_interface(host);
    let _wrong = listening(host.guardhouse(&format!("news receive {GROUP} --interface eth1")));
    for args in ["--interface eth0", ""] {
        let ended = on(host, &format!("{GROUP} {args}"));
        the_reason_is(&ended, "membership", &["1 socket on eth1", "not on eth0"]);
    }
    there_is_none(&on(host, &format!("{GROUP} --interface eth1")));

    // With one on each, what comes is told; it may be for the other.
    let _right = listening(host.guardhouse(&format!("news receive {GROUP} --interface eth0")));
    let file = NewsFile::of("news\n");
    let _sender = sending_from(host, &format!("{GROUP} --interface eth1"), &file);
    let ended = on(host, &format!("{GROUP} --interface eth0"));
    there_is_none(&ended);
    let told = "by eth1, where somebody has joined, and nothing by eth0";
    assert!(ended.out.contains(told), "{}", ended.out);
}

#[test]
fn a_receiver_of_another_source_is_found() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    let host = network.host(1);
    for (group, theirs, ours) in [
        ("--group 232.1.1.2:7777", "10.77.0.2", "10.77.0.3"),
        ("--group [ff35::77]:7777", "fd77::2", "fd77::3"),
    ] {
        let args = format!("{group} --interface eth0 --source");
        let _receiver = listening(host.guardhouse(&format!("news receive {args} {theirs}")));
        let ended = on(host, &format!("{args} {ours}"));
        the_reason_is(&ended, "membership", &[theirs, "not for", ours]);
        there_is_none(&on(host, &format!("{args} {theirs}")));
    }
}

#[test]
fn a_sender_whom_the_way_back_does_not_lead_to_is_filtered() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    let [one, two] = [1, 2].map(|number| network.host(number));
    // The sender has an address of a network that the receiver believes to be elsewhere.
    one.ip("addr add 10.78.0.9/24 dev eth0\n");
    second_interface(two);
    let file = NewsFile::of("news\n");
    let _sender = sending_from(one, &format!("{GROUP} --interface 10.78.0.9"), &file);
    let args = format!("{GROUP} --interface eth0");
    for mode in ["all", "eth0"] {
        set(two, &format!("net.ipv4.conf.{mode}.rp_filter=0"));
    }
    let ended = on(two, &args);
    there_is_none(&ended);
    assert!(ended.out.contains("from 10.78.0.9"), "{}", ended.out);

    set(two, "net.ipv4.conf.eth0.rp_filter=1");
    the_reason_is(&on(two, &args), "rp_filter", &["dropped"]);
    let ended = on(two, &format!("{args} --source 10.78.0.9"));
    the_reason_is(&ended, "rp_filter", &["strict", "10.78.0.9", "by eth1"]);
}

#[test]
fn a_broadcast_to_another_address_is_overheard() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    let [one, two] = [1, 2].map(|number| network.host(number));
    let file = NewsFile::of("news\n");
    let _sender = sending_from(one, "--broadcast 10.77.0.255:7777 --interface eth0", &file);
    for args in [
        "--broadcast 255.255.255.255:7777 --interface eth0",
        "--group 224.1.1.2:7777 --interface eth0",
    ] {
        the_reason_is(
            &on(two, args),
            "others",
            &["10.77.0.255:7777", "nothing to"],
        );
    }
}
