//! The command line, as a shell sees it: streams, exit codes, signals.

#[path = "../common/child.rs"]
mod child;
#[path = "../common/mod.rs"]
mod common;

mod connect;
mod foreign;
mod kinds;
mod serve;
mod streams;
mod wrong_use;
