//! Rivals in one discipline: a line of criterion's for each, and a table of all.
//!
//! Who is in the table is decided by criterion: every rival whose line ran. So a filter thins out both, `--list` makes no table, and
//! `--test` tries each of them for a moment.

use super::race::{self, Shares, Subject};
use super::rounds::{self, Job, Middle, Plan};
use super::sheet;
use super::work::Pace;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use std::fmt::Display;
use std::time::Duration;

/// Sections by which the length of one is guessed.
const TRIAL: u64 = 1_000;

/// Under which circumstances.
pub(crate) trait Cell: Copy + Display {
    fn threads(self) -> usize;
}

/// A subject that can be set up, fresh for each race.
pub(crate) trait Stage: Subject {
    type Cell: Cell;

    fn set(cell: Self::Cell, pace: Pace) -> Self;
}

/// A [`Stage`] as functions, so that a list can hold different ones.
pub(crate) struct Rival<C> {
    name: &'static str,
    alone: fn(C, Pace, u64) -> Duration,
    counted: fn(C, Pace, u64) -> Duration,
    shares: fn(C, Pace, Duration) -> Shares,
    waits: fn(C, Pace, Duration) -> Shares,
}

impl<C: Cell> Rival<C> {
    pub(crate) const fn new<S: Stage<Cell = C>>(name: &'static str) -> Self {
        Self {
            name,
            alone: |cell, pace, sections| race::alone(&S::set(cell, pace), sections),
            counted: |cell, pace, sections| {
                race::counted(&S::set(cell, pace), cell.threads(), sections)
            },
            shares: |cell, pace, window| race::shares(&S::set(cell, pace), cell.threads(), window),
            waits: |cell, pace, window| race::waits(&S::set(cell, pace), cell.threads(), window),
        }
    }
}

/// What stays the same from one contest to the next.
pub(crate) struct Ring<'a> {
    pub(crate) criterion: &'a mut Criterion,
    pub(crate) pace: Pace,
    /// Who the others are divided by: the title of the column, and the rival's name. At least one; the first is also
    /// subtracted.
    pub(crate) against: &'a [(&'static str, &'static str)],
}

/// What the command line says, and how fast work is done here; that is printed.
pub(crate) fn open() -> (Criterion, Pace) {
    let criterion = Criterion::default().without_plots().configure_from_args();
    let pace = Pace::calibrate();
    println!("{pace}");
    (criterion, pace)
}

