//! Into the receiver's socket: what came back of our own, what came while we listened, and what came for others.

use super::host::named;
use super::{Case, Check, datagrams, list};
use crate::datagram::audience::Audience;
use crate::datagram::doctor::findings::{Heard, Other, Probe};

pub(super) fn probe(case: &Case<'_>) -> Check {
    const NAME: &str = "own test";
    let by = case.by.map_or_else(String::new, |by| format!(" by {by}"));
    match &case.findings.probe {
        Err(why) => Check::unknown(NAME, why),
        Ok(Probe::CameBack) => Check::ok(
            NAME,
            format!("a datagram of our own{by}, to another port, came back to us"),
        ),
        Ok(Probe::Failed(why)) => Check::error(NAME, why),
        Ok(Probe::Lost) if case.something_came() => Check::ok(
            NAME,
            format!(
                "a datagram of our own{by} did not come back to us, to another port; to this one they come"
            ),
        ),
        Ok(Probe::Lost) => Check::problem(
            NAME,
            format!("a datagram of our own{by}, to another port, did not come back to us"),
            "look for what this host filters: a firewall (`nft list ruleset`, `iptables -S`) or traffic control (`tc filter show`)",
        ),
    }
}

pub(super) fn listening(case: &Case<'_>) -> Check {
    const NAME: &str = "listening";
    let listened = match &case.findings.listened {
        Ok(listened) => listened,
        Err(why) => return Check::unknown(NAME, why),
    };
    if let Some(refused) = &listened.refused {
        return if refused.in_use {
            Check::unknown(NAME, "not possible while the port is taken")
        } else {
            Check::error(NAME, &refused.why)
        };
    }
    let audience = &case.question.audience;
    let heard = &listened.heard;
    if heard.count > 0 {
        return Check::ok(
            NAME,
            format!(
                "{} came to {audience}, from {}",
                datagrams(heard.count),
                list(&heard.from)
            ),
        );
    }
    let on_another = listened
        .others
        .iter()
        .find(|other| other.to == audience.addr().ip() && other.heard.count > 0);
    if let (Some(other), Some(by)) = (on_another, case.by) {
        let name = case.name_of(other.index);
        // Somebody joined there, or it would not have been overheard: they may be another's news.
        return Check::unknown(
            NAME,
            format!(
                "{} by {name}, where somebody has joined, and nothing by {by}; if these are the news, name {name} in place of {by} at \
                 the receiver, or {by} at the sender",
                came(other, case)
            ),
        );
    }
    Check::unknown(
        NAME,
        format!("nothing came to {audience}; perhaps nobody sent"),
    )
}

pub(super) fn others(case: &Case<'_>) -> Check {
    const NAME: &str = "others";
    let Some(heard) = case.heard() else {
        return Check::unknown(NAME, "not listened to");
    };
    let Ok(listened) = &case.findings.listened else {
        return Check::unknown(NAME, "not listened to");
    };
    let audience = &case.question.audience;
    let port = audience.addr().port();
    let others: Vec<&Other> = listened
        .others
        .iter()
        .filter(|other| other.to != audience.addr().ip() && other.heard.count > 0)
        .collect();
    let told = list(others.iter().map(|other| came(other, case)));
    let open = case.findings.sockets.iter().flatten();
    let open: Vec<String> = open
        .filter(|socket| socket.addr.ip().is_unspecified())
        .map(named)
        .collect();
    if others.is_empty() {
        let unheard = list(
            listened
                .unheard
                .iter()
                .map(|(to, why)| format!("{to} ({why})")),
        );
        return if unheard.is_empty() {
            Check::ok(
                NAME,
                format!("nothing else came to port {port}, of what this host takes in"),
            )
        } else {
            Check::unknown(
                NAME,
                format!("nothing else came to port {port}; could not listen to {unheard}"),
            )
        };
    }
    if !open.is_empty() {
        return Check::problem(
            NAME,
            format!(
                "{told}; it leaks into {}, which is bound to all addresses",
                list(open)
            ),
            format!("bind it to {audience}, or switch its IP_MULTICAST_ALL off"),
        );
    }
    let has_receiver = |other: &&Other| {
        let mut sockets = case.findings.sockets.iter().flatten();
        sockets.any(|socket| socket.addr.ip() == other.to)
    };
    if heard.count == 0 && others.iter().all(has_receiver) {
        return Check::unknown(
            NAME,
            format!(
                "{told}, where a receiver of theirs listens, and nothing to {audience}; if these are the news, give sender and receiver the \
                 same address"
            ),
        );
    }
    if heard.count == 0 {
        return Check::problem(
            NAME,
            format!("{told}, and nothing to {audience}"),
            "give sender and receiver the same address",
        );
    }
    Check::ok(
        NAME,
        format!("{told}; who is bound to {audience} does not hear it"),
    )
}

fn came(other: &Other, case: &Case<'_>) -> String {
    let Heard { count, from } = &other.heard;
    let port = case.question.audience.addr().port();
    let to = std::net::SocketAddr::new(other.to, port);
    format!("{} came to {to}, from {}", datagrams(*count), list(from))
}

/// What nobody can see from here.
pub(super) fn hints(case: &Case<'_>) -> Vec<&'static str> {
    let mut hints =
        vec!["nobody may have sent meanwhile: listen for longer than the sender's interval"];
    if case.by_loopback() {
        hints.push("by the loopback interface nothing comes from other hosts");
        return hints;
    }
    hints.push(match case.question.audience {
        Audience::Group(_) => {
            "the sender's host has interfaces and routes of its own: run this there, too, with the same group and port"
        }
        Audience::Broadcast(_) => {
            "a broadcast passes no router: sender and receiver must be on one network, and wireless networks may keep clients apart"
        }
    });
    if let Audience::Group(_) = case.question.audience {
        hints.push("behind routers, the TTL must be larger than their number, and each must route groups (IGMP or MLD, PIM)");
        hints.push(
            "a switch that snoops IGMP or MLD forgets members when no querier asks for them: news that stop after some minutes are its sign",
        );
    }
    hints.push(
        "a firewall, on this host, on the sender's or between, may drop UDP to this port: the own test went to another",
    );
    hints
}
