//! [`Plan`]: what is measured, how often, and in which order.

use crate::strategy::{LockKind, ModelKind, ModelOptions};
use fastrand::Rng;
use serde::Serialize;
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
    /// Clients who are connected and say nothing while it is measured.
    pub idle: usize,
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
    /// Every workload with every model with every lock with every number of idle clients.
    pub fn every(
        workloads: &[Workload],
        models: &[ModelKind],
        syncs: &[LockKind],
        idle: &[usize],
    ) -> Vec<Self> {
        let mut cells = Vec::new();
        for &workload in workloads {
            for &model in models {
                for &sync in syncs {
                    cells.extend(idle.iter().map(|&idle| Self {
                        workload,
                        model,
                        sync,
                        idle,
                    }));
                }
            }
        }
        cells
    }

    /// The same without idle clients.
    pub(super) fn without_idle(self) -> Self {
        Self { idle: 0, ..self }
    }

    /// What follows `guardhouse` on the command line of the server, to which `talkers` come beside the idle.
    pub(super) fn serve_args(self, talkers: usize, tuning: Tuning) -> Vec<String> {
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
        let options = tuning.options(model, talkers + self.idle);
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
        args
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.workload, self.model, self.sync)?;
        match self.idle {
            0 => Ok(()),
            idle => write!(f, " {idle} idle"),
        }
    }
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
        let mut seen = Vec::new();
        for cell in &self.cells {
            if !seen.contains(&cell.idle) {
                seen.push(cell.idle);
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
        Cell::every(&Workload::ALL, &ModelKind::ALL, &LockKind::ALL, &[0, 9])
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
        };
        for cell in every() {
            let args = cell.serve_args(16, tuning);
            let told = |flag: &str| {
                let place = args.iter().position(|arg| arg == flag)?;
                Some(args[place + 1].clone())
            };
            let workers = match cell.model {
                ModelKind::Pool | ModelKind::Prefork => Some((16 + cell.idle).to_string()),
                ModelKind::Hybrid | ModelKind::LeaderFollowers => Some("3".into()),
                _ => None,
            };
            assert_eq!(told("--workers"), workers, "{cell}");
            let loops = cell.model.has_loops().then(|| "2".into());
            assert_eq!(told("--loops"), loops, "{cell}");
            let stack = (cell.model == ModelKind::Thread).then(|| "65536".into());
            assert_eq!(told("--stack-size"), stack, "{cell}");
        }
    }
}
