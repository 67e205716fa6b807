//! What can be wrong on the way out of the sender.

use super::*;

#[test]
fn a_group_of_each_link_needs_an_interface() {
    Host::but(|question, findings| {
        question.audience = group("[ff02::77]:7777");
        question.interface = None;
        findings.unpinned = Ok(ip("fd77:2::1"));
        findings.memberships = Ok(Vec::new());
    })
    .ails("address", &["ff02::77", "name the interface"]);
}

#[test]
fn an_address_on_one_link_and_an_interface_that_is_another() {
    Host::but(|question, findings| {
        question.audience = group("[ff02::77%3]:7777");
        findings.memberships = Ok(Vec::new());
    })
    .ails("address", &["interface 3", "2"]);
}

#[test]
fn an_address_that_is_no_networks_broadcast() {
    Host::but(|question, _| {
        question.audience = Audience::Broadcast("10.88.0.255:7777".parse().expect("an address"));
    })
    .ails(
        "address",
        &["10.88.0.255", "10.77.2.255", "255.255.255.255"],
    );
}

#[test]
fn an_interface_that_is_not_there() {
    Host::but(|question, findings| {
        question.interface = Some(Wanted::Name("wlan7".into()));
        findings.pinned = None;
    })
    .ails("interface", &["wlan7", "lo, eth0, eth1"]);
}

#[test]
fn an_interface_that_is_down() {
    Host::but(|_, findings| eth0(findings).up = false)
        .ails("interface", &["down", "ip link set eth0 up"]);
}

#[test]
fn an_interface_without_a_link() {
    Host::but(|_, findings| eth0(findings).running = false)
        .ails("interface", &["no link", "cable"]);
}

#[test]
fn an_interface_without_multicast() {
    Host::but(|_, findings| eth0(findings).multicast = false)
        .ails("interface", &["MULTICAST", "multicast on"]);
}

#[test]
fn a_broadcast_needs_no_multicast() {
    Host::but(|question, findings| {
        question.audience = Audience::Broadcast("10.77.2.255:7777".parse().expect("an address"));
        eth0(findings).multicast = false;
    })
    .fares_well();
}

#[test]
fn an_interface_without_an_address_of_the_family() {
    Host::but(|_, findings| {
        eth0(findings).v4.clear();
    })
    .ails("interface", &["no IPv4 address", "receiver"]);
    Host::but(|_, findings| {
        eth0(findings).v4.clear();
        heard(findings);
    })
    .fares_well();
    Host::but(|question, findings| {
        question.audience = group("[ff15::77]:7777");
        findings.memberships = Ok(Vec::new());
        eth0(findings).v6.clear();
    })
    .ails("interface", &["no IPv6 address"]);
}

#[test]
fn the_loopback_carries_groups_of_ipv4_and_none_of_ipv6() {
    let on_loopback = |question: &mut Question, findings: &mut Findings| {
        question.interface = Some(Wanted::Name("lo".into()));
        findings.memberships = Ok(vec![member(1)]);
    };
    Host::but(on_loopback).fares_well();
    Host::but(|question, findings| {
        on_loopback(question, findings);
        question.audience = group("[ff15::77]:7777");
    })
    .ails("interface", &["lo", "MULTICAST"]);
}

#[test]
fn no_route_and_no_interface_named() {
    let why = "cannot find a way to 224.1.1.2:7777: Network is unreachable; no route leads there";
    Host::but(|question, findings| {
        question.interface = None;
        findings.pinned = None;
        findings.unpinned = Err(why.into());
        findings.memberships = Ok(Vec::new());
        findings.sockets = Ok(Vec::new());
    })
    .ails("route", &["unreachable", "no route leads there"]);
    // Named, it needs none.
    Host::but(|_, findings| findings.unpinned = Err(why.into())).fares_well();
}

#[test]
fn no_route_by_the_interface_that_was_named() {
    let why = "cannot find a way to [ff15::77]:7777: Network is unreachable; add a route";
    Host::but(|_, findings| findings.pinned = Some(Err(why.into())))
        .ails("route", &["unreachable", "add a route"]);
}

#[test]
fn another_interface_for_who_names_none_is_told() {
    let diagnosis = Host::but(|_, findings| findings.unpinned = Ok(ip("10.77.3.1"))).fares_well();
    let route = diagnosis.checks.iter().find(|check| check.name == "route");
    let route = &route.expect("it is looked at").found;
    assert!(route.contains("joins by eth1"), "{route}");
}

#[test]
fn a_ttl_of_0() {
    Host::but(|question, _| question.ttl = 0).ails("ttl", &["never leaves", "TTL of 1"]);
    Host::but(|question, findings| {
        question.ttl = 0;
        heard(findings);
    })
    .fares_well();
    Host::but(|question, _| {
        question.audience =
            Audience::Broadcast("255.255.255.255:7777".parse().expect("an address"));
        question.ttl = 0;
    })
    .ails("ttl", &["broadcast", "TTL of 1"]);
}

#[test]
fn no_loop() {
    Host::but(|question, _| question.loops = false).ails("loop", &["own host", "loop on"]);
    Host::but(|question, findings| {
        question.loops = false;
        heard(findings);
    })
    .fares_well();
    Host::but(|question, findings| {
        question.interface = Some(Wanted::Name("lo".into()));
        findings.memberships = Ok(vec![member(1)]);
        question.loops = false;
    })
    .fares_well();
    Host::but(|question, _| {
        question.audience =
            Audience::Broadcast("255.255.255.255:7777".parse().expect("an address"));
        question.loops = false;
    })
    .ails("loop", &["always heard"]);
}

#[test]
fn neither_ttl_nor_loop() {
    for name in ["lo", "eth0"] {
        Host::but(|question, findings| {
            question.interface = Some(Wanted::Name(name.into()));
            findings.memberships = Ok(Vec::new());
            findings.sockets = Ok(Vec::new());
            (question.ttl, question.loops) = (0, false);
        })
        .ails("ttl", &["nobody could hear it", "TTL"]);
    }
}

#[test]
fn a_group_of_a_source_without_one() {
    Host::but(|question, findings| {
        question.audience = group("232.1.1.2:7777");
        findings.memberships = Ok(Vec::new());
    })
    .ails("sources", &["232.1.1.2", "source"]);
}

#[test]
fn a_source_of_the_other_family() {
    Host::but(|question, _| question.sources = vec![ip("fd77::1")])
        .ails("sources", &["fd77::1", "family"]);
}

#[test]
fn an_address_that_does_not_tell_by_which_interface_is_no_reason() {
    let from = |own: &str, change: fn(&mut Findings)| {
        Host::but(|question, findings| {
            question.interface = None;
            findings.pinned = None;
            findings.unpinned = Ok(ip(own));
            change(findings);
        })
    };
    // A route that gives an address of the loopback, and one that two have.
    let on_loopback = |findings: &mut Findings| {
        let all = findings.interfaces.as_mut().expect("made up");
        all[0].v4.push((Ipv4Addr::new(10, 55, 0, 2), 32));
    };
    let on_both = |findings: &mut Findings| {
        let all = findings.interfaces.as_mut().expect("made up");
        let shared = all[1].v4[0];
        all[2].v4.push(shared);
    };
    for host in [from("10.55.0.2", on_loopback), from("10.77.2.1", on_both)] {
        let diagnosis = host.fares_well();
        assert!(told(&diagnosis, "interface").contains("name it"));
    }
}
