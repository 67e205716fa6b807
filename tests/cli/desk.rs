//! [`Desk`]: a server that a test plays itself, line by line.

use crate::common::PATIENCE;
use crate::common::peer::Peer;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;

/// An address that nobody else gets, and that refuses clients until it is opened.
pub(crate) struct Desk {
    socket: Socket,
    pub(crate) addr: String,
}

impl Desk {
    /// Somebody listens.
    pub(crate) fn open() -> Self {
        let desk = Self::closed();
        desk.listen();
        desk
    }

    pub(crate) fn closed() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// One that is open, and one at the same address, to be opened when the first is gone. Between the two nobody
    /// else gets the address.
    pub(crate) fn twice() -> (Self, Self) {
        let first = Self::closed();
        let second = Self::at(first.addr.parse().unwrap());
        first.listen();
        (first, second)
    }

    fn at(addr: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&addr.into()).unwrap();
        let addr = socket.local_addr().unwrap().as_socket().unwrap();
        Self {
            socket,
            addr: addr.to_string(),
        }
    }

    pub(crate) fn listen(&self) {
        self.socket.listen(16).unwrap();
    }

    /// The next client.
    pub(crate) fn client(&self) -> Peer {
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        let time = Timespec::try_from(PATIENCE).unwrap();
        let ready = poll(&mut fds, Some(&time)).unwrap();
        assert_eq!(ready, 1, "no client came");
        Peer::of(self.socket.accept().unwrap().0.into())
    }
}
