//! [`Listener`]: a bound, listening, non-blocking TCP socket.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A TCP socket that listens. Never blocks: wait on it with a poller, then [`accept`](Self::accept).
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Connections that the kernel holds ready before they are accepted. With the 128 of `std`, a crowd of
    /// 10,000 that connects at once waits for retransmitted SYNs.
    pub const DEFAULT_BACKLOG: i32 = 4096;

    /// Binds `addr` (port 0: any free one) and listens. The address may be taken again at once after a
    /// server ended, and the kernel caps `backlog` at its own limit (`net.core.somaxconn`).
    ///
    /// # Errors
    /// What `socket`, `bind` or `listen` say: address in use, not of this machine, port not allowed.
    pub fn bind(addr: SocketAddr, backlog: i32) -> io::Result<Self> {
        Self::open(addr, backlog, false)
    }

    /// Binds `addr` so many times (`SO_REUSEPORT`): the kernel deals out those who connect, by a hash of their
    /// address. Port 0 is a free one, and the same for all.
    ///
    /// # Errors
    /// As [`bind`](Self::bind). Another server that has the address, bound in this same way by the same user, is
    /// no error: the kernel then deals between both.
    pub fn bind_several(addr: SocketAddr, backlog: i32, count: usize) -> io::Result<Vec<Self>> {
        let first = Self::open(addr, backlog, true)?;
        let addr = first.local_addr()?;
        let mut all = vec![first];
        for _ in 1..count {
            all.push(Self::open(addr, backlog, true)?);
        }
        Ok(all)
    }

    fn open(addr: SocketAddr, backlog: i32, shares_port: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if shares_port {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&addr.into())?;
        socket.listen(backlog)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket.into()))
    }

    /// The address it is bound to, with the real port.
    ///
    /// # Errors
    /// What `getsockname` says; not expected on an open socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Whether accepting waits for a connection, or never blocks, as it is at first.
    pub(crate) fn set_blocking(&self, blocking: bool) -> io::Result<()> {
        self.0.set_nonblocking(!blocking)
    }

    /// The next connection that is ready.
    ///
    /// # Errors
    /// `WouldBlock` when there is none; otherwise what `accept(2)` says about this one connection or about
    /// the process.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accepted = self.0.accept()?;
        #[cfg(not(target_os = "linux"))]
        make_ours(&accepted.0);
        Ok(accepted)
    }

    /// Listens no more, whoever else has the socket: those who wait in the backlog are reset, and their
    /// [`accept`](Self::accept) fails. (On Linux. Elsewhere it is closed with the last who has it.)
    pub(crate) fn stop(&self) {
        if let Err(error) = rustix::net::shutdown(&self.0, rustix::net::Shutdown::Both) {
            tracing::debug!(%error, "a listener goes on until it is closed");
        }
    }
}

/// One that another process has made, and handed over.
impl From<OwnedFd> for Listener {
    fn from(socket: OwnedFd) -> Self {
        Self(socket.into())
    }
}

/// Linux makes connections blocking whatever the listener is, and takes the wish for no SIGPIPE with each call.
#[cfg(not(target_os = "linux"))]
fn make_ours(stream: &TcpStream) {
    // These fail for a connection that is broken, which its first use will tell.
    let _ = stream.set_nonblocking(false);
    #[cfg(target_vendor = "apple")]
    let _ = rustix::net::sockopt::set_socket_nosigpipe(stream, true);
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
