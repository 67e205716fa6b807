//! What can be wrong on the way into the receiver.

use super::*;

#[test]
fn joined_on_another_interface() {
    Host::but(|_, findings| findings.memberships = Ok(vec![member(3)]))
        .ails("membership", &["1 socket on eth1", "not on eth0"]);
    // On both, the receiver that is meant may be either.
    Host::but(|_, findings| findings.memberships = Ok(vec![member(3), member(2)])).fares_well();
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
    joined(2, 1).fares_well();
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
fn a_receiver_that_forgot_to_join() {
    for addr in ["224.1.1.2:7777", "0.0.0.0:7777", "[::]:7777"] {
        Host::but(|_, findings| {
            findings.memberships = Ok(Vec::new());
            findings.sockets = Ok(vec![bound(addr)]);
        })
        .ails(
            "membership",
            &["nobody", "not even python3", addr, "IP_ADD_MEMBERSHIP"],
        );
    }
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
    .fares_well();
}

#[test]
fn a_receiver_that_is_bound_to_another_group() {
    Host::but(|_, findings| findings.sockets = Ok(vec![bound("224.1.1.3:7777")])).ails(
        "port",
        &[
            "only python3",
            "224.1.1.3:7777",
            "bind the receiver to 224.1.1.2:7777",
        ],
    );
}

#[test]
fn a_receiver_of_broadcasts_that_is_bound_to_one_host() {
    let bound_to = |addr, comes: bool| {
        Host::but(|question, findings| {
            question.audience = Audience::Broadcast("255.255.255.255:7777".parse().expect("one"));
            findings.sockets = Ok(vec![bound(addr)]);
            if comes {
                heard(findings);
            }
        })
    };
    bound_to("10.77.2.1:7777", true).ails(
        "port",
        &["python3", "does not hear", "255.255.255.255:7777"],
    );
    // It may be something else, as long as nothing comes.
    let diagnosis = bound_to("10.77.2.1:7777", false).fares_well();
    assert!(told(&diagnosis, "port").contains("if that is the receiver"));
    bound_to("0.0.0.0:7777", true).fares_well();
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
    strict(2, Ok(ip("10.77.3.1"))).fares_well();
    strict(1, Ok(ip("10.77.2.1"))).fares_well();
    strict(0, Err("no route".into())).fares_well();
}

#[test]
fn an_rp_filter_that_was_seen_to_drop() {
    Host::but(|_, findings| {
        findings.rp_filter = Ok(vec![("all".into(), 1), ("eth0".into(), 0)]);
        listened(findings).filtered = Some(4);
    })
    .ails("rp_filter", &["dropped 4 packets"]);
    // The count is the whole host's: it may be another group's.
    let diagnosis = Host::but(|_, findings| {
        findings.rp_filter = Ok(vec![("all".into(), 1), ("eth0".into(), 0)]);
        listened(findings).filtered = Some(4);
        let other = Membership {
            group: ip("239.9.9.9"),
            ..member(3)
        };
        findings.memberships = Ok(vec![member(2), other]);
    })
    .fares_well();
    assert!(told(&diagnosis, "rp_filter").contains("dropped 4 packets"));
}

#[test]
fn a_datagram_of_ours_that_does_not_come_back() {
    Host::but(|_, findings| findings.probe = Ok(Probe::Lost))
        .ails("own test", &["did not come back", "firewall"]);
    // Something may let the port through and nothing else.
    Host::but(|_, findings| {
        heard(findings);
        findings.probe = Ok(Probe::Lost);
    })
    .fares_well();
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
fn news_that_come_by_another_interface_are_told_and_may_be_for_another() {
    let diagnosis = Host::but(|_, findings| {
        findings.memberships = Ok(vec![member(2), member(3)]);
        listened(findings).others = vec![other("224.1.1.2", 3)];
    })
    .fares_well();
    let listening = told(&diagnosis, "listening");
    for words in ["3 datagrams", "by eth1", "nothing by eth0"] {
        assert!(listening.contains(words), "{listening}");
    }
}

#[test]
fn news_that_come_for_another_group() {
    Host::but(|_, findings| listened(findings).others = vec![other("224.1.1.3", 2)]).ails(
        "others",
        &["224.1.1.3:7777", "nothing to 224.1.1.2:7777", "10.77.2.9"],
    );
    // A receiver of the other group's own is in order.
    let diagnosis = Host::but(|_, findings| {
        findings.sockets = Ok(vec![bound("224.1.1.2:7777"), bound("224.1.1.3:7777")]);
        listened(findings).others = vec![other("224.1.1.3", 2)];
    })
    .fares_well();
    assert!(told(&diagnosis, "others").contains("a receiver of theirs"));
    // Both come, and nobody hears what is not for him.
    Host::but(|_, findings| {
        heard(findings);
        listened(findings).others = vec![other("224.1.1.3", 2)];
    })
    .fares_well();
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
