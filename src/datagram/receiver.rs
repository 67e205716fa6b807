//! [`Receiver`]: hears what is sent to one audience.

use super::audience::Audience;
use super::error::{DatagramError, Doing};
use super::interface::{Interface, Wanted};
use super::options;
use crate::poller::timespec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recvfrom};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// How a [`Receiver`] listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiveOptions {
    /// On which interface. None: groups are joined where the routing table leads, and broadcasts heard on all.
    pub interface: Option<Wanted>,
    /// Of a group, hear these senders only (source-specific multicast, RFC 4607). Empty: everybody.
    pub sources: Vec<IpAddr>,
    /// Bytes that may wait to be received, each datagram counted with the kernel's own overhead. The system caps it
    /// (`net.core.rmem_max`, unless the program may administer the network): [`Receiver::buffer`] tells what was granted.
    /// None: the system's default.
    pub buffer: Option<usize>,
}

/// A socket that hears one audience. Several on one host, of whatever programs, each hear every datagram.
///
/// It is bound to the audience's address and not only to its port: what is sent to another group at the same port, or to
/// this host alone, is not for it. It leaves its group when dropped.
#[derive(Debug)]
pub struct Receiver {
    socket: Socket,
    on: Option<Interface>,
    buffer: Box<[u8]>,
}

/// One datagram, as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Who sent it, as the network says.
    pub from: SocketAddr,
    /// All of it.
    pub bytes: &'a [u8],
    /// When it was received; it may have waited in the socket's buffer before.
    pub at: Instant,
}

impl Receiver {
    /// Opens a socket, bound and joined: whatever is sent from now on is heard or counted as [dropped](Self::dropped).
    ///
    /// # Errors
    /// When the options cannot hold together, when the interface is not there, is down or carries no multicast, when another
    /// program has the port and does not share it, and when the system refuses to join. Each says what to do.
    pub fn open(audience: &Audience, options: &ReceiveOptions) -> Result<Self, DatagramError> {
        let on = audience.on(options.interface.as_ref())?;
        check_sources(audience, &options.sources)?;
        let addr = audience.addr();
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))
            .map_err(|error| DatagramError::system(Doing::Other, "open a UDP socket", error))?;
        let set = |what: &str, set: std::io::Result<()>| {
            set.map_err(|error| {
                DatagramError::system(Doing::Other, format!("set {what} to hear {addr}"), error)
            })
        };
        set("the sharing of the port", share_port(&socket))?;
        if let Some(bytes) = options.buffer {
            set(
                "the receive buffer",
                options::set_receive_buffer(&socket, bytes),
            )?;
        }
        if addr.is_ipv6() {
            set("IPv6 alone", socket.set_only_v6(true))?;
        }
        set(
            "no groups of others",
            options::hear_own_groups_only(&socket, addr.is_ipv4()),
        )?;
        if let Some(on) = &on
            && (addr.is_ipv6() || matches!(audience, Audience::Broadcast(_)))
        {
            // Of groups of IPv6, the kernel asks only whether they were joined, and not where.
            set("the interface", options::stay_on(&socket, on))?;
        }
        let place = match (addr, &on) {
            (SocketAddr::V6(mut addr), Some(on)) => {
                addr.set_scope_id(on.index);
                addr.into()
            }
            _ => addr,
        };
        socket.bind(&place.into()).map_err(|error| {
            DatagramError::system(Doing::Bind, format!("bind to {addr}"), error)
        })?;
        if let Audience::Group(group) = audience {
            match &options.sources[..] {
                [] => options::join(&socket, group.ip(), on.as_ref())?,
                sources => {
                    let once: BTreeSet<&IpAddr> = sources.iter().collect();
                    for source in once {
                        options::join_for_source(&socket, group.ip(), *source, on.as_ref())?;
                    }
                }
            }
        }
        Ok(Self {
            socket,
            on,
            buffer: vec![0; LONGEST].into(),
        })
    }

    /// The next datagram; waits for it as long as `patience` says, or for ever. `None`: it did not come in that time.
    ///
    /// # Errors
    /// What the system says. A later call may work again.
    pub fn receive(
        &mut self,
        patience: Option<Duration>,
    ) -> Result<Option<Datagram<'_>>, DatagramError> {
        let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
        loop {
            match recvfrom(&self.socket, &mut *self.buffer, RecvFlags::DONTWAIT) {
                Ok((length, _, from)) => {
                    let from = from.and_then(|from| SocketAddr::try_from(from).ok());
                    // Every datagram of these families comes from somewhere.
                    let Some(from) = from else { continue };
                    return Ok(Some(Datagram {
                        from,
                        bytes: &self.buffer[..length],
                        at: Instant::now(),
                    }));
                }
                Err(Errno::AGAIN) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(DatagramError::system(Doing::Other, "receive", error)),
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
            match poll(&mut fds, timespec(left).as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    return Err(DatagramError::system(
                        Doing::Other,
                        "wait for a datagram",
                        error,
                    ));
                }
            }
        }
    }

    /// Datagrams that came and found the buffer full, since the socket was opened. They are lost. `None` where the system
    /// does not tell (it is told on Linux).
    pub fn dropped(&self) -> Option<u32> {
        options::dropped(&self.socket)
    }

    /// The bytes that may wait, as the system granted them: on Linux twice what was asked for, since it counts its overhead.
    ///
    /// # Errors
    /// What `getsockopt` says; not expected.
    pub fn buffer(&self) -> Result<usize, DatagramError> {
        let size = self.socket.recv_buffer_size();
        size.map_err(|error| {
            DatagramError::system(Doing::Other, "ask for the receive buffer", error)
        })
    }

    /// On which interface, if one was named.
    pub fn interface(&self) -> Option<&Interface> {
        self.on.as_ref()
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// No datagram is longer.
const LONGEST: usize = 65535;

/// Refuses sources that the audience cannot have, and a group of a source without one.
pub(super) fn check_sources(audience: &Audience, sources: &[IpAddr]) -> Result<(), DatagramError> {
    let refused = |given: IpAddr, why| {
        Err(DatagramError::Source {
            given,
            audience: audience.to_string(),
            why,
        })
    };
    let group = match (audience, sources) {
        (Audience::Broadcast(_), [first, ..]) => {
            return refused(*first, "only a group is joined for a source");
        }
        (Audience::Broadcast(_), []) => return Ok(()),
        (Audience::Group(group), _) => group,
    };
    if sources.is_empty() && group.is_source_specific() {
        return Err(DatagramError::WhichSource { group: group.ip() });
    }
    for source in sources {
        if source.is_ipv4() != group.ip().is_ipv4() {
            return refused(*source, "it is of the other family of addresses");
        }
        if source.is_multicast() || source.is_unspecified() {
            return refused(*source, "a source is the address of one host");
        }
    }
    Ok(())
}

/// Several receivers on one host. On Linux `SO_REUSEADDR` does it; `SO_REUSEPORT` makes the sockets one group of the kernel's, which
/// was seen to hand a datagram to the one that had joined on another link. Elsewhere it takes `SO_REUSEPORT`.
fn share_port(socket: &Socket) -> std::io::Result<()> {
    socket.set_reuse_address(true)?;
    #[cfg(not(target_os = "linux"))]
    socket.set_reuse_port(true)?;
    Ok(())
}
