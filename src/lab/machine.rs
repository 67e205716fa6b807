//! [`Machine`]: what the figures were measured on. They say little about any other.

use serde::Serialize;
use std::fs;
use std::thread;

/// What the figures were measured on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// Processors that this process may use.
    pub cores: usize,
    /// The processor's name for itself.
    pub cpu: Option<String>,
    /// Operating system and kernel release.
    pub kernel: String,
    /// Runnable threads, as a mean over the minute before the start: well above 0, somebody else
    /// was at work.
    pub load_average: Option<f64>,
}

impl Machine {
    /// The machine that this runs on, as it is now.
    pub fn here() -> Self {
        let file = |path: &str| fs::read_to_string(path).ok();
        let release = file("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cores: thread::available_parallelism().map_or(1, usize::from),
            cpu: file("/proc/cpuinfo").as_deref().and_then(cpu_name),
            kernel: format!("{} {}", std::env::consts::OS, release.trim())
                .trim_end()
                .into(),
            load_average: file("/proc/loadavg")
                .and_then(|text| text.split(' ').next()?.parse().ok()),
        }
    }
}

fn cpu_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    Some(name.trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_name_is_found_where_there_is_one() {
        let x86 = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Some CPU @ 2.10GHz\n";
        assert_eq!(cpu_name(x86).as_deref(), Some("Some CPU @ 2.10GHz"));
        assert_eq!(cpu_name("processor\t: 0\nBogoMIPS\t: 50\n"), None);
    }
}
