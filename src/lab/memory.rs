//! How much memory a process has in use, from `/proc/PID/status`.

use std::fs;

/// Bytes of a process that are in memory (`VmRSS`), the kernel's own for its sockets not among them; `None` where the platform
/// does not tell.
pub(super) fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    kibibytes(&status).map(|kib| kib * 1024)
}

fn kibibytes(status: &str) -> Option<u64> {
    let rest = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    rest.trim().strip_suffix("kB")?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_size_is_found_among_the_others() {
        let status = "Name:\tVmRSS:\nVmHWM:\t    9999 kB\nVmRSS:\t    3340 kB\nThreads:\t1\n";
        assert_eq!(kibibytes(status), Some(3340));
        for status in [
            "",
            "Name:\tx\n",
            "VmRSS:\n",
            "VmRSS:\t12\n",
            "VmRSS:\tmany kB\n",
        ] {
            assert_eq!(kibibytes(status), None, "{status:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_in_memory_and_grows_by_what_it_writes_to() {
        let here = std::process::id();
        let before = resident(here).unwrap();
        let written = vec![1_u8; 64 << 20];
        let after = resident(here).unwrap();
        drop(written);
        assert!(after >= before + (32 << 20), "{before} to {after}");
    }
}
