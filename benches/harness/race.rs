//! Threads that set out together.

use crossbeam_utils::CachePadded;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Something that threads enter section by section.
pub(crate) trait Subject: Sync {
    /// One section of one thread, which has done `turn` of them before. `entered` runs first thing inside.
    fn section(&self, turn: u64, entered: impl FnOnce() + Send);

    /// Fails when a section's update was lost, given how many sections each thread has done.
    ///
    /// # Panics
    /// Then.
    fn settle(&self, done: &[u64]);
}

/// So many sections are claimed at once, so that claiming is not what is measured.
const BATCH: i64 = 32;

/// What one thread says of itself. On cache lines of its own: counting must not be what threads contend for.
#[derive(Default)]
struct Lane {
    sections: AtomicU64,
    longest_wait: AtomicU64,
}

/// What each thread got done in a stretch of time.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    pub(crate) sections: Vec<u64>,
    pub(crate) elapsed: Duration,
    /// From asking to being inside; zero when nobody looked at the clock.
    pub(crate) longest_wait: Duration,
}

impl Shares {
    /// Sections per second, of all threads together.
    pub(crate) fn rate(&self) -> f64 {
        self.sections.iter().sum::<u64>() as f64 / self.elapsed.as_secs_f64()
    }

    /// Jain's fairness index: 1 when all got the same, 1/n when one of n got everything.
    /// Nobody got anything: that is the same, too.
    /// (R. Jain, D. Chiu, W. Hawe: A Quantitative Measure of Fairness, DEC-TR-301, 1984.)
    pub(crate) fn jain(&self) -> f64 {
        let sum: f64 = self.sections.iter().map(|&n| n as f64).sum();
        let squares: f64 = self.sections.iter().map(|&n| (n as f64).powi(2)).sum();
        if squares == 0.0 {
            return 1.0;
        }
        sum * sum / (self.sections.len() as f64 * squares)
    }
}

/// How long one thread takes that nobody disturbs. Never inlined: every subject gets the same loop.
#[inline(never)]
pub(crate) fn alone<S: Subject>(subject: &S, sections: u64) -> Duration {
    let mut entered = 0;
    let began = Instant::now();
    for turn in 0..sections {
        subject.section(turn, || entered += 1);
    }
    let elapsed = began.elapsed();
    assert_eq!(entered, sections, "a section did not run");
    subject.settle(&[sections]);
    elapsed
}

/// How long the threads take for so many sections, from when the first sets out until the last is back. Who is let in more
/// often does more of them, so that the race does not end with the starved ones among themselves. A barrier wakes one thread
/// after the other, some 50 us apart: a race of less than a millisecond is mostly start.
pub(crate) fn counted<S: Subject>(subject: &S, threads: usize, sections: u64) -> Duration {
    let left = CachePadded::new(AtomicI64::new(sections as i64));
    let lanes = lanes(threads);
    let start = Barrier::new(threads);
    let runner = |place: usize, lane: &Lane| {
        keep_to_a_core(place);
        start.wait();
        let began = Instant::now();
        let mut turn = 0;
        loop {
            let batch = left.fetch_sub(BATCH, Relaxed).min(BATCH);
            if batch <= 0 {
                break;
            }
            for _ in 0..batch {
                subject.section(turn, || ());
                turn += 1;
            }
        }
        lane.sections.store(turn, Relaxed);
        (began, Instant::now())
    };
    let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let runner = &runner;
        let runners: Vec<_> = (0..)
            .zip(&lanes)
            .map(|(place, lane)| scope.spawn(move || runner(place, lane)))
            .collect();
        let ends = runners.into_iter().map(thread::ScopedJoinHandle::join);
        ends.map(|end| end.expect("no section panics")).collect()
    });
    subject.settle(&done(&lanes));
    let first = spans.iter().map(|span| span.0).min();
    let last = spans.iter().map(|span| span.1).max();
    first.zip(last).map_or(Duration::ZERO, |(a, b)| b - a)
}

