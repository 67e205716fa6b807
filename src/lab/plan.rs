//! [`Plan`]: what is measured, how often, and in which order.

use crate::fanout::Fanout;
use crate::limits::Slow;
use crate::strategy::{LockKind, ModelKind, ModelOptions};
use fastrand::Rng;
use serde::{Serialize, Serializer};
use std::fmt;
use std::num::NonZeroUsize;

/// What the server does and its clients ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// Every byte back.
    Echo,
    /// Every line to everyone.
    Chat,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Echo, Self::Chat];

    /// As `serve` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Chat => "chat",
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// What the server does.
    pub workload: Workload,
    /// How it spends threads.
    pub model: ModelKind,
    /// What guards its registry.
    pub sync: LockKind,
    /// How what one says in a chat gets to the others; of an echo, no matter.
    pub fanout: Fanout,
    /// Clients of an echo who are connected and say nothing while it is measured.
    pub idle: usize,
    /// Clients of a chat who read nothing.
    pub stalled: usize,
}

/// What is combined with what.
#[derive(Clone, Copy, Debug)]
pub struct Axes<'a> {
    /// How the server spends threads.
    pub models: &'a [ModelKind],
    /// What guards its registry.
    pub syncs: &'a [LockKind],
    /// How what one says gets to the others.
    pub fanouts: &'a [Fanout],
    /// Clients who say nothing.
    pub idle: &'a [usize],
    /// Clients who read nothing.
    pub stalled: &'a [usize],
}

/// What servers are told beyond their cell, each of those that it means something to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tuning {
    /// Bytes of stack of each thread of a thread model.
    pub stack_size: Option<usize>,
    /// Loops of an epoll, kqueue or uring model.
    pub loops: Option<NonZeroUsize>,
    /// Workers of a model whose clients do not keep theirs: of a hybrid, of leader and followers.
    pub workers: Option<NonZeroUsize>,
    /// What becomes of a chat's client who reads too slowly, where it is not what the fan-out does by itself.
    #[serde(serialize_with = "by_name")]
    pub slow: Option<Slow>,
}

#[allow(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it so"
)]
fn by_name<S: Serializer>(slow: &Option<Slow>, to: S) -> Result<S::Ok, S::Error> {
    slow.map(Slow::name).serialize(to)
}

impl Tuning {
    /// The same, as the options of a model that is to serve `clients` at once. Where each of them keeps a worker for as
    /// long as it stays, that is how many there are.
    pub fn options(self, model: ModelKind, clients: usize) -> ModelOptions {
        let default = ModelOptions::default();
        let workers = if model.keeps_workers() {
            NonZeroUsize::new(clients)
        } else {
            self.workers
        };
        ModelOptions {
            workers: workers.unwrap_or(default.workers),
            stack_size: self.stack_size,
            loops: self.loops.unwrap_or(default.loops),
            ..default
        }
    }
}

impl Cell {
    /// Everything on each axis with everything on the others.
    pub fn every(workload: Workload, axes: Axes<'_>) -> Vec<Self> {
        let mut cells = vec![Self {
            workload,
            model: ModelKind::Thread,
            sync: LockKind::Mutex,
            fanout: Fanout::default(),
            idle: 0,
            stalled: 0,
        }];
        along(&mut cells, axes.models, |cell, &model| Self {
            model,
            ..cell
        });
        along(&mut cells, axes.syncs, |cell, &sync| Self { sync, ..cell });
        along(&mut cells, axes.fanouts, |cell, &fanout| Self {
            fanout,
            ..cell
        });
        along(&mut cells, axes.idle, |cell, &idle| Self { idle, ..cell });
        along(&mut cells, axes.stalled, |cell, &stalled| Self {
            stalled,
            ..cell
        });
        cells
    }

    /// Those who come beside the clients that are measured.
    pub const fn beside(self) -> usize {
        self.idle.saturating_add(self.stalled)
    }

    /// The same with nobody [beside](Self::beside).
    pub(super) fn alone(self) -> Self {
        Self {
            idle: 0,
            stalled: 0,
            ..self
        }
    }

    /// What follows `guardhouse` on the command line of the server, to which `clients` come who are measured.
    pub fn serve_args(self, clients: usize, tuning: Tuning) -> Vec<String> {
        let mut args: Vec<String> = [
            "serve",
            self.workload.name(),
            "--model",
            self.model.name(),
            "--sync",
            self.sync.name(),
            "--listen",
            "127.0.0.1:0",
            "--quiet",
            // Also when we are killed and cannot end it, or cannot even tell it.
            "--with-parent",
            &std::process::id().to_string(),
        ]
        .map(String::from)
        .into();
        let model = self.model;
        let options = tuning.options(model, clients + self.beside());
        let mut tell = |flag: &str, value: usize| args.extend([flag.into(), value.to_string()]);
        if model.has_workers() {
            tell("--workers", options.workers.get());
        }
        if model.has_loops() {
            tell("--loops", options.loops.get());
        }
        if let (ModelKind::Thread, Some(bytes)) = (model, options.stack_size) {
            tell("--stack-size", bytes);
        }
        if self.workload == Workload::Chat {
            args.extend(["--fanout".into(), self.fanout.name().into()]);
            if let Some(slow) = tuning.slow {
                args.extend(["--slow".into(), slow.name().into()]);
            }
        }
        args
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.workload, self.model, self.sync)?;
        if self.workload == Workload::Chat {
            write!(f, " {}", self.fanout)?;
        }
        for (many, what) in [(self.idle, "idle"), (self.stalled, "stalled")] {
            if many > 0 {
                write!(f, " {many} {what}")?;
            }
        }
        Ok(())
    }
}

