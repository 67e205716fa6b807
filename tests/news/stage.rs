//! What the tests of news share: a port of their own, files to send, and commands that are waited for.

use crate::child::{Ended, Program, guardhouse};
use crate::common::wait_until;
use socket2::SockRef;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::UdpSocket;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A port for groups and broadcasts on the loopback interface, which no other test takes as long as this is there: the same port
/// of 127.0.0.1 is held.
pub(crate) struct Port {
    held: UdpSocket,
}

impl Port {
    pub(crate) fn free() -> Self {
        let held = UdpSocket::bind("127.0.0.1:0").unwrap();
        Self { held }
    }

    /// For somebody who takes the port of all addresses, and shares it. It was not shared when it was chosen, so it still is of one
    /// test only.
    pub(crate) fn shared(self) -> Self {
        SockRef::from(&self.held).set_reuse_address(true).unwrap();
        self
    }

    pub(crate) fn number(&self) -> u16 {
        self.held.local_addr().unwrap().port()
    }

    /// The tutorial's group.
    pub(crate) fn group(&self) -> String {
        format!("--group 224.1.1.2:{}", self.number())
    }

    pub(crate) fn other_group(&self) -> String {
        format!("--group 224.1.1.3:{}", self.number())
    }

    pub(crate) fn broadcast(&self) -> String {
        format!("--broadcast 127.255.255.255:{}", self.number())
    }
}

/// `news` with these words, pinned to the loopback interface.
pub(crate) fn on_loopback(args: &str) -> Program {
    let args = format!("news {args} --interface 127.0.0.1");
    let args: Vec<&str> = args.split_whitespace().collect();
    Program::start(guardhouse(&args))
}

/// `news receive`, listening.
pub(crate) fn receiver(args: &str) -> Program {
    listening(on_loopback(&format!("receive {args}")))
}

/// What is sent from now on, it hears.
pub(crate) fn listening(receiver: Program) -> Program {
    receiver.err.until("that it listens", |err| {
        err.contains("listening to ") && err.contains('\n')
    });
    receiver
}

/// `news send` of a file, to its end.
pub(crate) fn sent(args: &str, file: &NewsFile) -> Ended {
    on_loopback(&format!("send {args} {file}")).ended()
}

/// It ended well; what it printed.
pub(crate) fn well(ended: Ended) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out
}

/// What a socket has before its program takes it.
pub(crate) struct Waiting {
    pub(crate) bytes: u64,
    /// Datagrams that found no room.
    pub(crate) dropped: u64,
}

/// As the kernel tells it of the one receiver of the tutorial's group; waits until it is `done`. The list of sockets is read in
/// pieces, and may lack one while others come and go.
pub(crate) fn wait_for(port: &Port, what: &str, done: impl Fn(Waiting) -> bool) {
    wait_until(what, || waiting(port).is_some_and(&done));
}

/// What has come to it is received, or was dropped.
pub(crate) fn wait_for_all(port: &Port) {
    wait_for(port, "all that came to be received", |waiting| {
        waiting.bytes == 0
    });
}

fn waiting(port: &Port) -> Option<Waiting> {
    let sockets = fs::read_to_string("/proc/net/udp").unwrap();
    let group = u32::from_ne_bytes([224, 1, 1, 2]);
    let bound = format!(" {group:08X}:{:04X} ", port.number());
    let line = sockets.lines().find(|line| line.contains(&bound))?;
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, bytes) = fields[4].split_once(':').unwrap();
    Some(Waiting {
        bytes: u64::from_str_radix(bytes, 16).unwrap(),
        dropped: fields.last().unwrap().parse().unwrap(),
    })
}

/// A file of the test, gone when the test is.
pub(crate) struct NewsFile(PathBuf);

impl NewsFile {
    pub(crate) fn of(text: impl AsRef<[u8]>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("news-{}-{count}.txt", process::id());
        let file = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        file.rewrite(text);
        file
    }

    /// Begins the same file anew.
    pub(crate) fn rewrite(&self, text: impl AsRef<[u8]>) {
        fs::write(&self.0, text).unwrap();
    }

    pub(crate) fn append(&self, text: &str) {
        let mut file = OpenOptions::new().append(true).open(&self.0).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

impl Deref for NewsFile {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl std::fmt::Display for NewsFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.display().fmt(f)
    }
}

impl Drop for NewsFile {
    fn drop(&mut self) {
        // What is left behind is in the directory of the build.
        let _ = fs::remove_file(&self.0);
    }
}

/// Says why a test is none here, past the harness, which keeps what a test that passes prints.
pub(crate) fn skip(why: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// Whether there is such a program; if not, it has said so.
pub(crate) fn is_here(program: &str) -> bool {
    let version = process::Command::new(program)
        .arg("-V")
        .stdin(process::Stdio::null())
        .output();
    if let Err(error) = &version {
        skip(&format!(
            "it takes {program}, which does not start: {error}"
        ));
    }
    version.is_ok()
}
