//! Which cells are measured: what was named, or what is worth seeing first, less what cannot be.

use super::coming;
use crate::cli::WrongUse;
use crate::cli::args::{Compare, Named, ServiceName};
use crate::cli::descriptors::{Descriptors, FD_SETSIZE, OWN_DESCRIPTORS};
use crate::cli::serve::{MOST_WORKERS, models_for, models_that_wait};
use anyhow::bail;
use guardhouse::lab::{Axes, Cell, Tuning, Workload};
use guardhouse::model::Program;
use guardhouse::strategy::{self, LockKind, ModelKind};
use guardhouse::{Fanout, Slow};

/// From the textbook's first to this system's last.
const MODELS: [ModelKind; 6] = [
    ModelKind::Thread,
    ModelKind::Pool,
    ModelKind::Select,
    ModelKind::Epoll,
    ModelKind::Hybrid,
    ModelKind::Uring,
];
const SYNCS: [LockKind; 3] = [LockKind::Mutex, LockKind::RwLock, LockKind::Semaphore];
/// An echo enters its registry when a client comes or goes, and not for a message.
const SYNCS_OF_AN_ECHO: [LockKind; 1] = [LockKind::Mutex];
/// Each with a megabyte or two of its own.
const MOST_PROCESSES: usize = 500;

/// What is measured.
pub(super) struct Cells {
    pub(super) cells: Vec<Cell>,
    /// What is not although it would belong to it, and why: a sentence each.
    pub(super) left_out: Vec<String>,
}

/// The cells that `args` ask for, each service under each model with each lock, fan-out and number of idle or stalled clients. What was
/// named must be in one at least; what of it cannot be is left out, as are models that this machine cannot run. Servers may
/// have so many `descriptors` each.
pub(super) fn chosen(args: &Compare, tuning: Tuning, descriptors: usize) -> anyhow::Result<Cells> {
    let clients = args.clients.get();
    let unfit = |cell: Cell| {
        unfit(cell, tuning, clients)
            .or_else(|| short_of_descriptors(cell, tuning, clients, descriptors))
    };
    let mut left_out = Vec::new();
    let models = models(args, tuning, &mut left_out)?;
    check_tuning(args, &models)?;
    let services = named(args.services.as_deref(), |service| match service {
        ServiceName::Echo => Workload::Echo,
        ServiceName::Chat => Workload::Chat,
    });
    let syncs = named(args.syncs.as_deref(), |&Named(kind)| kind);
    let fanouts = named(args.fanouts.as_deref(), |&Named(fanout)| fanout);
    let idle = named(args.idle.as_deref(), |&idle| idle);
    // What is left of something can be told beside all of it.
    let stalled = args
        .stalled
        .as_ref()
        .map(|stalled| [&[0], &stalled[..]].concat());
    let stalled = named(stalled.as_deref(), |&stalled| stalled);

    // In a chat nobody is idle, and in an echo nobody hears another.
    let has_idle = idle.iter().flatten().any(|&idle| idle > 0);
    let of_a_chat = flags_of_a_chat(args);
    let worth_serving = worth_serving(has_idle, of_a_chat.is_some());
    let services = services.as_deref();
    if let (Some(flag), Some(&[Workload::Echo])) = (of_a_chat, services) {
        return Err(WrongUse(format!(
            "{flag} goes with --services chat only: in an echo nobody hears another"
        ))
        .into());
    }
    let all: Vec<Cell> = services
        .unwrap_or(worth_serving)
        .iter()
        .flat_map(|&workload| {
            let worth_seeing = match workload {
                Workload::Echo => &SYNCS_OF_AN_ECHO[..],
                Workload::Chat => &SYNCS[..],
            };
            let syncs = syncs.as_deref().unwrap_or(worth_seeing);
            let default = [Fanout::default()];
            let fanouts = match workload {
                Workload::Echo => &default[..],
                Workload::Chat => fanouts.as_deref().unwrap_or(&default),
            };
            let axes = Axes {
                models: &models,
                syncs,
                fanouts,
                idle: idle.as_deref().unwrap_or(&[0]),
                stalled: stalled.as_deref().unwrap_or(&[0]),
            };
            Cell::every(workload, axes)
        })
        .collect();
    for cell in &all {
        check_lock(*cell, tuning, clients)?;
    }
    let cells: Vec<Cell> = all
        .iter()
        .copied()
        .filter(|cell| match unfit(*cell) {
            None => true,
            Some(sentence) => {
                if !left_out.contains(&sentence) {
                    left_out.push(sentence);
                }
                false
            }
        })
        .collect();

    // Of what was named, something is left.
    let must_have = |belongs: &dyn Fn(&Cell) -> bool| {
        if cells.iter().any(belongs) {
            return Ok(());
        }
        let mut those = all.iter().filter(|cell| belongs(cell));
        match those.find_map(|cell| unfit(*cell)) {
            Some(sentence) => Err(WrongUse(sentence)),
            None => Ok(()),
        }
    };
    must_have(&|_| true)?;
    for service in services.unwrap_or_default() {
        must_have(&|cell| cell.workload == *service)?;
    }
    for &model in args.models.iter().flat_map(|_| &models) {
        must_have(&|cell| cell.model == model)?;
    }
    for fanout in fanouts.iter().flatten() {
        must_have(&|cell| cell.workload == Workload::Chat && cell.fanout == *fanout)?;
    }
    for idle in idle.iter().flatten() {
        must_have(&|cell| cell.idle == *idle)?;
    }
    for stalled in stalled.iter().flatten() {
        must_have(&|cell| cell.stalled == *stalled)?;
    }
    Ok(Cells { cells, left_out })
}

