//! What watching a lock costs: an uncontended section on `parking_lot::Mutex` by itself, through [`Lock`], and through
//! [`Timed`] around that.
//!
//! Each section adds one, and the sum is asserted at the end.
//!
//! ```sh
//! cargo bench --bench timed
//! ```

use criterion::{Criterion, criterion_group, criterion_main};
use guardhouse::sync::{Lock, Timed};
use parking_lot::Mutex;
use std::hint::black_box;
use std::time::Duration;

/// Runs `section` over and over, and then compares how often that was to what `sum` says.
fn measure(c: &mut Criterion, name: &str, mut section: impl FnMut(), sum: impl FnOnce() -> u64) {
    let mut sections = 0;
    let mut group = c.benchmark_group("uncontended section");
    group
        .sample_size(50)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            section();
            sections += 1;
        });
    });
    group.finish();
    assert_eq!(sum(), sections, "{name} lost an update");
}

fn timed(c: &mut Criterion) {
    let bare = Mutex::new(0);
    let lock = || *black_box(&bare).lock() += 1;
    measure(c, "parking_lot::Mutex", lock, || *bare.lock());

    let plain = Mutex::new(0);
    let lock = || black_box(&plain).exclusive(|sum| *sum += 1);
    measure(c, "Lock", lock, || plain.shared(|sum| *sum));

    let watched = Timed::around(Mutex::new(0));
    let lock = || black_box(&watched).exclusive(|sum| *sum += 1);
    measure(c, "Timed", lock, || watched.shared(|sum| *sum));

    let stats = watched.stats().expect("it is watched");
    println!("own_cost says {:?} per section", stats.own_cost);
}

criterion_group!(benches, timed);
criterion_main!(benches);
