//! The processes of a server, as the system shows them.

use crate::child::{Ended, Serving};
use crate::common::peer::Peer;
use crate::common::wait_until;
use rustix::process::Pid;
use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;

pub(crate) const THREE: NonZeroUsize = NonZeroUsize::new(3).unwrap();

pub(crate) const MODELS: [&str; 2] = ["process", "prefork --workers 3"];

/// The processes that `pid` has started and not reaped.
pub(crate) fn children(pid: Pid) -> Vec<Pid> {
    let parent = pid.as_raw_nonzero().get().to_string();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let pid = name.to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The second field is a name in brackets, in which anything may be.
            let (_, fields) = stat.rsplit_once(')')?;
            (fields.split_whitespace().nth(1)? == parent).then(|| Pid::from_raw(pid))?
        })
        .collect()
}

/// The TCP sockets of a process, by their inode: those that are no Unix sockets. (The list of TCP sockets is long, with
/// thousands that other tests have closed.)
pub(crate) fn tcp_sockets(pid: Pid) -> Vec<String> {
    let unix = fs::read_to_string("/proc/net/unix").unwrap();
    let inodes: Vec<&str> = unix
        .lines()
        .filter_map(|row| row.split_whitespace().nth(6))
        .collect();
    descriptors(pid)
        .into_iter()
        .filter_map(|(_, what)| {
            let inode = what.strip_prefix("socket:[")?.strip_suffix(']')?;
            (!inodes.contains(&inode)).then(|| inode.to_owned())
        })
        .collect()
}

pub(crate) fn descriptors(pid: Pid) -> Vec<(String, String)> {
    let dir = PathBuf::from(format!("/proc/{}/fd", pid.as_raw_nonzero()));
    fs::read_dir(&dir)
        .unwrap()
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let what = fs::read_link(dir.join(&name)).ok()?;
            Some((name, what.to_str()?.to_owned()))
        })
        .collect()
}

/// Comes and waits until it is served; says by which child.
pub(crate) fn served_by(server: &Serving, hello: &str) -> (Peer, Pid) {
    let before = serving(server);
    let peer = Peer::greeted(server.addr, hello);
    let mut newcomers = Vec::new();
    wait_until("a child has the client's connection", || {
        newcomers = serving(server);
        newcomers.retain(|pid| !before.contains(pid));
        newcomers.len() == 1
    });
    (peer, newcomers[0])
}

/// The children that have a client's connection: a line, and beside a listener, if there is one, a socket.
pub(crate) fn serving(server: &Serving) -> Vec<Pid> {
    let listening = tcp_sockets(server.pid());
    let mut pids = children(server.pid());
    pids.retain(|&pid| {
        let sockets = tcp_sockets(pid);
        sockets.iter().any(|socket| !listening.contains(socket))
    });
    pids
}

/// All threads of a process.
pub(crate) fn has_stopped(pid: Pid) -> bool {
    fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()))
        .unwrap()
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok())
        .all(|stat| stat.contains(") T "))
}

pub(crate) fn has_ended(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))
        .ok()
        .is_none_or(|stat| stat.contains(") Z "))
}

pub(crate) fn counts(ended: &Ended, all: &[&str]) {
    for count in all {
        assert!(ended.err.contains(count), "no {count:?} in {}", ended.err);
    }
}