/// Without `--services`: those that mean something to what was asked for.
fn worth_serving(idle: bool, of_a_chat: bool) -> &'static [Workload] {
    match (idle, of_a_chat) {
        (true, false) => &[Workload::Echo],
        (false, true) => &[Workload::Chat],
        _ => &Workload::ALL,
    }
}

/// Which flag asks for something that only a chat has, if any does.
fn flags_of_a_chat(args: &Compare) -> Option<String> {
    let numbers = |numbers: &[usize]| {
        let each: Vec<String> = numbers.iter().map(usize::to_string).collect();
        each.join(",")
    };
    let names = |fanouts: &[Named<Fanout>]| {
        let each: Vec<&str> = fanouts.iter().map(|fanout| fanout.0.name()).collect();
        each.join(",")
    };
    let given = [
        args.fanouts
            .as_deref()
            .map(|fanouts| format!("--fanouts {}", names(fanouts))),
        args.stalled
            .as_deref()
            .map(|stalled| format!("--stalled {}", numbers(stalled))),
        args.talkers.map(|talkers| format!("--talkers {talkers}")),
        args.slow.map(|slow| format!("--slow {}", slow.0)),
    ];
    given.into_iter().flatten().next()
}

/// The models that this machine can run. It is an error to have named another.
fn models(
    args: &Compare,
    tuning: Tuning,
    left_out: &mut Vec<String>,
) -> anyhow::Result<Vec<ModelKind>> {
    let named = named(args.models.as_deref(), |&Named(kind)| kind);
    let mut models = Vec::new();
    for &kind in named.as_deref().unwrap_or(&MODELS) {
        let options = tuning.options(kind, args.clients.get());
        let model = if kind.shares_memory() {
            strategy::model(kind, options)
        } else {
            // What it runs is told to the server, which is this program, too.
            strategy::model_with(kind, options, Program::this()?)
        };
        match model.check() {
            Ok(()) => models.push(kind),
            Err(reason) if named.is_some() => bail!("--models {kind} cannot run here: {reason}"),
            Err(reason) => left_out.push(format!("{kind} cannot run here: {reason}")),
        }
    }
    Ok(models)
}

/// Refuses flags that would reach none of the models.
fn check_tuning(args: &Compare, models: &[ModelKind]) -> Result<(), WrongUse> {
    /// As it is typed, if it is, and whom it reaches.
    type Flag = (Option<String>, fn(ModelKind) -> bool);
    let given: [Flag; 3] = [
        (
            args.stack_size
                .map(|size| format!("--stack-size {}", size.as_u64())),
            |model| model == ModelKind::Thread,
        ),
        (
            args.loops.map(|n| format!("--loops {n}")),
            ModelKind::has_loops,
        ),
        (args.workers.map(|n| format!("--workers {n}")), |model| {
            model.has_workers() && !model.keeps_workers()
        }),
    ];
    let list = |models: &mut dyn Iterator<Item = ModelKind>, between: &str| {
        let names: Vec<&str> = models.map(ModelKind::name).collect();
        names.join(between)
    };
    for (flag, goes_with) in given {
        if let Some(flag) = flag
            && !models.iter().any(|&model| goes_with(model))
        {
            let all = &mut ModelKind::ALL.into_iter();
            return Err(WrongUse(format!(
                "{flag} goes with --models {} only, and --models is {}",
                list(
                    &mut all.filter(|&model| model.is_here() && goes_with(model)),
                    " or "
                ),
                list(&mut models.iter().copied(), ",")
            )));
        }
    }
    Ok(())
}

/// What was named, each once.
fn named<A, T: PartialEq>(list: Option<&[A]>, value: impl Fn(&A) -> T) -> Option<Vec<T>> {
    list.map(|list| {
        let mut seen = Vec::new();
        for item in list.iter().map(value) {
            if !seen.contains(&item) {
                seen.push(item);
            }
        }
        seen
    })
}

