//! [`Pending`]: whether what was said last has come back.

/// A chat sends every line to everybody, its sender among them. Whoever pipes a line and is gone learns by this that nobody
/// heard it: the line has not come back, and the last word was a complaint. A server that sends nothing back, and
/// complains of nothing, is no failure.
#[derive(Default)]
pub(super) struct Pending {
    /// The last line of text, while it has not come back.
    said: Option<Vec<u8>>,
    /// The server's last line was an error.
    complaint: bool,
}

impl Pending {
    /// `line` is on its way to the server. What becomes of a command, only its answer tells.
    pub(super) fn say(&mut self, line: &[u8]) {
        self.said = (!line.starts_with(b"/")).then(|| line.trim_ascii_end().to_vec());
    }

    pub(super) fn hear(&mut self, line: &[u8]) {
        let line = line.trim_ascii_end();
        self.complaint = line.starts_with(b"error: ");
        if self.said.as_deref() == Some(line) {
            self.said = None;
        }
    }

    /// Whether the server has refused it, as far as can be told.
    pub(super) fn is_refused(&self) -> bool {
        self.complaint && self.said.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_refused_when_a_complaint_came_in_its_place() {
        let mut pending = Pending::default();
        pending.hear(b"error: server is full\n");
        assert!(!pending.is_refused(), "nothing was said");
        pending.say(b"[ann] hello\n");
        assert!(pending.is_refused());
        pending.hear(b"[ann] hello\r\n");
        pending.hear(b"error: line longer than 20 bytes\n");
        assert!(!pending.is_refused(), "it came back");
        pending.say(b"[ann] hello\n");
        pending.hear(b"[bob] hi\n");
        assert!(!pending.is_refused(), "nobody complained");
        pending.hear(b"error: no\n");
        pending.say(b"/who\n");
        assert!(!pending.is_refused(), "that is a command's answer");
    }
}
