//! [`Audience`]: whom a datagram is for.

use super::error::DatagramError;
use super::interface::{Interface, Wanted};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::str::FromStr;
use thiserror::Error;

/// Whom a datagram is for. The same value opens both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Those who joined a group, on this network and, with a larger TTL, beyond.
    Group(Group),
    /// Everybody on the network, asked or not: `255.255.255.255`, or a network's own broadcast address. IPv4 only.
    Broadcast(SocketAddrV4),
}

impl Audience {
    /// Where datagrams are sent to.
    pub fn addr(&self) -> SocketAddr {
        match self {
            Self::Group(group) => group.addr(),
            Self::Broadcast(addr) => (*addr).into(),
        }
    }

    /// The interface that is named, in a group's address or beside it, if it can carry this. Both ends ask.
    ///
    /// # Errors
    /// When none is there of that name, address or number, when it cannot carry this, when a broadcast address is none of it (or,
    /// unnamed, of any), and when one must be named and is not.
    pub(super) fn on(&self, wanted: Option<&Wanted>) -> Result<Option<Interface>, DatagramError> {
        let on = match self {
            Self::Group(group) => group.link(wanted)?,
            Self::Broadcast(addr) => {
                let on = wanted.map(Wanted::find).transpose()?;
                known_broadcast(*addr, on.as_ref())?;
                on
            }
        };
        if let Some(on) = &on {
            self.usable(on)?;
        } else if let Some(routed) = self.routed()? {
            self.usable(&routed)?;
        }
        Ok(on)
    }

    /// The interface where the routing table leads, if the address that it gives tells. Nothing is sent.
    fn routed(&self) -> Result<Option<Interface>, DatagramError> {
        let Self::Group(group) = self else {
            return Ok(None);
        };
        let any: IpAddr = match group.ip() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let own = UdpSocket::bind((any, 0)).and_then(|socket| {
            socket.connect(group.addr())?;
            socket.local_addr()
        });
        // Without a route, what comes next tells better.
        let Ok(own) = own else { return Ok(None) };
        let all = Interface::all()?;
        Ok(Interface::sole_owner(&all, own.ip()).cloned())
    }

    /// Refuses an interface that cannot carry it, with the reason that the system would not tell.
    pub(super) fn usable(&self, on: &Interface) -> Result<(), DatagramError> {
        let name = || on.name.clone();
        if !on.up {
            return Err(DatagramError::InterfaceDown { name: name() });
        }
        if matches!(self, Self::Group(_)) && !on.carries_groups(self.addr().is_ipv4()) {
            return Err(DatagramError::NoMulticast { name: name() });
        }
        Ok(())
    }
}

/// Refuses a broadcast to an address that is none, of the interface that was named or of any.
fn known_broadcast(addr: SocketAddrV4, on: Option<&Interface>) -> Result<(), DatagramError> {
    if addr.port() == 0 {
        return Err(DatagramError::NoPort { addr: *addr.ip() });
    }
    if addr.ip().is_broadcast() {
        return Ok(());
    }
    let all = match on {
        Some(on) => vec![on.clone()],
        None => Interface::all()?,
    };
    let here: Vec<Ipv4Addr> = all.iter().flat_map(Interface::broadcasts).collect();
    if here.contains(addr.ip()) {
        return Ok(());
    }
    Err(DatagramError::NotABroadcastAddress {
        addr: *addr.ip(),
        of: on.map_or_else(|| "any interface here".into(), |on| on.name.clone()),
        here,
    })
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr().fmt(f)
    }
}

/// A multicast group's address, and a port: `224.1.1.2:7777`, `[ff15::7777]:7777`.
///
/// The port is no part of the membership: a host joins an address, and then hears all its ports. A
/// [`Receiver`](super::Receiver) hears one group at one port, since it is bound to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group(SocketAddr);

impl Group {
    /// The tutorial's: `224.1.1.2:7777`.
    pub const TUTORIAL: Self = Self(SocketAddr::V4(SocketAddrV4::new(
        Ipv4Addr::new(224, 1, 1, 2),
        7777,
    )));

    /// # Errors
    /// When the address is no multicast address (`224.0.0.0/4`, `ff00::/8`), or the port 0.
    pub fn new(addr: SocketAddr) -> Result<Self, NotAGroup> {
        if !addr.ip().is_multicast() {
            return Err(NotAGroup::Address(addr.ip()));
        }
        if addr.port() == 0 {
            return Err(NotAGroup::Port);
        }
        Ok(Self(addr))
    }

    /// Address and port.
    pub fn addr(&self) -> SocketAddr {
        self.0
    }

