//! Echo under every model, as curves of messages per second over the number of clients; tokio, mio and plain threads beside them.
//!
//! One measured element is a round trip of 64 bytes, over real sockets, in a closed loop: each client sends its
//! next message when its last one is back. Every echo is checked byte by byte, and the number of messages is asserted.
//!
//! Criterion has a line for each, and draws the curves into its report (`target/criterion/echo/report/`). Then everybody whose
//! line ran takes part in the table: all are measured in turns, so that what the machine does in one minute hits all alike.
//!
//! ```sh
//! cargo bench --bench models                          # everybody
//! cargo bench --bench models -- thread pool select    # only those, by their exact names
//! cargo bench --bench models -- 'echo/.*/64'          # one word that is no name: criterion's own filter
//! ```
//!
//! # What it cannot show
//! The load is one thread of this process, and the server the others, but for `process` and `prefork`, which start this program
//! once more for each client. So they share
//!
//! - the cores: with 2 of them, the curves show what a model costs, and not how it scales with threads;
//! - the table of descriptors: in a process of several threads each call counts its use of one by an atomic step, which a
//!   server of one thread in a process of its own would be spared; and select(2), which ends at
//!   1023, has half of them for its clients;
//! - the scheduler's mood. With 1 client nothing ever overlaps, and a message costs two wake-ups: of a core that
//!   sleeps (tens of microseconds, more in a virtual machine) or, when the scheduler puts both ends on one core, hardly
//!   anything. Runs jump between the two.
//!
//! `guardhouse compare` has each server in a process of its own, and tells its processor time.

#[allow(
    dead_code,
    reason = "what sets off threads is for the benches of locks"
)]
mod harness;

mod field;
mod rivals;

use criterion::{AxisScale, BenchmarkId, Criterion, PlotConfiguration, SamplingMode, Throughput};
use field::words::Words;
use field::{Entrant, Match};
use guardhouse::load::Stop;
use harness::rounds::{self, Job, Middle, Plan};
use harness::sheet;
use std::env;
use std::time::Duration;

const GROUP: &str = "echo";
const CLIENTS: [usize; 5] = [1, 4, 16, 64, 256];
/// A tenth of what criterion takes by itself: the intervals hardly change, and the whole run is to be short.
const RESAMPLES: usize = 10_000;

/// So many clients come to somebody.
type Cell = (Entrant, usize);

fn main() {
    if field::serve_if_a_child() {
        return;
    }
    let entrants = field::all();
    let names: Vec<&str> = entrants.iter().map(|entrant| entrant.name()).collect();
    let (here, missing): (Vec<_>, Vec<_>) = entrants
        .into_iter()
        .map(|entrant| (entrant, entrant.missing()))
        .partition(|(_, missing)| missing.is_none());
    let left_out = |chosen: &dyn Fn(&str) -> bool| {
        for (entrant, why) in missing.iter().filter(|(entrant, _)| chosen(entrant.name())) {
            println!(
                "{} is left out: {}",
                entrant.name(),
                why.as_deref().unwrap_or_default()
            );
        }
    };
    let words = Words::given(&names);
    left_out(&|name| words.name(name));
    words
        .into_one_filter(GROUP)
        .expect("this program can be started again");

    let mut criterion = Criterion::default()
        .sample_size(20)
        .nresamples(RESAMPLES)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let cells: Vec<Cell> = here
        .into_iter()
        .flat_map(|(entrant, _)| CLIENTS.map(|clients| (entrant, clients)))
        .filter(|(entrant, clients)| entrant.takes(*clients))
        .collect();
    let ran = lines(&mut criterion, &cells);
    if !ran.is_empty() {
        table(&ran, Plan::new(5, Duration::from_millis(200)));
    }
    if ran.is_empty() && is_to_run() {
        // No error: `cargo bench -- WORD` hands the word to every bench, and it may be meant for another one.
        let typed: Vec<String> = env::args()
            .skip(1)
            .filter(|word| word != "--bench")
            .collect();
        eprintln!(
            "warning: no line of {GROUP} was run by: {}; there are {}",
            typed.join(" "),
            names.join(", ")
        );
    }
    if ran.len() == cells.len() {
        println!();
        left_out(&|_| true);
    }
    criterion.final_summary();
}

/// Whether something is expected to have run by now: this is `cargo bench`, and it is neither to list its lines nor to compare what was
/// measured at other times.
fn is_to_run() -> bool {
    let given = |flag: &str| env::args().any(|argument| argument.starts_with(flag));
    given("--bench") && !given("--list") && !given("--load-baseline")
}

/// Criterion's lines. Says which of them ran: what its arguments left out starts no server.
fn lines(criterion: &mut Criterion, cells: &[Cell]) -> Vec<Cell> {
    let mut group = criterion.benchmark_group(GROUP);
    group
        .plot_config(PlotConfiguration::default().summary_scale(AxisScale::Logarithmic))
        .sampling_mode(SamplingMode::Flat)
        .throughput(Throughput::Elements(1));
    let mut ran = Vec::new();
    for &(entrant, clients) in cells {
        let mut under_way: Option<Match> = None;
        group.bench_function(BenchmarkId::new(entrant.name(), clients), |bencher| {
            let game = under_way.get_or_insert_with(|| entrant.meet(clients));
            bencher.iter_custom(|messages| {
                let measured = game.run(Stop::Messages(messages));
                assert_eq!(measured.messages, messages);
                measured.elapsed
            });
        });
        if let Some(game) = under_way {
            game.end();
            ran.push((entrant, clients));
        }
    }
    group.finish();
    ran
}

/// Messages per second: a row for everybody, and a column for each number of clients.
fn table(cells: &[Cell], plan: Plan) {
    let jobs: Vec<Job<'_, f64>> = cells
        .iter()
        .map(|&(entrant, clients)| -> Job<'_, f64> {
            Box::new(move || {
                let mut game = entrant.meet(clients);
                game.run(Stop::After(plan.window / 6)); // not counted
                let measured = game.run(Stop::After(plan.window));
                game.end();
                measured.per_second() / 1e3
            })
        })
        .collect();
    let rates: Vec<Middle> = rounds::interleaved(&jobs, plan.rounds)
        .into_iter()
        .map(rounds::middle)
        .collect();
    let columns: Vec<usize> = CLIENTS
        .into_iter()
        .filter(|clients| cells.iter().any(|cell| cell.1 == *clients))
        .collect();
    let mut header = vec![String::new()];
    header.extend(columns.iter().map(|clients| match clients {
        1 => "1 client".into(),
        several => several.to_string(),
    }));
    header.push("spread".into());
    let measured: Vec<(Cell, Middle)> = cells.iter().copied().zip(rates).collect();
    let rows = field::all().into_iter().filter_map(|entrant| {
        let own: Vec<(usize, Middle)> = measured
            .iter()
            .filter(|((of, _), _)| of.name() == entrant.name())
            .map(|((_, clients), rate)| (*clients, *rate))
            .collect();
        sheet::row(entrant.name().to_owned(), &columns, &own, 1)
    });
    let (rounds, window) = (plan.rounds, plan.window);
    sheet::print(
        &format!(
            "echo: thousand messages/s by the number of clients (medians of {rounds} rounds of {window:?}; more is better; \
             spread: from the least to the most, where it is widest)"
        ),
        &header,
        rows,
    );
}
