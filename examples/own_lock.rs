//! A sync strategy of one's own: three functions, and it guards the registry of a chat.

use guardhouse::service::Chat;
use guardhouse::sync::Lock;
use guardhouse::{Clients, Registry, Server};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

/// A mutex that counts how often it was entered to look, and how often to change something.
struct Counting<T> {
    lock: parking_lot::Mutex<T>,
}

static LOOKS: AtomicU64 = AtomicU64::new(0);
static CHANGES: AtomicU64 = AtomicU64::new(0);

impl<T: Send> Lock for Counting<T> {
    type Value = T;
    const NAME: &'static str = "counting";

    fn new(value: T) -> Self {
        Self {
            lock: parking_lot::Mutex::new(value),
        }
    }

    fn shared<R: Send>(&self, section: impl FnOnce(&T) -> R + Send) -> R {
        LOOKS.fetch_add(1, Ordering::Relaxed);
        section(&self.lock.lock())
    }

    fn exclusive<R: Send>(&self, section: impl FnOnce(&mut T) -> R + Send) -> R {
        CHANGES.fetch_add(1, Ordering::Relaxed);
        section(&mut self.lock.lock())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let registry = Registry::new(Counting::new(Clients::new()));
    let server = Server::new(Chat::new(registry)).start()?;

    let mut client = TcpStream::connect(server.local_addr())?;
    client.write_all(b"hello, me\n")?;
    client.shutdown(Shutdown::Write)?;
    let mut room = String::new();
    client.read_to_string(&mut room)?;
    print!("{room}");

    server.shutdown()?;
    println!("{LOOKS:?} look to broadcast, {CHANGES:?} changes to join and leave");
    Ok(())
}
