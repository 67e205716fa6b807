//! [`Measured`]: what a run came to.

use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};
use std::time::Duration;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Messages that arrived whole: round trips of an echo, deliveries of a chat.
    pub messages: u64,
    /// From the first byte sent to the last one received. In seconds as JSON.
    #[serde(rename = "elapsed_s", serialize_with = "seconds")]
    pub elapsed: Duration,
    /// The median time until a message is back with its sender. Latencies are in microseconds as JSON.
    #[serde(rename = "p50_us", serialize_with = "microseconds")]
    pub p50: Duration,
    /// 99 of 100 messages were back by then.
    #[serde(rename = "p99_us", serialize_with = "microseconds")]
    pub p99: Duration,
    /// 999 of 1000 messages were back by then.
    #[serde(rename = "p999_us", serialize_with = "microseconds")]
    pub p999: Duration,
    /// The longest.
    #[serde(rename = "max_us", serialize_with = "microseconds")]
    pub max: Duration,
    /// Messages that never arrived whole although a later one of the same sender did.
    pub lost: u64,
    /// Things that arrived and were no message: mangled, twice, or out of their sender's order.
    pub torn: u64,
}

impl Measured {
    /// Messages per second.
    pub fn per_second(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn seconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.as_secs_f64())
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn microseconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.as_nanos() as f64 / 1e3)
}

/// What some received bytes came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Whole messages.
    pub(super) delivered: u64,
    pub(super) lost: u64,
    pub(super) torn: u64,
    /// The receiver's own message is back: it may send its next.
    pub(super) came_back: bool,
}

/// A run's figures while it goes on.
#[derive(Debug)]
pub(super) struct Tally {
    messages: u64,
    pub(super) lost: u64,
    pub(super) torn: u64,
    /// In nanoseconds.
    latency: Histogram<u64>,
}

/// Latencies longer than that are shown as that.
const LONGEST: Duration = Duration::from_mins(1);

impl Tally {
    pub(super) fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, 3);
        Self {
            messages: 0,
            lost: 0,
            torn: 0,
            latency: latency.expect("the bounds are constant and in order"),
        }
    }

    pub(super) fn count(&mut self, arrival: Arrival) {
        self.messages += arrival.delivered;
        self.lost += arrival.lost;
        self.torn += arrival.torn;
    }

    pub(super) fn came_back_after(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latency.saturating_record(nanos);
    }

    pub(super) fn measured(&self, elapsed: Duration) -> Measured {
        let quantile = |q| Duration::from_nanos(self.latency.value_at_quantile(q));
        Measured {
            messages: self.messages,
            elapsed,
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: Duration::from_nanos(self.latency.max()),
            lost: self.lost,
            torn: self.torn,
        }
    }
}
