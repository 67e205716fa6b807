//! [`Interface`]: the machine's interfaces, by name, index or address.

use super::error::DatagramError;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::SockaddrIn;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::ParseIntError;
use std::str::FromStr;

/// What the system says of one of its interfaces, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "they are the kernel's flags")]
pub struct Interface {
    /// Like `eth0`.
    pub name: String,
    /// Its number, from 1.
    pub index: u32,
    /// Its IPv4 addresses, each with the length of its network's prefix in bits.
    pub v4: Vec<(Ipv4Addr, u32)>,
    /// Its IPv6 addresses.
    pub v6: Vec<Ipv6Addr>,
    /// It is switched on (`IFF_UP`).
    pub up: bool,
    /// Its link is there (`IFF_RUNNING`): a cable, or whatever stands for one.
    pub running: bool,
    /// It carries multicast (`IFF_MULTICAST`).
    pub multicast: bool,
    /// It is the machine talking to itself. On Linux it lacks [`multicast`](Self::multicast), and does it for IPv4 all the
    /// same.
    pub loopback: bool,
}

impl Interface {
    /// All of them, in the system's order.
    ///
    /// # Errors
    /// What `getifaddrs` says.
    pub fn all() -> Result<Vec<Self>, DatagramError> {
        let entries = getifaddrs().map_err(|error| DatagramError::System {
            what: "list the network interfaces".into(),
            cause: error.into(),
            advice: "",
        })?;
        let mut all: Vec<Self> = Vec::new();
        // An entry for each address, and on some systems one for the link.
        for entry in entries {
            // An address may have a label of its own, as `eth0:vip`.
            let name = entry.interface_name.split(':').next().unwrap_or_default();
            let at = all.iter().position(|one| one.name == name);
            let at = match at {
                Some(at) => at,
                // Gone since it was listed.
                None => match if_nametoindex(name) {
                    Err(_) => continue,
                    Ok(index) => {
                        all.push(Self::bare(name.into(), index, entry.flags));
                        all.len() - 1
                    }
                },
            };
            let Some(address) = entry.address else {
                continue;
            };
            if let Some(v4) = address.as_sockaddr_in() {
                let mask = entry.netmask.as_ref();
                let mask = mask
                    .and_then(|mask| mask.as_sockaddr_in())
                    .map(SockaddrIn::ip);
                let prefix = mask.map_or(32, |mask| mask.to_bits().leading_ones());
                all[at].v4.push((v4.ip(), prefix));
            } else if let Some(v6) = address.as_sockaddr_in6() {
                all[at].v6.push(v6.ip());
            }
        }
        Ok(all)
    }

    fn bare(name: String, index: u32, flags: InterfaceFlags) -> Self {
        Self {
            name,
            index,
            v4: Vec::new(),
            v6: Vec::new(),
            up: flags.contains(InterfaceFlags::IFF_UP),
            running: flags.contains(InterfaceFlags::IFF_RUNNING),
            multicast: flags.contains(InterfaceFlags::IFF_MULTICAST),
            loopback: flags.contains(InterfaceFlags::IFF_LOOPBACK),
        }
    }

    /// The broadcast addresses of its networks.
    pub fn broadcasts(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        // A network of one or two addresses has none.
        let networks = self.v4.iter().filter(|(_, prefix)| *prefix <= 30);
        networks.map(|(ip, prefix)| Ipv4Addr::from_bits(ip.to_bits() | (u32::MAX >> prefix)))
    }

    /// Whether it can carry datagrams to groups of this family: it says so, or is the loopback and the family IPv4.
    pub fn carries_groups(&self, v4: bool) -> bool {
        self.multicast || (self.loopback && v4)
    }

    /// The one by which a datagram goes that has this source address, if that can be told from it: not when several have it, nor
    /// when a route gives an address of the loopback to what leaves by another.
    pub(super) fn sole_owner(all: &[Self], own: IpAddr) -> Option<&Self> {
        let mut owners = all.iter().filter(|one| one.has(own));
        let owner = owners.next()?;
        let sole = owners.next().is_none() && (!owner.loopback || own.is_loopback());
        sole.then_some(owner)
    }

    fn has(&self, addr: IpAddr) -> bool {
        match addr {
            IpAddr::V4(addr) => self.v4.iter().any(|(own, _)| *own == addr),
            IpAddr::V6(addr) => self.v6.contains(&addr),
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Which interface somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Like `eth0`.
    Name(String),
    /// Like `2`.
    Index(u32),
    /// The one that has this address.
    Addr(IpAddr),
}

impl Wanted {
    /// Looks it up.
    ///
    /// # Errors
    /// [`DatagramError::NoInterface`], which lists those that there are.
    pub fn find(&self) -> Result<Interface, DatagramError> {
        let mut all = Interface::all()?;
        let found = all.iter().position(|one| self.is(one));
        match found {
            Some(at) => Ok(all.swap_remove(at)),
            None => Err(DatagramError::NoInterface {
                wanted: self.clone(),
                here: all.into_iter().map(|one| one.name).collect(),
            }),
        }
    }

    /// Whether it is this one.
    pub(super) fn is(&self, one: &Interface) -> bool {
        match self {
            Self::Name(name) => one.name == *name,
            Self::Index(index) => one.index == *index,
            Self::Addr(addr) => one.has(*addr),
        }
    }

    /// The IPv4 address to use of the interface that was found: the one asked for, or its first.
    pub(super) fn v4_of(&self, found: &Interface) -> Option<Ipv4Addr> {
        match self {
            Self::Addr(IpAddr::V4(addr)) => Some(*addr),
            _ => found.v4.first().map(|(addr, _)| *addr),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Index(index) => index.fmt(f),
            Self::Addr(addr) => addr.fmt(f),
        }
    }
}

impl FromStr for Wanted {
    type Err = ParseIntError;

    /// An address, a number, or else a name.
    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        if let Ok(addr) = text.parse() {
            return Ok(Self::Addr(addr));
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Index);
        }
        Ok(Self::Name(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_found_by_address_name_and_index() {
        let loopback = "127.0.0.1".parse::<Wanted>().expect("an address");
        let loopback = loopback.find().expect("every machine has one");
        assert!(loopback.loopback && loopback.carries_groups(true));
        for other in [loopback.name.clone(), loopback.index.to_string()] {
            let other: Wanted = other.parse().expect("a name or a number");
            assert_eq!(other.find().expect("the same"), loopback);
        }
    }

    #[test]
    fn one_that_is_not_there_is_refused_with_those_that_are() {
        let wanted = "no-such0".parse::<Wanted>().expect("a name");
        let refused = wanted.find().expect_err("none of that name").to_string();
        let loopback = Wanted::Addr(Ipv4Addr::LOCALHOST.into())
            .find()
            .expect("one");
        assert!(
            refused.contains("no-such0") && refused.contains(&loopback.name),
            "{refused}"
        );
    }

    #[test]
    fn a_networks_broadcast_address_is_its_last() {
        let mut interface = Interface::bare("x".into(), 1, InterfaceFlags::empty());
        interface.v4 = vec![
            (Ipv4Addr::new(10, 77, 0, 3), 24),
            (Ipv4Addr::new(10, 1, 2, 3), 16),
            (Ipv4Addr::new(10, 0, 0, 1), 31),
            (Ipv4Addr::new(10, 0, 0, 1), 32),
        ];
        let broadcasts: Vec<String> = interface.broadcasts().map(|ip| ip.to_string()).collect();
        assert_eq!(broadcasts, ["10.77.0.255", "10.1.255.255"]);
    }
}
