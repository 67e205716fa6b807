//! A service of one's own, under a model chosen on the command line:
//! `cargo run --example shout -- select`

use guardhouse::strategy::{self, ModelKind, ModelOptions};
use guardhouse::{Client, Flow, Reply, Server, Service, Session};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

/// Says everything back in capitals.
struct Shout;

impl Service for Shout {
    fn open(&self, _: Client) -> Box<dyn Session> {
        Box::new(Shout)
    }
}

impl Session for Shout {
    fn receive(&mut self, bytes: &[u8], reply: &mut Reply<'_>) -> Flow {
        reply.append(&bytes.to_ascii_uppercase());
        Flow::Continue
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let wanted = std::env::args().nth(1).unwrap_or("thread".into());
    let kind = ModelKind::ALL
        .into_iter()
        .find(|kind| kind.name() == wanted)
        .ok_or(format!("no model is called {wanted}"))?;

    let server = Server::new(Shout)
        .boxed_model(strategy::model(kind, ModelOptions::default()))
        .start()?;
    println!("{kind} listens on {}", server.local_addr());

    let mut client = TcpStream::connect(server.local_addr())?;
    client.write_all(b"is anybody there?\n")?;
    client.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    print!("{answer}");

    println!("{:?}", server.shutdown()?);
    Ok(())
}
