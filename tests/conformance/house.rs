//! What every scenario needs: the server under test, its counters, and the inspection after it has ended.

use crate::common::{PATIENCE, between_two_looks};
use crate::drain::Verbose;
use crate::panics::Fragile;
use crossbeam_utils::sync::ShardedLock;
use guardhouse::model::{Program, serve_as_child};
use guardhouse::service::Registered;
use guardhouse::stats;
use guardhouse::strategy::{self, LockKind, LockOptions, ModelKind, ModelOptions, ServiceKind};
use guardhouse::sync::{Actor, Lock, OneThread, SemaphoreLock, Snapshot, SpinMutex, TicketMutex};
use guardhouse::{Clients, Fanout, Handle, Limits, Message, Registry, Server, Service, StartError};
use std::env;
use std::num::NonZeroUsize;
use std::panic;
use std::sync::{Arc, Once};
use std::time::Instant;

/// What is under test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) model: ModelKind,
    pub(crate) options: ModelOptions,
    pub(crate) lock: LockKind,
    /// Where it is a chat.
    pub(crate) fanout: Fanout,
}

/// Where there are several.
pub(crate) const LOOPS: NonZeroUsize = NonZeroUsize::new(3).unwrap();

/// What a line of the suite does not say otherwise.
pub(crate) fn options() -> ModelOptions {
    ModelOptions {
        workers: NonZeroUsize::new(16).unwrap(),
        ..ModelOptions::default()
    }
}

impl Subject {
    /// How many clients it is to serve at the same time, at least.
    pub(crate) fn at_once(self) -> usize {
        match self.model {
            ModelKind::Iterative => 1,
            _ => 8,
        }
    }

    pub(crate) fn serves_several(self) -> bool {
        self.at_once() > 1
    }

    /// The thread that runs its sessions is the one that begins the drain.
    pub(crate) fn drains_between_sessions(self) -> bool {
        matches!(
            self.model,
            ModelKind::Select
                | ModelKind::Poll
                | ModelKind::Epoll
                | ModelKind::Kqueue
                | ModelKind::Uring
        )
    }

    pub(crate) fn echo(self) -> Server {
        self.kind(ServiceKind::Echo)
    }

    pub(crate) fn chat(self, max_line: usize) -> Server {
        let limits = Limits {
            slow: self.fanout.policies()[0],
            ..Limits::default()
        };
        self.chat_within(limits, max_line)
    }

    /// A chat whose slow readers are dealt with as `limits` say.
    pub(crate) fn chat_within(self, limits: Limits, max_line: usize) -> Server {
        let chat = ServiceKind::Chat {
            max_line,
            fanout: self.fanout,
            mailbox: limits.mailbox,
        };
        self.kind(chat).limits(limits)
    }

    pub(crate) fn with_fanout(self, fanout: Fanout) -> Self {
        Self { fanout, ..self }
    }

    fn kind(self, kind: ServiceKind) -> Server {
        self.serve(service(kind, self.lock))
    }

    pub(crate) fn serve(self, service: impl Service + 'static) -> Server {
        self.serve_here_or_in(self.child(), service)
    }

    /// `fragile` by so many workers, here or in children that serve one like it.
    pub(crate) fn serve_fragile(self, workers: usize, fragile: Box<dyn Service>) -> Server {
        let child = self.child().env(CHILD_SERVES, FRAGILE);
        self.with_workers(workers).serve_here_or_in(child, fragile)
    }

    /// In children.
    pub(crate) fn serve_verbose(self) -> Server {
        self.serve_here_or_in(self.child().env(CHILD_SERVES, VERBOSE), Verbose)
    }

    fn serve_here_or_in(self, child: Program, service: impl Service + 'static) -> Server {
        let model = if self.model.shares_memory() {
            strategy::model(self.model, self.options)
        } else {
            strategy::model_with(self.model, self.options, child)
        };
        Server::new(service).boxed_model(model)
    }

    /// This binary once more.
    fn child(self) -> Program {
        let entry = "a_process_that_a_server_starts_serves_its_client";
        let args = ["--exact", "--nocapture", entry];
        let this = Program::this().unwrap().args(args);
        this.env(CHILDS_LOCK, self.lock.name()).silent()
    }

    /// A chat, where clients can meet.
    pub(crate) fn chat_or_echo(self, max_line: usize) -> Server {
        if self.model.shares_memory() {
            self.chat(max_line)
        } else {
            self.echo()
        }
    }

    /// They only matter to models that have any.
    fn with_workers(self, workers: usize) -> Self {
        let options = ModelOptions {
            workers: NonZeroUsize::new(workers).unwrap(),
            ..self.options
        };
        Self { options, ..self }
    }

