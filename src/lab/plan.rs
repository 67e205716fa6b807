//! [`Plan`]: what is measured, how often, and in which order.

use crate::strategy::{LockKind, ModelKind};
use fastrand::Rng;
use serde::Serialize;
use std::fmt;

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
}

impl Cell {
    /// What follows `guardhouse` on the command line of the server. A worker of a pool serves one
    /// client at a time, so a pool gets as many as there are clients; so does a prefork of processes.
    pub(super) fn serve_args(self, clients: usize) -> Vec<String> {
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
        if matches!(self.model, ModelKind::Pool | ModelKind::Prefork) {
            args.extend(["--workers".into(), clients.to_string()]);
        }
        args
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.workload, self.model, self.sync)
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
    /// Every workload with every model with every lock, `rounds` times, in an order that `seed` decides.
    pub fn every(
        workloads: &[Workload],
        models: &[ModelKind],
        syncs: &[LockKind],
        rounds: usize,
        seed: u64,
    ) -> Self {
        let mut cells = Vec::new();
        for &workload in workloads {
            for &model in models {
                for &sync in syncs {
                    cells.push(Cell {
                        workload,
                        model,
                        sync,
                    });
                }
            }
        }
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

    fn plan(seed: u64) -> Plan {
        Plan::every(&Workload::ALL, &ModelKind::ALL, &LockKind::ALL, 3, seed)
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
    fn only_who_serves_one_client_per_worker_is_given_workers() {
        for cell in plan(1).cells() {
            let args = cell.serve_args(16);
            let gets = matches!(cell.model, ModelKind::Pool | ModelKind::Prefork);
            assert_eq!(args.contains(&"--workers".into()), gets, "{cell}");
        }
    }
}
