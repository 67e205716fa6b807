//! [`Report`]: what came out, as data. Table and JSON are both made from it.

use super::machine::Machine;
use super::plan::{Cell, Tuning, Workload};
use crate::load::Measured;
use serde::Serialize;

/// What came out of comparing.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How the run was started.
    pub command: String,
    /// The version that measured and was measured.
    pub guardhouse: &'static str,
    /// When it began, in UTC.
    pub date: String,
    /// Where.
    pub machine: Machine,
    /// With what.
    pub setup: Setup,
    /// One row per cell, in the order of the plan.
    pub rows: Vec<Row>,
    /// What was not measured, and why: a sentence each.
    pub left_out: Vec<String>,
}

/// The load that every cell got.
#[derive(Clone, Debug, Serialize)]
pub struct Setup {
    /// Connections that say something or, in a chat, could.
    pub clients: usize,
    /// So many more are connected and idle: a cell for each number.
    pub idle: Vec<usize>,
    /// So many more are in the chat and read nothing: a cell for each number.
    pub stalled: Vec<usize>,
    /// So many of the clients talk in a chat.
    pub talkers: usize,
    /// Bytes of a message.
    pub message_bytes: usize,
    /// Measured time per cell and round, in seconds.
    pub duration_s: f64,
    /// Time before it that is not counted, in seconds.
    pub warm_up_s: f64,
    /// How often each cell was measured.
    pub rounds: usize,
    /// What decided the order.
    pub seed: u64,
    /// What servers were told beyond their cell.
    pub tuning: Tuning,
}

/// One cell: medians over its rounds, with the least and the most.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What the server did.
    pub service: Workload,
    /// How it spent threads.
    pub model: &'static str,
    /// What guarded its registry.
    pub sync: &'static str,
    /// How what one said got to the others; absent in an echo.
    pub fanout: Option<&'static str>,
    /// Clients who were connected and idle.
    pub idle: usize,
    /// Clients who were in the chat and read nothing.
    pub stalled: usize,
    /// Messages that arrived whole.
    pub messages_per_second: Spread,
    /// Median latency.
    pub p50_us: Spread,
    /// 99 of 100 were faster.
    pub p99_us: Spread,
    /// The server's processor time per message, user and system; absent where the platform does not tell.
    pub server_cpu_us_per_message: Option<Spread>,
    /// What is left of the rate without idle or stalled clients, round by round, 1 being all; absent where that was not
    /// measured.
    pub kept: Option<Spread>,
    /// The p99 as so many times that without idle or stalled clients, round by round; absent where that was not measured.
    pub p99_times: Option<Spread>,
    /// By how much the server's memory grew when the idle clients came, for each: bytes in user space (`VmRSS`), less than
    /// zero if it shrank. Where each client keeps a worker, how much more it is than that of a server with workers for
    /// the others only. Absent without any, or where the platform does not tell.
    pub idle_client_bytes: Option<Spread>,
    /// How much of one core the load generator itself used, from 0 to 1. Close to 1, the figures are its
    /// ceiling and not the server's.
    pub generator_cpu: Option<Spread>,
    /// Messages lost, in all rounds together.
    pub lost: u64,
    /// Messages torn, in all rounds together.
    pub torn: u64,
    /// Every round by itself.
    pub samples: Vec<Sample>,
}

/// One round of one cell.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sample {
    /// What the clients saw.
    #[serde(flatten)]
    pub measured: Measured,
    /// The server's processor time, in seconds.
    pub server_cpu_s: Option<f64>,
    /// The load generator's processor time, in seconds.
    pub generator_cpu_s: Option<f64>,
    /// By how many bytes the server's memory grew for each idle client.
    pub idle_client_bytes: Option<f64>,
}

/// A median over rounds, and between what it lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let (lower, upper) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self {
            median: f64::midpoint(lower, upper),
            min,
            max,
        })
    }
}

impl Row {
    /// `None` without any sample. `alone` are those of the same cell without idle and stalled
    /// clients.
    pub(super) fn of(cell: Cell, samples: &[Sample], alone: Option<&[Sample]>) -> Option<Self> {
        let spread = |value: fn(&Sample) -> f64| Spread::of(samples.iter().map(value));
        let maybe = |value: fn(&Sample) -> Option<f64>| {
            let values: Option<Vec<f64>> = samples.iter().map(value).collect();
            Spread::of(values?)
        };
        let sum = |value: fn(&Sample) -> u64| samples.iter().map(value).sum();
        let alone = alone.filter(|_| cell.beside() > 0);
        let against = |value: fn(&Sample) -> f64| {
            let rounds = samples.iter().zip(alone?);
            Spread::of(rounds.map(|(sample, alone)| value(sample) / value(alone)))
        };
        Some(Self {
            service: cell.workload,
            model: cell.model.name(),
            sync: cell.sync.name(),
            fanout: (cell.workload == Workload::Chat).then(|| cell.fanout.name()),
            idle: cell.idle,
            stalled: cell.stalled,
            messages_per_second: spread(|sample| sample.measured.per_second())?,
            p50_us: spread(|sample| sample.measured.p50.as_nanos() as f64 / 1e3)?,
            p99_us: spread(|sample| sample.measured.p99.as_nanos() as f64 / 1e3)?,
            server_cpu_us_per_message: maybe(|sample| {
                Some(sample.server_cpu_s? * 1e6 / sample.measured.messages.max(1) as f64)
            }),
            kept: against(|sample| sample.measured.per_second()),
            p99_times: against(|sample| sample.measured.p99.as_secs_f64()),
            idle_client_bytes: maybe(|sample| sample.idle_client_bytes),
            generator_cpu: maybe(|sample| {
                Some(sample.generator_cpu_s? / sample.measured.elapsed.as_secs_f64())
            }),
            lost: sum(|sample| sample.measured.lost),
            torn: sum(|sample| sample.measured.torn),
            samples: samples.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_the_mean_of_two() {
        let median = |values: &[f64]| Spread::of(values.iter().copied()).map(|s| s.median);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0]), Some(5.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn a_spread_lies_between_the_least_and_the_most() {
        let spread = Spread::of([5.0, -1.0, 7.0]).unwrap();
        assert_eq!((spread.min, spread.max), (-1.0, 7.0));
    }
}
