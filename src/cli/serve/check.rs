//! What flags of `serve` cannot hold, by themselves or together: a sentence that names flag, value and limit.

use crate::cli::WrongUse;
use crate::cli::args::{AcceptBy, Named, Serve, ServiceName, SlowPolicy};
use crate::cli::descriptors::{Descriptors, FD_SETSIZE, OWN_DESCRIPTORS};
use bytesize::ByteSize;
use clap::ValueEnum;
use guardhouse::model::Pool;
use guardhouse::strategy::{LockKind, ModelKind, ModelOptions};
use guardhouse::sync::Semaphore;
use guardhouse::{Fanout, Limits, Slow};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

pub(super) const DEFAULT_MAX_LINE: ByteSize = ByteSize::kib(4);
pub(in crate::cli) const MOST_WORKERS: usize = 16 * 1024;
const MOST_LOOPS: usize = 1024;
const LONGEST_QUEUE: usize = Pool::LONGEST_QUEUE;
const SMALLEST_STACK: ByteSize = ByteSize::kib(64);
const LARGEST_STACK: ByteSize = ByteSize::gib(1);
const LARGEST_LINE: ByteSize = ByteSize::mib(64);
const LARGEST_MAILBOX: ByteSize = ByteSize::gib(1);
const SHORTEST_IDLE: Duration = Duration::from_millis(1);
const STATS_EVERY: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_hours(24);

/// Refuses what cannot hold together, before anything is started.
pub(super) fn check(args: &Serve, descriptors: usize) -> Result<(), WrongUse> {
    let (model, sync) = (args.model.0, args.sync.0);
    let wrong = |sentence: String| Err(WrongUse(sentence));

    check_model_flags(args)?;
    check_loops(args.loops)?;
    if let Some(workers) = args.workers
        && workers.get() > MOST_WORKERS
    {
        return wrong(format!("--workers {workers} is more than {MOST_WORKERS}"));
    }
    if let Some(queue) = args.queue
        && queue > LONGEST_QUEUE
    {
        return wrong(format!("--queue {queue} is more than {LONGEST_QUEUE}"));
    }
    if let Some(permits) = args.permits {
        if sync != LockKind::Semaphore {
            return wrong(format!(
                "--permits {permits} goes with --sync semaphore only, and --sync is {sync}"
            ));
        }
        if permits.get() > Semaphore::MAX_PERMITS {
            return wrong(format!(
                "--permits {permits} is more than {}, the most that a semaphore can have",
                Semaphore::MAX_PERMITS
            ));
        }
    }
    if !sync.goes_with(model, &super::model_options(args)) {
        let loops = match args.loops {
            Some(loops) if loops.get() > 1 => format!(" with --loops {loops}"),
            _ => String::new(),
        };
        return wrong(format!(
            "--sync {sync} goes with --model {} only, and --model is {model}{loops}: several threads would enter the \
             registry, and nothing would guard it",
            models_for(sync)
        ));
    }
    check_fanout(args)?;
    check_sizes(args)?;
    check_times(args)?;
    check_descriptors(args, descriptors)
}

/// Refuses fan-outs and policies that are not what they say where they are to be used.
fn check_fanout(args: &Serve) -> Result<(), WrongUse> {
    let (model, service) = (args.model.0, args.service);
    if let Some(Named(fanout)) = args.fanout {
        if service != ServiceName::Chat {
            return Err(WrongUse(format!(
                "--fanout {fanout} goes with serve chat only: in an echo nobody hears another"
            )));
        }
        if !fanout.goes_with(model) {
            return Err(would_stand_still(
                &format!("--fanout {fanout} waits for each client in turn"),
                model,
            ));
        }
    }
    let Some(SlowPolicy(slow)) = args.slow else {
        return Ok(());
    };
    if service != ServiceName::Chat {
        return Err(WrongUse(format!(
            "--slow {slow} goes with serve chat only: in an echo nobody hears another"
        )));
    }
    let fanout = super::fanout(args);
    if !fanout.policies().contains(&slow) {
        let names: Vec<&str> = fanout.policies().iter().map(|slow| slow.name()).collect();
        return Err(WrongUse(format!(
            "--slow {slow} is nothing that --fanout {fanout} can do; it has {}. --slow {slow} goes with --fanout {}",
            names.join(" and "),
            fanouts_with(slow)
        )));
    }
    if slow == Slow::Block && !model.waits_for_clients() {
        return Err(would_stand_still(
            "--slow block has whoever talks wait for whoever reads slowly",
            model,
        ));
    }
    Ok(())
}

