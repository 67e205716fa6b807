//! A datagram for each receiver.

use super::{LINE, Outlet, PATIENCE};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// A `sendto` for each.
pub(crate) struct OneByOne {
    sender: UdpSocket,
    receivers: Receivers,
}

impl OneByOne {
    pub(crate) fn open(receivers: usize) -> Self {
        Self {
            sender: socket(),
            receivers: Receivers::open(receivers),
        }
    }
}

impl Outlet for OneByOne {
    fn send(&mut self, lines: u64) -> u64 {
        for _ in 0..lines {
            for to in &self.receivers.addrs {
                let sent = self.sender.send_to(LINE, to).expect("it is this host");
                assert_eq!(sent, LINE.len());
            }
        }
        lines * self.receivers.addrs.len() as u64
    }

    fn drain(&mut self, lines: u64) {
        self.receivers.drain(lines);
    }
}

/// One `sendmmsg` for a line to all of them. The kernel takes 1024 messages at most.
#[cfg(target_os = "linux")]
pub(crate) struct AllAtOnce {
    sender: UdpSocket,
    receivers: Receivers,
    addrs: Vec<rustix::net::SocketAddrAny>,
}

#[cfg(target_os = "linux")]
impl AllAtOnce {
    pub(crate) fn open(receivers: usize) -> Self {
        let receivers = Receivers::open(receivers);
        let addrs = receivers.addrs.iter().map(|addr| (*addr).into());
        Self {
            sender: socket(),
            addrs: addrs.collect(),
            receivers,
        }
    }
}

#[cfg(target_os = "linux")]
impl Outlet for AllAtOnce {
    /// The messages are made once for all lines: who has nothing else to say makes them once for all.
    fn send(&mut self, lines: u64) -> u64 {
        use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};
        use std::io::IoSlice;

        let text = [IoSlice::new(LINE)];
        let mut nothing: Vec<_> = (self.addrs.iter())
            .map(|_| SendAncillaryBuffer::default())
            .collect();
        let mut messages: Vec<_> = (self.addrs.iter().zip(&mut nothing))
            .map(|(addr, nothing)| MMsgHdr::new_with_addr(addr, &text, nothing))
            .collect();
        let mut calls = 0;
        for _ in 0..lines {
            let mut sent = 0;
            while sent < messages.len() {
                sent += sendmmsg(&self.sender, &mut messages[sent..], SendFlags::empty())
                    .expect("it is this host");
                calls += 1;
            }
        }
        assert!(messages.iter().all(|one| one.bytes_sent() == LINE.len()));
        calls
    }

    fn drain(&mut self, lines: u64) {
        self.receivers.drain(lines);
    }
}

struct Receivers {
    sockets: Vec<UdpSocket>,
    addrs: Vec<SocketAddr>,
}

impl Receivers {
    fn open(receivers: usize) -> Self {
        let sockets: Vec<UdpSocket> = (0..receivers).map(|_| socket()).collect();
        let addrs = sockets
            .iter()
            .map(|socket| socket.local_addr().expect("it is bound"));
        Self {
            addrs: addrs.collect(),
            sockets,
        }
    }

    fn drain(&self, lines: u64) {
        let mut heard = [0; 2 * LINE.len()];
        for socket in &self.sockets {
            for _ in 0..lines {
                let length = socket.recv(&mut heard).expect("every line comes");
                assert_eq!(&heard[..length], LINE);
            }
            let more = rustix::net::recv(socket, &mut heard, rustix::net::RecvFlags::DONTWAIT);
            assert_eq!(
                more,
                Err(rustix::io::Errno::AGAIN),
                "more came than was sent"
            );
        }
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket
        .set_read_timeout(Some(PATIENCE))
        .expect("it is no zero");
    socket
}
