//! [`Outbox`]: lines that are to be sent, until they are.

use memchr::{memchr_iter, memrchr};
use std::io::{self, Write};

/// Whole lines. One that was sent in part when its connection broke goes out again, whole, over the next.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// So many of them are sent.
    sent: usize,
    /// So many of them say who we are: they belong to one connection, and go with it.
    introduction: usize,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many lines wait.
    pub(super) fn lines(&self) -> usize {
        memchr_iter(b'\n', &self.bytes[self.introduction..]).count()
    }

    pub(super) fn push(&mut self, lines: &[u8]) {
        self.bytes.extend_from_slice(lines);
    }

    /// What a new connection is told before all else.
    pub(super) fn introduce(&mut self, lines: &[u8]) {
        self.lost();
        self.bytes.splice(..0, lines.iter().copied());
        self.introduction = lines.len();
    }

    /// The connection is no more.
    pub(super) fn lost(&mut self) {
        self.bytes.drain(..self.introduction);
        self.introduction = 0;
        self.sent = 0;
    }

    /// Sends what `to` takes at once.
    pub(super) fn send(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.sent += to.write(&self.bytes[self.sent..])?;
        let whole = if self.sent == self.bytes.len() {
            self.sent
        } else {
            memrchr(b'\n', &self.bytes[..self.sent]).map_or(0, |newline| newline + 1)
        };
        self.bytes.drain(..whole);
        self.sent -= whole;
        self.introduction = self.introduction.saturating_sub(whole);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes and no more.
    struct Narrow(Vec<u8>, usize);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.1);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn sent(outbox: &mut Outbox, bytes: usize) -> String {
        let mut to = Narrow(Vec::new(), bytes);
        outbox.send(&mut to).unwrap();
        String::from_utf8(to.0).unwrap()
    }

    #[test]
    fn a_line_that_was_cut_off_goes_out_again_whole() {
        let mut outbox = Outbox::default();
        outbox.push(b"one\ntwo\nthree\n");
        assert_eq!(sent(&mut outbox, 6), "one\ntw");
        assert_eq!(outbox.lines(), 2);
        outbox.lost();
        assert_eq!(sent(&mut outbox, 99), "two\nthree\n");
        assert!(outbox.is_empty());
    }

    #[test]
    fn an_introduction_goes_with_its_connection() {
        let mut outbox = Outbox::default();
        outbox.push(b"hello\n");
        outbox.introduce(b"/name ann\n");
        assert_eq!((sent(&mut outbox, 3), outbox.lines()), ("/na".into(), 1));
        outbox.introduce(b"/name bob\n/join den\n");
        assert_eq!(sent(&mut outbox, 12), "/name bob\n/j");
        outbox.introduce(b"");
        assert_eq!(sent(&mut outbox, 99), "hello\n");
    }
}
