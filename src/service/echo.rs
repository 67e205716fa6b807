//! [`Echo`]: every byte back, in order.

use super::{Flow, Service, Session};
use crate::client::Client;

/// Sends every byte back to who sent it (RFC 862).
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Service for Echo {
    fn open(&self, _: Client) -> Box<dyn Session> {
        Box::new(Self)
    }

    fn needs_shared_memory(&self) -> bool {
        false
    }
}

impl Session for Echo {
    fn receive(&mut self, bytes: &[u8], reply: &mut Vec<u8>) -> Flow {
        reply.extend_from_slice(bytes);
        Flow::Continue
    }
}