/// A flag that has a thread wait for a client, with a model whose threads have others to serve.
fn would_stand_still(flag: &str, model: ModelKind) -> WrongUse {
    WrongUse(format!(
        "{flag}, and --model {model} serves many on one thread, which would stand still for all of them; it goes with \
         --model {}",
        models_that_wait()
    ))
}

/// The fan-outs that have a policy, as a sentence lists them.
fn fanouts_with(slow: Slow) -> String {
    Fanout::ALL
        .into_iter()
        .filter(|fanout| fanout.policies().contains(&slow))
        .map(Fanout::name)
        .collect::<Vec<_>>()
        .join(" or ")
}

/// The models whose threads may wait for a client, as a sentence lists them.
pub(in crate::cli) fn models_that_wait() -> String {
    ModelKind::ALL
        .into_iter()
        .filter(|&model| model.shares_memory() && model.waits_for_clients())
        .map(ModelKind::name)
        .collect::<Vec<_>>()
        .join(" or ")
}

/// The models that `sync` goes with, as a sentence lists them.
pub(in crate::cli) fn models_for(sync: LockKind) -> String {
    ModelKind::ALL
        .into_iter()
        .filter(|&model| model.is_here() && sync.goes_with(model, &ModelOptions::default()))
        .map(ModelKind::name)
        .collect::<Vec<_>>()
        .join(" or ")
}

/// Whether a flag means something to a model.
type GoesWith<'a> = &'a dyn Fn(ModelKind) -> bool;

