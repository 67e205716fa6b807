//! Servers that are several processes: what becomes of clients, of the others and of the count when one of them is
//! killed, cannot be started, or does not end.

#[path = "common/child.rs"]
mod child;
mod common;

use child::{Ended, GUARDHOUSE, Program, Serving, guardhouse, serve};
use common::peer::Peer;
use common::{PATIENCE, wait_until};
use guardhouse::model::{self, Model, Prefork, Process};
use guardhouse::service::{Echo, Registered};
use guardhouse::sync::Timed;
use guardhouse::{Clients, Registry, Server, StartError};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getpgid, getpid, kill_process, kill_process_group, prlimit,
    test_kill_process,
};
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::time::Duration;

const THREE: NonZeroUsize = NonZeroUsize::new(3).unwrap();

const MODELS: [&str; 2] = ["process", "prefork --workers 3"];

/// The processes that `pid` has started and not reaped.
fn children(pid: Pid) -> Vec<Pid> {
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
fn tcp_sockets(pid: Pid) -> Vec<String> {
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

fn descriptors(pid: Pid) -> Vec<(String, String)> {
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
fn served_by(server: &Serving, hello: &str) -> (Peer, Pid) {
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
fn serving(server: &Serving) -> Vec<Pid> {
    let listening = tcp_sockets(server.pid());
    let mut pids = children(server.pid());
    pids.retain(|&pid| {
        let sockets = tcp_sockets(pid);
        sockets.iter().any(|socket| !listening.contains(socket))
    });
    pids
}

/// All threads of a process.
fn has_stopped(pid: Pid) -> bool {
    fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()))
        .unwrap()
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok())
        .all(|stat| stat.contains(") T "))
}

fn counts(ended: &Ended, all: &[&str]) {
    for count in all {
        assert!(ended.err.contains(count), "no {count:?} in {}", ended.err);
    }
}

#[test]
fn a_killed_process_costs_its_client_only_and_is_counted() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --model {model}"));
        let (mut bystander, _) = served_by(&server, "bystander");
        let (mut victim, pid) = served_by(&server, "victim");
        kill_process(pid, Signal::KILL).unwrap();
        victim.cut_off();
        server.err.until("it says what became of it", |log| {
            log.contains("a process ended, and its client with it")
                && log.contains("signal: 9")
                && log.contains("why=the connection broke")
        });
        bystander.round_trip("still served");
        Peer::greeted(server.addr, "the next one").leave();
        bystander.leave();
        let parent = server.pid();
        counts(
            &server.drained(),
            &["accepted=3 refused=0 ", " finished=2 ", " lost=1 "],
        );
        assert_eq!(children(parent), [], "{model}");
    }
}

#[test]
fn the_place_of_a_client_that_was_lost_with_its_process_is_free() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --max-clients 1 --model {model}"));
        for _ in 0..3 {
            let (mut victim, pid) = served_by(&server, "victim");
            let refused = Peer::connect(server.addr).rest();
            assert!(
                refused.starts_with("error: server is full: 1 "),
                "{refused}"
            );
            kill_process(pid, Signal::KILL).unwrap();
            victim.cut_off();
            wait_until("its process is reaped", || test_kill_process(pid).is_err());
        }
        Peer::greeted(server.addr, "the next one").leave();
        counts(
            &server.drained(),
            &["accepted=7 refused=3 ", " finished=1 ", " lost=3 "],
        );
    }
}

#[test]
fn prefork_replaces_a_process_that_died_whatever_it_did() {
    let server = Serving::start("echo --model prefork --workers 2");
    let parent = server.pid();
    for _ in 0..3 {
        wait_until("both places are taken", || children(parent).len() == 2);
        for pid in children(parent) {
            kill_process(pid, Signal::KILL).unwrap();
            wait_until("it is reaped", || test_kill_process(pid).is_err());
        }
    }
    // Two at once: both places are taken again.
    let mut first = Peer::greeted(server.addr, "first");
    Peer::greeted(server.addr, "second").leave();
    first.round_trip("still served");
    first.leave();
    let ended = server.drained();
    counts(
        &ended,
        &["accepted=2 refused=0 ", " lost=0 ", "a process failed"],
    );
}

