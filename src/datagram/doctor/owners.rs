//! Which program has a socket: whoever has a descriptor of it, as far as the system lets us see others' descriptors.

use super::findings::Bound;
use super::tables::socket_inode;
use std::fs;
use std::path::Path;

/// Enters the program of each socket. Of other users' programs only root sees the descriptors; theirs stay `None`.
pub(super) fn name(sockets: &mut [Bound]) {
    if sockets.is_empty() {
        return;
    }
    // No /proc, no names.
    let Ok(processes) = fs::read_dir("/proc") else {
        return;
    };
    for process in processes.flatten() {
        let pid = process.file_name().to_str().and_then(|id| id.parse().ok());
        if let Some(pid) = pid {
            enter(sockets, pid, &process.path());
        }
    }
}

fn enter(sockets: &mut [Bound], pid: u32, process: &Path) {
    // It may have ended since, or be somebody else's.
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
        return;
    };
    for descriptor in descriptors.flatten() {
        let Ok(link) = fs::read_link(descriptor.path()) else {
            continue;
        };
        let Some(inode) = link.to_str().and_then(socket_inode) else {
            continue;
        };
        let found = sockets.iter_mut().find(|socket| socket.inode == inode);
        if let Some(socket) = found.filter(|socket| socket.program.is_none()) {
            let name = fs::read_to_string(process.join("comm"));
            let name = name.map_or_else(|_| "?".into(), |name| name.trim_end().to_owned());
            socket.program = Some((name, pid));
        }
    }
}
