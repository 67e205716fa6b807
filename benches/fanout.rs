//! A chat under every fan-out, as curves of deliveries per second over the number of clients.
//!
//! One measured element is a delivery: a line of 64 bytes that reached one client, over real sockets, in a closed loop:
//! each talker says its next line when its last one is back. Every client listens and checks every line; one that is lost or torn
//! fails the bench. Four of the clients talk, or all of them. Many talkers are many lines at a time for whoever can send them
//! together.
//!
//! The server is `guardhouse serve chat` in a process of its own; the load is one thread of this one. `under-lock` is
//! measured where it may wait, under `thread`.
//!
//! Criterion has a group for each model and crowd, in which each fan-out is a line, and draws the curves into its report
//! (`target/criterion/`). Then everybody whose line ran takes part in the tables: all are measured in turns, so that
//! what the machine does in one minute hits all alike.
//!
//! ```sh
//! cargo bench --bench fanout                      # everybody
//! cargo bench --bench fanout -- log queue         # only those fan-outs, under every model
//! cargo bench --bench fanout -- log thread epoll  # and only under those models
//! ```
//!
//! # What it cannot show
//! With two cores the load has one, and the server the other: how a fan-out scales with threads is not seen. What the server spends
//! itself, `guardhouse compare --fanouts ...` tells.

#[allow(
    dead_code,
    reason = "what sets off threads is for the benches of locks"
)]
mod harness;

#[path = "field/words.rs"]
mod words;

use criterion::{AxisScale, BenchmarkId, Criterion, PlotConfiguration, SamplingMode, Throughput};
use guardhouse::Fanout;
use guardhouse::lab::{Cell, ServerProcess, Tuning, Workload};
use guardhouse::load::{Load, Measured, Shape, Stop, Traffic};
use guardhouse::strategy::{self, LockKind, ModelKind, ModelOptions};
use harness::rounds::{self, Job, Middle, Plan};
use harness::sheet;
use std::path::Path;
use std::time::Duration;
use words::Words;

const MODELS: [ModelKind; 3] = [ModelKind::Thread, ModelKind::Epoll, ModelKind::Uring];
const CLIENTS: [usize; 4] = [4, 16, 64, 256];
/// A fiftieth of what criterion takes by itself: the intervals change little, and the whole run is to be short.
const RESAMPLES: usize = 2_000;

/// Who talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crowd {
    Four,
    All,
}

/// A fan-out under a model, and so many clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Case {
    model: ModelKind,
    crowd: Crowd,
    fanout: Fanout,
    clients: usize,
}

fn main() {
    let names: Vec<&str> = MODELS.iter().map(|model| model.name()).collect();
    let fanouts: Vec<&str> = Fanout::ALL.iter().map(|fanout| fanout.name()).collect();
    let words = Words::given(&[&names[..], &fanouts].concat());
    let filter = format!("^{}, .*/{}/", words.among(&names), words.among(&fanouts));
    words
        .into_filter(&filter)
        .expect("this program can be started again");

    let mut criterion = Criterion::default()
        .sample_size(10)
        .nresamples(RESAMPLES)
        .warm_up_time(Duration::from_millis(40))
        .measurement_time(Duration::from_millis(120))
        .configure_from_args();
    let mut ran = Vec::new();
    for model in MODELS {
        if let Err(why) = strategy::model(model, ModelOptions::default()).check() {
            println!("{model} is left out: {why}");
            continue;
        }
        for crowd in [Crowd::Four, Crowd::All] {
            ran.extend(lines(&mut criterion, model, crowd));
        }
    }
    let plan = Plan::new(3, Duration::from_millis(100));
    let rates = tables(&ran, plan);
    for crowd in [Crowd::Four, Crowd::All] {
        print(&rates, crowd, plan);
    }
    criterion.final_summary();
}

impl Crowd {
    fn name(self) -> &'static str {
        match self {
            Self::Four => "4 talk",
            Self::All => "all talk",
        }
    }

    fn talkers(self, clients: usize) -> usize {
        match self {
            Self::Four => 4,
            Self::All => clients,
        }
    }

    /// Four of four are all of them, and counted once.
    fn comes_with(self, clients: usize) -> bool {
        self == Self::Four || clients > 4
    }
}

