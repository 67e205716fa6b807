//! The doctor on hosts of their own, in which anything can be broken.

use super::{last_line, the_reason_is, there_is_none, under_way};
use crate::child::{Ended, Program};
use crate::common::wait_until;
use crate::netns::{Host, Network};
use crate::stage::{NewsFile, listening};

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
