//! Made-up findings: a host where all is in order, and each thing that can be wrong on it, alone.

use super::*;
use crate::datagram::audience::Group;
use crate::datagram::doctor::findings::{
    Bound, Filter, Listened, Membership, Other, Probe, Refused,
};
use std::net::Ipv4Addr;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn interface(name: &str, index: u32, last: u8) -> Interface {
    Interface {
        name: name.into(),
        index,
        v4: vec![(Ipv4Addr::new(10, 77, index as u8, last), 24)],
        v6: vec![format!("fd77:{index}::{last}").parse().expect("an address")],
        up: true,
        running: true,
        multicast: true,
        loopback: false,
    }
}

fn loopback() -> Interface {
    Interface {
        v4: vec![(Ipv4Addr::LOCALHOST, 8)],
        multicast: false,
        loopback: true,
        ..interface("lo", 1, 1)
    }
}

fn member(index: u32) -> Membership {
    Membership {
        index,
        group: ip("224.1.1.2"),
        users: 1,
    }
}

fn bound(addr: &str) -> Bound {
    Bound {
        addr: addr.parse().expect("an address"),
        uid: 1000,
        inode: 1,
        waiting: 0,
        dropped: 0,
        program: Some(("python3".into(), 4242)),
    }
}

fn other(to: &str, index: u32) -> Other {
    Other {
        to: ip(to),
        index,
        heard: Heard {
            count: 3,
            from: vec![ip("10.77.2.9")],
        },
    }
}

/// A case to be made worse: 224.1.1.2:7777 by `eth0`, beside an `eth1`.
struct Host {
    question: Question,
    findings: Findings,
}

impl Host {
    fn healthy() -> Self {
        Self {
            question: Question {
                audience: Audience::Group(Group::TUTORIAL),
                interface: Some(Wanted::Name("eth0".into())),
                sources: Vec::new(),
                ttl: 1,
                loops: true,
            },
            findings: Findings {
                interfaces: Ok(vec![
                    loopback(),
                    interface("eth0", 2, 1),
                    interface("eth1", 3, 1),
                ]),
                unpinned: Ok(ip("10.77.2.1")),
                pinned: Some(Ok(ip("10.77.2.1"))),
                memberships: Ok(vec![member(2)]),
                filters: Ok(Vec::new()),
                sockets: Ok(vec![bound("224.1.1.2:7777")]),
                rp_filter: Ok(vec![("all".into(), 0), ("eth0".into(), 0)]),
                ways_back: Vec::new(),
                probe: Ok(Probe::CameBack),
                listened: Ok(Listened {
                    filtered: Some(0),
                    ..Listened::default()
                }),
            },
        }
    }

    fn but(change: impl FnOnce(&mut Question, &mut Findings)) -> Self {
        let mut host = Self::healthy();
        change(&mut host.question, &mut host.findings);
        host
    }

    fn diagnosis(&self) -> Diagnosis {
        diagnose(&self.question, &self.findings)
    }

    /// Finds that this alone is a problem, and that it is told with these words.
    fn ails(self, name: &str, words: &[&str]) {
        let diagnosis = self.diagnosis();
        let problems = diagnosis.checks.iter();
        let problems: Vec<_> = problems
            .filter(|check| check.verdict == Verdict::Problem)
            .collect();
        let names: Vec<_> = problems.iter().map(|check| check.name).collect();
        assert_eq!(names, [name], "{diagnosis:#?}");
        assert_eq!(diagnosis.reason, Some(name));
        let told = format!(
            "{}; {}",
            problems[0].found,
            problems[0].advice.as_deref().unwrap_or("")
        );
        for word in words {
            assert!(told.contains(word), "no {word:?}: {told}");
        }
        assert!(problems[0].advice.is_some(), "nothing to do: {told}");
        assert!(diagnosis.hints.is_empty());
    }

    fn is_well(self) -> Diagnosis {
        let diagnosis = self.diagnosis();
        assert_eq!(diagnosis.reason, None, "{diagnosis:#?}");
        diagnosis
    }
}

fn eth0(findings: &mut Findings) -> &mut Interface {
    &mut findings.interfaces.as_mut().expect("made up")[1]
}

fn listened(findings: &mut Findings) -> &mut Listened {
    findings.listened.as_mut().expect("made up")
}

fn heard(findings: &mut Findings) {
    listened(findings).heard.note(ip("10.77.2.9"));
}

fn group(text: &str) -> Audience {
    Audience::Group(text.parse().expect("a group"))
}

#[test]
fn where_all_is_in_order_there_is_no_reason_but_hints() {
    let diagnosis = Host::healthy().is_well();
    assert_eq!(diagnosis.heard, Some(0));
    assert!(diagnosis.hints.len() > 2);
    assert_eq!(diagnosis.interface.as_deref(), Some("eth0"));
}

