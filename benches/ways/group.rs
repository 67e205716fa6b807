//! One datagram for all receivers.

use super::{LINE, Outlet, PATIENCE};
use guardhouse::datagram::{self, Audience, ReceiveOptions, Receiver, SendOptions, Sender, Wanted};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

pub(crate) struct Group {
    sender: Sender,
    receivers: Vec<Receiver>,
}

impl Group {
    pub(crate) fn open(receivers: usize) -> Self {
        // Nothing leaves this host: both ends are on the loopback interface.
        let interface = Some(Wanted::Addr(Ipv4Addr::LOCALHOST.into()));
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = free.local_addr().expect("it is bound").port();
        let group = datagram::Group::new((Ipv4Addr::new(224, 1, 1, 2), port).into());
        let audience = Audience::Group(group.expect("it is a group's address"));
        let to_receive = ReceiveOptions {
            interface: interface.clone(),
            ..ReceiveOptions::default()
        };
        let to_send = SendOptions {
            interface,
            ..SendOptions::default()
        };
        let open = |_| Receiver::open(&audience, &to_receive).expect("the loopback can be joined");
        Self {
            receivers: (0..receivers).map(open).collect(),
            sender: Sender::open(&audience, &to_send).expect("the loopback can be sent by"),
        }
    }
}

impl Outlet for Group {
    fn send(&mut self, lines: u64) -> u64 {
        for _ in 0..lines {
            self.sender.send(LINE).expect("it is this host");
        }
        lines
    }

    fn drain(&mut self, lines: u64) {
        for receiver in &mut self.receivers {
            for _ in 0..lines {
                let heard = receiver.receive(Some(PATIENCE)).expect("it is joined");
                assert_eq!(heard.expect("every line comes").bytes, LINE);
            }
            let more = receiver
                .receive(Some(Duration::ZERO))
                .expect("it is joined");
            assert_eq!(more, None, "more came than was sent");
        }
    }
}
