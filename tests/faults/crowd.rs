//! Many clients at the door of a server that cannot serve them all.

use crate::common::peer::Peer;
use crate::common::wait_until;
use std::net::SocketAddr;

/// What a client meets at the door.
enum Met {
    Served(Peer),
    Refused(String),
}

fn knock(addr: SocketAddr) -> Met {
    let mut peer = Peer::connect(addr);
    peer.try_send("hello\n");
    let line = peer.line();
    if line == "hello" {
        Met::Served(peer)
    } else {
        Met::Refused(line)
    }
}

/// Many clients that came, and those who may come still.
#[derive(Default)]
pub(crate) struct Crowd {
    pub(crate) served: Vec<Peer>,
    pub(crate) refused: Vec<String>,
    left: usize,
}

impl Crowd {
    pub(crate) fn come(&mut self, addr: SocketAddr, count: usize) {
        for _ in 0..count {
            match knock(addr) {
                Met::Served(peer) => self.served.push(peer),
                Met::Refused(line) => self.refused.push(line),
            }
        }
    }

    pub(crate) fn leave(&mut self, count: usize) {
        for peer in self.served.drain(..count) {
            peer.leave();
        }
        self.left += count;
    }

    /// Comes again until one is served: a client that left is gone a moment before what it held is.
    pub(crate) fn come_until_served(&mut self, addr: SocketAddr) {
        let served = self.served.len();
        wait_until("a new client is served", || {
            self.come(addr, 1);
            self.served.len() > served
        });
    }

    pub(crate) fn are_still_served(&mut self) {
        for peer in &mut self.served {
            peer.round_trip("still served");
        }
    }

    pub(crate) fn were_told(&self, sentence: &str) {
        for line in &self.refused {
            assert!(line.starts_with(sentence), "{line}");
        }
    }

    /// The counts that the server logs last: everyone who came, and each refusal once.
    pub(crate) fn counts(&self) -> String {
        let refused = self.refused.len();
        let accepted = self.served.len() + self.left + refused;
        format!("accepted={accepted} refused={refused} ")
    }
}
