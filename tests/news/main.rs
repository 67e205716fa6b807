//! News by multicast and broadcast, as whole commands: on the loopback interface, and between hosts that are network
//! namespaces. No datagram leaves the machine.

#[path = "../common/child.rs"]
mod child;
#[path = "../common/mod.rs"]
mod common;

mod counts;
mod doctor;
mod ends;
mod follow;
mod foreign;
mod hosts;
mod lines;
mod links;
mod loopback;
mod netns;
mod page;
mod stage;
mod waits;
mod wrong_use;