/// What each thread gets done in `window`, which begins when each has been inside once, or has starved that long: whoever
/// gets going first runs undisturbed, and that would count for more than all that comes after it. Nobody looks at
/// the clock between two sections.
pub(crate) fn shares<S: Subject>(subject: &S, threads: usize, window: Duration) -> Shares {
    during(subject, threads, window, |turn, _| {
        subject.section(turn, || ());
    })
}

/// [`shares`] with the longest wait. Two looks at the clock per section, one of them inside, cost about 50 ns: sections are
/// not as short here as in [`shares`], and its rates are not these.
pub(crate) fn waits<S: Subject>(subject: &S, threads: usize, window: Duration) -> Shares {
    during(subject, threads, window, |turn, lane| {
        let asked = Instant::now();
        let mut inside = asked;
        subject.section(turn, || inside = Instant::now());
        let waited = (inside - asked).as_nanos() as u64;
        if waited > lane.longest_wait.load(Relaxed) {
            lane.longest_wait.store(waited, Relaxed);
        }
    })
}

fn during<S: Subject>(
    subject: &S,
    threads: usize,
    window: Duration,
    section: impl Fn(u64, &Lane) + Sync,
) -> Shares {
    let lanes = lanes(threads);
    let stop = CachePadded::new(AtomicBool::new(false));
    let start = Barrier::new(threads + 1);
    let runner = |place: usize, lane: &Lane, was_inside: Sender<()>| {
        keep_to_a_core(place);
        start.wait();
        let mut turn = 0;
        while !stop.load(Relaxed) {
            section(turn, lane);
            turn += 1;
            lane.sections.store(turn, Relaxed);
            if turn == 1 {
                // Whoever measures may have stopped listening: this thread starved for too long.
                let _ = was_inside.send(());
            }
        }
    };
    let (sections, elapsed) = thread::scope(|scope| {
        let runner = &runner;
        let (was_inside, first_sections) = channel();
        for (place, lane) in (0..).zip(&lanes) {
            let was_inside = was_inside.clone();
            scope.spawn(move || runner(place, lane, was_inside));
        }
        start.wait();
        let patience = Instant::now() + window;
        for _ in 0..threads {
            let left = patience.saturating_duration_since(Instant::now());
            if first_sections.recv_timeout(left).is_err() {
                break;
            }
        }
        let before = done(&lanes);
        let began = Instant::now();
        // Not to wait for something: the window is this time, whatever it turns out to be. This thread must not take a core
        // meanwhile, and the others look at no clock.
        thread::sleep(window);
        let after = done(&lanes);
        let elapsed = began.elapsed();
        stop.store(true, Relaxed);
        let sections = after
            .iter()
            .zip(before)
            .map(|(after, before)| after - before);
        (sections.collect(), elapsed)
    });
    subject.settle(&done(&lanes));
    let longest = lanes.iter().map(|lane| lane.longest_wait.load(Relaxed));
    Shares {
        sections,
        elapsed,
        longest_wait: Duration::from_nanos(longest.max().unwrap_or(0)),
    }
}

/// Threads take the cores in turn, and stay. Two that the system happens to put on one core hardly ever meet, and then a gate
/// would be measured that nobody contends for: tokio's semaphore did 0.04 or 9 million sections a second, as it fell out.
/// Where it cannot be had, they go where they go.
fn keep_to_a_core(place: usize) {
    let Ok(allowed) = sched_getaffinity(None) else {
        return;
    };
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|&core| allowed.is_set(core))
        .collect();
    if let Some(&core) = cores.get(place % cores.len().max(1)) {
        let mut only = CpuSet::new();
        only.set(core);
        let _ = sched_setaffinity(None, &only);
    }
}

fn lanes(threads: usize) -> Vec<CachePadded<Lane>> {
    (0..threads).map(|_| CachePadded::default()).collect()
}

fn done(lanes: &[CachePadded<Lane>]) -> Vec<u64> {
    lanes
        .iter()
        .map(|lane| lane.sections.load(Relaxed))
        .collect()
}
