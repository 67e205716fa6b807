//! The command line, as a shell sees it: streams, exit codes, signals.

#[path = "../common/child.rs"]
mod child;
#[path = "../common/mod.rs"]
mod common;

mod connect;
mod foreign;
mod kinds;
mod pool;
mod serve;
mod streams;
mod wrong_use;

use guardhouse::strategy::ModelKind;

/// The models that this system can run a chat under.
fn chat_models() -> impl Iterator<Item = ModelKind> {
    ModelKind::ALL
        .into_iter()
        .filter(|model| model.is_here() && model.shares_memory())
}