#[test]
fn prefork_serves_as_many_as_it_has_processes_and_the_next_when_one_has_left() {
    let server = Serving::start("echo --model prefork --workers 2");
    let first = Peer::greeted(server.addr, "first");
    let mut second = Peer::greeted(server.addr, "second");
    let mut third = Peer::connect(server.addr);
    third.send("third\n");
    third.stays_silent(Duration::from_millis(50));
    first.leave();
    assert_eq!(third.line(), "third");
    second.round_trip("still served");
    server.drained();
}

#[test]
fn the_processes_of_a_killed_server_end_with_their_clients_told() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --model {model}"));
        let mut idle = Peer::greeted(server.addr, "hello");
        let orphans = children(server.pid());
        assert!(!orphans.is_empty());
        server.signal(Signal::KILL);
        assert_eq!(idle.rest(), "", "closed in good order");
        for orphan in orphans {
            // Somebody else reaps it, or nobody does.
            wait_until("an orphan has ended", || has_ended(orphan));
        }
        assert_eq!(server.ended().code, None, "by a signal");
    }
}

fn has_ended(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))
        .ok()
        .is_none_or(|stat| stat.contains(") Z "))
}

#[test]
fn orphans_at_work_leave_the_port_and_heed_a_signal() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --drain 1h --model {model}"));
        let (mut busy, orphan) = served_by(&server, "hello");
        busy.flood("an answer that nobody takes\n", || {});
        server.signal(Signal::KILL);
        let mut again = None;
        wait_until("the port is free", || {
            again = TcpListener::bind(server.addr).ok();
            again.is_some()
        });
        assert!(!has_ended(orphan), "it has an hour");
        // Again and again: it disregards them until it knows.
        wait_until("the orphan has ended", || {
            let _ = kill_process(orphan, Signal::TERM);
            has_ended(orphan)
        });
        busy.cut_off();
    }
}

#[test]
fn an_orphan_at_work_ends_when_the_time_of_the_drain_is_over() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --drain 100ms --model {model}"));
        let (mut busy, orphan) = served_by(&server, "hello");
        busy.flood("an answer that nobody takes\n", || {});
        server.signal(Signal::KILL);
        wait_until("the orphan has ended", || has_ended(orphan));
        busy.cut_off();
    }
}

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
    let name = "a_main_that_does_not_serve_as_a_child_starts_no_server_of_processes";
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
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
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
fn a_process_holds_its_own_sockets_and_no_others() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --model {model}"));
        let clients: Vec<(Peer, Pid)> = (0..3).map(|_| served_by(&server, "hello")).collect();
        let listener = tcp_sockets(server.pid());
        assert_eq!(listener.len(), 1, "{listener:?}");
        let inherited: Vec<String> = descriptors(server.pid())
            .into_iter()
            .filter(|(_, what)| what.starts_with("socket:"))
            .map(|(_, what)| what)
            .collect();
        for (_, pid) in &clients {
            let mut own = tcp_sockets(*pid);
            own.retain(|socket| !listener.contains(socket));
            assert_eq!(own.len(), 1, "{model}: its client's, and nobody else's");
            let shared: Vec<_> = descriptors(*pid)
                .into_iter()
                .filter(|(_, what)| inherited.contains(what))
                .collect();
            // The listener is what the processes of prefork have in common.
            let expected = usize::from(model.starts_with("prefork"));
            assert_eq!(shared.len(), expected, "{model}: {shared:?}");
            let stdin = descriptors(*pid).into_iter().find(|(fd, _)| fd == "0");
            assert_eq!(stdin.unwrap().1, "/dev/null");
            // Who reads the server's output to its end does not wait for them.
            let stdout = descriptors(*pid).into_iter().find(|(fd, _)| fd == "1");
            assert_eq!(stdout.unwrap().1, "/dev/null");
        }
        let sockets = |pid: &Pid| {
            let all = descriptors(*pid).into_iter();
            all.filter(|(_, what)| what.starts_with("socket:")).count()
        };
        let each: Vec<usize> = clients.iter().map(|(_, pid)| sockets(pid)).collect();
        let (line, client, door) = (1, 1, usize::from(model.starts_with("prefork")));
        assert_eq!(each, [line + client + door; 3], "{model}");
        for (client, _) in clients {
            client.leave();
        }
        server.drained();
    }
}

