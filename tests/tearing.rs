//! Why a chat needs a codec: a server that relays whatever one `recv` returned, as the tutorial's does, tears the
//! lines of two talkers into each other. Under the very same script, [`Chat`] keeps them whole.

mod common;

use common::peer::Peer;
use guardhouse::model::{Model, Pool, Select, Thread};
use guardhouse::registry::Membership;
use guardhouse::service::Chat;
use guardhouse::sync::Lock;
use guardhouse::{Client, Clients, Flow, Message, Registry, Reply, Server, Service, Session};
use parking_lot::Mutex;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Relays what one receive returned to everybody.
struct Relay<L>(Arc<Registry<L>>);

struct RelaySession<L: Lock<Value = Clients>>(Membership<L>);

impl<L: Lock<Value = Clients> + 'static> Service for Relay<L> {
    fn open(&self, client: Client) -> Box<dyn Session> {
        Box::new(RelaySession(self.0.join(client)))
    }
}

impl<L: Lock<Value = Clients>> Session for RelaySession<L> {
    fn receive(&mut self, bytes: &[u8], _: &mut Reply<'_>) -> Flow {
        self.0.registry().broadcast(&Message::from(bytes));
        Flow::Continue
    }
}

fn models() -> Vec<Box<dyn Model>> {
    vec![
        Box::new(Thread::new()),
        Box::new(Pool::new(NonZeroUsize::new(3).unwrap())),
        Box::new(Select),
    ]
}

fn registry() -> Arc<Registry<Mutex<Clients>>> {
    Registry::new(Mutex::new(Clients::new()))
}

/// Ann says half a line, Carl says a line, Ann says her other half. Returns what Bob, who listens, has heard when
/// both lines are out. `halves_are_heard`: half a line reaches Bob, who tells us that the server has read it.
fn what_bob_hears(
    service: impl Service + 'static,
    model: Box<dyn Model>,
    halves_are_heard: bool,
) -> String {
    let server = Server::new(service).boxed_model(model).start().unwrap();
    let addr = server.local_addr();
    let mut bob = Peer::greeted(addr, "bob is here");
    let mut ann = Peer::greeted(addr, "ann is here");
    assert_eq!(bob.line(), "ann is here");
    let mut carl = Peer::greeted(addr, "carl is here");
    assert_eq!(bob.line(), "carl is here");

    let (half, line, other_half) = ("[ann] I owe ", "[carl] you 100\n", "nobody\n");
    let mut heard = Vec::new();
    ann.send(half);
    if halves_are_heard {
        heard.extend(bob.exactly(half.len()));
    }
    carl.send(line);
    heard.extend(bob.exactly(line.len()));
    ann.send(other_half);
    let all = half.len() + line.len() + other_half.len();
    heard.extend(bob.exactly(all - heard.len()));
    server.shutdown().unwrap();
    String::from_utf8(heard).unwrap()
}

#[test]
fn relaying_what_one_recv_returned_tears_lines_into_each_other() {
    for model in models() {
        let name = model.name();
        let heard = what_bob_hears(Relay(registry()), model, true);
        assert_eq!(heard, "[ann] I owe [carl] you 100\nnobody\n", "{name}");
    }
}

#[test]
fn chat_keeps_the_same_lines_whole() {
    for model in models() {
        let name = model.name();
        let heard = what_bob_hears(Chat::new(registry()), model, false);
        assert_eq!(heard, "[carl] you 100\n[ann] I owe nobody\n", "{name}");
    }
}
