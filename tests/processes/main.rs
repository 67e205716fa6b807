//! Servers that are several processes: what becomes of clients, of the others and of the count when one of them is
//! killed, cannot be started, or does not end.
#![cfg(target_os = "linux")]

#[path = "../common/child.rs"]
mod child;
#[path = "../common/mod.rs"]
mod common;

mod drains;
mod family;
mod losses;
mod orphans;
mod panics;
mod refusals;
mod starts;
mod work;
