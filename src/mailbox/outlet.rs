//! [`Outlet`]: the way out of a mailbox, which each model has its own of.

use super::Mailbox;
use std::sync::Arc;

/// Gets the bytes of a mailbox to their client. Each model has its own: a blocking model writes at once,
/// a reactor notes the client for the end of its turn.
pub trait Outlet: Send + Sync {
    /// Something was posted into the idle `mailbox`, or it overflowed. From any thread, never inside a
    /// critical section; must not block.
    fn ring(&self, mailbox: &Arc<Mailbox>);

    /// Sends what is in `mailbox`, if its model can wait until the client has taken it. From any thread, also inside a
    /// critical section: it is the one strategy that does so which calls this.
    fn send_out(&self, mailbox: &Arc<Mailbox>) {
        self.ring(mailbox);
    }

    /// Has `work` done when everybody has been heard who has something to say at the moment. Where a thread hears many
    /// clients in turn, that is the end of its turn, unless it is `urgent`. Called by the thread that serves the
    /// client, never inside a critical section.
    fn in_a_moment(&self, work: Arc<dyn Work>, urgent: bool) {
        let _ = urgent;
        work.run();
    }
}

/// Something to be done for more than one client.
pub trait Work: Send + Sync {
    /// Does it. From any thread, never inside a critical section; must not block.
    fn run(&self);
}
