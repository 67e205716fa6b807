//! Into this host: who joined, who has the port, what `rp_filter` lets through.

use super::{Case, Check, list};
use crate::datagram::audience::Audience;
use crate::datagram::doctor::findings::{Bound, Filter, Membership, Refused};
use crate::datagram::doctor::listen::joined_by_itself;
use std::net::IpAddr;

pub(super) fn membership(case: &Case<'_>) -> Check {
    const NAME: &str = "membership";
    let group = case.question.audience.addr().ip();
    let members = match members(case) {
        Ok(members) => members,
        Err(why) => return Check::unknown(NAME, why),
    };
    if joined_by_itself(group) {
        return Check::ok(NAME, format!("every host is a member of {group}"));
    }
    if members.is_empty() {
        let bound = hearing(case);
        if !bound.is_empty() && refused_for_use(case).is_none() {
            return Check::problem(
                NAME,
                format!(
                    "nobody on this host has joined {group}, not even {}",
                    list(bound.into_iter().map(named))
                ),
                "a bound socket hears no group before it joins (IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP): let it join",
            );
        }
        return Check::ok(
            NAME,
            format!("nobody on this host has joined {group}: no receiver runs here"),
        );
    }
    let told = list(members.iter().map(|member| {
        let sockets = if member.users == 1 {
            "socket"
        } else {
            "sockets"
        };
        format!(
            "{} {sockets} on {}",
            member.users,
            case.name_of(member.index)
        )
    }));
    let Some(by) = case.by else {
        return Check::unknown(
            NAME,
            format!("joined {group}: {told}; by which interface news come is not known"),
        );
    };
    let Some(here) = members.iter().find(|member| member.index == by.index) else {
        return Check::problem(
            NAME,
            format!("joined {group}: {told}, and not on {by}, by which the news go"),
            format!(
                "start the receiver so that it joins on {by}, or the sender so that it sends where the receiver joined"
            ),
        );
    };
    let filters = case.findings.filters.iter().flatten();
    let filters: Vec<&Filter> = filters
        .filter(|filter| filter.group == group && filter.index == by.index && filter.including > 0)
        .collect();
    if filters.is_empty() {
        return Check::ok(NAME, format!("joined {group}: {told}"));
    }
    let named = list(filters.iter().map(|filter| filter.source));
    // If some source is wanted by every member, each of them wants named ones only.
    let all_name = filters
        .iter()
        .any(|filter| filter.including >= here.users.into());
    let missing = case.question.sources.iter();
    let missing: Vec<&IpAddr> = missing
        .filter(|source| filters.iter().all(|filter| filter.source != **source))
        .collect();
    if all_name && !missing.is_empty() {
        return Check::problem(
            NAME,
            format!(
                "joined {group} on {by} for what {named} sends, and not for {}",
                list(missing)
            ),
            "start the receiver with the address that the sender has on this network",
        );
    }
    Check::ok(
        NAME,
        format!("joined {group}: {told}; for what {named} sends"),
    )
}

/// Those of the audience's group.
fn members<'a>(case: &Case<'a>) -> Result<Vec<&'a Membership>, &'a String> {
    let group = case.question.audience.addr().ip();
    let all = case.findings.memberships.as_ref()?;
    Ok(all
        .iter()
        .filter(|one| one.group == group && one.users > 0)
        .collect())
}

pub(super) fn port(case: &Case<'_>) -> Check {
    const NAME: &str = "port";
    let port = case.question.audience.addr().port();
    let hearing = hearing(case);
    if refused_for_use(case).is_some() {
        let by_whom = match &list(hearing.into_iter().map(named))[..] {
            "" => "a program that cannot be seen from here".to_owned(),
            some => some.to_owned(),
        };
        return Check::problem(
            NAME,
            format!("a receiver cannot have {port}: it is taken and not shared by {by_whom}"),
            "end that program, or let it share the port: SO_REUSEADDR before it binds",
        );
    }
    let all = match &case.findings.sockets {
        Ok(all) => all,
        Err(why) => return Check::unknown(NAME, why),
    };
    let stuck = hearing.iter();
    let mut stuck = stuck.filter(|socket| socket.waiting > 0 && socket.dropped > 0);
    if let Some(stuck) = stuck.next() {
        return Check::problem(
            NAME,
            format!(
                "{} does not read what comes: {} bytes wait, and its full buffer has lost {} datagrams",
                named(stuck),
                stuck.waiting,
                stuck.dropped
            ),
            "see whether it is stopped or too slow; a larger receive buffer bridges bursts",
        );
    }
    let deaf: Vec<&Bound> = all.iter().filter(|socket| !hears(socket, case)).collect();
    let joined = members(case).is_ok_and(|members| !members.is_empty());
    if hearing.is_empty()
        && joined
        && let Some(problem) = joined_and_deaf(NAME, case, &deaf)
    {
        return problem;
    }
    // A receiver of a group at the port is no mistake.
    let mut astray = deaf
        .iter()
        .filter(|one| !one.addr.ip().is_multicast())
        .peekable();
    if let Audience::Broadcast(_) = case.question.audience
        && hearing.is_empty()
        && astray.peek().is_some()
    {
        let whom = list(astray.map(|socket| named(socket)));
        let audience = &case.question.audience;
        let to = audience.addr().ip();
        let found = format!("{whom} does not hear what is sent to {to}");
        // It may have the port for something else; what came and found no other receiver was for it.
        return if case.something_came() {
            let advice = format!("bind the receiver to {audience}, or to all addresses");
            Check::problem(NAME, found, advice)
        } else {
            Check::unknown(NAME, format!("{found}, if that is the receiver"))
        };
    }
    if all.is_empty() {
        return Check::ok(NAME, format!("{port} is free"));
    }
    let told = hearing.into_iter().map(named);
    let not_for_it = deaf
        .into_iter()
        .map(|socket| format!("not for this audience: {}", named(socket)));
    let told = list(told.chain(not_for_it));
    Check::ok(NAME, format!("shared; {told}"))
}

