//! [`ServerProcess`]: a server in a process of its own, ended whatever happens.

use super::{cpu, family, memory};
use crate::poller::timespec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Until the server says where it listens.
const START: Duration = Duration::from_secs(10);
/// From the polite signal to the other one.
const END: Duration = Duration::from_secs(2);
/// What a server may say on its first line.
const FIRST_LINE: usize = 1024;
/// How much of what the server complained about is passed on.
const COMPLAINT: usize = 4096;
/// For what it complained about to be read, once it has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Why a server could not be measured.
#[derive(Debug, Error)]
pub enum ServerError {
    /// It could not be started.
    #[error("cannot start {program}: {source}")]
    Spawn {
        /// What was to be run.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended, or said something else.
    #[error("the server did not say where it listens; its first line is {line:?}")]
    FirstLine {
        /// What it said.
        line: String,
    },
    /// It said nothing for too long.
    #[error("the server did not say within {START:?} where it listens")]
    Silent,
    /// A pipe to it failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A running server. Dropping it ends the process: politely first, and for certain.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    addr: SocketAddr,
    /// Whether it serves in processes that it starts.
    has_family: bool,
}

impl ServerProcess {
    /// Starts `program` and waits until it says where it listens. If it `has_family`, what the processes that it starts use
    /// counts as its own.
    ///
    /// # Errors
    /// [`ServerError`] when it cannot be started, or does not say where it listens.
    pub fn start(program: &Path, args: &[String], has_family: bool) -> Result<Self, ServerError> {
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| ServerError::Spawn {
                program: program.display().to_string(),
                source,
            })?;
        // From here on its drop ends the process, also when the address never comes.
        let mut server = Self {
            child,
            addr: SocketAddr::from(([0; 4], 0)),
            has_family,
        };
        let stdout = server.child.stdout.as_mut();
        let line = first_line(stdout.ok_or(ServerError::Silent)?)?;
        match address(&line) {
            Some(addr) => server.addr = addr,
            None => {
                return Err(ServerError::FirstLine {
                    line: match server.complaint() {
                        Some(complaint) => complaint,
                        None => line,
                    },
                });
            }
        }
        Ok(server)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Processor time since its start, of those that are running now.
    pub(super) fn cpu(&self) -> Option<Duration> {
        self.family().into_iter().map(cpu::used_by).sum()
    }

    /// Bytes in memory now. What several processes share counts for each of them.
    pub(super) fn memory(&self) -> Option<u64> {
        self.family().into_iter().map(memory::resident).sum()
    }

    fn family(&self) -> Vec<u32> {
        let pid = self.child.id();
        if self.has_family {
            family::of(pid)
        } else {
            vec![pid]
        }
    }

    /// Ends the server, and says what it wrote on stderr, if anything.
    pub(super) fn complaint(mut self) -> Option<String> {
        self.end();
        let mut stderr = self.child.stderr.take()?;
        let deadline = Instant::now() + LAST_WORDS;
        let (mut text, mut chunk) = (Vec::new(), [0; 256]);
        while text.len() < COMPLAINT {
            // It has ended, but processes that it started may hold on to the other end for as long as they like.
            let left = deadline.saturating_duration_since(Instant::now());
            match readable_within(stderr.as_fd(), left) {
                Ok(true) => {}
                Ok(false) if !left.is_zero() => continue,
                _ => break,
            }
            // What cannot be read cannot be told.
            match stderr.read(&mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(read) => text.extend_from_slice(&chunk[..read]),
            }
        }
        let text = String::from_utf8_lossy(&text);
        let text = text.trim();
        (!text.is_empty()).then(|| text.into())
    }

    /// The process is gone when this returns, and its exit status is collected.
    fn end(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // One that ended just now needs no signal.
            let pid = Pid::from_child(&self.child);
            let _ = kill_process(pid, Signal::TERM);
            wait_for_end(pid, END, || {
                let _ = self.child.kill();
            });
            let _ = self.child.wait();
        }
    }
}

/// Waits until a child of this process has ended. When that takes so long, `force` is to end it. Its exit status is not
/// collected: until it is, its number is nobody else's.
fn wait_for_end(pid: Pid, patience: Duration, force: impl FnOnce()) {
    thread::scope(|scope| {
        let (tell, ended) = mpsc::channel();
        // The system waits without end or not at all; so a thread of its own does.
        let watch = thread::Builder::new().spawn_scoped(scope, move || {
            let how = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while matches!(waitid(WaitId::Pid(pid), how), Err(Errno::INTR)) {}
            let _ = tell.send(());
        });
        if watch.is_err() || ended.recv_timeout(patience).is_err() {
            force();
        }
    });
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.end();
    }
}

fn first_line(stdout: &mut ChildStdout) -> Result<String, ServerError> {
    let deadline = Instant::now() + START;
    let mut line = Vec::new();
    let mut chunk = [0; 256];
    while !line.contains(&b'\n') && line.len() < FIRST_LINE {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ServerError::Silent);
        }
        if !readable_within(stdout.as_fd(), left)? {
            continue;
        }
        match stdout.read(&mut chunk)? {
            0 => break,
            read => line.extend_from_slice(&chunk[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&line).trim_end().into())
}

/// `false` when the time is over, or a signal came.
fn readable_within(fd: BorrowedFd<'_>, time: Duration) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    match poll(&mut fds, timespec(Some(time)).as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// `listening on 127.0.0.1:7777 (chat, model=pool, sync=mutex)`
fn address(line: &str) -> Option<SocketAddr> {
    let rest = line.strip_prefix("listening on ")?;
    rest.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<ServerProcess, ServerError> {
        ServerProcess::start(Path::new("/bin/sh"), &["-c".into(), script.into()], false)
    }

    fn is_running(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}")).exists()
    }

    #[test]
    fn the_address_is_read_from_the_first_line() {
        let line = "listening on 127.0.0.1:40001 (chat, model=pool, sync=mutex)";
        assert_eq!(address(line), Some(([127, 0, 0, 1], 40001).into()));
        assert_eq!(address("listening on nothing"), None);
        assert_eq!(address("error: no"), None);
    }

    #[test]
    fn a_dropped_server_is_gone_and_reaped() {
        let server = shell("echo listening on 127.0.0.1:1; exec sleep 600").unwrap();
        let pid = server.child.id();
        assert!(is_running(pid));
        drop(server);
        assert!(!is_running(pid));
    }

    #[test]
    fn a_server_that_ignores_the_polite_signal_is_gone_all_the_same() {
        let server =
            shell("trap '' TERM; echo listening on 127.0.0.1:1; read forever < /dev/zero").unwrap();
        let pid = server.child.id();
        drop(server);
        assert!(!is_running(pid));
    }

    #[test]
    fn a_server_that_fails_to_start_is_quoted() {
        let error = shell("echo error: port in use >&2; exit 1").unwrap_err();
        assert!(error.to_string().contains("port in use"), "{error}");
    }

    #[test]
    fn what_a_server_said_last_is_not_waited_for_while_others_hold_its_stderr() {
        let error = shell("sleep 600 >/dev/null & echo error: $! >&2; exit 1").unwrap_err();
        let ServerError::FirstLine { line } = error else {
            panic!("{error}");
        };
        let sleeper = line.strip_prefix("error: ").expect("it is quoted");
        let sleeper = Pid::from_raw(sleeper.parse().unwrap()).unwrap();
        kill_process(sleeper, Signal::KILL).expect("it sleeps on");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = ServerProcess::start(Path::new("/no/such/program"), &[], false).unwrap_err();
        assert!(error.to_string().contains("/no/such/program"), "{error}");
    }
}
