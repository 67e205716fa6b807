//! [`Header`]: the bytes in front of a numbered datagram.
//!
//! All numbers in network byte order. What begins otherwise is a plain datagram, all of it news: the first byte occurs in no
//! text of UTF-8.
//!
//! ```text
//!  byte  0        4         5      6        8           16          24          32
//!        +--------+---------+------+--------+-----------+-----------+-----------+- - - -
//!        | magic  | version | kind | length | stream    | sequence  | sent at   | news
//!        | F7 GHN |    1    | 0, 1 |   32   | (random)  | 0, 1, ... | ns, 1970  |
//!        +--------+---------+------+--------+-----------+-----------+-----------+- - - -
//! ```
//!
//! - *kind* 0 is news; 1 is the end: no news, and the sequence is how many there were. It is the only way to know that the
//!   last ones were lost.
//! - *length* is that of the header; a reader of this version takes the news to begin there, so that later ones can add to it.
//! - *stream* is drawn by chance when a sender starts: another one from the same host is a sender that started again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};
use thiserror::Error;

/// What is said of one datagram, in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// News, or the end of them.
    pub kind: Kind,
    /// Which sender, since it started.
    pub stream: u64,
    /// The number of this datagram in its stream, from 0; of the [end](Kind::End), how many there were.
    pub sequence: u64,
    /// When it was sent, by the sender's clock: since 1970 began, in UTC; to the nanosecond, until the year 2554. It is taken
    /// with the number, so that later numbers have later times: an old number with a newer time is a sender that counts from
    /// the beginning again.
    pub sent_at: Duration,
}

/// What a numbered datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// News follow.
    News,
    /// There is no more to come.
    End,
}

/// A datagram, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// It has no header: all of it is news.
    Plain(&'a [u8]),
    /// What the header says, and the news.
    Numbered(Header, &'a [u8]),
}

/// Why a datagram that begins like a numbered one is none.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// Shorter than its header.
    #[error("a numbered datagram of {0} bytes ends in its header")]
    Short(usize),
    /// Of a version that this reader does not know.
    #[error("a numbered datagram has version {0}, and this reader knows 1")]
    Version(u8),
    /// Of no kind that there is.
    #[error("a numbered datagram is of kind {0}, and there are 0 and 1")]
    Kind(u8),
    /// A number that no stream gets to.
    #[error("a numbered datagram has the number 2^64-1, to which no stream gets")]
    Sequence,
}

const MAGIC: [u8; 4] = [0xF7, b'G', b'H', b'N'];
const VERSION: u8 = 1;

impl Header {
    /// Its bytes.
    pub const LENGTH: usize = 32;

    /// As it travels.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[5] = match self.kind {
            Kind::News => 0,
            Kind::End => 1,
        };
        bytes[6..8].copy_from_slice(&(Self::LENGTH as u16).to_be_bytes());
        bytes[8..16].copy_from_slice(&self.stream.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_be_bytes());
        let sent_at = u64::try_from(self.sent_at.as_nanos()).unwrap_or(u64::MAX);
        bytes[24..].copy_from_slice(&sent_at.to_be_bytes());
        bytes
    }

    /// Reads a datagram. Never panics, whatever it is.
    ///
    /// # Errors
    /// When it begins like a numbered one and is none.
    pub fn decode(datagram: &[u8]) -> Result<Decoded<'_>, Malformed> {
        if !datagram.starts_with(&MAGIC) {
            return Ok(Decoded::Plain(datagram));
        }
        let short = Malformed::Short(datagram.len());
        let version = *datagram.get(4).ok_or(short)?;
        if version != VERSION {
            return Err(Malformed::Version(version));
        }
        let fixed: &[u8; Self::LENGTH] = datagram.first_chunk().ok_or(short)?;
        let kind = match fixed[5] {
            0 => Kind::News,
            1 => Kind::End,
            other => return Err(Malformed::Kind(other)),
        };
        let length = usize::from(u16::from_be_bytes([fixed[6], fixed[7]]));
        if length < Self::LENGTH || length > datagram.len() {
            return Err(short);
        }
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&fixed[at..at + 8]);
            u64::from_be_bytes(word)
        };
        let header = Self {
            kind,
            stream: word(8),
            sequence: word(16),
            sent_at: Duration::from_nanos(word(24)),
        };
        if header.sequence == u64::MAX {
            return Err(Malformed::Sequence);
        }
        Ok(Decoded::Numbered(header, &datagram[length..]))
    }
}

