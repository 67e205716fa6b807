//! The command as a child process: fed, listened to, and gone when the test is.
#![allow(dead_code, reason = "each binary uses its own part")]

use crate::common::{PATIENCE, wait_until};
use parking_lot::{Condvar, Mutex};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::ops::Deref;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

pub(crate) const GUARDHOUSE: &str = env!("CARGO_BIN_EXE_guardhouse");

/// The command with all three streams piped.
pub(crate) fn guardhouse(args: &[&str]) -> Command {
    let mut command = Command::new(GUARDHOUSE);
    command.args(args);
    piped(command)
}

/// The command under a limit of the shell, like `-n 40`.
pub(crate) fn limited(ulimit: &str, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit {ulimit} && exec \"$0\" \"$@\"");
    command.args(["-c", &script, GUARDHOUSE]).args(args);
    piped(command)
}

pub(crate) fn piped(mut command: Command) -> Command {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running command. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) out: Stream,
    pub(crate) err: Stream,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        Self {
            stdin: child.stdin.take(),
            out: Stream::of("stdout", child.stdout.take()),
            err: Stream::of("stderr", child.stderr.take()),
            child,
        }
    }

    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("its input is open");
        stdin.write_all(bytes.as_ref()).unwrap();
    }

    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Ends its input, waits for it to exit by itself, and returns everything it said.
    pub(crate) fn ended(mut self) -> Ended {
        self.end_input();
        let mut status = None;
        wait_until("the command's exit", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        Ended {
            code: status.and_then(|status| status.code()),
            out: self.out.rest(),
            err: self.err.rest(),
        }
    }

    /// CPU time it has used, in the kernel's ticks (of 10 ms nearly everywhere).
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The second field is a name in brackets, in which anything may be.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let field = |n: usize| fields.split_whitespace().nth(n).unwrap().parse::<u64>();
        field(11).unwrap() + field(12).unwrap()
    }

    /// How often its threads have gone to sleep so far.
    pub(crate) fn sleeps(&self) -> u64 {
        fs::read_dir(format!("/proc/{}/task", self.child.id()))
            .unwrap()
            // A thread may end while it is being looked at.
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok())
            .filter_map(|status| {
                let mut lines = status.lines();
                let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
                count?.trim().parse::<u64>().ok()
            })
            .sum()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have exited; nothing else can go wrong, and nothing could be done.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command writes, collected by a thread as it comes.
pub(crate) struct Stream {
    name: &'static str,
    text: Arc<(Mutex<String>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Stream {
    fn of(name: &'static str, source: Option<impl Read + Send + 'static>) -> Self {
        let text = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let thread = source.map(|mut source| {
            let text = Arc::clone(&text);
            thread::spawn(move || {
                let mut chunk = [0; 4096];
                while let Ok(count @ 1..) = source.read(&mut chunk) {
                    text.0
                        .lock()
                        .push_str(&String::from_utf8_lossy(&chunk[..count]));
                    text.1.notify_all();
                }
            })
        });
        Self { name, text, thread }
    }

    pub(crate) fn so_far(&self) -> String {
        self.text.0.lock().clone()
    }

    /// Waits until what it has written is as `done` wants it; returns that.
    pub(crate) fn until(&self, what: &str, done: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut text = self.text.0.lock();
        while !done(&text) {
            let late = self.text.1.wait_until(&mut text, deadline).timed_out();
            assert!(
                !late,
                "waited in vain on {}: {what}; it says: {text}",
                self.name
            );
        }
        text.clone()
    }

    fn rest(&mut self) -> String {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        self.so_far()
    }
}

/// `guardhouse serve`, listening.
pub(crate) struct Serving {
    program: Program,
    pub(crate) first_line: String,
    pub(crate) addr: SocketAddr,
}

impl Serving {
    /// On a free port, with `args` after `serve`.
    pub(crate) fn start(args: &str) -> Self {
        Self::of(guardhouse(&serve(args)))
    }

    /// `command` must be a `serve` on port 0, and its stdout piped.
    pub(crate) fn of(command: Command) -> Self {
        let program = Program::start(command);
        let out = program
            .out
            .until("its first line", |out| out.contains('\n'));
        let first_line = out.lines().next().unwrap().to_owned();
        let addr = first_line
            .strip_prefix("listening on ")
            .and_then(|rest| rest.split(' ').next())
            .and_then(|addr| addr.parse().ok())
            .unwrap_or_else(|| panic!("no address in its first line: {first_line:?}"));
        Self {
            program,
            first_line,
            addr,
        }
    }

    /// Drains it by SIGTERM, and finds that it ends well.
    pub(crate) fn drained(self) -> Ended {
        self.signal(Signal::TERM);
        let ended = self.ended();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }

    pub(crate) fn ended(self) -> Ended {
        self.program.ended()
    }
}

impl Deref for Serving {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

/// `args` as arguments of a `serve` on a free port.
pub(crate) fn serve(args: &str) -> Vec<&str> {
    let mut all = vec!["serve"];
    all.extend(args.split_whitespace());
    all.extend(["--listen", "127.0.0.1:0"]);
    all
}
