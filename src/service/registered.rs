//! [`Registered`]: any service, with its clients in a registry.

use super::{Service, Session};
use crate::client::Client;
use crate::registry::{Clients, Registry};
use crate::sync::{Lock, LockStats};
use std::sync::Arc;

/// Runs the service `S` and keeps everyone it serves in a [`Registry`], so that joining and leaving pass
/// through the lock `L` whatever the service does. A client is a member from [`join`](Service::join) on, until what that
/// gave is dropped.
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
        self.service.open(client)
    }

    fn join(&self, client: &Client) -> Option<Box<dyn Send>> {
        let membership = self.registry.join(client.clone());
        let own = self.service.join(client);
        Some(Box::new((membership, own)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Echo;
    use parking_lot::Mutex;

    #[test]
    fn however_it_is_wrapped_a_client_is_a_member_from_joining_until_what_that_gave_is_dropped() {
        let registries = [(); 2].map(|()| Registry::new(Mutex::new(Clients::new())));
        let [inner, outer] = registries.clone();
        let service = Registered::new(outer, Registered::new(inner, Echo));
        let service: Box<dyn Service> = Box::new(Arc::new(service));
        let members = || registries.each_ref().map(|registry| registry.len());
        assert_eq!(members(), [0, 0]);
        let membership = service.join(&Client::unheard());
        assert_eq!(members(), [1, 1]);
        drop(service.open(Client::unheard()));
        assert_eq!(members(), [1, 1]);
        drop(membership);
        assert_eq!(members(), [0, 0]);
    }
}