    /// `service` with its clients in a registry behind the strategy, and that registry, where a test may enter it:
    /// without a lock it belongs to the server's thread, and children have none.
    pub(crate) fn registered(
        self,
        service: impl Service + 'static,
    ) -> (Box<dyn Service>, Option<Arc<dyn Members>>) {
        if !self.model.shares_memory() {
            return (Box::new(service), None);
        }
        match self.lock {
            LockKind::Mutex => behind::<parking_lot::Mutex<Clients>>(service),
            LockKind::FairMutex => behind::<parking_lot::FairMutex<Clients>>(service),
            LockKind::RwLock => behind::<parking_lot::RwLock<Clients>>(service),
            LockKind::StdMutex => behind::<std::sync::Mutex<Clients>>(service),
            LockKind::StdRwLock => behind::<std::sync::RwLock<Clients>>(service),
            LockKind::Semaphore => behind::<SemaphoreLock<Clients>>(service),
            LockKind::Ticket => behind::<TicketMutex<Clients>>(service),
            LockKind::Spin => behind::<SpinMutex<Clients>>(service),
            LockKind::Snapshot => behind::<Snapshot<Clients>>(service),
            LockKind::Sharded => behind::<ShardedLock<Clients>>(service),
            LockKind::Actor => behind::<Actor<Clients>>(service),
            LockKind::None => {
                let (service, _) = behind::<OneThread<Clients>>(service);
                (service, None)
            }
        }
    }
}

fn service(kind: ServiceKind, lock: LockKind) -> Box<dyn Service> {
    let options = LockOptions {
        permits: NonZeroUsize::new(4).unwrap(),
        ..LockOptions::default()
    };
    strategy::service(kind, lock, options).unwrap()
}

/// The variable that tells a child behind which lock it serves.
const CHILDS_LOCK: &str = "CONFORMANCE_CHILDS_LOCK";

/// The variable that tells a child to serve something else than an echo.
const CHILD_SERVES: &str = "CONFORMANCE_CHILD_SERVES";
const FRAGILE: &str = "what breaks where it is told to";
const VERBOSE: &str = "who says more than anybody takes";

/// Serves, in a process that was started for it, for as long as it is to; `false` in any other.
pub(crate) fn is_a_child_now() -> bool {
    // Who starts it says which lock.
    let Ok(name) = env::var(CHILDS_LOCK) else {
        return false;
    };
    let service: Box<dyn Service> = match env::var(CHILD_SERVES).as_deref() {
        Ok(FRAGILE) => Box::new(Fragile::default()),
        Ok(VERBOSE) => Box::new(Verbose),
        Ok(other) => panic!("{other:?} is nothing that a child serves"),
        Err(_) => {
            let lock = LockKind::ALL.into_iter().find(|lock| lock.name() == name);
            service(ServiceKind::Echo, lock.unwrap())
        }
    };
    keep_planned_panics_quiet();
    serve_as_child(&*service).unwrap();
    true
}

/// `scenario`, for models whose sessions share a memory; of the others, that they refuse it.
pub(crate) fn meets(subject: Subject, scenario: fn(Subject)) -> fn(Subject) {
    if subject.model.shares_memory() {
        scenario
    } else {
        refuses_services_whose_clients_meet
    }
}

fn refuses_services_whose_clients_meet(subject: Subject) {
    let refused = subject.chat(4096).start().unwrap_err();
    let sentence = refused.to_string();
    assert!(matches!(refused, StartError::Options(_)), "{sentence}");
    let model = format!("--model {} ", subject.model);
    for words in [&*model, "share no memory", "chat"] {
        assert!(sentence.contains(words), "no {words:?} in {sentence}");
    }
}

/// A registry, whichever lock it is behind.
pub(crate) trait Members {
    fn count(&self) -> usize;
    fn tell(&self, text: &str);
}

impl<L: Lock<Value = Clients>> Members for Registry<L> {
    fn count(&self) -> usize {
        self.len()
    }

    fn tell(&self, text: &str) {
        self.broadcast(&Message::from(text));
    }
}

fn behind<L: Lock<Value = Clients> + 'static>(
    service: impl Service + 'static,
) -> (Box<dyn Service>, Option<Arc<dyn Members>>) {
    let registry = Registry::new(L::new(Clients::new()));
    let members = Arc::clone(&registry);
    (Box::new(Registered::new(registry, service)), Some(members))
}

/// Waits until the counters are as `done` wants them.
pub(crate) fn until(server: &Handle, what: &str, done: impl Fn(&stats::Snapshot) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stats = server.stats();
        if done(&stats) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "waited in vain: {what}; {stats:?}"
        );
        between_two_looks();
    }
}

/// Text of the panics that belong to a test. They are not printed.
pub(crate) const PLANNED: &str = "planned: ";

/// Runs `scenario`, and finds that no thread and no descriptor of it is left.
pub(crate) fn inspect(subject: Subject, scenario: impl FnOnce(Subject) + Send) {
    keep_planned_panics_quiet();
    #[cfg(target_os = "linux")]
    crate::table::with_its_own(|| scenario(subject));
    // Elsewhere, nobody tells which descriptors and threads are whose.
    #[cfg(not(target_os = "linux"))]
    scenario(subject);
}

fn keep_planned_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let planned = info
                .payload_as_str()
                .is_some_and(|text| text.contains(PLANNED));
            if !planned {
                usual(info);
            }
        }));
    });
}
