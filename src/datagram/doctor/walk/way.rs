//! Out of the sender, and by which way: address, interface, route, TTL, loop, sources.

use super::{Case, Check, list, zone};
use crate::datagram::audience::Audience;
use crate::datagram::error::DatagramError;
use crate::datagram::interface::Interface;
use crate::datagram::receiver::check_sources;
use std::net::Ipv4Addr;

pub(super) fn address(case: &Case<'_>) -> Check {
    const NAME: &str = "address";
    let addr = case.question.audience.addr();
    match &case.question.audience {
        Audience::Group(group) => match (zone(case.question), case.by) {
            (None, _) if group.is_of_a_link() && case.question.interface.is_none() => {
                Check::problem(
                    NAME,
                    format!("{} is another group on each link", group.ip()),
                    "name the interface at both ends",
                )
            }
            (Some(zone), Some(by)) if zone != by.index => Check::problem(
                NAME,
                format!(
                    "{} is on interface {zone}, by its address, and on {}, by what was named beside it",
                    group.ip(),
                    by.index
                ),
                "name one of them",
            ),
            _ if group.is_source_specific() => Check::ok(
                NAME,
                format!("{addr} is a group that is joined for a source"),
            ),
            _ => Check::ok(NAME, format!("{addr} is a group")),
        },
        Audience::Broadcast(to) => match &case.findings.interfaces {
            _ if to.ip().is_broadcast() => {
                Check::ok(NAME, format!("{addr} is everybody on the network"))
            }
            Err(why) => Check::unknown(NAME, why),
            Ok(all) => {
                let mut networks = all
                    .iter()
                    .filter(|one| one.broadcasts().any(|ip| ip == *to.ip()));
                match networks.next() {
                    Some(one) => Check::ok(NAME, format!("{addr} is everybody on {one}'s network")),
                    None => Check::problem(
                        NAME,
                        format!("{} is no broadcast address of any interface here", to.ip()),
                        format!(
                            "send to one of those that there are: {}",
                            list(networks_of(all).chain([Ipv4Addr::BROADCAST]))
                        ),
                    ),
                }
            }
        },
    }
}

fn networks_of(all: &[Interface]) -> impl Iterator<Item = Ipv4Addr> {
    all.iter().flat_map(Interface::broadcasts)
}

pub(super) fn interface(case: &Case<'_>) -> Check {
    const NAME: &str = "interface";
    let all = match &case.findings.interfaces {
        Ok(all) => all,
        Err(why) => return Check::unknown(NAME, why),
    };
    let Some(by) = case.by else {
        return match &case.question.interface {
            Some(wanted) => Check::problem(
                NAME,
                format!("there is no interface {wanted} here"),
                format!("name one of those that there are: {}", list(all)),
            ),
            None => match &case.findings.unpinned {
                Ok(own) => Check::unknown(
                    NAME,
                    format!(
                        "none was named, and news would be sent from {own}, which does not tell by which: name it"
                    ),
                ),
                Err(_) => Check::unknown(NAME, "none was named, and no route leads to one"),
            },
        };
    };
    let audience = &case.question.audience;
    if let Err(error) = audience.usable(by) {
        return Check::error(NAME, error.to_string().trim_start_matches("interface "));
    }
    if !by.running {
        return Check::problem(
            NAME,
            format!("{by} is up and has no link (it lacks the RUNNING flag)"),
            "see to its cable, or to whatever stands for one at its other end",
        );
    }
    let v4 = audience.addr().is_ipv4();
    let (family, none) = if v4 {
        ("IPv4", by.v4.is_empty())
    } else {
        ("IPv6", by.v6.is_empty())
    };
    if none && !case.something_came() {
        return Check::problem(
            NAME,
            format!("{by} has no {family} address: nobody can send to {audience} from there"),
            "give it one; a receiver whose senders are elsewhere needs none",
        );
    }
    let addresses = if v4 {
        list(by.v4.iter().map(|(ip, prefix)| format!("{ip}/{prefix}")))
    } else {
        list(&by.v6)
    };
    let carries = match audience {
        Audience::Broadcast(_) => "",
        Audience::Group(_) if by.multicast => ", carries multicast",
        Audience::Group(_) => ", the loopback: carries groups of IPv4 without the flag",
    };
    Check::ok(
        NAME,
        format!(
            "{by} ({}): up, has its link{carries}; {addresses}",
            by.index
        ),
    )
}

