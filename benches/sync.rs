//! The locks of the registry, by threads and by the share of sections that only look.
//!
//! One measured element is a critical section on a list of clients, of the length that a server's has: to look
//! is to walk over all of them, as a broadcast does; to change is one leaving and one joining. Threads enter
//! again as soon as they left: the most contention that a lock can meet, and far more than it meets in a server.
//!
//! `threads` beyond the machine's cores take turns, so 2 cores cannot show how a lock scales, only what
//! contention and a preempted holder cost.
//!
//! Each change raises the sum of the ids by one. The sum at the end is asserted: one lost update, and the
//! bench fails.

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group,
    criterion_main,
};
use guardhouse::mailbox::{Mailbox, Outlet};
use guardhouse::sync::{Lock, SemaphoreLock};
use guardhouse::{Client, ClientId, Clients};
use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: u64 = 16;
const THREADS: [u64; 3] = [1, 2, 4];
/// In percent.
const READ_SHARES: [u64; 4] = [0, 50, 90, 100];
/// A tenth of what criterion takes by itself: the intervals hardly change, and the whole run is to be short.
const RESAMPLES: usize = 10_000;

/// Nobody is ever rung: the sections are measured, and not what is sent after them.
struct Nowhere;

impl Outlet for Nowhere {
    fn ring(&self, _: &Arc<Mailbox>) {}
}

fn room() -> Clients {
    let mut clients = Clients::new();
    for id in 0..CLIENTS {
        let mailbox = Arc::new(Mailbox::new(1, Box::new(Nowhere)));
        clients.join(Client::new(
            ClientId(id),
            ([127, 0, 0, 1], 1).into(),
            mailbox,
        ));
    }
    clients
}

fn sum_of_ids(clients: &Clients) -> u64 {
    clients.iter().map(|client| client.id().0).sum()
}

/// One leaves, and one with the next number takes the place.
fn change(clients: &mut Clients) {
    let first = clients.iter().next().map(Client::id);
    if let Some(left) = first.and_then(|id| clients.leave(id)) {
        let id = ClientId(left.id().0 + 1);
        clients.join(Client::new(id, left.addr(), Arc::clone(left.mailbox())));
    }
}

/// So many sections of one thread; says how many of them were changes. The looks are spread evenly: 61 and
/// 100 have no common factor, so 100 sections in a row hold exactly `read_share` of them.
fn work<L: Lock<Value = Clients>>(lock: &L, sections: u64, read_share: u64) -> u64 {
    let mut changes = 0;
    for section in 0..sections {
        if section * 61 % 100 < read_share {
            black_box(lock.shared(sum_of_ids));
        } else {
            lock.exclusive(change);
            changes += 1;
        }
    }
    changes
}

/// From the moment that all threads set out until the last of them is back. Each counts on its own stack, so
/// that no two counters share a cache line.
fn race<L: Lock<Value = Clients>>(threads: u64, sections: u64, read_share: u64) -> Duration {
    let lock = L::new(room());
    let start = Barrier::new(threads as usize + 1);
    let (elapsed, changes) = thread::scope(|scope| {
        let runners: Vec<_> = (0..threads)
            .map(|thread| {
                let (lock, start) = (&lock, &start);
                let share = sections / threads + u64::from(thread < sections % threads);
                scope.spawn(move || {
                    start.wait();
                    work(lock, share, read_share)
                })
            })
            .collect();
        start.wait();
        let began = Instant::now();
        let changes: u64 = runners
            .into_iter()
            .map(|runner| runner.join().expect("no section panics"))
            .sum();
        (began.elapsed(), changes)
    });
    let before = CLIENTS * (CLIENTS - 1) / 2;
    assert_eq!(
        lock.shared(sum_of_ids),
        before + changes,
        "{} lost an update",
        L::NAME
    );
    assert_eq!(lock.shared(Clients::len), CLIENTS as usize);
    elapsed
}

fn lines_of<L: Lock<Value = Clients>>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    read_share: u64,
) {
    for threads in THREADS {
        group.bench_function(BenchmarkId::new(name, threads), |bencher| {
            bencher.iter_custom(|sections| race::<L>(threads, sections, read_share));
        });
    }
}

fn locks(c: &mut Criterion) {
    for read_share in READ_SHARES {
        let mut group = c.benchmark_group(format!("registry/{read_share}% looks"));
        group
            .sampling_mode(SamplingMode::Flat)
            .throughput(Throughput::Elements(1))
            .sample_size(15)
            .nresamples(RESAMPLES)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_millis(800));
        lines_of::<parking_lot::Mutex<Clients>>(&mut group, "mutex", read_share);
        lines_of::<parking_lot::RwLock<Clients>>(&mut group, "rwlock", read_share);
        lines_of::<SemaphoreLock<Clients>>(&mut group, "semaphore", read_share);
        group.finish();
    }
}

criterion_group!(benches, locks);
criterion_main!(benches);
