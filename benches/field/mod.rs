//! Who takes part: every model of this crate, and the [rivals](crate::rivals).

pub(crate) mod words;

use crate::rivals::{self, Rival};
use guardhouse::load::{Load, Measured, Shape, Stop, Traffic};
use guardhouse::model::{Model, Program, serve_as_child};
use guardhouse::service::Echo;
use guardhouse::strategy::{self, ModelKind, ModelOptions};
use guardhouse::{Handle, Server};
use std::env;
use std::num::NonZeroUsize;

/// A server of this crate, or a rival.
#[derive(Clone, Copy)]
pub(crate) enum Entrant {
    Model(ModelKind),
    Rival(&'static Rival),
}

/// By this a process of this program knows that it serves for another one.
const CHILD: &str = "--as-child";

/// Serves and is done, if this process is one of those that `process` and `prefork` start.
pub(crate) fn serve_if_a_child() -> bool {
    let is_child = env::args().nth(1).is_some_and(|argument| argument == CHILD);
    if is_child {
        serve_as_child(&Echo).expect("the parent says what to serve");
    }
    is_child
}

/// Everybody, in the order in which they are told of.
pub(crate) fn all() -> Vec<Entrant> {
    let models = ModelKind::ALL.into_iter().map(Entrant::Model);
    models
        .chain(rivals::ALL.iter().map(Entrant::Rival))
        .collect()
}

impl Entrant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Model(kind) => kind.name(),
            Self::Rival(rival) => rival.name,
        }
    }

    /// Why it cannot take part here, if so.
    pub(crate) fn missing(self) -> Option<String> {
        let Self::Model(kind) = self else { return None };
        let missing = model(kind, 1).check().err();
        missing.map(|reason| reason.to_string())
    }

    /// Whether it can serve so many at once.
    pub(crate) fn takes(self, clients: usize) -> bool {
        clients == 1 || !matches!(self, Self::Model(ModelKind::Iterative))
    }

    /// Serves so many clients, who have all got an answer.
    pub(crate) fn meet(self, clients: usize) -> Match {
        let server = match self {
            Self::Model(kind) => {
                let server = Server::new(Echo).boxed_model(model(kind, clients));
                Running::Model(server.start().expect("a server on a free port"))
            }
            Self::Rival(rival) => Running::Rival(rival.start(clients).expect("a free port")),
        };
        let addr = match &server {
            Running::Model(handle) => handle.local_addr(),
            Running::Rival(serving) => serving.addr,
        };
        let load = Load::connect(addr, Shape::new(clients, Traffic::Echo));
        Match {
            clients,
            load: load.expect("every client is served"),
            server,
        }
    }
}

fn model(kind: ModelKind, clients: usize) -> Box<dyn Model> {
    let mut options = ModelOptions::default();
    if kind.keeps_workers() {
        options.workers = NonZeroUsize::new(clients).expect("somebody comes");
    }
    if kind.shares_memory() {
        return strategy::model(kind, options);
    }
    let this = Program::this().expect("the system knows which program this is");
    strategy::model_with(kind, options, this.arg(CHILD))
}

enum Running {
    Model(Handle),
    Rival(rivals::Serving),
}

/// A server and its clients.
pub(crate) struct Match {
    clients: usize,
    load: Load,
    server: Running,
}

impl Match {
    /// # Panics
    /// When an echo is lost or torn, or nothing comes.
    pub(crate) fn run(&mut self, stop: Stop) -> Measured {
        let measured = self.load.run(stop).expect("no stall");
        assert_eq!((measured.lost, measured.torn), (0, 0));
        measured
    }

    /// The clients leave, and the server ends.
    ///
    /// # Panics
    /// When others came than were sent, or the server failed.
    pub(crate) fn end(self) {
        drop(self.load);
        match self.server {
            Running::Model(handle) => {
                let stats = handle.shutdown().expect("the server ran to its end");
                assert_eq!(stats.opened, self.clients as u64);
            }
            Running::Rival(serving) => serving.end().expect("the rival ran to its end"),
        }
    }
}
