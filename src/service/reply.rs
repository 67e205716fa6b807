//! [`Reply`]: what a session answers.

use std::io;

/// What a client shall be sent. Appended to, it is collected in a buffer; a first answer that is there already, because
/// it is a part of what has just arrived or a constant, can be lent, and goes out from where it lies.
///
/// ```
/// use guardhouse::service::Reply;
///
/// let (mut buffer, arrived) = (Vec::new(), b"ping".to_vec());
/// let mut reply = Reply::new(&mut buffer);
/// reply.lend(&arrived);
/// assert_eq!(reply.as_bytes(), b"ping"); // not copied
/// reply.append(b"!\n");
/// assert_eq!(reply.as_bytes(), b"ping!\n"); // copied, both
/// ```
#[derive(Debug)]
pub struct Reply<'a> {
    collected: &'a mut Vec<u8>,
    said: Said<'a>,
}

/// Where it is.
#[derive(Clone, Copy, Debug)]
enum Said<'a> {
    /// Nowhere: there is none.
    Nothing,
    Lent(&'a [u8]),
    Collected,
}

impl<'a> Reply<'a> {
    /// An answer that begins with what is in `buffer`, and is collected there.
    #[inline]
    pub fn new(buffer: &'a mut Vec<u8>) -> Self {
        let said = if buffer.is_empty() {
            Said::Nothing
        } else {
            Said::Collected
        };
        Self {
            collected: buffer,
            said,
        }
    }

    /// [`new`](Self::new), where there is nothing in `buffer`.
    #[inline]
    pub(crate) fn of_nothing(buffer: &'a mut Vec<u8>) -> Self {
        debug_assert!(buffer.is_empty());
        Self {
            collected: buffer,
            said: Said::Nothing,
        }
    }

    /// Appends a copy of `bytes`.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) {
        self.buffer().extend_from_slice(bytes);
    }

    /// Appends `bytes`, without a copy if nothing was said before and nothing will be afterwards.
    #[inline]
    pub fn lend(&mut self, bytes: &'a [u8]) {
        if let Said::Nothing = self.said {
            self.said = Said::Lent(bytes);
        } else {
            self.lend_behind(bytes);
        }
    }

    #[cold]
    #[inline(never)]
    fn lend_behind(&mut self, bytes: &[u8]) {
        self.append(bytes);
    }

    /// Where it is collected, for those who write into a `Vec`. What was said before is in there.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if let Said::Lent(bytes) = self.said {
            self.collected.extend_from_slice(bytes);
        }
        self.said = Said::Collected;
        self.collected
    }

    /// All of it.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match self.said {
            Said::Nothing => &[],
            Said::Lent(bytes) => bytes,
            Said::Collected => self.collected,
        }
    }

    /// All of it, if it is lent.
    #[inline]
    pub(crate) fn lent(&self) -> Option<&'a [u8]> {
        match self.said {
            Said::Lent(bytes) => Some(bytes),
            Said::Nothing | Said::Collected => None,
        }
    }

    /// Whether nothing was said.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

/// For `write!`. Never fails.
impl io::Write for Reply<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn whatever_is_lent_or_appended_is_said_in_this_order() {
        let mut buffer = b"<".to_vec();
        let mut reply = Reply::new(&mut buffer);
        reply.lend(b"a");
        write!(reply, "{}", 1).unwrap();
        reply.lend(b"b");
        assert_eq!(reply.as_bytes(), b"<a1b");

        buffer.clear();
        let mut reply = Reply::new(&mut buffer);
        assert!(reply.is_empty());
        reply.lend(b"");
        assert!(reply.is_empty());
        reply.lend(b"c");
        reply.lend(b"d");
        assert_eq!(reply.as_bytes(), b"cd");
        assert!(reply.lent().is_none());
    }

    #[test]
    fn a_lent_answer_lies_where_it_lay() {
        let (mut buffer, arrived) = (Vec::new(), b"echo".to_vec());
        let mut reply = Reply::new(&mut buffer);
        reply.lend(&arrived);
        assert!(std::ptr::eq(reply.as_bytes(), arrived.as_slice()));
    }
}
