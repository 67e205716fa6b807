//! What is said over a [line](super::line), each thing as a line of text.

use crate::client::ClientId;
use crate::limits::{Limits, Slow};
use crate::stats::Event;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// What a child is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) kind: TaskKind,
    /// Without the most clients: that is for the parent to know.
    pub(super) limits: Limits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskKind {
    /// To serve this client, whose connection comes with it.
    Connection { id: ClientId, addr: SocketAddr },
    /// To accept on the listener that comes with it.
    Listener,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TaskKind::Connection { id, addr } => write!(f, "connection {id} {addr}")?,
            TaskKind::Listener => f.write_str("listener")?,
        }
        let Limits {
            max_clients: _,
            mailbox,
            slow,
            idle_timeout,
            drain,
            nodelay,
        } = self.limits;
        write!(f, " {mailbox} {} ", slow.name())?;
        match idle_timeout {
            None => f.write_str("-")?,
            Some(time) => write_time(f, time)?,
        }
        f.write_str(" ")?;
        write_time(f, drain)?;
        f.write_str(if nodelay { " nodelay" } else { " delay" })
    }
}

fn write_time(f: &mut fmt::Formatter<'_>, time: Duration) -> fmt::Result {
    write!(f, "{}.{:09}", time.as_secs(), time.subsec_nanos())
}

fn time(text: &str) -> Option<Duration> {
    let (seconds, nanos) = text.split_once('.')?;
    Some(Duration::new(seconds.parse().ok()?, nanos.parse().ok()?))
}

impl Task {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let kind = match words.next()? {
            "connection" => TaskKind::Connection {
                id: ClientId(words.next()?.parse().ok()?),
                addr: words.next()?.parse().ok()?,
            },
            "listener" => TaskKind::Listener,
            _ => return None,
        };
        let limits = Limits {
            max_clients: None,
            mailbox: words.next()?.parse().ok()?,
            slow: {
                let name = words.next()?;
                Slow::ALL.into_iter().find(|slow| slow.name() == name)?
            },
            idle_timeout: match words.next()? {
                "-" => None,
                text => Some(time(text)?),
            },
            drain: time(words.next()?)?,
            nodelay: match words.next()? {
                "nodelay" => true,
                "delay" => false,
                _ => return None,
            },
        };
        words.next().is_none().then_some(Self { kind, limits })
    }
}

/// What a parent says after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The client that the child asked about may come in, under this number.
    Admitted(ClientId),
    /// It may not: so many are served.
    Full {
        limit: usize,
    },
    Drain,
    Force,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admitted(id) => write!(f, "admitted {id}"),
            Self::Full { limit } => write!(f, "full {limit}"),
            Self::Drain => f.write_str("drain"),
            Self::Force => f.write_str("force"),
        }
    }
}

impl Order {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            None if text == "drain" => Some(Self::Drain),
            None if text == "force" => Some(Self::Force),
            Some(("admitted", id)) => Some(Self::Admitted(ClientId(id.parse().ok()?))),
            Some(("full", limit)) => Some(Self::Full {
                limit: limit.parse().ok()?,
            }),
            _ => None,
        }
    }
}

pub(super) const ASK: &str = "ask";

/// What a child says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// May the client come in that was accepted?
    Ask,
    /// Something happened.
    Event(Event),
}

impl Report {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == ASK {
            return Some(Self::Ask);
        }
        Event::parse(text).map(Self::Event)
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::LONGEST;
    use super::*;

    fn tasks() -> Vec<Task> {
        let limits = Limits {
            max_clients: None,
            mailbox: usize::MAX,
            slow: Slow::DropOldest,
            idle_timeout: Some(Duration::new(86_400, 1)),
            drain: Duration::ZERO,
            nodelay: false,
        };
        let connection = |addr: &str| TaskKind::Connection {
            id: ClientId(u64::MAX),
            addr: addr.parse().unwrap(),
        };
        [
            (TaskKind::Listener, limits),
            (TaskKind::Listener, Limits::default()),
            (connection("127.0.0.1:65535"), Limits::default()),
            (
                connection("[fe80::ffff:ffff:ffff:ffff%4294967295]:65535"),
                limits,
            ),
        ]
        .map(|(kind, limits)| Task { kind, limits })
        .into()
    }

    #[test]
    fn every_task_survives_its_text_and_fits() {
        for task in tasks() {
            let text = task.to_string();
            assert_eq!(Task::parse(&text), Some(task), "{text}");
            assert!(text.len() <= LONGEST, "{text}");
        }
        for text in [
            "",
            "listener",
            "listener 1 - 0.0",
            "connection x 1 - 0.0 delay",
        ] {
            assert_eq!(Task::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_order_survives_its_text() {
        let orders = [
            Order::Admitted(ClientId(7)),
            Order::Full { limit: 100 },
            Order::Drain,
            Order::Force,
        ];
        for order in orders {
            assert_eq!(Order::parse(&order.to_string()), Some(order));
        }
        for text in ["", "full", "admitted", "admitted many", "drain now"] {
            assert_eq!(Order::parse(text), None, "{text}");
        }
    }
}