    /// The address.
    pub fn ip(&self) -> IpAddr {
        self.0.ip()
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// Whether it is one of those that belong to a source (`232.0.0.0/8`, `ff3x::/96`), and are to be joined with one.
    /// (RFC 4607)
    pub fn is_source_specific(&self) -> bool {
        match self.ip() {
            IpAddr::V4(ip) => ip.octets()[0] == 232,
            IpAddr::V6(ip) => {
                let words = ip.segments();
                words[0] & 0xfff0 == 0xff30 && words[1..6] == [0; 5]
            }
        }
    }

    /// Whether the address means another group on each link, so that one must be named: `ff01::`, `ff02::` and their
    /// kind. (RFC 4291, 2.7)
    pub fn is_of_a_link(&self) -> bool {
        match self.ip() {
            IpAddr::V4(_) => false,
            IpAddr::V6(ip) => scope(ip) <= LINK_SCOPE,
        }
    }

    /// The interface that was named, in the address or beside it.
    fn link(&self, wanted: Option<&Wanted>) -> Result<Option<Interface>, DatagramError> {
        let named = wanted.map(Wanted::find).transpose()?;
        match (self.zone(), named) {
            (Some(zone), Some(named)) if named.index != zone => Err(DatagramError::TwoLinks {
                group: self.ip(),
                zone,
                index: named.index,
            }),
            (_, Some(named)) => Ok(Some(named)),
            (Some(zone), None) => Wanted::Index(zone).find().map(Some),
            (None, None) if self.is_of_a_link() => {
                Err(DatagramError::WhichLink { group: self.ip() })
            }
            (None, None) => Ok(None),
        }
    }

    /// The index of the interface in the address, as in `[ff02::1%2]:7777`.
    pub(super) fn zone(&self) -> Option<u32> {
        match self.0 {
            SocketAddr::V6(addr) if addr.scope_id() != 0 => Some(addr.scope_id()),
            _ => None,
        }
    }
}

const LINK_SCOPE: u8 = 2;

fn scope(ip: Ipv6Addr) -> u8 {
    ip.octets()[1] & 0xf
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Group {
    type Err = NotAGroup;

    fn from_str(text: &str) -> Result<Self, NotAGroup> {
        let addr = text.parse().map_err(|_| NotAGroup::Text)?;
        Self::new(addr)
    }
}

/// Why something is no [`Group`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NotAGroup {
    /// Not an address with a port.
    #[error(
        "must be a group's address and a port, like 224.1.1.2:7777 or [ff15::7777]:7777; in [ff02::1%2]:7777, 2 is an interface's \
         index, and its name does not go there"
    )]
    Text,
    /// Another kind of address.
    #[error(
        "{0} is no multicast address: those are 224.0.0.0 to 239.255.255.255, and ff00:: to ffff:...; to a broadcast address, \
         news are sent by broadcast"
    )]
    Address(IpAddr),
    /// Any port is no port.
    #[error("a group's port is 1 to 65535: both sides have to know it")]
    Port,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(text: &str) -> Group {
        text.parse().expect("a group")
    }

    #[test]
    fn a_group_is_an_address_for_many_and_a_port() {
        assert_eq!(group("224.1.1.2:7777"), Group::TUTORIAL);
        assert_eq!(group("[ff15::1]:9").to_string(), "[ff15::1]:9");
        assert_eq!("224.1.1.2".parse::<Group>(), Err(NotAGroup::Text));
        assert_eq!("224.1.1.2:0".parse::<Group>(), Err(NotAGroup::Port));
        for one in ["10.0.0.255:7777", "255.255.255.255:7777", "[fe80::1]:7777"] {
            let refused = one.parse::<Group>();
            assert!(matches!(refused, Err(NotAGroup::Address(_))), "{one}");
        }
    }

    #[test]
    fn groups_of_a_source_and_groups_of_a_link_are_told_apart() {
        for (text, of_a_source, of_a_link) in [
            ("224.1.1.2:1", false, false),
            ("232.1.1.2:1", true, false),
            ("[ff15::1]:1", false, false),
            ("[ff35::1]:1", true, false),
            ("[ff35:40::1]:1", false, false),
            ("[ff02::1]:1", false, true),
            ("[ff11::1]:1", false, true),
            ("[ff32::1]:1", true, true),
        ] {
            let group = group(text);
            let found = (group.is_source_specific(), group.is_of_a_link());
            assert_eq!(found, (of_a_source, of_a_link), "{text}");
        }
        assert_eq!(group("[ff02::1%2]:1").zone(), Some(2));
    }
}
