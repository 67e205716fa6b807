//! Measuring in rounds: everybody once per round, in an order that is shuffled each time.

use super::only_a_test;
use std::time::Duration;

/// Something to measure, any number of times.
pub(crate) type Job<'a, T> = Box<dyn Fn() -> T + 'a>;

/// How often, and for how long each time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) window: Duration,
}

impl Plan {
    /// As given; or hardly at all when it is only a test.
    pub(crate) fn new(rounds: usize, window: Duration) -> Self {
        if only_a_test() {
            Self {
                rounds: 1,
                window: Duration::from_millis(1),
            }
        } else {
            Self { rounds, window }
        }
    }
}

/// What each job measured, round by round.
pub(crate) fn interleaved<T>(jobs: &[Job<'_, T>], rounds: usize) -> Vec<Vec<T>> {
    let mut measured: Vec<Vec<T>> = jobs.iter().map(|_| Vec::with_capacity(rounds)).collect();
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    for _ in 0..rounds {
        fastrand::shuffle(&mut order);
        for &job in &order {
            measured[job].push(jobs[job]());
        }
    }
    measured
}

/// The middle one and the two ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Middle {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// Of at least one figure.
pub(crate) fn middle(figures: impl IntoIterator<Item = f64>) -> Middle {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    Middle {
        median: figures[figures.len() / 2],
        min: figures[0],
        max: figures[figures.len() - 1],
    }
}