/// Each cell in as many forms as the axis has places.
fn along<T>(cells: &mut Vec<Cell>, axis: &[T], at: impl Fn(Cell, &T) -> Cell) {
    let here = std::mem::take(cells);
    cells.extend(
        here.into_iter()
            .flat_map(|cell| axis.iter().map(move |place| (cell, place)))
            .map(|(cell, place)| at(cell, place)),
    );
}

/// Which cells, how often each, and in which order.
#[derive(Clone, Debug)]
pub struct Plan {
    cells: Vec<Cell>,
    rounds: usize,
    seed: u64,
}

impl Plan {
    /// These cells, `rounds` times, in an order that `seed` decides.
    pub fn new(cells: Vec<Cell>, rounds: usize, seed: u64) -> Self {
        Self {
            cells,
            rounds,
            seed,
        }
    }

    /// The cells, in the order in which they are reported.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The numbers of idle clients that there are, each once, in the order of the cells.
    pub fn idle(&self) -> Vec<usize> {
        self.each(|cell| cell.idle)
    }

    /// The same of the stalled.
    pub fn stalled(&self) -> Vec<usize> {
        self.each(|cell| cell.stalled)
    }

    fn each(&self, number: impl Fn(&Cell) -> usize) -> Vec<usize> {
        let mut seen = Vec::new();
        for number in self.cells.iter().map(number) {
            if !seen.contains(&number) {
                seen.push(number);
            }
        }
        seen
    }

    /// How often each cell is measured.
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// What decides the order.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many measurements there are in all.
    pub fn runs(&self) -> usize {
        self.cells.len() * self.rounds
    }

    /// Indices into [`cells`](Self::cells): each round visits every cell once, in an order of its own.
    pub fn order(&self) -> Vec<Vec<usize>> {
        let mut rng = Rng::with_seed(self.seed);
        (0..self.rounds)
            .map(|_| {
                let mut round: Vec<usize> = (0..self.cells.len()).collect();
                rng.shuffle(&mut round);
                round
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<Cell> {
        let axes = Axes {
            models: &ModelKind::ALL,
            syncs: &LockKind::ALL,
            fanouts: &Fanout::ALL,
            idle: &[0, 9],
            stalled: &[0, 2],
        };
        let each = Workload::ALL.into_iter();
        each.flat_map(|workload| Cell::every(workload, axes))
            .collect()
    }

    fn plan(seed: u64) -> Plan {
        Plan::new(every(), 3, seed)
    }

    #[test]
    fn every_round_visits_every_cell_once_in_an_order_of_its_own() {
        let plan = plan(1);
        let order = plan.order();
        assert_eq!(order.len(), 3);
        assert_ne!(order[0], order[1]);
        for mut round in order {
            round.sort_unstable();
            assert!(round.into_iter().eq(0..plan.cells().len()));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_order_and_another_seed_another() {
        assert_eq!(plan(1).order(), plan(1).order());
        assert_ne!(plan(1).order(), plan(2).order());
    }

    #[test]
    fn who_keeps_a_worker_gets_one_and_no_flag_goes_where_it_means_nothing() {
        let tuning = Tuning {
            stack_size: Some(65536),
            loops: NonZeroUsize::new(2),
            workers: NonZeroUsize::new(3),
            slow: Some(Slow::DropOldest),
        };
        for cell in every() {
            let args = cell.serve_args(16, tuning);
            let told = |flag: &str| {
                let place = args.iter().position(|arg| arg == flag)?;
                Some(args[place + 1].clone())
            };
            let workers = match cell.model {
                ModelKind::Pool | ModelKind::Prefork => Some((16 + cell.beside()).to_string()),
                ModelKind::Hybrid | ModelKind::LeaderFollowers => Some("3".into()),
                _ => None,
            };
            assert_eq!(told("--workers"), workers, "{cell}");
            let loops = cell.model.has_loops().then(|| "2".into());
            assert_eq!(told("--loops"), loops, "{cell}");
            let stack = (cell.model == ModelKind::Thread).then(|| "65536".into());
            assert_eq!(told("--stack-size"), stack, "{cell}");
            let of_a_chat = |what: &str| (cell.workload == Workload::Chat).then(|| what.into());
            assert_eq!(told("--fanout"), of_a_chat(cell.fanout.name()), "{cell}");
            assert_eq!(told("--slow"), of_a_chat("drop-oldest"), "{cell}");
        }
    }
}
