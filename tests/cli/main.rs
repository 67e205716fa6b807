//! The command line, as a shell sees it: streams, exit codes, signals.

#[path = "../common/child.rs"]
mod child;
#[path = "../common/mod.rs"]
mod common;

mod connect;
mod desk;
mod fanouts;
mod foreign;
mod kinds;
mod pool;
mod reconnect;
mod serve;
mod sitting;
mod streams;
mod terminal;
mod wrong_use;

use guardhouse::strategy::{LockKind, ModelKind, ModelOptions};

/// The models that this system can run a chat under.
fn chat_models() -> impl Iterator<Item = ModelKind> {
    ModelKind::ALL
        .into_iter()
        .filter(|model| model.is_here() && model.shares_memory())
}

/// Every model that a chat can run under here, and every strategy, once. All of them together are the conformance suite's
/// subject.
fn each_once() -> impl Iterator<Item = (ModelKind, LockKind)> {
    let models = chat_models().map(|model| (model, LockKind::Mutex));
    let locks = LockKind::ALL.into_iter().map(|lock| {
        let goes = |model: &ModelKind| lock.goes_with(*model, &ModelOptions::default());
        let mut models = [ModelKind::Thread, ModelKind::Select].into_iter();
        (models.find(goes).expect("a model for each"), lock)
    });
    models.chain(locks.filter(|&(_, lock)| lock != LockKind::Mutex))
}
