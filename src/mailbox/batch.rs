//! What a sender took out of a mailbox, to send it without the mailbox's lock.

use crate::message::Message;
use std::collections::VecDeque;
use std::io::{self, IoSlice};

/// Slices handed to the kernel in one call.
const SLICES: usize = 64;

/// Messages on their way out, and how much of the first is gone.
pub(super) struct Batch {
    pub(super) messages: VecDeque<Message>,
    pub(super) sent_of_first: usize,
}

impl Batch {
    /// Sends until nothing is left or `send` fails; says how many bytes went out.
    pub(super) fn send(
        &mut self,
        send: &mut impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> (usize, io::Result<()>) {
        let mut total = 0;
        while !self.messages.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut filled = 0;
            let mut skip = self.sent_of_first;
            for (slice, message) in slices.iter_mut().zip(&self.messages) {
                *slice = IoSlice::new(&message.as_bytes()[skip..]);
                skip = 0;
                filled += 1;
            }
            match send(&slices[..filled]) {
                Ok(sent) => {
                    total += sent;
                    self.advance(sent);
                }
                Err(error) => return (total, Err(error)),
            }
        }
        (total, Ok(()))
    }

    fn advance(&mut self, sent: usize) {
        self.sent_of_first += sent;
        while let Some(first) = self.messages.front()
            && self.sent_of_first >= first.len()
        {
            self.sent_of_first -= first.len();
            self.messages.pop_front();
        }
    }
}
