//! Fan-out: how what one says gets to everybody.

pub(crate) mod herald;
