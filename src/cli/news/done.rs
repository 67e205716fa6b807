//! [`Done`]: what became of the lines that were to be sent.

use super::words::some;
use guardhouse::datagram::{Numbering, Sender};
use serde::Serialize;

#[derive(Default)]
pub(super) struct Done {
    pub(super) sent: u64,
    pub(super) bytes: u64,
    pub(super) cut: u64,
    pub(super) refused: u64,
    pub(super) failed: u64,
}

impl Done {
    /// What was not sent, and why.
    pub(super) fn unsent(&self) -> String {
        let lines = |count| match count {
            1 => "1 line was".into(),
            _ => format!("{count} lines were"),
        };
        match (self.refused, self.failed) {
            (refused, 0) => format!("{} too long for a datagram", lines(refused)),
            (0, failed) => format!("{} not sent", lines(failed)),
            (refused, failed) => format!(
                "{} too long for a datagram, and {} not sent",
                lines(refused),
                lines(failed)
            ),
        }
    }

    pub(super) fn report(
        &self,
        sender: &Sender,
        numbering: Option<&Numbering>,
        seconds: f64,
    ) -> SendReport {
        let Self {
            sent,
            bytes,
            cut,
            refused,
            failed,
        } = *self;
        SendReport {
            audience: sender.audience().to_string(),
            interface: sender.interface().map(ToString::to_string),
            stream: numbering.map(|numbering| format!("{:016x}", numbering.stream())),
            sent,
            bytes,
            cut,
            refused,
            failed,
            seconds,
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
pub(super) struct SendReport {
    audience: String,
    interface: Option<String>,
    stream: Option<String>,
    sent: u64,
    bytes: u64,
    cut: u64,
    refused: u64,
    failed: u64,
    seconds: f64,
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (lines, bytes) = (some(self.sent, "line"), some(self.bytes, "byte"));
        write!(f, "sent {lines}, {bytes}")?;
        for (count, what) in [
            (self.cut, "cut"),
            (self.refused, "refused"),
            (self.failed, "failed"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_was_not_sent_only_what_there_was_is_told() {
        for (refused, failed, told) in [
            (1, 0, "1 line was too long for a datagram"),
            (0, 2, "2 lines were not sent"),
            (
                2,
                1,
                "2 lines were too long for a datagram, and 1 line was not sent",
            ),
        ] {
            let done = Done {
                refused,
                failed,
                ..Done::default()
            };
            assert_eq!(done.unsent(), told);
        }
    }
}
