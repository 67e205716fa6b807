//! Work of a known length that touches no shared memory: a chain of multiplications, each waiting for the last.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

const TRIAL_STEPS: u64 = 50_000;
const TRIALS: usize = 50;

/// How long one step of the chain takes here and now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    ns_per_step: f64,
}

impl Pace {
    /// The fastest of many trials: whatever else ran meanwhile only makes a trial slower.
    pub(crate) fn calibrate() -> Self {
        let trial = || {
            let began = Instant::now();
            chain(TRIAL_STEPS);
            began.elapsed()
        };
        let fastest = (0..TRIALS).map(|_| trial()).min().unwrap_or_default();
        Self {
            ns_per_step: fastest.as_nanos() as f64 / TRIAL_STEPS as f64,
        }
    }

    /// Work that takes so long when nobody interrupts it.
    pub(crate) fn work(self, time: Duration) -> Work {
        Work {
            steps: (time.as_nanos() as f64 / self.ns_per_step).round() as u64,
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundred = self.work(Duration::from_nanos(100)).steps;
        write!(
            f,
            "work is calibrated: {:.2} ns a step, so {hundred} steps for 100 ns",
            self.ns_per_step
        )
    }
}

/// So many steps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    steps: u64,
}

impl Work {
    #[inline]
    pub(crate) fn run(self) {
        if self.steps > 0 {
            chain(self.steps);
        }
    }
}

/// Never inlined, so that what was calibrated is what runs.
#[inline(never)]
fn chain(steps: u64) {
    let mut number = black_box(steps);
    for _ in 0..steps {
        // Without the shift, the compiler would make one multiplication of many.
        number ^= number >> 29;
        number = number.wrapping_mul(6_364_136_223_846_793_005);
    }
    black_box(number);
}
