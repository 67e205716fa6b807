//! Which flags an error of the library is about: it knows no command line.

use crate::cli::args::{For, News};
use guardhouse::datagram::{Audience, DatagramError};

/// The flags that cannot be, with their values. None for an error that is not about them.
pub(super) fn at_fault(news: &News, error: &DatagramError) -> Option<String> {
    let of = whom(news);
    let to = match of.audience() {
        Audience::Group(group) => format!("--group {group}"),
        Audience::Broadcast(addr) => format!("--broadcast {addr}"),
    };
    let on = || match &of.interface {
        Some(wanted) => format!("--interface {wanted}"),
        None => "--interface".into(),
    };
    Some(match error {
        DatagramError::NoInterface { .. } => on(),
        DatagramError::WhichLink { .. } => format!("{to} without --interface"),
        DatagramError::TwoLinks { .. } => format!("{to} with {}", on()),
        DatagramError::NotABroadcastAddress { .. } | DatagramError::NoPort { .. } => to,
        DatagramError::NobodyHears => "--ttl 0 with --loop off".into(),
        DatagramError::BroadcastWithoutTtl => format!("{to} with --ttl 0"),
        DatagramError::BroadcastLoops => format!("{to} with --loop off"),
        DatagramError::Limit { limit, .. } => format!("--max-datagram {limit}"),
        DatagramError::Source { given, .. } => format!("{to} with --source {given}"),
        DatagramError::WhichSource { .. } => format!("{to} without --source"),
        _ => return None,
    })
}

fn whom(news: &News) -> &For {
    match news {
        News::Send(args) => &args.to,
        News::Receive(args) => &args.of,
        News::Doctor(args) => &args.of,
    }
}
