//! One line to N receivers on loopback: a TCP send for each, a datagram for each by `sendto` and by `sendmmsg`, and one
//! datagram to a group that they all joined.
//!
//! What is measured is a line of 64 bytes that reaches all of them; criterion's elements are those whom it reaches. Lines go out in
//! batches that fit every receiver's buffer. Only the sending is timed; after each batch every receiver takes its lines, and each
//! is compared: one too few or too many fails the bench.
//!
//! Criterion has a line for each way and number of receivers. Then every way whose line ran takes part in the tables: time, the
//! sending thread's processor time (`CLOCK_THREAD_CPUTIME_ID`) and system calls, each per line, measured in
//! turns, so that what the machine does in one minute hits all alike. Calls are counted by the code that makes them.
//!
//! ```sh
//! cargo bench --bench multicast                       # every way
//! cargo bench --bench multicast -- sendmmsg multicast # only those
//! ```
//!
//! # What it cannot show
//! On loopback the kernel makes each receiver's copy inside the sender's own system call. What a group saves here is calls, and the
//! way down through the kernel, not copies. On a network the sender's host makes one packet, whatever N is, and
//! switches and the receivers' kernels make the copies: there, the column of N = 1 is what a sender pays.
//!
//! No receiver sleeps while it is sent to, so waking one is in no figure, nor is what receiving costs. The acknowledgements of
//! TCP are: on loopback the sender's call carries them out, too.

#[allow(
    dead_code,
    reason = "what sets off threads is for the benches of locks"
)]
mod harness;

mod ways;
#[path = "field/words.rs"]
mod words;

use criterion::{AxisScale, BenchmarkId, Criterion, PlotConfiguration, SamplingMode, Throughput};
use harness::rounds::{self, Job, Middle, Plan};
use harness::sheet;
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};
use ways::{Outlet, Way};
use words::Words;

const GROUP: &str = "a line to N receivers";
const RECEIVERS: [usize; 3] = [1, 10, 100];
/// Lines that are sent before anybody takes one. A socket's buffer holds some 250 of them; but TCP begins with a window of 10 segments,
/// and gathers what goes beyond it into one: of more lines at a time, it would be measured how it sends several together.
const BATCH: u64 = 8;
/// A fiftieth of what criterion takes by itself: the intervals change little, and the whole run is to be short.
const RESAMPLES: usize = 2_000;

/// A way, and so many receivers.
type Case = (Way, usize);

fn main() {
    let names: Vec<&str> = ways::ALL.iter().map(|way| way.name).collect();
    Words::given(&names)
        .into_one_filter(GROUP)
        .expect("this program can be started again");
    let mut criterion = Criterion::default()
        .sample_size(20)
        .nresamples(RESAMPLES)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .configure_from_args();
    let ran = lines(&mut criterion);
    if !ran.is_empty() {
        tables(&ran, Plan::new(9, Duration::from_millis(80)));
    }
    criterion.final_summary();
}

/// What lines cost their sender.
#[derive(Clone, Copy, Default)]
struct Spent {
    lines: u64,
    time: Duration,
    cpu: Duration,
    calls: u64,
}

impl Spent {
    /// Sends so many lines, at most a batch at a time, and has them received.
    fn send(&mut self, outlet: &mut dyn Outlet, mut lines: u64) {
        while lines > 0 {
            let batch = lines.min(BATCH);
            let (cpu, began) = (cpu_of_this_thread(), Instant::now());
            self.calls += outlet.send(batch);
            self.time += began.elapsed();
            self.cpu += cpu_of_this_thread().saturating_sub(cpu);
            self.lines += batch;
            outlet.drain(batch);
            lines -= batch;
        }
    }

    fn per_line(self, whole: f64) -> f64 {
        whole / self.lines as f64
    }
}

fn cpu_of_this_thread() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
}

/// Criterion's lines. Says which of them ran.
fn lines(criterion: &mut Criterion) -> Vec<Case> {
    let mut group = criterion.benchmark_group(GROUP);
    group
        .plot_config(PlotConfiguration::default().summary_scale(AxisScale::Logarithmic))
        .sampling_mode(SamplingMode::Flat);
    let mut ran = Vec::new();
    for &way in ways::ALL {
        for receivers in RECEIVERS {
            let mut open: Option<Box<dyn Outlet>> = None;
            group.throughput(Throughput::Elements(receivers as u64));
            group.bench_function(BenchmarkId::new(way.name, receivers), |bencher| {
                let outlet = open.get_or_insert_with(|| way.open(receivers));
                bencher.iter_custom(|lines| {
                    let mut spent = Spent::default();
                    spent.send(outlet.as_mut(), lines);
                    assert_eq!(spent.lines, lines);
                    spent.time
                });
            });
            ran.extend(open.map(|_| (way, receivers)));
        }
    }
    group.finish();
    ran
}

/// Everybody in each round, and a table for each thing that is spent.
fn tables(cases: &[Case], plan: Plan) {
    let jobs: Vec<Job<'_, Spent>> = cases
        .iter()
        .map(|&(way, receivers)| -> Job<'_, Spent> {
            Box::new(move || {
                let mut outlet = way.open(receivers);
                Spent::default().send(outlet.as_mut(), BATCH); // not counted
                let mut spent = Spent::default();
                let began = Instant::now();
                while spent.lines == 0 || began.elapsed() < plan.window {
                    spent.send(outlet.as_mut(), BATCH);
                }
                spent
            })
        })
        .collect();
    let measured = rounds::interleaved(&jobs, plan.rounds);
    let print = |what: &str, figure: fn(Spent) -> f64| {
        let figures = measured.iter().map(|rounds| {
            let each = rounds.iter().map(|spent| spent.per_line(figure(*spent)));
            rounds::middle(each)
        });
        let figures: Vec<(Case, Middle)> = cases.iter().copied().zip(figures).collect();
        table(what, &figures, plan);
    };
    print("µs", |spent| spent.time.as_secs_f64() * 1e6);
    print("µs of the sender's processor time", |spent| {
        spent.cpu.as_secs_f64() * 1e6
    });
    print("system calls", |spent| spent.calls as f64);
}

/// A row for each way, and a column for each number of receivers.
fn table(what: &str, figures: &[(Case, Middle)], plan: Plan) {
    let mut header = vec![String::new()];
    header.extend(RECEIVERS.iter().map(ToString::to_string));
    header.push("spread".into());
    let rows = ways::ALL.iter().filter_map(|way| {
        let own: Vec<(usize, Middle)> = figures
            .iter()
            .filter(|((of, _), _)| of.name == way.name)
            .map(|((_, receivers), figure)| (*receivers, *figure))
            .collect();
        sheet::row(way.name.to_owned(), &RECEIVERS, &own, 2)
    });
    let (rounds, window) = (plan.rounds, plan.window);
    sheet::print(
        &format!(
            "{GROUP}: {what} per line by N (medians of {rounds} rounds of {window:?}; less is better; spread: from the least to \
             the most, where it is widest)"
        ),
        &header,
        rows,
    );
}
