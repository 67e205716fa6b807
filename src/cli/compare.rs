//! `compare`: models, locks and fan-outs side by side, each as a server in a process of its own.

mod cells;
mod table;

use super::args::{Compare, Verbosity};
use super::descriptors::OWN_DESCRIPTORS;
use super::serve::{MOST_WORKERS, check_loops, check_stack_size, raise_descriptor_limit};
use super::{WrongUse, output};
use anyhow::{Context, bail};
use cells::Cells;
use guardhouse::lab::{self, Machine, Plan, Report, Setup, Tuning};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};
use tracing_subscriber::filter::LevelFilter;

/// Not counted: threads are started, caches filled, and the processor finds its clock.
const WARM_UP: Duration = Duration::from_millis(150);
const MESSAGE: usize = 64;
const MOST_CLIENTS: usize = 10_000;
/// A connection takes a port of one address, and Linux gives out 28,232 of them.
const MOST_IDLE: usize = 25_000;
/// Each has to be filled before it stalls.
const MOST_STALLED: usize = 1000;
/// What it takes to connect a client and to let it go, about.
const PER_CLIENT: Duration = Duration::from_micros(150);
const PER_IDLE_CLIENT: Duration = Duration::from_micros(100);
/// What it takes more where each has a process.
const PER_PROCESS: Duration = Duration::from_millis(4);
/// What it takes until stalled clients are full, about.
const FILLING: Duration = Duration::from_millis(500);
const MOST_ROUNDS: usize = 1000;
/// Processor time is told in ticks of 10 ms; over less than this it would be mostly rounding.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_hours(1);

pub(crate) fn run(args: &Compare, verbosity: Verbosity) -> anyhow::Result<()> {
    let descriptors = raise_descriptor_limit();
    check(args, descriptors)?;
    let interrupt = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupt))
            .context("cannot listen for signals")?;
    }
    let tuning = Tuning {
        stack_size: args.stack_size.map(|size| size.as_u64() as usize),
        loops: args.loops,
        workers: args.workers,
        slow: args.slow.map(|slow| slow.0),
    };
    let Cells { cells, left_out } = cells::chosen(args, tuning, descriptors)?;
    let seed = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |time| time.as_secs());
    let plan = Plan::new(cells, args.rounds.get(), seed);
    let clients = args.clients.get();
    let setup = Setup {
        clients,
        idle: plan.idle(),
        stalled: plan.stalled(),
        talkers: args.talkers.map_or((clients / 4).max(1), NonZeroUsize::get),
        message_bytes: MESSAGE,
        duration_s: args.duration.as_secs_f64(),
        warm_up_s: WARM_UP.as_secs_f64(),
        rounds: plan.rounds(),
        seed: plan.seed(),
        tuning,
    };
    let mut report = Report {
        command: std::iter::once("guardhouse".into())
            .chain(std::env::args().skip(1))
            .collect::<Vec<String>>()
            .join(" "),
        guardhouse: env!("CARGO_PKG_VERSION"),
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        machine: Machine::here(),
        setup,
        rows: Vec::new(),
        left_out,
    };
    if verbosity.level() >= LevelFilter::INFO {
        announce(args, &plan, &report.left_out);
    }
    report.rows = measure(&plan, &report.setup, &interrupt)?;
    output::line(&if args.json {
        serde_json::to_string_pretty(&report)?
    } else {
        table::render(&report)
    })?;
    judge(&report)
}

