//! Processes as they are started, late or never.

use crate::child::{GUARDHOUSE, Serving};
use crate::common::peer::Peer;
use crate::family::{THREE, children};
use guardhouse::Server;
use guardhouse::model::{self, Model, Prefork, Process};
use guardhouse::service::Echo;
use rustix::process::{Pid, Resource, Rlimit, Signal, getpid, kill_process, prlimit};
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

#[test]
fn the_first_process_serves_while_the_others_are_started() {
    const MANY: usize = 300;
    let server = Serving::start(&format!("echo --model prefork --workers {MANY}"));
    Peer::greeted(server.addr, "the first").leave();
    let started = children(server.pid()).len();
    assert!(started < MANY, "all {started} were started first");
    // Nor does the drain wait for them.
    server.drained();
}

#[test]
fn a_prefork_that_gets_no_more_processes_serves_with_those_it_has_and_says_so_once() {
    // More than it can have started before its limit is lowered behind its back.
    let server = Serving::start("echo --max-clients 1 --model prefork --workers 300");
    let few = Rlimit {
        current: Some(60),
        maximum: Some(60),
    };
    prlimit(Some(server.pid()), Resource::Nofile, few).unwrap();
    server.err.until("it has tried", |log| {
        log.contains("a process cannot be started")
    });
    for _ in 0..3 {
        Peer::greeted(server.addr, "hello").leave();
    }
    let ended = server.drained();
    let warned = ended.err.matches("cannot be started").count();
    assert_eq!(warned, 1, "{}", ended.err);
}

/// A link to the command, of which nobody else knows; it goes with this.
struct Link(PathBuf);

impl Link {
    fn called(name: &str) -> Self {
        let link = Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name));
        link.cut();
        link.tie();
        link
    }

    fn tie(&self) {
        symlink(GUARDHOUSE, &self.0).unwrap();
    }

    fn cut(&self) {
        if let Err(error) = fs::remove_file(&self.0) {
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
    }

    /// The processes of this one that run it.
    fn running(&self) -> Vec<Pid> {
        let mut pids = children(getpid());
        pids.retain(|pid| {
            fs::read_to_string(format!("/proc/{}/cmdline", pid.as_raw_nonzero()))
                .is_ok_and(|line| line.starts_with(self.0.to_str().unwrap()))
        });
        pids
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_prefork_survives_a_time_in_which_no_process_can_be_started() {
    let link = Link::called("a_program_that_comes_and_goes");
    let program = model::Program::new(&link.0).args(["serve", "echo", "-q", "--as-child"]);
    let server = Server::new(Echo)
        .model(Prefork::new(NonZeroUsize::MIN).program(program))
        .start()
        .unwrap();
    Peer::greeted(server.local_addr(), "hello").leave();
    let [only] = link.running()[..] else {
        panic!("{:?}", link.running());
    };
    link.cut();
    kill_process(only, Signal::KILL).unwrap();
    let mut waits = Peer::connect(server.local_addr());
    waits.send("hello\n");
    waits.stays_silent(Duration::from_millis(200));
    link.tie();
    assert_eq!(waits.line(), "hello");
    waits.leave();
    server.shutdown().unwrap();
}

/// The variable that says where a child is to say what became of it.
const FORGETFUL: &str = "PROCESSES_FORGETFUL_CHILD";

#[test]
fn a_main_that_does_not_serve_as_a_child_starts_no_server_of_processes() {
    let name = "starts::a_main_that_does_not_serve_as_a_child_starts_no_server_of_processes";
    if let Some(file) = env::var_os(FORGETFUL).map(PathBuf::from) {
        for model in [
            Box::new(Process::new().program(model::Program::this().unwrap())) as Box<dyn Model>,
            Box::new(Prefork::new(THREE).program(model::Program::this().unwrap())),
        ] {
            let refused = Server::new(Echo).boxed_model(model).start();
            let sentence = refused.map_or_else(|error| error.to_string(), |_| "started".into());
            let mut all = fs::read_to_string(&file).unwrap_or_default();
            all.push_str(&sentence);
            all.push('\n');
            let unfinished = file.with_extension("unfinished");
            fs::write(&unfinished, all).unwrap();
            fs::rename(unfinished, &file).unwrap();
        }
        return;
    }
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("a_forgetful_child_says");
    let _ = fs::remove_file(&file);
    let program = model::Program::this()
        .unwrap()
        .args(["--exact", name])
        .env(FORGETFUL, &file)
        .silent();
    let server = Server::new(Echo)
        .model(Process::new().program(program))
        .start()
        .unwrap();
    Peer::connect(server.local_addr()).cut_off();
    let said = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert_eq!(said.lines().count(), 2, "{said}");
    for sentence in said.lines() {
        for words in [
            "started to serve for another one",
            "did not call serve_as_child",
        ] {
            assert!(sentence.contains(words), "no {words:?} in {sentence}");
        }
    }
    assert_eq!(server.shutdown().unwrap().lost, 1);
}

#[test]
fn a_process_that_cannot_be_started_is_refused_to_its_client_only() {
    // It is there, and is no program.
    let text = model::Program::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let server = Server::new(Echo)
        .model(Process::new().program(text.clone()))
        .start()
        .unwrap();
    for refused in 1..=3 {
        let told = Peer::connect(server.local_addr()).rest();
        let sentence = "error: server could not start a process for you: Permission denied";
        assert!(told.starts_with(sentence), "{told}");
        assert_eq!(server.stats().refused_no_process, refused);
    }
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.accepted, stats.opened, stats.refused()), (3, 0, 3));

    let model = Prefork::new(THREE).program(text);
    let failed = Server::new(Echo).model(model).start().unwrap().wait();
    assert!(failed.is_err(), "none of its processes can be started");
}