/// Somebody has joined, and no socket is bound so that it could hear.
fn joined_and_deaf(name: &'static str, case: &Case<'_>, deaf: &[&Bound]) -> Option<Check> {
    let audience = case.question.audience;
    let port = audience.addr().port();
    // Another group at the port is no mistake.
    let (groups, elsewhere): (Vec<&Bound>, Vec<&Bound>) = deaf
        .iter()
        .partition(|socket| socket.addr.ip().is_multicast());
    if !elsewhere.is_empty() {
        let whom = list(elsewhere.into_iter().map(named));
        let found = format!("{whom} hears no group: it is bound to one host's address");
        let advice = format!("bind it to {audience}, or to all addresses");
        return Some(Check::problem(name, found, advice));
    }
    if everyday(audience.addr().ip()) {
        return None;
    }
    if !groups.is_empty() {
        let whom = list(groups.into_iter().map(named));
        let found = format!("somebody has joined, but at port {port} there is only {whom}");
        let advice = format!("bind the receiver to {audience}");
        return Some(Check::problem(name, found, advice));
    }
    Some(Check::problem(
        name,
        format!(
            "somebody has joined, but no socket on this host has port {port}: it listens at another"
        ),
        format!("give receiver and sender the same port, here {port}"),
    ))
}

/// That a receiver of ours was refused the port.
fn refused_for_use<'a>(case: &Case<'a>) -> Option<&'a Refused> {
    let listened = case.findings.listened.as_ref().ok()?;
    let refused = listened.refused.as_ref();
    refused.filter(|refused| refused.in_use)
}

/// The sockets that would hear the audience.
fn hearing<'a>(case: &Case<'a>) -> Vec<&'a Bound> {
    let all = case.findings.sockets.iter().flatten();
    all.filter(|socket| hears(socket, case)).collect()
}

/// Bound so that it hears the audience, if it has joined.
fn hears(socket: &Bound, case: &Case<'_>) -> bool {
    let ip = socket.addr.ip();
    ip.is_unspecified() || ip == case.question.audience.addr().ip()
}

/// Groups of a network's own housekeeping: systems join them for other ports.
fn everyday(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group.octets()[..3] == [224, 0, 0],
        IpAddr::V6(group) => group.segments()[0] & 0xfff0 == 0xff00,
    }
}

pub(super) fn named(socket: &Bound) -> String {
    let Bound { addr, uid, .. } = socket;
    match &socket.program {
        Some((name, pid)) => format!("{name} (process {pid}, at {addr})"),
        None => format!(
            "a program of user {uid} (at {addr}; its name takes that user's rights, or root's)"
        ),
    }
}

pub(super) fn rp_filter(case: &Case<'_>) -> Check {
    const NAME: &str = "rp_filter";
    let modes = match &case.findings.rp_filter {
        _ if case.by_loopback() => return Check::ok(NAME, "the loopback needs none"),
        Ok(modes) => modes,
        Err(why) => return Check::unknown(NAME, why),
    };
    let Some(by) = case.by else {
        return Check::unknown(NAME, "there is no interface to look at");
    };
    // The stricter of the two holds: of the interface, and of all.
    let Some(mode) = modes.iter().map(|(_, mode)| *mode).max() else {
        return Check::unknown(NAME, "the system does not say");
    };
    if mode == 0 {
        return Check::ok(NAME, format!("off on {by}"));
    }
    let advice = format!(
        "add a route back to the sender by {by} (`ip route add ADDR dev {by}`), or loosen it (`sysctl net.ipv4.conf.{by}.rp_filter=2`, and \
         for all)"
    );
    let strict = mode == 1;
    for (source, back) in &case.findings.ways_back {
        match back {
            Ok(own) if strict => {
                let other = case.owner_of(*own).filter(|one| one.index != by.index);
                if let Some(other) = other {
                    let found = format!(
                        "strict on {by}: what {source} sends is dropped, since the way back to it goes by {other}"
                    );
                    return Check::problem(NAME, found, advice);
                }
            }
            Err(_) => {
                let found = format!(
                    "on, at {by}: what {source} sends is dropped, since no way leads back to it"
                );
                return Check::problem(NAME, found, advice);
            }
            Ok(_) => {}
        }
    }
    let listened = case.findings.listened.as_ref().ok();
    if let Some(filtered @ 1..) = listened.and_then(|listened| listened.filtered)
        && !case.something_came()
    {
        let found = format!(
            "it dropped {filtered} packets while we listened, which came where no way leads back to their senders"
        );
        // The count is the whole host's.
        if joined_others(case) {
            let found =
                format!("{found}; this host has joined other groups, too, and they may be theirs");
            return Check::unknown(NAME, found);
        }
        return Check::problem(NAME, found, advice);
    }
    let what = if strict { "strict" } else { "loose" };
    let found = match &case.question.sources[..] {
        [] => format!(
            "{what} on {by}, and dropped nothing while we listened; with a source given, its way back is looked at"
        ),
        sources => format!(
            "{what} on {by}, and the way back to {} is good",
            list(sources)
        ),
    };
    Check::ok(NAME, found)
}

/// Whether somebody has joined a group that is not the audience's.
fn joined_others(case: &Case<'_>) -> bool {
    let group = case.question.audience.addr().ip();
    let mut all = case.findings.memberships.iter().flatten();
    all.any(|one| one.users > 0 && one.group != group && !everyday(one.group))
}
