//! A program whose log panics: under models with workers it costs the client who is served just then, and no worker.
//!
//! A program of its own: the log is one for all threads.

#[path = "../src/broken_log.rs"]
mod broken_log;
mod common;

use broken_log::BrokenLog;
use common::peer::Peer;
use common::wait_until;
use guardhouse::Server;
use guardhouse::executor::Executor;
use guardhouse::model::{Model, Pool};
use guardhouse::service::Echo;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tracing::subscriber;

const WORKERS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// Whether the log panics, whatever a worker says.
static BROKEN: AtomicBool = AtomicBool::new(false);

/// Whether what is said now breaks the log.
fn breaks() -> bool {
    thread::current().name() == Some("gh-worker") && BROKEN.load(Ordering::SeqCst)
}

fn behind_each_executor() -> Vec<Box<dyn Model>> {
    let pools = Executor::ALL
        .map(|executor| Box::new(Pool::new(WORKERS).queue(0).executor(executor)) as Box<dyn Model>);
    #[cfg(target_os = "linux")]
    let hybrids = Executor::ALL.map(|executor| {
        let hybrid = guardhouse::model::Hybrid::new(WORKERS).executor(executor);
        Box::new(hybrid) as Box<dyn Model>
    });
    #[cfg(not(target_os = "linux"))]
    let hybrids = [];
    pools.into_iter().chain(hybrids).collect()
}

#[test]
fn a_log_that_panics_costs_its_client_and_no_worker_and_is_counted() {
    subscriber::set_global_default(BrokenLog(breaks)).unwrap();
    for model in behind_each_executor() {
        let name = model.name();
        let server = Server::new(Echo).boxed_model(model).start().unwrap();
        // What is said of the client panics, and what is said of that.
        BROKEN.store(true, Ordering::SeqCst);
        // More than there are workers.
        for lost in 1..=3 {
            let mut victim = Peer::connect(server.local_addr());
            victim.finish();
            victim.cut_off();
            wait_until("it has gone", || {
                let stats = server.stats();
                stats.opened == lost && stats.open == 0
            });
        }
        BROKEN.store(false, Ordering::SeqCst);
        // A worker each: with one lost, the second would wait.
        let mut all: Vec<Peer> = (0..WORKERS.get())
            .map(|_| Peer::greeted(server.local_addr(), "hello"))
            .collect();
        for peer in &mut all {
            peer.round_trip("still served");
        }
        for peer in all {
            peer.leave();
        }
        let stats = server.shutdown().unwrap();
        assert_eq!((stats.opened, stats.open), (5, 0), "{name}: {stats:?}");
        if name == "pool" {
            assert_eq!((stats.panicked, stats.finished), (3, 2), "{stats:?}");
        }
    }
}
