//! Made-up findings: a host where all is in order, and each thing that can be wrong on it, alone.

mod host;
mod way;

use super::*;
use crate::datagram::audience::Group;
use crate::datagram::doctor::findings::{
    Bound, Filter, Listened, Membership, Other, Probe, Refused,
};
use crate::datagram::interface::Wanted;
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

    fn fares_well(self) -> Diagnosis {
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

/// What a check found.
fn told<'a>(diagnosis: &'a Diagnosis, name: &str) -> &'a str {
    let mut checks = diagnosis.checks.iter();
    let check = checks.find(|check| check.name == name);
    &check.expect("such a check").found
}

fn group(text: &str) -> Audience {
    Audience::Group(text.parse().expect("a group"))
}

#[test]
fn where_all_is_in_order_there_is_no_reason_but_hints() {
    let diagnosis = Host::healthy().fares_well();
    assert_eq!(diagnosis.heard, Some(0));
    assert!(diagnosis.hints.len() > 2);
    assert_eq!(diagnosis.interface.as_deref(), Some("eth0"));
}

#[test]
fn where_something_comes_there_are_no_hints() {
    let diagnosis = Host::but(|_, findings| heard(findings)).fares_well();
    assert_eq!(diagnosis.heard, Some(1));
    assert!(diagnosis.hints.is_empty());
}

#[test]
fn no_receiver_yet_is_no_reason() {
    Host::but(|_, findings| {
        findings.memberships = Ok(Vec::new());
        findings.sockets = Ok(Vec::new());
    })
    .fares_well();
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
    .fares_well();
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
    let without = Host::but(|_, findings| findings.interfaces = Err(nothing())).fares_well();
    assert_eq!(without.interface, None);
}