impl Ring<'_> {
    /// One thread, and nobody in its way: nanoseconds per section. The rounds are many and shorter than a time slice, so that most
    /// of them are interrupted by nobody.
    pub(crate) fn solo<C: Cell>(&mut self, name: &str, cell: C, rivals: &[Rival<C>]) {
        let pace = self.pace;
        let chosen = self.lines(&format!("{name}/{cell}"), rivals, |rival, sections| {
            (rival.alone)(cell, pace, sections)
        });
        let plan = Plan::new(101, Duration::from_micros(500));
        let jobs: Vec<Job<'_, f64>> = chosen
            .iter()
            .map(|rival| -> Job<'_, f64> {
                let measure = |sections| {
                    (rival.alone)(cell, pace, sections).as_nanos() as f64 / sections as f64
                };
                let fit = (plan.window.as_nanos() as f64 / measure(TRIAL)) as u64;
                Box::new(move || measure(fit.max(1)))
            })
            .collect();
        let figures: Vec<Middle> = rounds::interleaved(&jobs, plan.rounds)
            .into_iter()
            .map(rounds::middle)
            .collect();
        let rows = chosen.iter().zip(&figures).map(|(rival, ns)| {
            let mut row = vec![
                rival.name.to_owned(),
                format!("{:.2}", ns.median),
                format!("{:.2}-{:.2}", ns.min, ns.max),
            ];
            row.extend(self.ratios(ns.median, &chosen, &figures));
            row.push(
                median_of(self.against[0].1, &chosen, &figures)
                    .map_or_else(sheet::nothing, |of| format!("{:+.2}", ns.median - of)),
            );
            row
        });
        if !chosen.is_empty() {
            let (rounds, window) = (plan.rounds, plan.window);
            sheet::print(
                &format!(
                    "{name}, {cell}: ns (medians of {rounds} rounds of {window:?}; less is better)"
                ),
                &self.header(&["", "ns", "min-max"], &["ns more"]),
                rows,
            );
        }
    }

    /// Several threads: sections per second, and who got them. All rivals of all cells take part in each round.
    pub(crate) fn race<C: Cell>(
        &mut self,
        name: &str,
        plan: Plan,
        cells: &[C],
        rivals: &[Rival<C>],
    ) {
        let pace = self.pace;
        let heats: Vec<(C, Vec<&Rival<C>>)> = cells
            .iter()
            .map(|&cell| {
                let chosen = self.lines(&format!("{name}/{cell}"), rivals, |rival, sections| {
                    (rival.counted)(cell, pace, sections)
                });
                (cell, chosen)
            })
            .collect();
        let jobs: Vec<Job<'_, (Shares, Duration)>> = heats
            .iter()
            .flat_map(|(cell, chosen)| chosen.iter().map(move |rival| (*cell, *rival)))
            .map(|(cell, rival)| -> Job<'_, _> {
                Box::new(move || {
                    let shares = (rival.shares)(cell, pace, plan.window);
                    let waits = (rival.waits)(cell, pace, plan.window / 3);
                    (shares, waits.longest_wait)
                })
            })
            .collect();
        let mut measured = rounds::interleaved(&jobs, plan.rounds).into_iter();
        for (cell, chosen) in heats.iter().filter(|(_, chosen)| !chosen.is_empty()) {
            let results: Vec<_> = measured.by_ref().take(chosen.len()).collect();
            let rates: Vec<Middle> = results
                .iter()
                .map(|rounds| rounds::middle(rounds.iter().map(|(shares, _)| shares.rate() / 1e6)))
                .collect();
            let rows = chosen
                .iter()
                .zip(&rates)
                .zip(&results)
                .map(|((rival, rate), rounds)| {
                    let jain = rounds::middle(rounds.iter().map(|(shares, _)| shares.jain()));
                    let longest = rounds.iter().map(|(_, longest)| *longest).max();
                    let mut row = vec![
                        rival.name.to_owned(),
                        format!("{:.3}", rate.median),
                        format!("{:.3}-{:.3}", rate.min, rate.max),
                    ];
                    row.extend(self.ratios(rate.median, chosen, &rates));
                    row.push(format!("{:.3}", jain.median));
                    row.push(format!(
                        "{:.2}",
                        longest.unwrap_or_default().as_secs_f64() * 1e3
                    ));
                    row
                });
            let (rounds, window) = (plan.rounds, plan.window);
            sheet::print(
                &format!(
                    "{name}, {cell}: M sections/s (medians of {rounds} rounds of {window:?}; more is better)"
                ),
                &self.header(&["", "M/s", "min-max"], &["Jain", "longest wait ms"]),
                rows,
            );
        }
    }

    /// Criterion's lines. They are short: they watch for changes between two builds, and decide who is in the table.
    fn lines<'a, C: Cell>(
        &mut self,
        name: &str,
        rivals: &'a [Rival<C>],
        measure: impl Fn(&Rival<C>, u64) -> Duration,
    ) -> Vec<&'a Rival<C>> {
        let mut group = self.criterion.benchmark_group(name);
        brief(&mut group);
        let chosen = rivals
            .iter()
            .filter(|rival| {
                let mut ran = false;
                group.bench_function(rival.name, |bencher| {
                    ran = true;
                    bencher.iter_custom(|sections| measure(rival, sections));
                });
                ran
            })
            .collect();
        group.finish();
        chosen
    }

    fn ratios<C>(&self, figure: f64, chosen: &[&Rival<C>], of: &[Middle]) -> Vec<String> {
        let ratio = |name| {
            median_of(name, chosen, of)
                .map_or_else(sheet::nothing, |median| format!("{:.2}", figure / median))
        };
        self.against.iter().map(|(_, name)| ratio(name)).collect()
    }

    fn header(&self, before: &[&str], after: &[&str]) -> Vec<String> {
        let against = self.against.iter().map(|(title, _)| *title);
        let titles = before
            .iter()
            .copied()
            .chain(against)
            .chain(after.iter().copied());
        titles.map(str::to_owned).collect()
    }
}

fn median_of<C>(name: &str, chosen: &[&Rival<C>], of: &[Middle]) -> Option<f64> {
    let place = chosen.iter().position(|rival| rival.name == name)?;
    Some(of[place].median)
}

fn brief(group: &mut BenchmarkGroup<'_, WallTime>) {
    group
        .sampling_mode(SamplingMode::Flat)
        .throughput(Throughput::Elements(1))
        .sample_size(10)
        .nresamples(2_000)
        .warm_up_time(Duration::from_millis(5))
        .measurement_time(Duration::from_millis(40));
}
