//! State that all sessions share, behind a lock, in a critical section that is as short as can be.

use guardhouse::model::Pool;
use guardhouse::sync::Lock;
use guardhouse::{Client, Flow, Message, Reply, Server, Service, Session};
use parking_lot::Mutex;
use std::error::Error;
use std::io::Read;
use std::net::TcpStream;
use std::num::NonZeroUsize;

/// Tells everyone which visitor they are, and hangs up on the first thing they say.
struct Greeter {
    visitors: Mutex<u64>,
}

impl Service for Greeter {
    fn open(&self, client: Client) -> Box<dyn Session> {
        // The section ends before anything is sent.
        let number = self.visitors.exclusive(|visitors| {
            *visitors += 1;
            *visitors
        });
        client.send(&Message::from(
            format!("you are visitor {number}\n").as_str(),
        ));
        Box::new(Greeted)
    }
}

struct Greeted;

impl Session for Greeted {
    fn receive(&mut self, _: &[u8], reply: &mut Reply<'_>) -> Flow {
        reply.lend(b"goodbye\n");
        Flow::Close
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let service = Greeter {
        visitors: Mutex::new(0),
    };
    let workers = NonZeroUsize::new(2).ok_or("two are more than none")?;
    let server = Server::new(service).model(Pool::new(workers)).start()?;
    for _ in 0..3 {
        let mut client = TcpStream::connect(server.local_addr())?;
        client.shutdown(std::net::Shutdown::Write)?;
        let mut greeting = String::new();
        client.read_to_string(&mut greeting)?;
        print!("{greeting}");
    }
    server.shutdown()?;
    Ok(())
}
