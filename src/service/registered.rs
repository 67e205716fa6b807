//! [`Registered`]: any service, with its clients in a registry.

use super::{Flow, Reply, Service, Session};
use crate::client::Client;
use crate::registry::{Clients, Membership, Registry};
use crate::sync::{Lock, LockStats};
use std::sync::Arc;

/// Runs the service `S` and keeps everyone it serves in a [`Registry`], so that joining and leaving pass
/// through the lock `L` whatever the service does.
#[derive(Debug)]
pub struct Registered<L, S> {
    registry: Arc<Registry<L>>,
    service: S,
}

impl<L: Lock<Value = Clients>, S: Service> Registered<L, S> {
    /// `service` with its clients in `registry`.
    pub fn new(registry: Arc<Registry<L>>, service: S) -> Self {
        Self { registry, service }
    }

    /// Who is connected.
    pub fn registry(&self) -> &Arc<Registry<L>> {
        &self.registry
    }
}

impl<L, S> Service for Registered<L, S>
where
    L: Lock<Value = Clients> + 'static,
    S: Service,
{
    fn open(&self, client: Client) -> Box<dyn Session> {
        Box::new(Member {
            _membership: self.registry.join(client.clone()),
            session: self.service.open(client),
        })
    }

    /// What its service says: a registry into which nobody looks can be one per process.
    fn needs_shared_memory(&self) -> bool {
        self.service.needs_shared_memory()
    }

    /// Of its own registry's lock, and of the service's own where that one is not watched.
    fn lock_stats(&self) -> Option<LockStats> {
        let own = self.registry.lock_stats();
        own.or_else(|| self.service.lock_stats())
    }
}

struct Member<L: Lock<Value = Clients>> {
    _membership: Membership<L>,
    session: Box<dyn Session>,
}

impl<L: Lock<Value = Clients>> Session for Member<L> {
    fn receive<'a>(&mut self, bytes: &'a [u8], reply: &mut Reply<'a>) -> Flow {
        self.session.receive(bytes, reply)
    }

    fn end(&mut self, reply: &mut Reply<'_>) {
        self.session.end(reply);
    }
}
