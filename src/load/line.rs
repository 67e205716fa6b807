//! The messages of a load: lines that say who sent them and which of its lines each is, so that whoever gets
//! one can tell a whole line from a torn one, and the next from a later one.
//!
//! ```text
//! c000012 000000000345 abcdefghijklmnopqrstuvwxyzabcdefghijklmnop\n
//! kind+sender  number  filling to the agreed size
//! ```

use std::ops::Range;

const SENDER: Range<usize> = 1..7;
const NUMBER: Range<usize> = 8..20;
const FILLING: usize = 21;

/// The filling may be empty.
pub(super) const SHORTEST: usize = FILLING + 1;
pub(super) const LONGEST: usize = 1 << 20;
/// As many as six digits tell apart.
pub(super) const MOST_SENDERS: usize = 999_999;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Shows that its sender is being served. Not counted.
    Hello,
    /// One of the messages that are measured.
    Counted,
}

impl Kind {
    const fn letter(self) -> u8 {
        match self {
            Self::Hello => b'h',
            Self::Counted => b'c',
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) sender: usize,
    pub(super) number: u64,
}

/// Writes and reads lines of one size.
#[derive(Debug)]
pub(super) struct Form {
    blank: Vec<u8>,
}

impl Form {
    /// Lines of `size` bytes, newline included: [`SHORTEST`] at least.
    pub(super) fn new(size: usize) -> Self {
        let mut blank = vec![b' '; FILLING];
        blank.extend((b'a'..=b'z').cycle().take(size - SHORTEST));
        blank.push(b'\n');
        Self { blank }
    }

    pub(super) fn size(&self) -> usize {
        self.blank.len()
    }

    /// Replaces what `bytes` held.
    pub(super) fn write(&self, line: Line, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.extend_from_slice(&self.blank);
        bytes[0] = line.kind.letter();
        write_number(&mut bytes[SENDER], line.sender as u64);
        write_number(&mut bytes[NUMBER], line.number);
    }

    /// `None` for anything but a whole line of this form.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<Line> {
        if bytes.len() != self.blank.len()
            || bytes[FILLING..] != self.blank[FILLING..]
            || [bytes[SENDER.end], bytes[NUMBER.end]] != [b' '; 2]
        {
            return None;
        }
        Some(Line {
            kind: [Kind::Counted, Kind::Hello]
                .into_iter()
                .find(|kind| kind.letter() == bytes[0])?,
            sender: read_number(&bytes[SENDER])? as usize,
            number: read_number(&bytes[NUMBER])?,
        })
    }
}

fn write_number(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn read_number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: &Form, sender: usize, number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        form.write(
            Line {
                kind: Kind::Counted,
                sender,
                number,
            },
            &mut bytes,
        );
        bytes
    }

    #[test]
    fn a_line_reads_as_it_was_written_at_every_size() {
        for size in SHORTEST..100 {
            let form = Form::new(size);
            let bytes = written(&form, 12, 345);
            assert_eq!(bytes.len(), size);
            assert!(bytes.starts_with(b"c000012 000000000345 "));
            assert_eq!(memchr::memchr(b'\n', &bytes), Some(size - 1));
            let line = form.read(&bytes).unwrap();
            assert_eq!((line.sender, line.number), (12, 345));
        }
    }

    #[test]
    fn a_line_with_any_byte_missing_or_of_two_halves_is_not_whole() {
        let form = Form::new(64);
        let (one, other) = (written(&form, 1, 7), written(&form, 2, 9));
        for cut in 0..one.len() {
            let mut short = one.clone();
            short.remove(cut);
            assert_eq!(form.read(&short), None, "byte {cut} missing");
            let spliced = [&one[..cut], &other[..]].concat();
            assert_eq!(form.read(&spliced).is_some(), cut == 0, "spliced at {cut}");
        }
        let mut changed = one;
        changed[40] ^= 1;
        assert_eq!(form.read(&changed), None);
    }
}
