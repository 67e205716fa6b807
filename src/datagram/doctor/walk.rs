//! From findings to checks, in the order of a datagram's way: out of the sender, to this host, into the receiver's socket.
//!
//! Pure: the same findings give the same diagnosis.

mod heard;
mod host;
mod way;

use super::findings::{Findings, Heard};
use super::{Check, Diagnosis, Question, Verdict};
use crate::datagram::audience::Audience;
use crate::datagram::interface::Interface;
use std::fmt::Display;
use std::net::IpAddr;

pub(super) fn diagnose(question: &Question, findings: &Findings) -> Diagnosis {
    let case = Case {
        question,
        findings,
        by: interface_of(question, findings),
    };
    let group = matches!(question.audience, Audience::Group(_));
    let mut checks = vec![
        way::address(&case),
        way::interface(&case),
        way::route(&case),
        way::ttl(&case),
    ];
    checks.extend(way::loops(&case));
    checks.push(way::sources(&case));
    if group {
        checks.push(host::membership(&case));
    }
    checks.push(host::port(&case));
    if question.audience.addr().is_ipv4() {
        checks.push(host::rp_filter(&case));
    }
    checks.extend([
        heard::probe(&case),
        heard::listening(&case),
        heard::others(&case),
    ]);
    tell_each_once(&mut checks);
    let mut diagnosis = Diagnosis {
        audience: question.audience.to_string(),
        interface: case.by.map(|by| by.name.clone()),
        checks,
        heard: case.heard().map(|heard| heard.count),
        hints: Vec::new(),
        reason: None,
    };
    diagnosis.reason = diagnosis.reason().map(|check| check.name);
    if diagnosis.reason.is_none() && diagnosis.heard == Some(0) {
        diagnosis.hints = heard::hints(&case);
    }
    diagnosis
}

/// What was refused for a reason that an earlier check has told does not tell it again.
fn tell_each_once(checks: &mut [Check]) {
    for at in 1..checks.len() {
        let (before, rest) = checks.split_at_mut(at);
        let check = &mut rest[0];
        let problem = |one: &&Check| one.verdict == Verdict::Problem;
        let same = |one: &&Check| check.found.ends_with(&one.found);
        if check.verdict == Verdict::Problem
            && let Some(earlier) = before.iter().filter(problem).find(same)
        {
            *check = Check::unknown(check.name, format!("not possible: see {}", earlier.name));
        }
    }
}

/// The interface that it is about: the one that was named, by option or in the group's address, or where the routing table
/// leads.
pub(super) fn interface_of<'a>(
    question: &Question,
    findings: &'a Findings,
) -> Option<&'a Interface> {
    let interfaces = findings.interfaces.as_ref().ok()?;
    if let Some(wanted) = &question.interface {
        return interfaces.iter().find(|one| wanted.is(one));
    }
    if let Some(zone) = zone(question) {
        return interfaces.iter().find(|one| one.index == zone);
    }
    Interface::sole_owner(interfaces, *findings.unpinned.as_ref().ok()?)
}

fn zone(question: &Question) -> Option<u32> {
    match &question.audience {
        Audience::Group(group) => group.zone(),
        Audience::Broadcast(_) => None,
    }
}

/// What a check looks at.
struct Case<'a> {
    question: &'a Question,
    findings: &'a Findings,
    by: Option<&'a Interface>,
}

impl Case<'_> {
    /// What the audience's receiver heard; `None` when there could be none.
    fn heard(&self) -> Option<&Heard> {
        let listened = self.findings.listened.as_ref().ok()?;
        listened.refused.is_none().then_some(&listened.heard)
    }

    fn something_came(&self) -> bool {
        self.heard().is_some_and(|heard| heard.count > 0)
    }

    /// An interface's name, by its index.
    fn name_of(&self, index: u32) -> String {
        let mut all = self.findings.interfaces.iter().flatten();
        let found = all.find(|one| one.index == index);
        found.map_or_else(|| format!("interface {index}"), |one| one.name.clone())
    }

    /// Whose address it is, if it is one's alone.
    fn owner_of(&self, addr: IpAddr) -> Option<&Interface> {
        Interface::sole_owner(self.findings.interfaces.as_ref().ok()?, addr)
    }

    fn by_loopback(&self) -> bool {
        self.by.is_some_and(|by| by.loopback)
    }
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Ok,
            found: found.into(),
            advice: None,
        }
    }

    fn unknown(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Unknown,
            ..Self::ok(name, found)
        }
    }

    fn problem(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Problem,
            advice: Some(advice.into()),
            ..Self::ok(name, found)
        }
    }

    /// An error of the library: what is wrong stands before the first semicolon, and what to do behind it.
    fn error(name: &'static str, error: impl Display) -> Self {
        let error = error.to_string();
        let (found, advice) = match error.split_once("; ") {
            Some((found, advice)) => (found, Some(advice.to_owned())),
            None => (&error[..], None),
        };
        Self {
            verdict: Verdict::Problem,
            advice,
            ..Self::ok(name, found)
        }
    }
}

fn list<T: Display>(all: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = all.into_iter().map(|one| one.to_string()).collect();
    all.join(", ")
}

fn datagrams(count: u64) -> String {
    match count {
        1 => "1 datagram".into(),
        _ => format!("{count} datagrams"),
    }
}

#[cfg(test)]
mod tests;
