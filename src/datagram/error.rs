//! [`DatagramError`]: what can go wrong, and what to do about it.

use super::interface::Wanted;
use rustix::io::Errno;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use thiserror::Error;

/// What kept a [`Sender`](super::Sender) or a [`Receiver`](super::Receiver) from its work.
#[derive(Debug, Error)]
pub enum DatagramError {
    /// The machine has no such interface.
    #[error("there is no interface {wanted} here; there are: {}", here.join(", "))]
    NoInterface {
        /// What was asked for.
        wanted: Wanted,
        /// The names of those that there are.
        here: Vec<String>,
    },
    /// It is switched off.
    #[error("interface {name} is down; switch it on (`ip link set {name} up`), or name another")]
    InterfaceDown {
        /// Its name.
        name: String,
    },
    /// It does not carry multicast.
    #[error(
        "interface {name} carries no multicast: it lacks the MULTICAST flag; set it (`ip link set {name} multicast on`), or \
         name another"
    )]
    NoMulticast {
        /// Its name.
        name: String,
    },
    /// It has no address of the family.
    #[error(
        "interface {name} has no {family} address, which {audience} needs; give it one, or name another"
    )]
    NoAddress {
        /// Its name.
        name: String,
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// The group or broadcast address.
        audience: String,
    },
    /// The address means another group on each link.
    #[error("{group} is another group on each link: name the interface")]
    WhichLink {
        /// The group's address.
        group: IpAddr,
    },
    /// The address of the group names one interface, and the options another.
    #[error(
        "{group} is on interface {zone}, by its address, and on {index}, by what was asked: name one of them"
    )]
    TwoLinks {
        /// The group's address.
        group: IpAddr,
        /// The interface's index in the address.
        zone: u32,
        /// The interface's index that was asked for.
        index: u32,
    },
    /// No network here has this broadcast address.
    #[error("{addr} is no broadcast address of {of}; there are: {}", list(here))]
    NotABroadcastAddress {
        /// What was asked for.
        addr: Ipv4Addr,
        /// The interface that was named, or any.
        of: String,
        /// Those that there are.
        here: Vec<Ipv4Addr>,
    },
    /// Both sides have to know the port.
    #[error("a broadcast to {addr} needs a port, 1 to 65535: both sides have to know it")]
    NoPort {
        /// Where to.
        addr: Ipv4Addr,
    },
    /// With these options, no datagram gets anywhere.
    #[error(
        "nobody could hear it: with a TTL of 0 no datagram leaves this host, and without loop none is heard on it; use a TTL \
         of 1 or more, or loop"
    )]
    NobodyHears,
    /// Datagrams to a broadcast address need a TTL.
    #[error("a broadcast needs a TTL of 1 or more: the kernel takes 0 for groups only")]
    BroadcastWithoutTtl,
    /// There is no such option for broadcasts.
    #[error(
        "a broadcast is always heard on the host that sends it: only a group's datagrams can be kept from it"
    )]
    BroadcastLoops,
    /// The limit on datagrams is outside what UDP has.
    #[error("a datagram's limit of {limit} bytes is outside 1 to {most}")]
    Limit {
        /// What was asked for.
        limit: usize,
        /// What a datagram of the family holds.
        most: usize,
    },
    /// A source of another family than the group, or one for a broadcast.
    #[error("{given} cannot be the source of {audience}: {why}")]
    Source {
        /// What was given.
        given: IpAddr,
        /// The group or broadcast address.
        audience: String,
        /// Why not.
        why: &'static str,
    },
    /// A group of a source is joined together with it.
    #[error("{group} is a group of one source (232.0.0.0/8, ff3x::/96): say which")]
    WhichSource {
        /// The group's address.
        group: IpAddr,
    },
    /// This system has no such membership.
    #[error("this system cannot join a group for one source over {family}")]
    NoSourceFilter {
        /// `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// More than the limit that was set.
    #[error(
        "a datagram of {length} bytes is longer than the limit of {limit}; a longer one could travel in fragments"
    )]
    TooLong {
        /// Its bytes.
        length: usize,
        /// The most that is sent.
        limit: usize,
    },
    /// A system call failed.
    #[error("cannot {what}: {cause}{advice}")]
    System {
        /// What was tried, with its values.
        what: String,
        /// What the system said.
        cause: io::Error,
        /// What to do about it; begins with a separator, or is empty.
        advice: &'static str,
    },
}

impl DatagramError {
    /// A system call's failure, with what is known to help.
    pub(super) fn system(
        doing: Doing,
        what: impl Into<String>,
        cause: impl Into<io::Error>,
    ) -> Self {
        let cause = cause.into();
        Self::System {
            what: what.into(),
            advice: doing.advice(&cause),
            cause,
        }
    }

    /// Whether it is the caller's doing: what was asked for cannot be, whatever the machine is like.
    pub fn is_wrong_use(&self) -> bool {
        !matches!(
            self,
            Self::InterfaceDown { .. }
                | Self::NoMulticast { .. }
                | Self::NoAddress { .. }
                | Self::NoSourceFilter { .. }
                | Self::System { .. }
        )
    }
}

