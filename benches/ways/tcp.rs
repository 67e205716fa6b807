//! A connection for each receiver.

use super::{LINE, Outlet, PATIENCE};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

pub(crate) struct Connections {
    senders: Vec<TcpStream>,
    receivers: Vec<TcpStream>,
    heard: Vec<u8>,
}

impl Connections {
    pub(crate) fn open(receivers: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let pairs = (0..receivers).map(|_| {
            let receiver = TcpStream::connect(addr).expect("the listener has room");
            receiver
                .set_read_timeout(Some(PATIENCE))
                .expect("it is no zero");
            let (sender, _) = listener.accept().expect("somebody connected");
            sender.set_nodelay(true).expect("it is a TCP socket");
            (sender, receiver)
        });
        let (senders, receivers) = pairs.unzip();
        Self {
            senders,
            receivers,
            heard: Vec::new(),
        }
    }
}

impl Outlet for Connections {
    fn send(&mut self, lines: u64) -> u64 {
        for _ in 0..lines {
            for mut sender in &self.senders {
                let sent = sender.write(LINE).expect("the receiver is there");
                assert_eq!(sent, LINE.len(), "its buffer was full");
            }
        }
        lines * self.senders.len() as u64
    }

    fn drain(&mut self, lines: u64) {
        self.heard.resize(lines as usize * LINE.len(), 0);
        for mut receiver in &self.receivers {
            receiver
                .read_exact(&mut self.heard)
                .expect("every line comes");
            assert!(self.heard.chunks(LINE.len()).all(|heard| heard == LINE));
            let more = recv(receiver, &mut [0; 1], RecvFlags::DONTWAIT);
            assert_eq!(more, Err(Errno::AGAIN), "more came than was sent");
        }
    }
}
