//! A service that panics when a child of the server opens a session.

use crate::common::peer::Peer;
use crate::common::wait_until;
use guardhouse::model::{Model, Prefork, Process, Program, serve_as_child};
use guardhouse::{Client, Flow, Reply, Server, Service, Session};
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::{env, fs, process};

/// The variable that says to a child where the trap is.
const TRAP: &str = "PROCESSES_TRAP_OF_CHILD";

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// Whichever process opens a session while the trap is there takes it away and panics.
struct Fragile {
    trap: PathBuf,
}

impl Service for Fragile {
    fn open(&self, _: Client) -> Box<dyn Session> {
        if fs::remove_file(&self.trap).is_ok() {
            resume_unwind(Box::new("planned: open"));
        }
        Box::new(WhichProcess)
    }

    fn needs_shared_memory(&self) -> bool {
        false
    }
}

/// Answers everything with the number of its process.
struct WhichProcess;

impl Session for WhichProcess {
    fn receive(&mut self, _: &[u8], reply: &mut Reply<'_>) -> Flow {
        reply.append(format!("{}\n", process::id()).as_bytes());
        Flow::Continue
    }
}

fn whose_is(peer: &mut Peer) -> String {
    peer.send("whose am I?\n");
    peer.line()
}

#[test]
fn a_panic_while_opening_a_session_in_a_child_costs_its_client_only_and_is_counted() {
    const VICTIMS: u64 = 3;
    let name =
        "panics::a_panic_while_opening_a_session_in_a_child_costs_its_client_only_and_is_counted";
    if let Some(trap) = env::var_os(TRAP).map(PathBuf::from) {
        serve_as_child(&Fragile { trap }).unwrap();
        return;
    }
    let trap = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("a_trap_for_who_opens_a_session");
    let _ = fs::remove_file(&trap);
    let program = Program::this()
        .unwrap()
        .args(["--exact", name])
        .env(TRAP, &trap)
        .silent();
    let models: [Box<dyn Model>; 2] = [
        Box::new(Process::new().program(program.clone())),
        Box::new(Prefork::new(TWO).program(program)),
    ];
    for model in models {
        let name = model.name();
        // It opens none itself.
        let service = Fragile { trap: trap.clone() };
        let server = Server::new(service).boxed_model(model).start().unwrap();
        let mut bystander = Peer::connect(server.local_addr());
        let child = whose_is(&mut bystander);
        let mut survivor = None;
        for victims in 1..=VICTIMS {
            fs::write(&trap, "").unwrap();
            assert_eq!(Peer::connect(server.local_addr()).rest(), "");
            assert!(!trap.exists(), "{name}: it was closed for another reason");
            wait_until("the panic is counted", || {
                server.stats().panicked == victims
            });
            let mut next = Peer::connect(server.local_addr());
            let process = whose_is(&mut next);
            next.leave();
            if name == "prefork" {
                // With the bystander at one of two, it is the one in which the victim was.
                assert_eq!(*survivor.get_or_insert_with(|| process.clone()), process);
            }
        }
        assert_eq!(whose_is(&mut bystander), child, "{name}: still served");
        bystander.leave();
        let stats = server.shutdown().unwrap();
        let ended = (stats.panicked, stats.finished, stats.lost, stats.open);
        assert_eq!(ended, (VICTIMS, VICTIMS + 1, 0, 0), "{name}: {stats:?}");
    }
}
