//! `--stats`: how the registry's lock goes, and how clients get in, a line at a time.

use super::door;
use crate::cli::output::LogWriter;
use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use guardhouse::Counters;
use guardhouse::stats::Snapshot;
use guardhouse::sync::{LockStats, Spread};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The thread that prints a line every so often. Ends when dropped.
pub(super) struct LiveStats {
    running: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LiveStats {
    pub(super) fn start(
        every: Duration,
        counters: Counters,
        log: LogWriter,
    ) -> anyhow::Result<Self> {
        let (running, ended) = bounded(0);
        let thread = thread::Builder::new()
            .name("gh-stats".into())
            .spawn(move || print(every, &counters, log, &ended))
            .context("cannot start the thread that prints statistics")?;
        Ok(Self {
            running: Some(running),
            thread: Some(thread),
        })
    }
}

impl Drop for LiveStats {
    fn drop(&mut self) {
        self.running = None;
        if let Some(thread) = self.thread.take() {
            // It runs no code that panics; were it to, the server has ended all the same.
            let _ = thread.join();
        }
    }
}

/// Until the other end of `ended` is gone.
fn print(every: Duration, counters: &Counters, mut log: LogWriter, ended: &Receiver<()>) {
    let mut next = Instant::now();
    let mut earlier = Snapshot::default();
    loop {
        next = following(next, every, Instant::now());
        match ended.recv_deadline(next) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = counters.now();
        if let Some(lock) = &now.lock {
            log.line(&interval(&match &earlier.lock {
                Some(earlier) => lock.since(earlier),
                None => lock.clone(),
            }));
        }
        for line in door::interval(&now, &earlier) {
            log.line(&line);
        }
        earlier = now;
    }
}

/// When the line after that of `last` is due: by the clock and not from line to line. Those that passed while the
/// process was stopped, or the machine asleep, are not made up for.
fn following(last: Instant, every: Duration, now: Instant) -> Instant {
    let next = last + every;
    if next < now { now + every } else { next }
}

fn interval(stats: &LockStats) -> String {
    format!("lock: {}", sections(stats))
}

/// The last line.
pub(super) fn whole_run(stats: &LockStats) -> String {
    format!(
        "lock, whole run: {}; timing costs {} ns per section",
        sections(stats),
        stats.own_cost.as_nanos()
    )
}

fn sections(stats: &LockStats) -> String {
    let mut told = vec![counted(stats.hold.count, "section")];
    if stats.hold.count > 0 {
        told.extend([
            format!("wait {}", spread(&stats.wait)),
            format!("hold {}", spread(&stats.hold)),
            format!("{} inside at most", stats.most_inside),
            counted(stats.overtakings, "overtaking"),
        ]);
    }
    if stats.expired > 0 {
        told.push(format!("{} expired", stats.expired));
    }
    told.join("; ")
}

pub(super) fn counted(count: u64, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {one}{plural}")
}

pub(super) fn spread(times: &Spread) -> String {
    let [p50, p99, max] = [times.p50, times.p99, times.max].map(short);
    format!("p50 {p50}, p99 {p99}, max {max}")
}

fn short(time: Duration) -> String {
    if time < Duration::from_micros(1) {
        format!("{time:?}")
    } else {
        format!("{time:.1?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_all_that_was_asked_for() {
        let spread = |ns| {
            let time = Duration::from_nanos(ns);
            Spread::new([(time, 3)], time)
        };
        let stats = LockStats {
            wait: spread(90),
            hold: spread(1_200),
            most_inside: 2,
            overtakings: 5,
            own_cost: Duration::from_nanos(60),
            ..LockStats::default()
        };
        let told = "3 sections; wait p50 90ns, p99 90ns, max 90ns; hold p50 1.2µs, p99 1.2µs, max 1.2µs; 2 inside at most; 5 overtakings";
        assert_eq!(interval(&stats), format!("lock: {told}"));
        assert_eq!(
            whole_run(&stats),
            format!("lock, whole run: {told}; timing costs 60 ns per section")
        );
        assert_eq!(interval(&LockStats::default()), "lock: 0 sections");
    }

    #[test]
    fn one_is_singular_and_expired_waits_are_told_if_there_are_any() {
        let time = Duration::from_nanos(90);
        let one = Spread::new([(time, 1)], time);
        let mut stats = LockStats {
            wait: one.clone(),
            hold: one,
            most_inside: 1,
            overtakings: 1,
            expired: 2,
            ..LockStats::default()
        };
        let times = "p50 90ns, p99 90ns, max 90ns";
        let rest = "1 inside at most; 1 overtaking; 2 expired";
        assert_eq!(
            interval(&stats),
            format!("lock: 1 section; wait {times}; hold {times}; {rest}")
        );
        stats.hold = Spread::default();
        assert_eq!(interval(&stats), "lock: 0 sections; 2 expired");
    }

    #[test]
    fn lines_that_a_stop_swallowed_are_not_made_up_for() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let every = Duration::from_millis(500);
        assert_eq!(following(at(500), every, at(500)), at(1000));
        assert_eq!(following(at(500), every, at(700)), at(1000));
        assert_eq!(following(at(500), every, at(2700)), at(3200));
    }
}