/// Criterion's lines of one group. Says which of them ran: what its arguments left out starts no server.
fn lines(criterion: &mut Criterion, model: ModelKind, crowd: Crowd) -> Vec<Case> {
    let mut group = criterion.benchmark_group(format!("{model}, {}", crowd.name()));
    group
        .plot_config(PlotConfiguration::default().summary_scale(AxisScale::Logarithmic))
        .sampling_mode(SamplingMode::Flat);
    let mut ran = Vec::new();
    let fanouts = Fanout::ALL.into_iter();
    for fanout in fanouts.filter(|fanout| fanout.goes_with(model)) {
        for clients in CLIENTS
            .into_iter()
            .filter(|&clients| crowd.comes_with(clients))
        {
            let case = Case {
                model,
                crowd,
                fanout,
                clients,
            };
            let mut under_way: Option<Chat> = None;
            group.throughput(Throughput::Elements(clients as u64));
            group.bench_function(BenchmarkId::new(fanout.name(), clients), |bencher| {
                let chat = under_way.get_or_insert_with(|| case.meet());
                bencher.iter_custom(|lines| {
                    let measured = chat.run(Stop::Messages(lines));
                    assert_eq!(measured.messages, lines * clients as u64);
                    measured.elapsed
                });
            });
            ran.extend(under_way.map(|_| case));
        }
    }
    group.finish();
    ran
}

/// A server and its clients.
struct Chat {
    load: Load,
    _server: ServerProcess,
}

impl Case {
    /// All clients are connected, and have heard something.
    fn meet(self) -> Chat {
        let cell = Cell {
            workload: Workload::Chat,
            model: self.model,
            sync: LockKind::Mutex,
            fanout: self.fanout,
            idle: 0,
            stalled: 0,
        };
        let program = Path::new(env!("CARGO_BIN_EXE_guardhouse"));
        let args = cell.serve_args(self.clients, Tuning::default());
        let server = ServerProcess::start(program, &args, false).expect("a server on a free port");
        let talkers = self.crowd.talkers(self.clients);
        let shape = Shape::new(self.clients, Traffic::Chat { talkers });
        Chat {
            load: Load::connect(server.addr(), shape).expect("every client is served"),
            _server: server,
        }
    }
}

impl Chat {
    /// # Panics
    /// When a line is lost or torn, or nothing comes.
    fn run(&mut self, stop: Stop) -> Measured {
        let measured = self.load.run(stop).expect("no stall");
        assert_eq!((measured.lost, measured.torn), (0, 0));
        measured
    }
}

/// Deliveries per second of everybody, in millions.
fn tables(cases: &[Case], plan: Plan) -> Vec<(Case, Middle)> {
    let jobs: Vec<Job<'_, f64>> = cases
        .iter()
        .map(|case| -> Job<'_, f64> {
            Box::new(move || {
                let mut chat = case.meet();
                chat.run(Stop::After(plan.window / 4)); // not counted
                chat.run(Stop::After(plan.window)).per_second() / 1e6
            })
        })
        .collect();
    let measured = rounds::interleaved(&jobs, plan.rounds);
    cases
        .iter()
        .copied()
        .zip(measured.into_iter().map(rounds::middle))
        .collect()
}

/// A row for each fan-out under each model, and a column for each number of clients.
fn print(rates: &[(Case, Middle)], crowd: Crowd, plan: Plan) {
    let rates: Vec<&(Case, Middle)> = rates
        .iter()
        .filter(|(case, _)| case.crowd == crowd)
        .collect();
    if rates.is_empty() {
        return;
    }
    let columns: Vec<usize> = CLIENTS
        .into_iter()
        .filter(|&clients| crowd.comes_with(clients))
        .collect();
    let mut header = vec![String::new()];
    header.extend(columns.iter().map(ToString::to_string));
    header.push("spread".into());
    let mut rows = Vec::new();
    for model in MODELS {
        for fanout in Fanout::ALL {
            let own = rates
                .iter()
                .filter(|(case, _)| (case.model, case.fanout) == (model, fanout));
            let own: Vec<(usize, Middle)> = own.map(|(case, rate)| (case.clients, *rate)).collect();
            rows.extend(sheet::row(format!("{model} {fanout}"), &columns, &own, 2));
        }
    }
    let (rounds, window) = (plan.rounds, plan.window);
    sheet::print(
        &format!(
            "chat, {}: million deliveries/s by the number of clients (medians of {rounds} rounds of {window:?}; more is \
             better; spread: from the least to the most, where it is widest)",
            crowd.name()
        ),
        &header,
        rows.into_iter(),
    );
}
