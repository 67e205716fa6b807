//! How much processor time a process has used, from `/proc/PID/stat`.

use std::fs;
use std::time::Duration;

/// User and system time of all threads of a process; `None` where the platform does not tell. It ticks
/// (100 times a second, as a rule), so it says little about less than a tenth of a second.
pub(super) fn used_by(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks = ticks(&stat)?;
    let per_second = rustix::param::clock_ticks_per_second();
    (per_second > 0).then(|| Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// Fields 14 and 15. The second field is the program's name in parentheses, and may itself hold spaces and
/// parentheses: what follows is counted from the last one that closes.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: &str = "S 1 2 3 4 5 6 7 8 9 10 123 456 14 15 16";

    #[test]
    fn the_times_are_found_behind_any_name() {
        for name in ["guardhouse", "my server", "a) S 1 (b", "))", "((", ""] {
            let stat = format!("77 ({name}) {AFTER}");
            assert_eq!(ticks(&stat), Some(123 + 456), "{name:?}");
        }
    }

    #[test]
    fn what_is_cut_short_has_no_times() {
        for stat in ["", "77 (x", "77 (x) S 1 2 3 4 5 6 7 8 9 10 123", "77 (x) S"] {
            assert_eq!(ticks(stat), None, "{stat:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_a_time() {
        assert!(used_by(std::process::id()).is_some());
    }
}
