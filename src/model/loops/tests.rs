//! What several loops are to each other, and how clients are dealt out to them.

use super::*;
use crate::limits::Limits;
use crate::service::Echo;
use crate::stats::Stats;
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

const THREE: NonZeroUsize = NonZeroUsize::new(3).unwrap();
const CLIENTS: usize = 6;

struct House {
    shutdown: Shutdown,
    stats: Stats,
    listener: Listener,
    clients: Vec<TcpStream>,
}

impl House {
    /// With clients at the door already.
    fn new() -> Self {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), 64).unwrap();
        let addr: SocketAddr = listener.local_addr().unwrap();
        Self {
            shutdown: Shutdown::new().unwrap(),
            stats: Stats::default(),
            listener,
            clients: (0..CLIENTS)
                .map(|_| TcpStream::connect(addr).unwrap())
                .collect(),
        }
    }

    fn run(
        self,
        serve: impl for<'a> Fn(Entrance<'a>, Context<'a>) -> io::Result<()> + Sync,
    ) -> (io::Result<()>, Stats) {
        let outcome = {
            let context = Context {
                service: &Echo,
                limits: Limits::default(),
                shutdown: &self.shutdown,
                stats: &self.stats,
            };
            let listeners = vec![self.listener];
            run(THREE, Deal::Acceptor, listeners, context, |entrance| {
                serve(entrance, context)
            })
        };
        drop(self.clients);
        assert!(self.shutdown.is_draining());
        (outcome, self.stats)
    }
}

/// Counts who comes in until nobody does any more.
fn count(mut entrance: Entrance<'_>, mut came: impl FnMut()) {
    while !entrance.is_over() {
        let mut fds = [PollFd::new(&entrance, PollFlags::IN)];
        poll(&mut fds, None).unwrap();
        entrance.accept(|_| came()).unwrap();
    }
}

#[test]
fn clients_are_dealt_out_in_turn() {
    let (came, dealt) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let (outcome, stats) = House::new().run(|entrance, context| {
        let mut own = 0;
        count(entrance, || {
            own += 1;
            if came.fetch_add(1, Ordering::SeqCst) + 1 == CLIENTS {
                context.shutdown.drain();
            }
        });
        dealt.lock().push(own);
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(*dealt.lock(), [2, 2, 2]);
    assert_eq!(stats.snapshot().accepted, CLIENTS as u64);
}

#[test]
fn a_loop_that_breaks_drains_the_others_and_counts_who_waited_for_it() {
    let broken = AtomicUsize::new(0);
    let came = AtomicUsize::new(0);
    let (outcome, stats) = House::new().run(|entrance, _| {
        if broken.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(io::Error::other("planned"));
        }
        count(entrance, || {
            came.fetch_add(1, Ordering::SeqCst);
        });
        Ok(())
    });
    assert_eq!(outcome.unwrap_err().to_string(), "planned");
    let stats = stats.snapshot();
    assert_eq!(stats.forced, stats.opened);
    assert_eq!(stats.accepted, stats.opened + came.into_inner() as u64);
}

#[test]
fn a_panic_in_a_loop_ends_the_server_and_does_not_hang_it() {
    let first = AtomicUsize::new(0);
    let house = House::new();
    let shutdown = house.shutdown.clone();
    let left = catch_unwind(AssertUnwindSafe(|| {
        house.run(|entrance, _| {
            if first.fetch_add(1, Ordering::SeqCst) == 0 {
                resume_unwind(Box::new("the loop fell apart"));
            }
            count(entrance, || {});
            Ok(())
        })
    }));
    let thrown = left.expect_err("it goes on to whoever called");
    assert_eq!(thrown.downcast_ref(), Some(&"the loop fell apart"));
    assert!(shutdown.is_draining());
}