fn list(here: &[Ipv4Addr]) -> String {
    let all = [Ipv4Addr::BROADCAST];
    let all = all.iter().chain(here).map(ToString::to_string);
    all.collect::<Vec<_>>().join(", ")
}

/// What failed: the same number means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Bind,
    Join,
    Send {
        broadcast: bool,
        /// The interface was.
        named: bool,
        v4: bool,
    },
    Other,
}

impl Doing {
    fn advice(self, error: &io::Error) -> &'static str {
        let Some(errno) = Errno::from_io_error(error) else {
            return "";
        };
        match self {
            Self::Bind => bind_advice(errno),
            Self::Join => join_advice(errno),
            Self::Send {
                broadcast,
                named,
                v4,
            } => send_advice(errno, broadcast, named, v4),
            Self::Other => "",
        }
    }
}

fn bind_advice(errno: Errno) -> &'static str {
    match errno {
        Errno::ACCESS => {
            "; a port below 1024 takes rights (`sysctl net.ipv4.ip_unprivileged_port_start`): use another"
        }
        Errno::ADDRINUSE => {
            "; a program that does not share the port has it (see `ss -ulpn`): on Linux, sharing takes SO_REUSEADDR \
             on both sides, and SO_REUSEPORT does not do"
        }
        Errno::ADDRNOTAVAIL => "; no interface takes that address",
        _ => "",
    }
}

fn join_advice(errno: Errno) -> &'static str {
    match errno {
        Errno::NODEV | Errno::NXIO | Errno::NETUNREACH => {
            "; no interface leads there: name one, or add a route (`ip route add 224.0.0.0/4 dev eth0`)"
        }
        Errno::ADDRNOTAVAIL => "; the interface takes no such group, or is gone",
        Errno::NOBUFS => {
            "; the kernel's limit is reached: `sysctl net.ipv4.igmp_max_memberships` groups of a socket, and of each \
             `net.ipv4.igmp_max_msf` sources (IPv6: `net.ipv6.mld_max_msf`)"
        }
        _ => "",
    }
}

fn send_advice(errno: Errno, broadcast: bool, named: bool, v4: bool) -> &'static str {
    match errno {
        Errno::ACCESS if broadcast => {
            "; a rule of the routing table or a firewall of this host forbids it (`ip route get`)"
        }
        Errno::ACCESS => {
            "; a rule of the routing table or a firewall of this host forbids it (`ip route get`); or the address is one of a broadcast, \
             which is sent to by broadcast (SO_BROADCAST)"
        }
        Errno::PERM => {
            "; a firewall of this host forbids it (`nft list ruleset`, `iptables -S`), or a policy of the system"
        }
        Errno::NETUNREACH | Errno::HOSTUNREACH if !v4 => {
            "; no route leads there: name the interface, or add a route (`ip -6 route add ff00::/8 dev eth0 table local`)"
        }
        Errno::NETUNREACH | Errno::HOSTUNREACH if named => {
            "; the interface has lost its address or its link's state: see `ip addr`"
        }
        Errno::NETUNREACH | Errno::HOSTUNREACH if broadcast => {
            "; no route leads there: name the interface, or add a default route"
        }
        Errno::NETUNREACH | Errno::HOSTUNREACH => {
            "; no route leads there: name the interface, or add a route (`ip route add 224.0.0.0/4 dev eth0`)"
        }
        Errno::NETDOWN => "; the interface is down: `ip link set eth0 up`",
        Errno::NODEV | Errno::NXIO => "; the interface is gone: see `ip link`",
        Errno::ADDRNOTAVAIL => {
            "; no interface has the address any more that it is sent from: see `ip addr`"
        }
        Errno::MSGSIZE => {
            "; it is more than the interface takes in one piece (its MTU, less 28 bytes for IPv4 or 48 for IPv6): send shorter ones"
        }
        Errno::NOBUFS => "; the interface's queue is full: send more slowly",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_to_help_is_said_for_what_was_tried() {
        let send = |broadcast, named, v4| Doing::Send {
            broadcast,
            named,
            v4,
        };
        for (doing, errno, word) in [
            (send(false, false, true), Errno::ACCESS, "SO_BROADCAST"),
            (Doing::Bind, Errno::ACCESS, "1024"),
            (send(false, false, true), Errno::NETUNREACH, "224.0.0.0/4"),
            (send(false, false, false), Errno::NETUNREACH, "ff00::/8"),
            (send(true, false, true), Errno::NETUNREACH, "default route"),
            (send(false, true, true), Errno::NETUNREACH, "ip addr"),
            (Doing::Join, Errno::NODEV, "name one"),
            (Doing::Join, Errno::NOBUFS, "igmp_max_msf"),
            (Doing::Bind, Errno::ADDRINUSE, "SO_REUSEADDR"),
            (send(false, false, true), Errno::MSGSIZE, "MTU"),
        ] {
            let told = DatagramError::system(doing, "do it", errno).to_string();
            assert!(told.starts_with("cannot do it: "), "{told}");
            assert!(told.contains(word), "{told}");
        }
    }
}
