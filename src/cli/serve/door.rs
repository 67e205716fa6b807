//! How clients got in: who accepted them, and how long they waited for a worker. For the lines of `--stats`, and for
//! the last line of the log.

use super::stats::{counted, spread};
use guardhouse::stats::Snapshot;

/// Names no more than so many of those who accept.
const MOST_NAMED: usize = 64;

/// The clients of each who accepts, where there are several.
pub(super) fn accepted_by(stats: &Snapshot) -> Option<String> {
    let all = &stats.accepted_by;
    if all.len() < 2 {
        return None;
    }
    let named: Vec<String> = all.iter().take(MOST_NAMED).map(u64::to_string).collect();
    let more = if all.len() > MOST_NAMED { "+..." } else { "" };
    Some(named.join("+") + more)
}

/// Jain's index, as it is told.
pub(super) fn fairness(stats: &Snapshot) -> Option<String> {
    stats.accept_fairness().map(|index| format!("{index:.2}"))
}

/// Wake-ups in vain, where there can be any.
pub(super) fn woken_in_vain(stats: &Snapshot) -> Option<u64> {
    (stats.accepted_by.len() > 1).then_some(stats.woken_in_vain)
}

/// The waits in the queue, where there were any.
pub(super) fn queue_wait(stats: &Snapshot) -> Option<String> {
    let wait = &stats.queue_wait;
    (wait.count > 0).then(|| spread(wait))
}

/// What came between two looks, a line each; nothing from a model with one acceptor and no queue.
pub(super) fn interval(now: &Snapshot, earlier: &Snapshot) -> Vec<String> {
    let stats = between(now, earlier);
    let mut lines = Vec::new();
    if let Some(by) = accepted_by(&stats) {
        let fairness =
            fairness(&stats).map_or(String::new(), |index| format!("; fairness {index}"));
        lines.push(format!(
            "door: {} accepted, {by}{fairness}; {} woken in vain",
            stats.accepted, stats.woken_in_vain
        ));
    }
    if now.queue_wait.count > 0 {
        let clients = counted(stats.queue_wait.count, "client");
        let wait = queue_wait(&stats).map_or(String::new(), |wait| format!("; wait {wait}"));
        lines.push(format!("queue: {clients}{wait}"));
    }
    lines
}

fn between(now: &Snapshot, earlier: &Snapshot) -> Snapshot {
    let before = earlier.accepted_by.iter().chain(std::iter::repeat(&0));
    Snapshot {
        accepted: now.accepted - earlier.accepted,
        accepted_by: now
            .accepted_by
            .iter()
            .zip(before)
            .map(|(now, before)| now - before)
            .collect(),
        woken_in_vain: now.woken_in_vain - earlier.woken_in_vain,
        queue_wait: now.queue_wait.since(&earlier.queue_wait),
        ..Snapshot::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guardhouse::sync::Spread;
    use std::time::Duration;

    fn stats(by: &[u64], woken_in_vain: u64, waited: u64) -> Snapshot {
        let time = Duration::from_micros(3);
        Snapshot {
            accepted: by.iter().sum(),
            accepted_by: by.to_vec(),
            woken_in_vain,
            queue_wait: Spread::new([(time, waited)].into_iter().filter(|_| waited > 0), time),
            ..Snapshot::default()
        }
    }

    #[test]
    fn an_interval_tells_what_came_in_it() {
        let nothing = Snapshot::default();
        let (first, second) = (stats(&[1, 3], 2, 0), stats(&[4, 4], 5, 0));
        assert_eq!(
            interval(&first, &nothing),
            ["door: 4 accepted, 1+3; fairness 0.80; 2 woken in vain"]
        );
        assert_eq!(
            interval(&second, &first),
            ["door: 4 accepted, 3+1; fairness 0.80; 3 woken in vain"]
        );
        assert_eq!(
            interval(&second, &second),
            ["door: 0 accepted, 0+0; 0 woken in vain"]
        );
    }

    #[test]
    fn a_queue_is_told_of_once_somebody_was_in_it() {
        let (none, some) = (stats(&[5], 0, 0), stats(&[5], 0, 2));
        assert_eq!(interval(&none, &Snapshot::default()), [""; 0]);
        assert_eq!(
            interval(&some, &none),
            ["queue: 2 clients; wait p50 3.0µs, p99 3.0µs, max 3.0µs"]
        );
        assert_eq!(interval(&some, &some), ["queue: 0 clients"]);
    }

    #[test]
    fn of_a_crowd_of_workers_only_some_are_named() {
        let crowd = stats(&[1; 100], 0, 0);
        assert_eq!(accepted_by(&crowd), Some("1+".repeat(64) + "..."));
    }
}
