//! What was looked at, as plain data: a [`walk`](super::walk) goes through it, and a test makes it up.

use crate::datagram::interface::Interface;
use std::net::{IpAddr, SocketAddr};

/// What was found, or why it could not be looked at.
pub(super) type Seen<T> = Result<T, String>;

/// The state of one host, as far as it bears on one audience.
#[derive(Clone, Debug)]
pub(super) struct Findings {
    pub(super) interfaces: Seen<Vec<Interface>>,
    /// The address that a sender has that names no interface: whose it is says by which one it sends, and by which one a
    /// receiver joins that names none.
    pub(super) unpinned: Seen<IpAddr>,
    /// The same for a sender that names the interface. None: none was named, or it is not there.
    pub(super) pinned: Option<Seen<IpAddr>>,
    /// Before this walk joined anything.
    pub(super) memberships: Seen<Vec<Membership>>,
    pub(super) filters: Seen<Vec<Filter>>,
    /// The UDP sockets that have the port, whatever their address.
    pub(super) sockets: Seen<Vec<Bound>>,
    /// By the name of the interface; that of `all` counts for each.
    pub(super) rp_filter: Seen<Vec<(String, u8)>>,
    /// For each source that was given, the address that this host would answer it from.
    pub(super) ways_back: Vec<(IpAddr, Seen<IpAddr>)>,
    pub(super) probe: Seen<Probe>,
    pub(super) listened: Seen<Listened>,
}

/// Sockets of this host that are members of a group on one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    pub(super) index: u32,
    pub(super) group: IpAddr,
    pub(super) users: u32,
}

/// A source that members named when they joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) index: u32,
    pub(super) group: IpAddr,
    pub(super) source: IpAddr,
    /// How many want it and nobody they did not name.
    pub(super) including: u64,
}

/// A UDP socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) addr: SocketAddr,
    pub(super) uid: u32,
    pub(super) inode: u64,
    /// Bytes that its program has not read yet, with the kernel's overhead.
    pub(super) waiting: u64,
    /// Datagrams that found its buffer full.
    pub(super) dropped: u64,
    /// Name and process, where the system lets us see it.
    pub(super) program: Option<(String, u32)>,
}

/// Whether a datagram of ours came back to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    CameBack,
    Lost,
    /// The two ends could not be opened, or not used; the error tells what to do.
    Failed(String),
}

/// What came to the port while we listened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listened {
    /// Why no receiver could be opened.
    pub(super) refused: Option<Refused>,
    /// To the audience, as its receiver heard it.
    pub(super) heard: Heard,
    /// To others who have the port, of those that somebody on this host joined; and to the audience on other interfaces.
    pub(super) others: Vec<Other>,
    /// Those of them that could not be listened to, and why.
    pub(super) unheard: Vec<(IpAddr, String)>,
    /// Packets that the kernel dropped meanwhile, since they came by another interface than the way back goes.
    pub(super) filtered: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// Another program has the port and does not share it.
    pub(super) in_use: bool,
    pub(super) why: String,
}

/// Datagrams, and who sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) count: u64,
    pub(super) from: Vec<IpAddr>,
}

impl Heard {
    /// Senders that are told of by their addresses.
    const MOST: usize = 8;

    pub(super) fn note(&mut self, from: IpAddr) {
        self.count += 1;
        if self.from.len() < Self::MOST && !self.from.contains(&from) {
            self.from.push(from);
        }
    }
}

/// Where else datagrams to the port came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Other {
    pub(super) to: IpAddr,
    /// Index of the interface by which they came; 0: any.
    pub(super) index: u32,
    pub(super) heard: Heard,
}
