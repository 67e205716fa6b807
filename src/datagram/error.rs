//! [`DatagramError`]: what can go wrong, and what to do about it.

use super::interface::Wanted;
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
    #[error(
        "{addr} is no broadcast address of any interface here; there are: {}",
        list(here)
    )]
    NotABroadcastAddress {
        /// What was asked for.
        addr: Ipv4Addr,
        /// Those of the interfaces.
        here: Vec<Ipv4Addr>,
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
    pub(super) fn system(what: impl Into<String>, cause: impl Into<io::Error>) -> Self {
        let cause = cause.into();
        Self::System {
            what: what.into(),
            advice: advice(&cause),
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

fn advice(error: &io::Error) -> &'static str {
    use rustix::io::Errno;

    let Some(errno) = Errno::from_io_error(error) else {
        return "";
    };
    match errno {
        Errno::ACCESS => {
            "; an address of a broadcast is sent to by broadcast (SO_BROADCAST), not as a group or a single host"
        }
        Errno::PERM => {
            "; a firewall of this host forbids it: see `nft list ruleset` or `iptables -S`"
        }
        Errno::NETUNREACH => {
            "; no route leads there: name the interface, or add a route (`ip route add 224.0.0.0/4 dev eth0`; for IPv6 `ip -6 \
             route add ff00::/8 dev eth0 table local`)"
        }
        Errno::HOSTUNREACH => "; nothing leads there: name the interface",
        Errno::NODEV | Errno::NXIO => {
            "; no interface leads there: name one, or add a route (`ip route add 224.0.0.0/4 dev eth0`)"
        }
        Errno::NETDOWN => "; the interface is down: `ip link set eth0 up`",
        Errno::ADDRNOTAVAIL => {
            "; no interface has that address any more, or it does not carry such groups"
        }
        Errno::ADDRINUSE => {
            "; a program that does not share the port has it (see `ss -ulpn`), or this socket is a member already"
        }
        Errno::MSGSIZE => {
            "; it is more than the interface takes in one piece (its MTU, less 28 bytes for IPv4 or 48 for IPv6)"
        }
        Errno::NOBUFS => {
            "; the kernel's limit is reached: of memberships (`sysctl net.ipv4.igmp_max_memberships`), or of what waits to be sent"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn what_is_known_to_help_is_said() {
        for (errno, word) in [
            (Errno::ACCESS, "SO_BROADCAST"),
            (Errno::NETUNREACH, "ip route add"),
            (Errno::NODEV, "name one"),
            (Errno::ADDRINUSE, "ss -ulpn"),
            (Errno::MSGSIZE, "MTU"),
        ] {
            let told = DatagramError::system("send to 224.1.1.2:7777", errno).to_string();
            assert!(
                told.starts_with("cannot send to 224.1.1.2:7777: "),
                "{told}"
            );
            assert!(told.contains(word), "{told}");
        }
    }
}