#[test]
fn a_signal_for_everybody_ends_nobody_before_the_parent_says_so() {
    for model in MODELS {
        let mut command = guardhouse(&serve(&format!("echo --drain 1h --model {model}")));
        command.process_group(0);
        let server = Serving::of(command);
        let (mut idle, pid) = served_by(&server, "hello");
        assert_eq!(getpgid(Some(pid)).unwrap(), pid, "a group of its own");
        // As what ends all processes of a service.
        kill_process(pid, Signal::INT).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        idle.round_trip("still served");
        kill_process_group(server.pid(), Signal::INT).unwrap();
        assert_eq!(idle.rest(), "");
        let ended = server.ended();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        // Busy as long as its last answer is on its way.
        let once = [
            "drained idle=1 busy=0 forced=0",
            "drained idle=0 busy=1 forced=0",
        ];
        let counted = once.iter().filter(|count| ended.err.contains(**count));
        assert_eq!(counted.count(), 1, "{}", ended.err);
        counts(&ended, &[" lost=0 drained=1 "]);
    }
}

#[test]
fn a_second_signal_cuts_off_who_never_reads() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --drain 1h --model {model}"));
        let mut busy = Peer::greeted(server.addr, "hello");
        busy.flood("an answer that nobody takes\n", || {});
        server.signal(Signal::TERM);
        server.err.until("the drain begins", |log| {
            log.contains("idle=0 busy=1 patience=")
        });
        server.signal(Signal::INT);
        let ended = server.ended();
        busy.cut_off();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        counts(&ended, &["drained idle=0 busy=1 forced=1", " forced=1 "]);
        assert_eq!(ended.err.matches("cutting off the clients").count(), 1);
    }
}

#[test]
fn nobody_is_let_into_a_prefork_that_drains() {
    let server = Serving::start("echo --drain 1h --model prefork --workers 2");
    let mut busy = Peer::greeted(server.addr, "hello");
    let flood = busy.flood("an answer that is taken in the end\n", || {});
    server.signal(Signal::TERM);
    server.err.until("the drain begins", |log| {
        log.contains("idle=0 busy=1 patience=")
    });
    // The process at work holds the listener, too.
    wait_until("nobody listens", || {
        TcpStream::connect(server.addr).is_err()
    });
    busy.drink(&flood);
    counts(&server.ended(), &["drained idle=0 busy=1 forced=0"]);
}

#[test]
fn a_process_that_does_not_do_as_it_is_told_is_killed() {
    for model in MODELS {
        let server = Serving::start(&format!("echo --drain 1ms --model {model}"));
        let (mut client, pid) = served_by(&server, "hello");
        kill_process(pid, Signal::STOP).unwrap();
        wait_until("it has stopped", || has_stopped(pid));
        let ended = server.drained();
        client.cut_off();
        counts(
            &ended,
            &[
                "killing a process that was to end and does not",
                "drained idle=0 busy=1 forced=1",
                " forced=1 ",
            ],
        );
    }
}

#[test]
fn chat_is_refused_with_a_sentence() {
    for model in MODELS {
        let ended = Program::start(guardhouse(&serve(&format!("chat --model {model}")))).ended();
        assert_eq!(
            (ended.code, &*ended.out),
            (Some(2), ""),
            "{model}: {}",
            ended.err
        );
        let name = model.split(' ').next().unwrap();
        for word in [&*format!("--model {name} "), "chat", "share no memory"] {
            assert!(ended.err.contains(word), "no {word:?} in {}", ended.err);
        }
    }
}

#[test]
fn a_watched_lock_is_refused_with_a_sentence() {
    for model in MODELS {
        let args = format!("echo --stats 1s --model {model}");
        let ended = Program::start(guardhouse(&serve(&args))).ended();
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        assert!(ended.err.contains("--stats"), "{}", ended.err);
    }
    let lock = Timed::around(parking_lot::Mutex::new(Clients::new()));
    let service = Registered::new(Registry::new(lock), Echo);
    let refused = Server::new(service).model(Process::new()).start();
    assert!(matches!(refused, Err(StartError::Options(_))));
}

