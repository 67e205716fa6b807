//! What the blocking models share: a house with a warden, where each thread has its `conversation` with one client.

mod conversation;

use super::Context;
use super::acceptor::{self, Acceptor, Newcomer};
use super::warden::{Place, Seat, Warden};
use crate::net::Listener;
use crate::stats::Refusal;
use std::io;
use std::sync::Arc;
use std::thread::{self, Builder, Scope};

/// Clients, and the warden who looks after them.
#[derive(Clone)]
pub(super) struct House<'a> {
    context: Context<'a>,
    warden: Arc<Warden>,
}

/// Runs `door` with the one acceptor of a server: see [`open`].
pub(super) fn run<'env>(
    listener: Listener,
    context: Context<'env>,
    door: impl for<'scope> FnOnce(
        &'scope Scope<'scope, 'env>,
        &House<'env>,
        Acceptor<'env>,
    ) -> io::Result<()>,
) -> io::Result<()> {
    open(context, |scope, house| {
        let acceptor = Acceptor::alone(listener, context)?;
        door(scope, house, acceptor)
    })
}

/// Runs `door`, which accepts until shutdown, in a scope that no thread outlives. When `door` ends for whatever
/// reason, the clients that are left are drained.
pub(super) fn open<'env>(
    context: Context<'env>,
    door: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>, &House<'env>) -> io::Result<()>,
) -> io::Result<()> {
    run_without_a_door(context, |scope, house| {
        let _closing = house.closing();
        door(scope, house)
    })
}

/// Runs `inside` in a scope that no thread outlives: for clients that somebody else has accepted.
pub(super) fn run_without_a_door<'env>(
    context: Context<'env>,
    inside: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>, &House<'env>) -> io::Result<()>,
) -> io::Result<()> {
    let house = House {
        context,
        warden: Warden::new()?,
    };
    thread::scope(|scope| {
        let warden = Arc::clone(&house.warden);
        Builder::new()
            .name("gh-warden".into())
            .spawn_scoped(scope, move || warden.run(context))?;
        let _left = Left(&house);
        inside(scope, &house)
    })
}

/// Lets the warden go when the house is left, also by a panic: the scope would wait for it for ever.
struct Left<'h, 'a>(&'h House<'a>);

impl Drop for Left<'_, '_> {
    fn drop(&mut self) {
        self.0.warden.close_to_newcomers();
    }
}

/// Drains the house when it is dropped, also by a panic. Who waits for clients to leave, or for the warden, would
/// wait for ever otherwise.
pub(super) struct Closing<'h, 'a>(&'h House<'a>);

impl Drop for Closing<'_, '_> {
    fn drop(&mut self) {
        self.0.context.shutdown.drain();
        self.0.warden.close_to_newcomers();
    }
}

impl<'a> House<'a> {
    /// For a door that ends before the clients do.
    pub(super) fn closing(&self) -> Closing<'_, 'a> {
        Closing(self)
    }

    pub(super) fn seat(&self, newcomer: Newcomer) -> Place {
        self.warden.seat(newcomer, self.context.limits)
    }

    pub(super) fn refuse(&self, seat: &Seat, why: &Refusal) {
        acceptor::refuse(self.context, &seat.stream, seat.addr, why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::house::House;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_panic_at_the_door_ends_the_house_and_does_not_hang_it() {
        let house = House::new();
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), 1).unwrap();
        let left = catch_unwind(AssertUnwindSafe(|| {
            run(listener, house.context(), |_, _, _| {
                std::panic::resume_unwind(Box::new("the door fell off its hinges"))
            })
        }));
        assert!(left.is_err());
        assert!(house.shutdown.is_draining());
    }
}
