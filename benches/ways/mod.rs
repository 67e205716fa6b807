//! Ways to say one line to N receivers on this host.
//!
//! | file | what |
//! |---|---|
//! | `tcp.rs` | a connection for each: a `send` on every socket |
//! | `unicast.rs` | a datagram for each: a `sendto`, or all of them handed over by one `sendmmsg` |
//! | `group.rs` | one datagram for all: [`guardhouse::datagram`] |
//!
//! System calls are counted by who makes them, one for each that is made and for no other.

mod group;
mod tcp;
mod unicast;

use std::time::Duration;

/// What everybody is told.
pub(crate) const LINE: &[u8; 64] =
    b"It rains in the north, and the south has had no news since noon\n";

/// How long a receiver waits for what was sent, before the bench fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// A sender and its receivers.
pub(crate) trait Outlet {
    /// Sends the line so many times to everybody, and says by how many system calls.
    fn send(&mut self, lines: u64) -> u64;

    /// Everybody takes that many.
    ///
    /// # Panics
    /// When one of them gets less, or more, or something else.
    fn drain(&mut self, lines: u64);
}

/// How it is done.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    open: fn(usize) -> Box<dyn Outlet>,
}

impl Way {
    /// A sender and so many receivers, who are ready to hear.
    pub(crate) fn open(self, receivers: usize) -> Box<dyn Outlet> {
        (self.open)(receivers)
    }
}

pub(crate) const ALL: &[Way] = &[
    Way {
        name: "tcp",
        open: |receivers| Box::new(tcp::Connections::open(receivers)),
    },
    Way {
        name: "udp",
        open: |receivers| Box::new(unicast::OneByOne::open(receivers)),
    },
    #[cfg(target_os = "linux")]
    Way {
        name: "sendmmsg",
        open: |receivers| Box::new(unicast::AllAtOnce::open(receivers)),
    },
    Way {
        name: "multicast",
        open: |receivers| Box::new(group::Group::open(receivers)),
    },
];