#[test]
fn a_model_that_was_not_told_what_to_run_says_so() {
    for (refused, name) in [
        (Server::new(Echo).model(Process::new()).start(), "process"),
        (
            Server::new(Echo).model(Prefork::new(THREE)).start(),
            "prefork",
        ),
    ] {
        let sentence = refused.unwrap_err().to_string();
        for word in [&*format!("--model {name} "), "Program", "serve_as_child"] {
            assert!(sentence.contains(word), "no {word:?} in {sentence}");
        }
    }
    let nowhere = model::Program::new("/no/such/program");
    let refused = Server::new(Echo)
        .model(Process::new().program(nowhere))
        .start();
    let sentence = refused.unwrap_err().to_string();
    assert!(sentence.contains("/no/such/program"), "{sentence}");
}

/// An echo whose processes run a line of shell.
fn serving_by_shell(script: &str) -> [Box<dyn Model>; 2] {
    let sh = model::Program::new("sh").args(["-c", script]);
    let prefork = Prefork::new(NonZeroUsize::MIN).program(sh.clone());
    [Box::new(Process::new().program(sh)), Box::new(prefork)]
}

#[test]
fn a_process_that_ends_without_a_word_costs_its_client_and_the_server_goes_on() {
    let [process, _] = serving_by_shell("exit 3");
    let server = Server::new(Echo).boxed_model(process).start().unwrap();
    for lost in 1..=3 {
        Peer::connect(server.local_addr()).cut_off();
        wait_until("its loss is counted", || server.stats().lost == lost);
    }
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.accepted, stats.opened, stats.open), (3, 3, 0));
}

#[test]
fn processes_that_end_as_soon_as_they_are_started_do_not_hold_up_the_end() {
    let [_, prefork] = serving_by_shell("exit 3");
    let server = Server::new(Echo).boxed_model(prefork).start().unwrap();
    let mut waits = Peer::connect(server.local_addr());
    waits.stays_silent(Duration::from_millis(200));
    let stats = server.shutdown().unwrap();
    waits.cut_off();
    assert_eq!(stats.accepted, 0);
}

#[test]
fn a_process_that_talks_nonsense_is_killed() {
    let [process, _] = serving_by_shell("echo nonsense >&0; read forever < /dev/zero");
    let server = Server::new(Echo).boxed_model(process).start().unwrap();
    Peer::connect(server.local_addr()).cut_off();
    wait_until("its loss is counted", || server.stats().lost == 1);
    let stats = server.shutdown().unwrap();
    assert_eq!((stats.open, stats.forced), (0, 0), "{stats:?}");
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

#[test]
fn the_limits_of_a_server_are_those_of_its_processes() {
    for model in MODELS {
        let server = Serving::start(&format!(
            "echo --idle-timeout 50ms --nodelay off --model {model}"
        ));
        assert_eq!(Peer::connect(server.addr).rest(), "", "for its silence");
        counts(&server.drained(), &["accepted=1 ", " idle=1 "]);
    }
    // One who was not told them on its command line.
    let program = model::Program::new(GUARDHOUSE).args(["serve", "echo", "-q", "--as-child"]);
    let server = Server::new(Echo)
        .model(Process::new().program(program))
        .idle_timeout(Duration::from_millis(50))
        .drain(6 * PATIENCE)
        .start()
        .unwrap();
    assert_eq!(Peer::connect(server.local_addr()).rest(), "");
    assert_eq!(server.shutdown().unwrap().idle, 1);
}

#[test]
fn each_process_counts_as_an_acceptor() {
    let program = model::Program::new(GUARDHOUSE).args(["serve", "echo", "-q", "--as-child"]);
    let server = Server::new(Echo)
        .model(Prefork::new(THREE).program(program))
        .start()
        .unwrap();
    let all: Vec<Peer> = (0..3)
        .map(|_| Peer::greeted(server.local_addr(), "hello"))
        .collect();
    drop(all);
    let stats = server.shutdown().unwrap();
    assert_eq!(stats.accepted_by, [1, 1, 1]);
    assert_eq!(stats.accept_fairness(), Some(1.0));
}

#[test]
fn a_child_that_nobody_started_says_so() {
    let ended = Program::start(guardhouse(&["serve", "echo", "--as-child"])).ended();
    assert_eq!((ended.code, &*ended.out), (Some(1), ""));
    assert!(ended.err.contains("standard input"), "{}", ended.err);
}
