//! [`Descriptors`]: how many a server takes, and of those it may have, how many that leaves for its clients.

use guardhouse::model::{Accept, Deal};
use guardhouse::strategy::{ModelKind, ModelOptions};

/// What a server of one loop may hold beside its clients: streams, listener, the pipes of the shutdown, of signals and of
/// wakers, a poller; and a few that it has for a moment, as for a process that it starts.
pub(super) const OWN_DESCRIPTORS: usize = 24;
pub(super) const FD_SETSIZE: usize = 1024;

/// Each of several loops has a poller, and a pipe to wake it by. (A ring of uring's is its poller.)
const LOOP: usize = 3;
/// Where an acceptor puts the clients of a loop: a pipe.
const INBOX: usize = 2;
const LISTENER: usize = 1;
/// Of a process: a line, and a descriptor of the process itself while both come to their end.
const PROCESS: usize = 2;

/// What a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptors {
    /// For itself, whoever comes.
    pub(super) own: usize,
    pub(super) per_client: usize,
}

impl Descriptors {
    pub(super) fn of(model: ModelKind, options: &ModelOptions) -> Self {
        let (workers, loops) = (options.workers.get(), options.loops.get());
        let (more, per_client) = match (model, options.accept, options.deal) {
            (ModelKind::Process, _, _) => (0, PROCESS),
            // Its clients' are in the processes.
            (ModelKind::Prefork, _, _) => (workers.saturating_mul(PROCESS), 0),
            (ModelKind::Pool, Accept::ReusePort, _) => (workers.saturating_mul(LISTENER), 1),
            (_, _, deal) if model.has_loops() && loops > 1 => {
                let entrance = match deal {
                    Deal::Acceptor => INBOX,
                    Deal::ReusePort => LISTENER,
                };
                (loops.saturating_mul(LOOP + entrance), 1)
            }
            _ => (0, 1),
        };
        Self {
            own: more.saturating_add(OWN_DESCRIPTORS),
            per_client,
        }
    }

    /// Whether so many clients fit a `limit`.
    pub(super) fn allow(self, clients: usize, limit: usize) -> bool {
        let theirs = clients.saturating_mul(self.per_client);
        theirs.saturating_add(self.own) <= limit
    }

    /// How the sentence goes on that begins with what does not fit.
    pub(super) fn sentence(self, limit: usize) -> String {
        let each = match self.per_client {
            0 | 1 => String::new(),
            several => format!(", and each client takes {several}"),
        };
        format!(
            "the limit of {limit} file descriptors (ulimit -Hn), of which {} are for the server itself{each}",
            self.own
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    fn of(model: ModelKind, accept: Accept, deal: Deal, count: usize) -> (usize, usize) {
        let count = NonZeroUsize::new(count).unwrap();
        let options = ModelOptions {
            workers: count,
            loops: count,
            accept,
            deal,
            ..ModelOptions::default()
        };
        let Descriptors { own, per_client } = Descriptors::of(model, &options);
        (own - OWN_DESCRIPTORS, per_client)
    }

    #[test]
    fn loops_workers_at_the_door_and_processes_take_their_own() {
        use ModelKind::{Epoll, Hybrid, Pool, Prefork, Process, Uring};
        let (one, many) = (Accept::Acceptor, Deal::Acceptor);
        assert_eq!(of(Epoll, one, many, 1), (0, 1));
        assert_eq!(of(Epoll, one, many, 10), (50, 1));
        assert_eq!(of(Uring, one, Deal::ReusePort, 10), (40, 1));
        assert_eq!(of(Pool, one, many, 10), (0, 1));
        assert_eq!(of(Pool, Accept::ReusePort, many, 10), (10, 1));
        assert_eq!(of(Hybrid, one, many, 10), (0, 1));
        assert_eq!(of(Prefork, one, many, 10), (20, 0));
        assert_eq!(of(Process, one, many, 10), (0, 2));
    }
}
