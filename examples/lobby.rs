//! A lobby of one's own: two rooms, names, and a word to each room from the server itself.

use guardhouse::registry::RoomName;
use guardhouse::service::Chat;
use guardhouse::{Clients, Message, Registry, Server};
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    // The registry is shared with the service: whoever holds it may look into the rooms, and speak to them.
    let registry = Registry::new(parking_lot::RwLock::new(Clients::new()));
    let server = Server::new(Chat::new(Arc::clone(&registry))).start()?;

    let mut people = Vec::new();
    for (name, room) in [("ann", "red"), ("bob", "blue"), ("cy", "red")] {
        let mut stream = TcpStream::connect(server.local_addr())?;
        write!(stream, "/join {room}\n/name {name}\n")?;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        // Both answers are here: the next one comes into a room where this one is.
        lines.by_ref().take(2).try_for_each(|line| line.map(drop))?;
        people.push((name, stream, lines));
    }
    for (room, present) in registry.rooms() {
        let who = registry.who(&room).sorted();
        let names: Vec<_> = who.iter().map(ToString::to_string).collect();
        println!("{room} ({present}): {}", names.join(" and "));
    }
    let red = RoomName::new("red")?;
    registry.broadcast_in(&red, &Message::from("the red room closes\n"));
    registry.broadcast(&Message::from("goodbye\n"));

    for (name, stream, lines) in &mut people {
        stream.write_all(b"/quit\n")?;
        for line in lines {
            println!("{name} heard: {}", line?);
        }
    }
    server.shutdown()?;
    Ok(())
}
