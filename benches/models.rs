//! Echo under `thread`, `pool` and `select`, as lines against the number of clients.
//!
//! One measured element is a round trip of 64 bytes, over real sockets, in a closed loop: each client sends its
//! next message when its last one is back. The load is one thread of this process, the server the others, so
//! they share the cores: with 2 of them, the curves show what a model costs, and not how it
//! scales with threads. With 1 client nothing ever overlaps, and a message costs two wake-ups: of a core that
//! sleeps (tens of microseconds, more in a virtual machine) or, when the scheduler puts both ends on one core, hardly
//! anything. Runs jump between the two. Every echo is checked byte by byte, and the number of messages is asserted.

use criterion::{
    AxisScale, BenchmarkId, Criterion, PlotConfiguration, SamplingMode, Throughput,
    criterion_group, criterion_main,
};
use guardhouse::Server;
use guardhouse::load::{Load, Shape, Stop, Traffic};
use guardhouse::service::Echo;
use guardhouse::strategy::{self, ModelKind, ModelOptions};
use std::num::NonZeroUsize;
use std::time::Duration;

const MODELS: [ModelKind; 3] = [ModelKind::Thread, ModelKind::Pool, ModelKind::Select];
const CLIENTS: [usize; 3] = [1, 16, 64];
/// A worker serves one client at a time, so that a pool needs one for each.
const WORKERS: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// A tenth of what criterion takes by itself: the intervals hardly change, and the whole run is to be short.
const RESAMPLES: usize = 10_000;

fn echo(c: &mut Criterion) {
    let mut group = c.benchmark_group("echo");
    group
        .plot_config(PlotConfiguration::default().summary_scale(AxisScale::Logarithmic))
        .sampling_mode(SamplingMode::Flat)
        .throughput(Throughput::Elements(1))
        .sample_size(30)
        .nresamples(RESAMPLES)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    let options = ModelOptions {
        workers: WORKERS,
        ..ModelOptions::default()
    };
    for model in MODELS {
        for clients in CLIENTS {
            let server = Server::new(Echo)
                .boxed_model(strategy::model(model, options))
                .start()
                .expect("a server on a free port");
            let mut load = Load::connect(server.local_addr(), Shape::new(clients, Traffic::Echo))
                .expect("every client is served");
            group.bench_function(BenchmarkId::new(model.name(), clients), |bencher| {
                bencher.iter_custom(|messages| {
                    let measured = load.run(Stop::Messages(messages)).expect("no stall");
                    assert_eq!(
                        (measured.messages, measured.lost, measured.torn),
                        (messages, 0, 0)
                    );
                    measured.elapsed
                });
            });
            drop(load);
            let stats = server.shutdown().expect("the server ran to its end");
            assert_eq!(stats.opened, clients as u64);
        }
    }
    group.finish();
}

criterion_group!(benches, echo);
criterion_main!(benches);
