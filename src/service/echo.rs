//! [`Echo`]: every byte back, in order.

use super::{Flow, Reply, Service, Session};
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
    fn receive<'a>(&mut self, bytes: &'a [u8], reply: &mut Reply<'a>) -> Flow {
        reply.lend(bytes);
        Flow::Continue
    }
}