pub(super) fn route(case: &Case<'_>) -> Check {
    const NAME: &str = "route";
    const BOTH: &str = "so both ends must name it";
    let findings = case.findings;
    if let Some(Err(why)) = &findings.pinned {
        return Check::error(NAME, why);
    }
    let unpinned = match &findings.unpinned {
        Ok(own) => Ok((*own, case.owner_of(*own))),
        Err(why) => Err(why),
    };
    match (&case.question.interface, unpinned, case.by) {
        (None, Ok((own, Some(by))), _) => Check::ok(
            NAME,
            format!(
                "none was named: sender and receiver go by {by}, where the routing table leads ({own})"
            ),
        ),
        (_, Ok((own, None)), _) => Check::unknown(
            NAME,
            format!("whose address {own} is does not tell by which interface"),
        ),
        (None, Err(why), None) => Check::error(NAME, why),
        (Some(_), Ok((_, Some(other))), Some(by)) if other.index != by.index => Check::ok(
            NAME,
            format!("by {by}, as named; who names none sends and joins by {other}, {BOTH}"),
        ),
        (_, Ok(_), Some(by)) => Check::ok(NAME, format!("by {by}, named or not")),
        (_, Err(_), Some(by)) => Check::ok(
            NAME,
            format!(
                "by {by}, as named; who names none has no route to {}, {BOTH}",
                case.question.audience
            ),
        ),
        (Some(_), _, None) => Check::unknown(NAME, "the interface is not there"),
    }
}

pub(super) fn ttl(case: &Case<'_>) -> Check {
    const NAME: &str = "ttl";
    let question = case.question;
    let group = matches!(question.audience, Audience::Group(_));
    match question.ttl {
        0 if !group => Check::problem(
            NAME,
            "0, which the kernel takes for groups only: a broadcast is refused",
            "give the sender a TTL of 1",
        ),
        _ if !group => Check::ok(NAME, "a broadcast passes no router, whatever its TTL"),
        0 if !question.loops => Check::error(NAME, DatagramError::NobodyHears),
        0 if case.by_loopback() => Check::ok(
            NAME,
            "0: it stays on this host, as all does on the loopback",
        ),
        0 if case.something_came() => {
            Check::ok(NAME, "0, but what came had more, or was sent on this host")
        }
        0 => Check::problem(
            NAME,
            "0: what is sent never leaves the sender's host",
            "give the sender a TTL of 1 for its network, or more for networks behind routers",
        ),
        1 => Check::ok(
            NAME,
            "1: it stays on the sender's network, and passes no router",
        ),
        ttl => Check::ok(
            NAME,
            format!(
                "{ttl}: it passes up to {} routers, if they pass on groups at all",
                ttl - 1
            ),
        ),
    }
}

/// Nothing of its own to say where the TTL has said it.
pub(super) fn loops(case: &Case<'_>) -> Option<Check> {
    const NAME: &str = "loop";
    let question = case.question;
    let check = match question.audience {
        Audience::Broadcast(_) if !question.loops => Check::problem(
            NAME,
            "off, which the sender refuses: a broadcast is always heard on its own host, too",
            "leave the sender's loop on",
        ),
        Audience::Broadcast(_) => Check::ok(NAME, "a broadcast is heard on its sender's host, too"),
        Audience::Group(_) if question.loops => {
            Check::ok(NAME, "on: it is heard on its sender's host, too")
        }
        Audience::Group(_) if question.ttl == 0 => return None,
        Audience::Group(_) if case.by_loopback() => Check::ok(
            NAME,
            "off, but what goes by the loopback comes back all the same",
        ),
        Audience::Group(_) if case.something_came() => {
            Check::ok(NAME, "off, but what came was sent elsewhere, or with loop")
        }
        Audience::Group(_) => Check::problem(
            NAME,
            "off: nobody on the sender's own host hears it",
            "switch the sender's loop on, or listen on another host",
        ),
    };
    Some(check)
}

pub(super) fn sources(case: &Case<'_>) -> Check {
    const NAME: &str = "sources";
    let question = case.question;
    if let Err(error) = check_sources(&question.audience, &question.sources) {
        let advice = match &error {
            DatagramError::WhichSource { .. } => {
                "give the receiver the sender's address as its source"
            }
            _ => "give the receiver no source, or the address of a sender to this group",
        };
        return Check::problem(NAME, error.to_string(), advice);
    }
    match &question.sources[..] {
        [] => Check::ok(NAME, "everybody is heard"),
        some => Check::ok(NAME, format!("heard is who sends from {}", list(some))),
    }
}
