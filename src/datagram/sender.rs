//! [`Sender`]: one datagram, for everybody who listens.

use super::audience::Audience;
use super::error::{DatagramError, Doing};
use super::interface::{Interface, Wanted};
use super::options;
use rustix::io::Errno;
use rustix::net::{SendFlags, sendto};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd};

/// How a [`Sender`] sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendOptions {
    /// By which interface. None: where the routing table leads, which for groups often is the default route.
    pub interface: Option<Wanted>,
    /// How many routers a datagram may pass, and one more: with 1 it stays on the network, with 0 on this host. (IPv6: the
    /// hop limit.)
    pub ttl: u8,
    /// Whether receivers on this host hear what is sent to a group. Broadcasts are always heard here, too.
    pub loops: bool,
    /// The longest datagram, in bytes of UDP's payload; a header counts.
    pub max_datagram: usize,
}

impl Default for SendOptions {
    /// The system's interface, TTL 1, heard on this host, 1400 bytes.
    fn default() -> Self {
        Self {
            interface: None,
            ttl: 1,
            loops: true,
            max_datagram: Sender::SAFE,
        }
    }
}

/// A socket that sends to one audience. From any thread: a send is one system call, and datagrams of several threads
/// do not mix.
#[derive(Debug)]
pub struct Sender {
    socket: Socket,
    audience: Audience,
    to: SocketAddr,
    by: Option<Interface>,
    max_datagram: usize,
}

impl Sender {
    /// Bytes that fit one packet on an Ethernet, and leave room for a tunnel's headers.
    pub const SAFE: usize = 1400;

    /// Opens a socket that sends to `audience`, and nothing is sent yet.
    ///
    /// # Errors
    /// When the options cannot hold together, when the interface is not there, is down or carries no multicast, and when the
    /// system refuses an option. Each says what to do.
    pub fn open(audience: &Audience, options: &SendOptions) -> Result<Self, DatagramError> {
        let by = audience.on(options.interface.as_ref())?;
        check(audience, options)?;
        let addr = audience.addr();
        let domain = Domain::for_address(addr);
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))
            .map_err(|error| DatagramError::system(Doing::Other, "open a UDP socket", error))?;
        let set = |what: &str, set: io::Result<()>| {
            set.map_err(|error| {
                DatagramError::system(Doing::Other, format!("set {what} to send to {addr}"), error)
            })
        };
        set(
            "no fragments",
            options::never_fragment(&socket, addr.is_ipv4()),
        )?;
        let ttl = u32::from(options.ttl);
        // As what is asked for by address; else as the first address of the interface.
        let own = || -> Result<Option<Ipv4Addr>, DatagramError> {
            let (Some(wanted), Some(by)) = (&options.interface, &by) else {
                return Ok(None);
            };
            let own = wanted.v4_of(by).ok_or_else(|| DatagramError::NoAddress {
                name: by.name.clone(),
                family: "IPv4",
                audience: addr.to_string(),
            })?;
            Ok(Some(own))
        };
        match audience {
            Audience::Group(_) if addr.is_ipv4() => {
                set("the TTL", socket.set_multicast_ttl_v4(ttl))?;
                set("the loop", socket.set_multicast_loop_v4(options.loops))?;
                if let (Some(by), Some(own)) = (&by, own()?) {
                    set("the interface", options::send_groups_by(&socket, by, own))?;
                }
            }
            Audience::Group(_) => {
                set("the hop limit", socket.set_multicast_hops_v6(ttl))?;
                set("the loop", socket.set_multicast_loop_v6(options.loops))?;
                if let Some(by) = &by {
                    set("the interface", socket.set_multicast_if_v6(by.index))?;
                    if let Some(Wanted::Addr(IpAddr::V6(own))) = &options.interface {
                        let from = SocketAddrV6::new(*own, 0, 0, by.index);
                        set("the address", socket.bind(&SocketAddr::V6(from).into()))?;
                    }
                }
            }
            Audience::Broadcast(_) => {
                set("SO_BROADCAST", socket.set_broadcast(true))?;
                set("the TTL", socket.set_ttl_v4(ttl))?;
                if let (Some(by), Some(own)) = (&by, own()?) {
                    // The address alone would not do: a network's broadcast address has a route of its own.
                    set("the interface", options::stay_on(&socket, by))?;
                    let from = SocketAddr::from((own, 0));
                    set("the address", socket.bind(&from.into()))?;
                }
            }
        }
        Ok(Self {
            socket,
            audience: *audience,
            to: addr,
            by,
            max_datagram: options.max_datagram,
        })
    }

    /// Sends one datagram. It waits while as many bytes as this socket's send buffer holds are still to leave the interface.
    ///
    /// That it was sent says nothing about anybody having heard it.
    ///
    /// # Errors
    /// [`DatagramError::TooLong`] when it is longer than the limit: nothing was sent. Else what the system says; a later send
    /// may work again.
    pub fn send(&self, datagram: &[u8]) -> Result<(), DatagramError> {
        self.send_with(datagram, SendFlags::empty())
    }

    /// [`send`](Self::send), unless it would have to wait: then nothing is sent, and `false` comes back. Wait for the socket
    /// to be writable, and try again.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn try_send(&self, datagram: &[u8]) -> Result<bool, DatagramError> {
        match self.send_with(datagram, SendFlags::DONTWAIT) {
            Ok(()) => Ok(true),
            Err(DatagramError::System { cause, .. })
                if cause.kind() == io::ErrorKind::WouldBlock =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn send_with(&self, datagram: &[u8], flags: SendFlags) -> Result<(), DatagramError> {
        if datagram.len() > self.max_datagram {
            return Err(DatagramError::TooLong {
                length: datagram.len(),
                limit: self.max_datagram,
            });
        }
        loop {
            match sendto(&self.socket, datagram, flags, &self.to) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => {
                    let what = format!("send {} bytes to {}", datagram.len(), self.audience);
                    let doing = Doing::Send {
                        broadcast: matches!(self.audience, Audience::Broadcast(_)),
                        named: self.by.is_some(),
                        v4: self.to.is_ipv4(),
                    };
                    return Err(DatagramError::system(doing, what, error));
                }
            }
        }
    }

    /// Whom it sends to.
    pub fn audience(&self) -> Audience {
        self.audience
    }

    /// By which interface, if one was named.
    pub fn interface(&self) -> Option<&Interface> {
        self.by.as_ref()
    }

    /// The longest datagram it sends, in bytes.
    pub fn max_datagram(&self) -> usize {
        self.max_datagram
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn check(audience: &Audience, options: &SendOptions) -> Result<(), DatagramError> {
    match audience {
        Audience::Group(_) if options.ttl == 0 && !options.loops => {
            return Err(DatagramError::NobodyHears);
        }
        Audience::Broadcast(_) if options.ttl == 0 => {
            return Err(DatagramError::BroadcastWithoutTtl);
        }
        Audience::Broadcast(_) if !options.loops => return Err(DatagramError::BroadcastLoops),
        _ => {}
    }
    let most = most_bytes(audience);
    if !(1..=most).contains(&options.max_datagram) {
        return Err(DatagramError::Limit {
            limit: options.max_datagram,
            most,
        });
    }
    Ok(())
}

/// What the length fields of IP and UDP leave for the payload.
fn most_bytes(audience: &Audience) -> usize {
    const UDP: usize = 8;
    match audience.addr() {
        SocketAddr::V4(_) => 65535 - 20 - UDP,
        SocketAddr::V6(_) => 65535 - UDP,
    }
}
