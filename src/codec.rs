//! [`Lines`]: finds the lines in a stream that is cut anywhere.
//!
//! TCP has no message boundaries: one `send` may arrive as many `recv`s, and many as one. Whoever
//! relays what a `recv` returned relays pieces of lines, which is how the lines of two talkers get torn
//! into each other. A line protocol therefore keeps the unfinished end until the rest arrives.

use memchr::{memchr_iter, memrchr};
use thiserror::Error;

/// A line went on past its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line longer than {limit} bytes")]
pub struct LineTooLong {
    /// The limit in bytes, newline not counted.
    pub limit: usize,
}

/// Collects bytes until they are lines.
#[derive(Debug)]
pub struct Lines {
    limit: usize,
    unfinished: Vec<u8>,
}

impl Lines {
    /// Lines of at most `limit` bytes, newline not counted.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            unfinished: Vec::new(),
        }
    }

    /// Takes the next bytes of the stream and appends every line they complete to `whole`, newlines
    /// included. What is left over waits for the next call.
    ///
    /// # Errors
    /// [`LineTooLong`] as soon as a line exceeds the limit, finished or not. Lines before it are in
    /// `whole`; of the line itself nothing is.
    pub fn feed(&mut self, bytes: &[u8], whole: &mut Vec<u8>) -> Result<(), LineTooLong> {
        self.feed_each(bytes, whole, |_, _| {})
    }

    /// [`feed`](Self::feed) that tells of each line as it is completed: `completed` is called with `whole`, whose last
    /// line it is, and where it begins there. Not called for a line that is too long.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    #[inline]
    pub fn feed_each(
        &mut self,
        bytes: &[u8],
        whole: &mut Vec<u8>,
        mut completed: impl FnMut(&[u8], usize),
    ) -> Result<(), LineTooLong> {
        let too_long = LineTooLong { limit: self.limit };
        let complete = memrchr(b'\n', bytes).map_or(0, |newline| newline + 1);
        let mut start = 0;
        for newline in memchr_iter(b'\n', &bytes[..complete]) {
            if self.unfinished.len() + (newline - start) > self.limit {
                self.unfinished = Vec::new();
                return Err(too_long);
            }
            let begins = whole.len();
            whole.append(&mut self.unfinished);
            whole.extend_from_slice(&bytes[start..=newline]);
            completed(whole, begins);
            start = newline + 1;
        }
        let rest = &bytes[complete..];
        if self.unfinished.len() + rest.len() > self.limit {
            self.unfinished = Vec::new();
            return Err(too_long);
        }
        self.unfinished.extend_from_slice(rest);
        Ok(())
    }

    /// The stream has ended: appends an unfinished last line to `whole`, with the newline it lacks.
    pub fn finish(&mut self, whole: &mut Vec<u8>) {
        if !self.unfinished.is_empty() {
            whole.append(&mut self.unfinished);
            whole.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(chunks: &[&[u8]], limit: usize) -> (Vec<u8>, Option<LineTooLong>) {
        let mut lines = Lines::new(limit);
        let mut whole = Vec::new();
        for chunk in chunks {
            if let Err(error) = lines.feed(chunk, &mut whole) {
                return (whole, Some(error));
            }
        }
        lines.finish(&mut whole);
        (whole, None)
    }

    #[test]
    fn an_unfinished_last_line_gets_its_newline() {
        assert_eq!(decode(&[b"a\nb"], 9), (b"a\nb\n".to_vec(), None));
        assert_eq!(decode(&[b"a\n", b""], 9), (b"a\n".to_vec(), None));
        assert_eq!(decode(&[b"\n"], 9), (b"\n".to_vec(), None));
    }

    #[test]
    fn a_line_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
        assert_eq!(decode(&[b"1234\n"], 4), (b"1234\n".to_vec(), None));
        assert_eq!(
            decode(&[b"a\n12345\nb\n"], 4),
            (b"a\n".to_vec(), Some(LineTooLong { limit: 4 }))
        );
        assert_eq!(
            decode(&[b"12", b"345"], 4),
            (vec![], Some(LineTooLong { limit: 4 }))
        );
    }

    #[test]
    fn a_cut_at_every_position_gives_the_same_lines() {
        let text = b"one\n\ntwo three\nlast";
        let uncut = decode(&[text], 9);
        for cut in 0..=text.len() {
            assert_eq!(decode(&[&text[..cut], &text[cut..]], 9), uncut, "{cut}");
        }
    }

    #[test]
    fn each_completed_line_is_told_of_where_it_lies() {
        let mut lines = Lines::new(9);
        let mut whole = b"before\n".to_vec();
        let mut told = Vec::new();
        for chunk in [&b"o"[..], b"ne\n\ntw", b"o\nunfinished"] {
            let tell = |whole: &[u8], begins: usize| told.push(whole[begins..].to_vec());
            let fed = lines.feed_each(chunk, &mut whole, tell);
            assert_eq!(fed.is_err(), chunk.ends_with(b"unfinished"));
        }
        assert_eq!(told, [&b"one\n"[..], b"\n", b"two\n"]);
    }

    proptest! {
        #[test]
        fn bytes_cut_anywhere_give_the_same_lines(
            text in "[ab\n]{0,60}",
            cuts in proptest::collection::vec(0_usize..60, 0..6),
            limit in 1_usize..9,
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&bytes[from..cut]);
                from = cut;
            }
            chunks.push(&bytes[from..]);
            prop_assert_eq!(decode(&chunks, limit), decode(&[bytes], limit));
        }
    }
}
