//! The server as a process that is short of something: descriptors, threads, bits in an `fd_set`, luck with its
//! system calls. It goes on serving, and tells whom it cannot serve why.

#[path = "../common/child.rs"]
mod child;
#[path = "../common/mod.rs"]
mod common;

mod bad_luck;
mod crowd;
mod descriptors;
mod room;