/// Numbers the datagrams of one sender. One owner; for several threads, each with its own.
#[derive(Debug)]
pub struct Numbering {
    stream: u64,
    next: u64,
}

impl Numbering {
    /// A new stream, of a random number.
    pub fn new() -> Self {
        Self {
            // Of the system's own chance: machines that were cloned draw different ones.
            stream: RandomState::new().build_hasher().finish(),
            next: 0,
        }
    }

    /// Which stream it is.
    pub fn stream(&self) -> u64 {
        self.stream
    }

    /// How many were numbered.
    pub fn count(&self) -> u64 {
        self.next
    }

    /// The header of the next, which is sent now.
    pub fn next_header(&mut self) -> Header {
        let header = self.header(Kind::News);
        self.next += 1;
        header
    }

    /// The header that says that no more will come. Sent more than once, it does no harm.
    pub fn end(&self) -> Header {
        self.header(Kind::End)
    }

    fn header(&self, kind: Kind) -> Header {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Header {
            kind,
            stream: self.stream,
            sequence: self.next,
            // A clock before 1970 is wrong anyway.
            sent_at: now.unwrap_or_default(),
        }
    }
}

impl Default for Numbering {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> impl Strategy<Value = Header> {
        let kind = prop_oneof![Just(Kind::News), Just(Kind::End)];
        (kind, any::<u64>(), 0..u64::MAX, any::<u64>()).prop_map(
            |(kind, stream, sequence, sent_at)| Header {
                kind,
                stream,
                sequence,
                sent_at: Duration::from_nanos(sent_at),
            },
        )
    }

    #[test]
    fn the_layout_is_what_the_docs_say() {
        let header = Header {
            kind: Kind::News,
            stream: 0x0102_0304_0506_0708,
            sequence: 9,
            sent_at: Duration::from_nanos(0x0a0b),
        };
        let mut bytes = header.encode().to_vec();
        let expected = b"\xF7GHN\x01\x00\x00\x20\x01\x02\x03\x04\x05\x06\x07\x08\
            \x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x0a\x0b";
        assert_eq!(bytes, expected);
        bytes.extend_from_slice(b"news\n");
        assert_eq!(
            Header::decode(&bytes),
            Ok(Decoded::Numbered(header, b"news\n"))
        );
    }

    #[test]
    fn a_longer_header_of_this_version_is_skipped() {
        let header = Numbering::new().next_header();
        let mut bytes = header.encode().to_vec();
        bytes[7] = 40;
        bytes.extend_from_slice(b"whatever");
        bytes.extend_from_slice(b"news");
        assert_eq!(
            Header::decode(&bytes),
            Ok(Decoded::Numbered(header, b"news"))
        );
    }

    #[test]
    fn what_only_begins_like_one_is_refused() {
        let good = Numbering::new().next_header().encode();
        for length in MAGIC.len()..Header::LENGTH {
            assert_eq!(
                Header::decode(&good[..length]),
                Err(Malformed::Short(length))
            );
        }
        let with = |at: usize, byte: u8| {
            let mut bytes = good;
            bytes[at] = byte;
            bytes
        };
        assert_eq!(Header::decode(&with(4, 2)), Err(Malformed::Version(2)));
        assert_eq!(Header::decode(&with(5, 7)), Err(Malformed::Kind(7)));
        assert_eq!(Header::decode(&with(7, 31)), Err(Malformed::Short(32)));
        assert_eq!(Header::decode(&with(7, 33)), Err(Malformed::Short(32)));
        let mut bytes = good;
        bytes[16..24].fill(0xff);
        assert_eq!(Header::decode(&bytes), Err(Malformed::Sequence));
        assert_eq!(Header::decode(b"\xF7GH"), Ok(Decoded::Plain(b"\xF7GH")));
        assert_eq!(Header::decode(b""), Ok(Decoded::Plain(b"")));
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(header in header(), news: Vec<u8>) {
            let bytes = [&header.encode()[..], &news].concat();
            prop_assert_eq!(Header::decode(&bytes), Ok(Decoded::Numbered(header, &news)));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Header::decode(&bytes);
        }

        #[test]
        fn no_bytes_after_the_magic_panic_and_the_news_are_their_end(bytes: Vec<u8>) {
            let datagram = [&MAGIC[..], &[VERSION], &bytes].concat();
            if let Ok(decoded) = Header::decode(&datagram) {
                let Decoded::Numbered(_, news) = decoded else { panic!("it has the magic") };
                prop_assert!(datagram.ends_with(news));
                prop_assert!(datagram.len() - news.len() >= Header::LENGTH);
            }
        }
    }
}
