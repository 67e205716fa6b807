//! A process and those that it has started, from `/proc`.

use std::fs;

/// `pid`, and all its children and theirs that are running now. A child belongs to the thread that started it, so all
/// threads are asked.
pub(super) fn of(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut asked = 0;
    while let Some(&parent) = family.get(asked) {
        asked += 1;
        let threads = fs::read_dir(format!("/proc/{parent}/task"));
        for thread in threads.into_iter().flatten().flatten() {
            // A thread that has ended meanwhile has no children.
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            family.extend(
                children
                    .split_ascii_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
    }
    family
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn grandchildren_belong_to_the_family() {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "/bin/sh -c 'sleep 600 & echo $!; wait' & wait"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let grandchild: u32 = line.trim().parse().unwrap();
        let family = of(child.id());
        for pid in family.iter().skip(1) {
            Command::new("/bin/kill")
                .arg(pid.to_string())
                .status()
                .unwrap();
        }
        child.wait().unwrap();
        assert_eq!(family[0], child.id());
        assert!(family.contains(&grandchild), "{family:?}");
        assert_eq!(family.len(), 3);
    }
}
