//! Sockets: the listener and its options, and the calls on a connected socket, each in one place.

pub(crate) mod listener;
pub(crate) mod socket;
mod unacknowledged;

pub use listener::Listener;