/// Refuses what cannot hold together, before anything is started.
fn check(args: &Compare, descriptors: usize) -> Result<(), WrongUse> {
    let wrong = |sentence: String| Err(WrongUse(sentence));
    let clients = args.clients.get();
    let most = |numbers: &Option<Vec<usize>>| numbers.iter().flatten().copied().max();
    let idle = most(&args.idle).unwrap_or(0);
    let stalled = most(&args.stalled).unwrap_or(0);
    let show = humantime::format_duration;

    if clients > MOST_CLIENTS {
        return wrong(format!("--clients {clients} is more than {MOST_CLIENTS}"));
    }
    if idle > MOST_IDLE {
        return wrong(format!(
            "--idle {idle} is more than {MOST_IDLE}: each takes a port of one address"
        ));
    }
    if stalled > MOST_STALLED {
        return wrong(format!("--stalled {stalled} is more than {MOST_STALLED}"));
    }
    if let Some(talkers) = args.talkers
        && talkers.get() > clients
    {
        return wrong(format!(
            "--talkers {talkers} is more than there are clients: --clients is {clients}"
        ));
    }
    // Nobody is beside idle and stalled clients at once.
    let beside = idle.max(stalled);
    if (clients + beside).saturating_add(OWN_DESCRIPTORS) > descriptors {
        return wrong(format!(
            "{} not fit the limit of {descriptors} file descriptors (ulimit -Hn), of which {OWN_DESCRIPTORS} are for \
             the load itself",
            if idle >= stalled {
                coming(clients, idle, 0)
            } else {
                coming(clients, 0, stalled)
            }
        ));
    }
    if let Some(workers) = args.workers
        && workers.get() > MOST_WORKERS
    {
        return wrong(format!("--workers {workers} is more than {MOST_WORKERS}"));
    }
    check_loops(args.loops)?;
    if let Some(size) = args.stack_size {
        check_stack_size(size)?;
    }
    if args.rounds.get() > MOST_ROUNDS {
        return wrong(format!(
            "--rounds {} is more than {MOST_ROUNDS}",
            args.rounds
        ));
    }
    if !(SHORTEST..=LONGEST).contains(&args.duration) {
        return wrong(format!(
            "--duration {} is outside {} to {}",
            show(args.duration),
            show(SHORTEST),
            show(LONGEST)
        ));
    }
    Ok(())
}

/// Who comes, as the beginning of a sentence on why they cannot.
fn coming(clients: usize, idle: usize, stalled: usize) -> String {
    match (idle, stalled) {
        (0, 0) => format!("--clients {clients} does"),
        (idle, 0) => format!("--clients {clients} and --idle {idle} together do"),
        (_, stalled) => format!("--clients {clients} and --stalled {stalled} together do"),
    }
}

/// What is left out, the plan, and how long it takes, before it starts.
fn announce(args: &Compare, plan: &Plan, left_out: &[String]) {
    for sentence in left_out {
        eprintln!("left out: {sentence}");
    }
    let round = plan.cells().iter().map(|cell| {
        // To start a server, connect to it and end it.
        let around = Duration::from_millis(30) + args.clients.get() as u32 * PER_CLIENT;
        let idle = match cell.idle {
            0 => Duration::ZERO,
            idle => {
                let alone = if cell.model.keeps_workers() {
                    WARM_UP + around
                } else {
                    Duration::ZERO
                };
                WARM_UP + idle as u32 * PER_IDLE_CLIENT + alone
            }
        };
        let processes = if cell.model.shares_memory() {
            Duration::ZERO
        } else {
            (args.clients.get() + cell.beside()) as u32 * PER_PROCESS
        };
        let stalled = if cell.stalled > 0 {
            FILLING
        } else {
            Duration::ZERO
        };
        WARM_UP + args.duration + around + idle + stalled + processes
    });
    let all = round.sum::<Duration>().saturating_mul(plan.rounds() as u32);
    let all = Duration::from_secs((all.as_secs_f64().round() as u64).max(1));
    eprintln!(
        "{} x {} of {}: about {}",
        counted(plan.cells().len(), "cell"),
        counted(plan.rounds(), "round"),
        humantime::format_duration(args.duration),
        humantime::format_duration(all)
    );
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn measure(
    plan: &Plan,
    setup: &Setup,
    interrupt: &Arc<AtomicBool>,
) -> anyhow::Result<Vec<lab::Row>> {
    let program = std::env::current_exe().context("cannot tell which program this is")?;
    let bar = progress_bar(plan.runs());
    let mut started = 0;
    let rows = lab::run(plan, setup, &program, interrupt, |cell| {
        bar.set_position(started);
        bar.set_message(cell.to_string());
        started += 1;
    });
    bar.finish_and_clear();
    Ok(rows?)
}

/// Draws on stderr if that is a terminal, and nothing otherwise. It has no colours that `NO_COLOR` could
/// switch off.
fn progress_bar(runs: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(runs as u64), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:30} {pos}/{len}, {eta} left: {msg}") {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// Fast and wrong is a failure.
fn judge(report: &Report) -> anyhow::Result<()> {
    let wrong: Vec<String> = report
        .rows
        .iter()
        .filter(|row| row.lost + row.torn > 0)
        .map(|row| {
            format!(
                "{} {} {}{} lost {} and tore {} messages",
                row.service,
                row.model,
                row.sync,
                row.fanout.map_or(String::new(), |name| format!(" {name}")),
                row.lost,
                row.torn
            )
        })
        .collect();
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    Ok(())
}