fn check_lock(cell: Cell, tuning: Tuning, clients: usize) -> Result<(), WrongUse> {
    let Cell { model, sync, .. } = cell;
    let options = tuning.options(model, clients);
    if sync.goes_with(model, &options) {
        return Ok(());
    }
    let loops = if model.has_loops() {
        format!(" with --loops {}", options.loops)
    } else {
        String::new()
    };
    Err(WrongUse(format!(
        "--models {model} and --syncs {sync} make a cell, {model} x {sync}{loops}, that cannot be: --syncs {sync} goes \
         with --models {} only, for several threads would enter the registry, and nothing would guard it",
        models_for(sync)
    )))
}

/// Why a cell cannot be measured with so many `clients` beside its idle and stalled ones, if so.
fn unfit(cell: Cell, tuning: Tuning, clients: usize) -> Option<String> {
    let Cell {
        workload,
        model,
        idle,
        stalled,
        ..
    } = cell;
    let all = clients.saturating_add(cell.beside());
    let coming = coming(clients, idle, stalled);
    let most = |most: usize, what: &str| {
        (all > most).then(|| {
            format!("{coming} not fit --models {model}: each of them keeps a {what}, and {most} are the most")
        })
    };
    if workload == Workload::Chat && idle > 0 {
        return Some(format!(
            "--idle {idle} goes with --services echo only: in a chat everyone hears everything, and nobody is idle"
        ));
    }
    if workload == Workload::Chat && !model.shares_memory() {
        return Some(format!(
            "--models {model} goes with --services echo only: its processes share no memory, and the clients of a chat \
             could not meet"
        ));
    }
    if workload == Workload::Echo && stalled > 0 {
        return Some(format!(
            "--stalled {stalled} goes with --services chat only: in an echo whoever does not read is in nobody's way"
        ));
    }
    if workload == Workload::Chat
        && let Some(sentence) = unfit_fanout(cell, tuning)
    {
        return Some(sentence);
    }
    match model {
        ModelKind::Iterative if all > 1 => Some(format!(
            "--models iterative goes with --clients 1 and no --idle or --stalled only, and --clients is {clients}{}: it \
             serves one client at a time, and the others would wait for ever",
            match (idle, stalled) {
                (0, 0) => String::new(),
                (idle, 0) => format!(", --idle is {idle}"),
                (_, stalled) => format!(", --stalled is {stalled}"),
            }
        )),
        ModelKind::Select if all > FD_SETSIZE - OWN_DESCRIPTORS => Some(format!(
            "{coming} not fit --models select: its FD_SETSIZE is {FD_SETSIZE}, and {OWN_DESCRIPTORS} of those are \
             for the server itself"
        )),
        ModelKind::Pool => most(MOST_WORKERS, "worker"),
        ModelKind::Process | ModelKind::Prefork => most(MOST_PROCESSES, "process"),
        _ => None,
    }
}

/// Why the fan-out of a chat is none under its model, has no such policy for slow readers, or would wait for one for ever.
fn unfit_fanout(cell: Cell, tuning: Tuning) -> Option<String> {
    let Cell {
        model,
        fanout,
        stalled,
        ..
    } = cell;
    if model.shares_memory() && !fanout.goes_with(model) {
        return Some(format!(
            "--fanouts {fanout} goes with --models {} only: it waits for each client in turn, and {model} serves many on \
             one thread",
            models_that_wait()
        ));
    }
    let slow = tuning.slow.unwrap_or(fanout.policies()[0]);
    if !fanout.policies().contains(&slow) {
        let names: Vec<&str> = fanout.policies().iter().map(|slow| slow.name()).collect();
        return Some(format!(
            "--slow {slow} is nothing that --fanouts {fanout} can do; it has {}",
            names.join(" and ")
        ));
    }
    if slow == Slow::Block && !model.waits_for_clients() {
        return Some(format!(
            "--slow block goes with --models {} only: {model} serves many on one thread, and would wait for one of them",
            models_that_wait()
        ));
    }
    (stalled > 0 && slow == Slow::Block).then(|| {
        let why = if fanout == Fanout::UnderLock {
            "with --fanouts under-lock: it waits inside the critical section for whoever does not read"
        } else {
            "with --slow block: whoever talks waits for whoever does not read"
        };
        format!("--stalled {stalled} leaves nothing to be measured {why}, and the chat stands still")
    })
}

/// Why its server cannot have a descriptor for everything, if so.
fn short_of_descriptors(
    cell: Cell,
    tuning: Tuning,
    clients: usize,
    limit: usize,
) -> Option<String> {
    let all = clients.saturating_add(cell.beside());
    let needed = Descriptors::of(cell.model, &tuning.options(cell.model, all));
    (!needed.allow(all, limit)).then(|| {
        let loops = match tuning.loops {
            Some(loops) if cell.model.has_loops() => format!(" with --loops {loops}"),
            _ => String::new(),
        };
        format!(
            "{} not fit --models {}{loops} and {}",
            coming(clients, cell.idle, cell.stalled),
            cell.model,
            needed.sentence(limit)
        )
    })
}