#[test]
fn where_something_comes_there_are_no_hints() {
    let diagnosis = Host::but(|_, findings| heard(findings)).is_well();
    assert_eq!(diagnosis.heard, Some(1));
    assert!(diagnosis.hints.is_empty());
}

#[test]
fn no_receiver_yet_is_no_reason() {
    Host::but(|_, findings| {
        findings.memberships = Ok(Vec::new());
        findings.sockets = Ok(Vec::new());
    })
    .is_well();
}

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
    .is_well();
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
    .is_well();
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
    Host::but(on_loopback).is_well();
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
    Host::but(|_, findings| findings.unpinned = Err(why.into())).is_well();
}

#[test]
fn no_route_by_the_interface_that_was_named() {
    let why = "cannot find a way to [ff15::77]:7777: Network is unreachable; add a route";
    Host::but(|_, findings| findings.pinned = Some(Err(why.into())))
        .ails("route", &["unreachable", "add a route"]);
}

#[test]
fn another_interface_for_who_names_none_is_told() {
    let diagnosis = Host::but(|_, findings| findings.unpinned = Ok(ip("10.77.3.1"))).is_well();
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
    .is_well();
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
    .is_well();
    Host::but(|question, findings| {
        question.interface = Some(Wanted::Name("lo".into()));
        findings.memberships = Ok(vec![member(1)]);
        question.loops = false;
    })
    .is_well();
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
fn joined_on_another_interface() {
    Host::but(|_, findings| findings.memberships = Ok(vec![member(3)]))
        .ails("membership", &["1 socket on eth1", "not on eth0"]);
    // On both, the receiver that is meant may be either.
    Host::but(|_, findings| findings.memberships = Ok(vec![member(3), member(2)])).is_well();
}

#[test]
fn joined_where_nobody_sends_who_names_no_interface() {
    Host::but(|question, findings| {
        question.interface = None;
        findings.pinned = None;
        findings.memberships = Ok(vec![member(1)]);
    })
    .ails("membership", &["on lo", "not on eth0"]);
}

#[test]
fn joined_for_another_source() {
    let joined = |users, including| {
        Host::but(|question, findings| {
            question.sources = vec![ip("10.77.2.8")];
            findings.memberships = Ok(vec![Membership { users, ..member(2) }]);
            findings.filters = Ok(vec![Filter {
                index: 2,
                group: ip("224.1.1.2"),
                source: ip("10.77.2.9"),
                including,
            }]);
        })
    };
    joined(1, 1).ails(
        "membership",
        &["for what 10.77.2.9 sends", "not for 10.77.2.8"],
    );
    // The other one may have joined for everybody.
    joined(2, 1).is_well();
}

#[test]
fn a_port_that_is_taken() {
    let taken = |sockets| {
        Host::but(|_, findings| {
            findings.memberships = Ok(Vec::new());
            findings.sockets = Ok(sockets);
            listened(findings).refused = Some(Refused {
                in_use: true,
                why: "cannot bind".into(),
            });
        })
    };
    taken(vec![bound("0.0.0.0:7777")])
        .ails("port", &["python3", "4242", "0.0.0.0:7777", "SO_REUSEADDR"]);
    taken(Vec::new()).ails("port", &["cannot be seen"]);
    let nameless = Bound {
        program: None,
        ..bound("0.0.0.0:7777")
    };
    taken(vec![nameless]).ails("port", &["user 1000", "root"]);
}

#[test]
fn a_receiver_that_is_bound_to_one_host() {
    Host::but(|_, findings| findings.sockets = Ok(vec![bound("10.77.2.1:7777")])).ails(
        "port",
        &["python3", "10.77.2.1:7777", "bind it to 224.1.1.2:7777"],
    );
    // That may be something else, beside the receiver.
    Host::but(|_, findings| {
        findings.sockets = Ok(vec![bound("10.77.2.1:7777"), bound("224.1.1.2:7777")]);
    })
    .is_well();
}

#[test]
fn a_receiver_at_another_port() {
    Host::but(|_, findings| findings.sockets = Ok(Vec::new()))
        .ails("port", &["no socket", "7777", "another"]);
}

#[test]
fn a_receiver_that_does_not_read() {
    let stuck = Bound {
        waiting: 212_992,
        dropped: 17,
        ..bound("224.1.1.2:7777")
    };
    Host::but(|_, findings| findings.sockets = Ok(vec![stuck]))
        .ails("port", &["does not read", "212992", "17"]);
}

#[test]
fn a_strict_rp_filter_and_a_way_back_by_another_interface() {
    let strict = |mode, back: Result<IpAddr, String>| {
        Host::but(|question, findings| {
            question.sources = vec![ip("192.0.2.9")];
            findings.rp_filter = Ok(vec![("all".into(), 0), ("eth0".into(), mode)]);
            findings.ways_back = vec![(ip("192.0.2.9"), back)];
        })
    };
    strict(1, Ok(ip("10.77.3.1")))
        .ails("rp_filter", &["strict on eth0", "by eth1", "ip route add"]);
    strict(2, Err("no route".into())).ails("rp_filter", &["no way leads back"]);
    strict(2, Ok(ip("10.77.3.1"))).is_well();
    strict(1, Ok(ip("10.77.2.1"))).is_well();
    strict(0, Err("no route".into())).is_well();
}

#[test]
fn an_rp_filter_that_was_seen_to_drop() {
    Host::but(|_, findings| {
        findings.rp_filter = Ok(vec![("all".into(), 1), ("eth0".into(), 0)]);
        listened(findings).filtered = Some(4);
    })
    .ails("rp_filter", &["dropped 4 packets"]);
}

#[test]
fn a_datagram_of_ours_that_does_not_come_back() {
    Host::but(|_, findings| findings.probe = Ok(Probe::Lost))
        .ails("own test", &["did not come back", "firewall"]);
    let why = "cannot send 32 bytes to 224.1.1.2:7777: Operation not permitted; a firewall of this host forbids it";
    Host::but(|_, findings| findings.probe = Ok(Probe::Failed(why.into())))
        .ails("own test", &["not permitted", "firewall"]);
}

#[test]
fn a_receiver_that_cannot_be_opened() {
    Host::but(|_, findings| {
        listened(findings).refused = Some(Refused {
            in_use: false,
            why: "cannot join 224.1.1.2: No buffer space available; the kernel's limit is reached"
                .into(),
        });
    })
    .ails("listening", &["cannot join", "limit"]);
}

#[test]
fn news_that_come_by_another_interface() {
    Host::but(|_, findings| {
        findings.memberships = Ok(vec![member(2), member(3)]);
        listened(findings).others = vec![other("224.1.1.2", 3)];
    })
    .ails("listening", &["3 datagrams", "by eth1", "nothing by eth0"]);
}

#[test]
fn news_that_come_for_another_group() {
    Host::but(|_, findings| listened(findings).others = vec![other("224.1.1.3", 2)]).ails(
        "others",
        &["224.1.1.3:7777", "nothing to 224.1.1.2:7777", "10.77.2.9"],
    );
    // Both come, and nobody hears what is not for him.
    Host::but(|_, findings| {
        heard(findings);
        listened(findings).others = vec![other("224.1.1.3", 2)];
    })
    .is_well();
}

#[test]
fn another_group_that_leaks_into_a_receiver() {
    Host::but(|_, findings| {
        heard(findings);
        findings.sockets = Ok(vec![bound("0.0.0.0:7777")]);
        listened(findings).others = vec![other("224.1.1.3", 2)];
    })
    .ails(
        "others",
        &[
            "224.1.1.3:7777",
            "leaks into python3",
            "bind it to 224.1.1.2:7777",
        ],
    );
}

#[test]
fn the_reason_is_the_first_problem_of_the_way() {
    let host = Host::but(|question, findings| {
        eth0(findings).up = false;
        question.ttl = 0;
        findings.probe = Ok(Probe::Lost);
    });
    let diagnosis = host.diagnosis();
    assert_eq!(diagnosis.reason, Some("interface"));
    assert_eq!(diagnosis.reason().map(|check| check.name), diagnosis.reason);
}

#[test]
fn what_follows_from_a_problem_does_not_tell_it_again() {
    let why = "interface eth0 is down; switch it on";
    Host::but(|_, findings| {
        eth0(findings).up = false;
        findings.probe = Ok(Probe::Failed(why.into()));
        listened(findings).refused = Some(Refused {
            in_use: false,
            why: why.into(),
        });
    })
    .ails("interface", &["eth0 is down"]);
}

#[test]
fn what_cannot_be_looked_at_is_unknown_and_no_reason() {
    let nothing = || "this system has no such table".to_owned();
    let diagnosis = Host::but(|_, findings| {
        findings.memberships = Err(nothing());
        findings.filters = Err(nothing());
        findings.sockets = Err(nothing());
        findings.rp_filter = Err(nothing());
        findings.probe = Err(nothing());
        findings.listened = Err(nothing());
    })
    .is_well();
    let unknown = diagnosis.checks.iter();
    let unknown: Vec<_> = unknown
        .filter(|check| check.verdict == Verdict::Unknown)
        .map(|check| check.name)
        .collect();
    let expected = [
        "membership",
        "port",
        "rp_filter",
        "own test",
        "listening",
        "others",
    ];
    assert_eq!(unknown, expected);
    assert_eq!(diagnosis.heard, None);
    let without = Host::but(|_, findings| findings.interfaces = Err(nothing())).is_well();
    assert_eq!(without.interface, None);
}
