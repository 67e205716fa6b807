//! `compare`: models and locks side by side, each as a server in a process of its own.

mod table;

use super::args::{Compare, Named, ServiceName, Verbosity};
use super::serve::{FD_SETSIZE, OWN_DESCRIPTORS, models_for, raise_descriptor_limit};
use super::{WrongUse, output};
use anyhow::{Context, bail};
use guardhouse::lab::{self, Machine, Plan, Report, Setup, Workload};
use guardhouse::strategy::{ModelKind, ModelOptions};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};
use tracing_subscriber::filter::LevelFilter;

/// Not counted: threads are started, caches filled, and the processor finds its clock.
const WARM_UP: Duration = Duration::from_millis(150);
const MESSAGE: usize = 64;
const MOST_CLIENTS: usize = 10_000;
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
    let plan = plan(args);
    let clients = args.clients.get();
    let setup = Setup {
        clients,
        talkers: (clients / 4).max(1),
        message_bytes: MESSAGE,
        duration_s: args.duration.as_secs_f64(),
        warm_up_s: WARM_UP.as_secs_f64(),
        rounds: plan.rounds(),
        seed: plan.seed(),
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
    };
    if verbosity.level() >= LevelFilter::INFO {
        announce(args, &plan);
    }
    report.rows = measure(&plan, &setup, &interrupt)?;
    output::line(&if args.json {
        serde_json::to_string_pretty(&report)?
    } else {
        table::render(&report)
    })?;
    judge(&report)
}

fn plan(args: &Compare) -> Plan {
    let workloads: Vec<Workload> = args
        .services
        .iter()
        .map(|service| match service {
            ServiceName::Echo => Workload::Echo,
            ServiceName::Chat => Workload::Chat,
        })
        .collect();
    let models: Vec<_> = args.models.iter().map(|&Named(kind)| kind).collect();
    let syncs: Vec<_> = args.syncs.iter().map(|&Named(kind)| kind).collect();
    Plan::every(
        &without_repeats(&workloads),
        &without_repeats(&models),
        &without_repeats(&syncs),
        args.rounds.get(),
        SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |time| time.as_secs()),
    )
}

fn without_repeats<T: Copy + PartialEq>(list: &[T]) -> Vec<T> {
    let mut seen = Vec::new();
    for &item in list {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

/// Refuses what cannot hold together, before anything is started.
fn check(args: &Compare, descriptors: usize) -> Result<(), WrongUse> {
    let wrong = |sentence: String| Err(WrongUse(sentence));
    let clients = args.clients.get();
    let serves = |model| args.models.contains(&Named(model));
    let show = humantime::format_duration;

    if clients > MOST_CLIENTS {
        return wrong(format!("--clients {clients} is more than {MOST_CLIENTS}"));
    }
    if clients.saturating_add(OWN_DESCRIPTORS) > descriptors {
        return wrong(format!(
            "--clients {clients} does not fit the limit of {descriptors} file descriptors (ulimit -Hn), of which \
             {OWN_DESCRIPTORS} are for the server itself"
        ));
    }
    if serves(ModelKind::Iterative) && clients > 1 {
        return wrong(format!(
            "--models iterative goes with --clients 1 only, and --clients is {clients}: it serves one client at a \
             time, and the others would wait for ever"
        ));
    }
    if serves(ModelKind::Select) && clients > FD_SETSIZE - OWN_DESCRIPTORS {
        return wrong(format!(
            "--clients {clients} does not fit --models select: its FD_SETSIZE is {FD_SETSIZE}, and \
             {OWN_DESCRIPTORS} of those are for the server itself"
        ));
    }
    for &Named(model) in &args.models {
        for &Named(sync) in &args.syncs {
            if !sync.goes_with(model, &ModelOptions::default()) {
                return wrong(format!(
                    "--models {model} and --syncs {sync} make a cell, {model} x {sync}, that cannot be: --syncs {sync} \
                     goes with --models {} only, for several threads would enter the registry, and nothing would \
                     guard it",
                    models_for(sync)
                ));
            }
        }
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

/// The plan and how long it takes, before it starts.
fn announce(args: &Compare, plan: &Plan) {
    // To start a server, connect to it and end it.
    let around = Duration::from_millis(30) + args.clients.get() as u32 * Duration::from_micros(150);
    let each = WARM_UP + args.duration + around;
    let all = each.saturating_mul(u32::try_from(plan.runs()).unwrap_or(u32::MAX));
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
                "{} {} {} lost {} and tore {} messages",
                row.service, row.model, row.sync, row.lost, row.torn
            )
        })
        .collect();
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    Ok(())
}
