//! [`Event`]: what is counted, as a line of text, for a process that counts for another one.

use super::{Closed, RefusalKind};
use crate::mailbox::Missed;
use std::fmt;

/// One thing that happened at a server's door or at one of its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    WokenInVain { times: u64 },
    Accepted,
    Aborted,
    Refused(RefusalKind),
    Opened,
    Closed { why: Closed, missed: Missed },
    DrainBegan { idle: u64, busy: u64 },
    DrainForced { forced: u64 },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WokenInVain { times } => write!(f, "woken {times}"),
            Self::Accepted => f.write_str("accepted"),
            Self::Aborted => f.write_str("aborted"),
            Self::Refused(kind) => write!(f, "refused {kind:?}"),
            Self::Opened => f.write_str("opened"),
            Self::Closed { why, missed } => {
                let Missed {
                    messages,
                    dropped_lines,
                } = missed;
                write!(f, "closed {why:?} {messages} {dropped_lines}")
            }
            Self::DrainBegan { idle, busy } => write!(f, "draining {idle} {busy}"),
            Self::DrainForced { forced } => write!(f, "forced {forced}"),
        }
    }
}

impl Event {
    /// What [`Display`](fmt::Display) made of it; `None` when it is nothing of that kind.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let event = match words.next()? {
            "woken" => Self::WokenInVain {
                times: words.next()?.parse().ok()?,
            },
            "accepted" => Self::Accepted,
            "aborted" => Self::Aborted,
            "refused" => Self::Refused(named(&RefusalKind::ALL, words.next()?)?),
            "opened" => Self::Opened,
            "closed" => Self::Closed {
                why: named(&Closed::ALL, words.next()?)?,
                missed: Missed {
                    messages: words.next()?.parse().ok()?,
                    dropped_lines: words.next()?.parse().ok()?,
                },
            },
            "draining" => Self::DrainBegan {
                idle: words.next()?.parse().ok()?,
                busy: words.next()?.parse().ok()?,
            },
            "forced" => Self::DrainForced {
                forced: words.next()?.parse().ok()?,
            },
            _ => return None,
        };
        words.next().is_none().then_some(event)
    }
}

/// The one of `all` that calls itself `name`.
fn named<T: Copy + fmt::Debug>(all: &[T], name: &str) -> Option<T> {
    all.iter()
        .copied()
        .find(|value| format!("{value:?}") == name)
}

#[cfg(test)]
mod tests {
    use super::super::{Refusal, Stats};
    use super::*;

    #[test]
    fn every_event_survives_its_text() {
        let mut all = vec![
            Event::WokenInVain { times: 1 },
            Event::Accepted,
            Event::Aborted,
            Event::Opened,
            Event::DrainBegan { idle: 3, busy: 0 },
            Event::DrainForced { forced: u64::MAX },
        ];
        all.extend(RefusalKind::ALL.map(Event::Refused));
        all.extend(Closed::ALL.map(|why| Event::Closed {
            why,
            missed: Missed {
                messages: 7,
                dropped_lines: 12,
            },
        }));
        for event in all {
            assert_eq!(Event::parse(&event.to_string()), Some(event));
        }
    }

    #[test]
    fn what_is_no_event_is_none() {
        for text in [
            "",
            "hello",
            "accepted twice",
            "closed",
            "closed Happily 0 0",
            "closed Lost -1 0",
            "closed Lost 1",
            "draining 1",
            "Accepted",
        ] {
            assert_eq!(Event::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_one_process_is_told_it_counts_as_the_other_did() {
        let (sender, told) = std::sync::mpsc::channel();
        let child = Stats::telling(move |event| sender.send(event.to_string()).unwrap());
        child.acceptors(1);
        child.woken_in_vain();
        child.accepted(0);
        child.aborted();
        child.refused(&Refusal::QueueFull { limit: 1 });
        child.opened();
        let missed = Missed {
            messages: 3,
            dropped_lines: 5,
        };
        child.closed(Closed::TooSlow, missed);
        let counted = child.snapshot();
        drop(child);

        let parent = Stats::default();
        parent.acceptors(1);
        for text in told {
            parent.count(0, Event::parse(&text).unwrap());
        }
        assert_eq!(parent.snapshot(), counted);
        assert_eq!((counted.woken_in_vain, counted.too_slow), (1, 1));
        assert_eq!((counted.lost_messages, counted.dropped_lines), (3, 5));
    }
}