/// Refuses flags of other models.
fn check_model_flags(args: &Serve) -> Result<(), WrongUse> {
    let model = args.model.0;
    let is_pool = |model| model == ModelKind::Pool;
    let accepts = |model: ModelKind| is_pool(model) || model.has_loops();
    let executes = |model| matches!(model, ModelKind::Pool | ModelKind::Hybrid);
    let is_thread = |model| model == ModelKind::Thread;
    let given: [(Option<String>, GoesWith<'_>); 7] = [
        (
            args.workers.map(|n| format!("--workers {n}")),
            &ModelKind::has_workers,
        ),
        (args.queue.map(|n| format!("--queue {n}")), &is_pool),
        (args.when_full.map(|v| said("--when-full", &v)), &is_pool),
        (args.accept.map(|v| said("--accept", &v)), &accepts),
        (args.executor.map(|v| said("--executor", &v)), &executes),
        (
            args.loops.map(|n| format!("--loops {n}")),
            &ModelKind::has_loops,
        ),
        (
            args.stack_size
                .map(|size| format!("--stack-size {}", size.as_u64())),
            &is_thread,
        ),
    ];
    for (flag, goes_with) in given {
        if let Some(flag) = flag
            && !goes_with(model)
        {
            let models: Vec<&str> = ModelKind::ALL
                .into_iter()
                .filter(|&model| model.is_here() && goes_with(model))
                .map(ModelKind::name)
                .collect();
            return Err(WrongUse(format!(
                "{flag} goes with --model {} only, and --model is {model}",
                models.join(" or ")
            )));
        }
    }
    check_accept(args)?;
    args.stack_size.map_or(Ok(()), check_stack_size)
}

/// Refuses more loops than any machine has a use for.
pub(in crate::cli) fn check_loops(loops: Option<NonZeroUsize>) -> Result<(), WrongUse> {
    match loops {
        Some(loops) if loops.get() > MOST_LOOPS => Err(WrongUse(format!(
            "--loops {loops} is more than {MOST_LOOPS}"
        ))),
        _ => Ok(()),
    }
}

/// Refuses stacks that are too small to run on, and such that no address space holds many of.
pub(in crate::cli) fn check_stack_size(size: ByteSize) -> Result<(), WrongUse> {
    if (SMALLEST_STACK..=LARGEST_STACK).contains(&size) {
        return Ok(());
    }
    Err(WrongUse(format!(
        "--stack-size {} is outside {} to {}",
        size.as_u64(),
        show(SMALLEST_STACK),
        show(LARGEST_STACK)
    )))
}

/// Refuses ways of accepting that a model has not, and what they leave without a meaning.
fn check_accept(args: &Serve) -> Result<(), WrongUse> {
    let wrong = |sentence: String| Err(WrongUse(sentence));
    let model = args.model.0;
    let accept = args.accept.unwrap_or(AcceptBy::Acceptor);
    if model.has_loops() && matches!(accept, AcceptBy::Mutex | AcceptBy::Free) {
        return wrong(format!(
            "{} goes with --model pool only, and --model is {model}: its loops take acceptor or reuseport",
            said("--accept", &accept)
        ));
    }
    if model != ModelKind::Pool || accept == AcceptBy::Acceptor {
        return Ok(());
    }
    let of_the_queue = [
        args.queue.map(|n| format!("--queue {n}")),
        args.when_full.map(|v| said("--when-full", &v)),
        args.executor.map(|v| said("--executor", &v)),
    ];
    match of_the_queue.into_iter().flatten().next() {
        Some(flag) => wrong(format!(
            "{flag} does not go with {}: workers that accept by themselves have no queue in front of them",
            said("--accept", &accept)
        )),
        None => Ok(()),
    }
}

/// A flag and its value, with whatever else that value may be typed as.
fn said(flag: &str, value: &impl ValueEnum) -> String {
    match value.to_possible_value() {
        Some(value) => {
            let names: Vec<&str> = value.get_name_and_aliases().collect();
            format!("{flag} {}", names.join(" or "))
        }
        None => flag.into(),
    }
}

fn check_sizes(args: &Serve) -> Result<(), WrongUse> {
    let wrong = |sentence: String| Err(WrongUse(sentence));
    let mailbox = args.mailbox;
    if mailbox.as_u64() == 0 {
        return wrong("--mailbox 0 is too small: at least 1 byte must fit".into());
    }
    if mailbox > LARGEST_MAILBOX {
        return wrong(format!(
            "--mailbox {} is more than {}: so much may wait for each client, and the memory is the server's",
            mailbox.as_u64(),
            show(LARGEST_MAILBOX)
        ));
    }
    if args.service == ServiceName::Echo {
        return match args.max_line {
            Some(max_line) => wrong(format!(
                "--max-line {} goes with chat only: an echo has no lines",
                max_line.as_u64()
            )),
            None => Ok(()),
        };
    }
    let max_line = args.max_line.unwrap_or(DEFAULT_MAX_LINE);
    if !(ByteSize::b(1)..=LARGEST_LINE).contains(&max_line) {
        return wrong(format!(
            "--max-line {} is outside 1 to {}",
            max_line.as_u64(),
            show(LARGEST_LINE)
        ));
    }
    if max_line.as_u64() >= mailbox.as_u64() {
        return wrong(format!(
            "--max-line {} does not fit --mailbox {}: a line and its newline have no room in it",
            max_line.as_u64(),
            mailbox.as_u64()
        ));
    }
    Ok(())
}

fn check_times(args: &Serve) -> Result<(), WrongUse> {
    let longest = Limits::LONGEST;
    if let Some(idle) = &args.idle_timeout
        && !(SHORTEST_IDLE..=longest).contains(&idle.time)
    {
        return Err(WrongUse(format!(
            "--idle-timeout {idle} is outside {SHORTEST_IDLE:?} to {longest:?} (30 days)"
        )));
    }
    if args.drain.time > longest {
        return Err(WrongUse(format!(
            "--drain {} is longer than {longest:?} (30 days)",
            args.drain
        )));
    }
    if let Some(every) = &args.stats
        && !STATS_EVERY.contains(&every.time)
    {
        return Err(WrongUse(format!(
            "--stats {every} is outside 10ms to 1day: say how often to print, like 1s"
        )));
    }
    Ok(())
}

/// Descriptors run out before the clients do, or there are none for the model itself.
fn check_descriptors(args: &Serve, limit: usize) -> Result<(), WrongUse> {
    let wrong = |sentence: String| Err(WrongUse(sentence));
    let (model, options) = (args.model.0, super::model_options(args));
    let clients = args.max_clients.map(NonZeroUsize::get);
    if let Some(clients) = clients
        && model == ModelKind::Select
        && clients > FD_SETSIZE - OWN_DESCRIPTORS
    {
        return wrong(format!(
            "--max-clients {clients} does not fit --model select: its FD_SETSIZE is {FD_SETSIZE}, and \
             {OWN_DESCRIPTORS} of those are for the server itself"
        ));
    }
    let needed = Descriptors::of(model, &options);
    if needed.own > OWN_DESCRIPTORS && !needed.allow(1, limit) {
        let many = if model.has_loops() {
            format!("--loops {}", options.loops)
        } else {
            format!("--workers {}", options.workers)
        };
        return wrong(format!(
            "{many} does not fit the limit of {limit} file descriptors (ulimit -Hn): --model {model} takes {} for \
             itself",
            needed.own
        ));
    }
    match clients {
        Some(clients) if !needed.allow(clients, limit) => wrong(format!(
            "--max-clients {clients} does not fit {}",
            needed.sentence(limit)
        )),
        _ => Ok(()),
    }
}

/// Exactly, as error messages want it.
fn show(size: ByteSize) -> String {
    format!("{} bytes", size.as_u64())
}
