//! What has happened, in the order in which the kernel has put it down.
//!
//! It stays where it was put down until it is told, since that is the least to do for most: to receive goes on, and
//! has. What is for the ring itself, sends above all, has to be found before anybody is told anything. The sends of a call
//! come first as a rule, and are as many as were submitted; then that is all. If something else comes between, everything
//! is taken *aside*, and the sends are taken out:
//!
//! ```text
//!   the kernel puts down --> queue ------------------------------- next_completion --> told
//!                              |                                          ^
//!                              +-- set_aside: no room, or sends to find --> aside, told first
//! ```
//!
//! So whatever is aside is older than all that is in the queue, and there is no send in the queue when
//! [`Ring::enter`] is back.

#[cfg(test)]
mod tests;

use super::super::op::{ACCEPT, CANCEL, Completion, SEND, UNREGISTER, Unsent};
use super::Ring;

impl Ring {
    /// Whether something has happened that was not told. It may turn out to be for the ring alone.
    #[inline]
    pub(in super::super) fn has_completions(&mut self) -> bool {
        !self.aside.is_empty() || !self.queues.completion().is_empty()
    }

    /// What has happened next.
    #[inline]
    pub(in super::super) fn next_completion(&mut self) -> Option<Completion> {
        if self.aside.is_empty() {
            let next = self.take()?;
            if next.is_lasting_receive() {
                return Some(next);
            }
            self.set_aside_from(next);
        }
        self.next_aside()
    }

    #[inline(never)] // Where it is inlined, whatever is next goes through memory.
    fn next_aside(&mut self) -> Option<Completion> {
        self.aside.pop_front()
    }

    /// Takes the next from the queue.
    #[inline]
    fn take(&mut self) -> Option<Completion> {
        self.queues.completion().next().map(Completion::of)
    }

    /// Takes so many sends from the queue, so that there are no more of them in it.
    #[inline]
    pub(super) fn take_sends(&mut self, sends: usize) {
        let mut queue = self.queues.completion();
        for _ in 0..sends {
            let Some(next) = queue.next().map(Completion::of) else {
                // It was hushed, or set aside with the rest.
                return;
            };
            if !next.is_whole_send() {
                // It was refused, or something has come before it, or nothing is heard of it, since it was hushed.
                drop(queue);
                return self.set_aside_from(next);
            }
        }
    }

    /// Empties the queue, of which this was the first.
    #[cold]
    fn set_aside_from(&mut self, first: Completion) {
        self.put_aside(first);
        self.set_aside();
    }

    /// Empties the queue of what has happened, which is told later: the kernel keeps at some cost what it has no room to put
    /// down there.
    #[cold]
    pub(in super::super) fn set_aside(&mut self) {
        while let Some(next) = self.take() {
            self.put_aside(next);
        }
    }

    #[inline]
    fn put_aside(&mut self, one: Completion) {
        // The first branch is a short cut: a turn of one message comes this way.
        if one.is_lasting_receive() {
            self.aside.push_back(one);
        } else if let Some(one) = self.sort(one) {
            self.aside.push_back(one);
        }
    }

    /// Takes note of what has happened, and passes on what is for those who ask what has.
    #[cold]
    fn sort(&mut self, completion: Completion) -> Option<Completion> {
        let (tag, result) = (completion.tag(), completion.result());
        if tag == CANCEL || completion.is_whole_send() {
            return None;
        }
        if tag == UNREGISTER {
            let key = completion.key();
            tracing::error!(key, ?result, "a client's socket stays open behind its end");
            return None;
        }
        if tag == SEND {
            let key = completion.key();
            self.unsent.push(Unsent { key, result });
            return None;
        }
        if !completion.has_more() {
            self.in_flight -= 1;
        }
        if tag == ACCEPT
            && let Ok(socket) = result
        {
            self.arrived(socket);
            return (!completion.has_more()).then_some(completion);
        }
        Some(completion)
    }

    /// Takes note of all that has happened, and tells nobody.
    pub(super) fn forget(&mut self) {
        while self.next_completion().is_some() {}
    }
}
