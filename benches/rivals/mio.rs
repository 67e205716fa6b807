//! One thread in a loop over mio's events. They are edge-triggered: a client is read until nothing is left.

use super::CHUNK;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpListener as StdListener;

const LISTENER: Token = Token(usize::MAX);
const EVENTS: usize = 512;

struct Client {
    stream: TcpStream,
    /// Read, and not sent yet: its socket was full.
    unsent: Vec<u8>,
}

#[derive(PartialEq, Eq)]
enum Stands {
    Here,
    Gone,
}

pub(super) fn serve(listener: StdListener, clients: usize) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(EVENTS);
    let mut buffer = vec![0; CHUNK];
    // A token is a place in here. Nobody takes the place of one who left: they are few.
    let mut places: Vec<Option<Client>> = Vec::with_capacity(clients);
    let mut gone = 0;
    while gone < clients {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome?,
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, poll.registry(), &mut places)?;
                continue;
            }
            let place = &mut places[event.token().0];
            if let Some(client) = place
                && client.turn(event, &mut buffer)? == Stands::Gone
            {
                *place = None;
                gone += 1;
            }
        }
    }
    Ok(())
}

fn accept(
    listener: &TcpListener,
    registry: &Registry,
    places: &mut Vec<Option<Client>>,
) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, Token(places.len()), both)?;
        places.push(Some(Client {
            stream,
            unsent: Vec::new(),
        }));
    }
}

impl Client {
    fn turn(&mut self, event: &Event, buffer: &mut [u8]) -> io::Result<Stands> {
        if event.is_writable() && !self.unsent.is_empty() && !self.send_rest()? {
            return Ok(Stands::Here);
        }
        // What came in meanwhile has had its event.
        while self.unsent.is_empty() {
            let read = match self.stream.read(buffer) {
                Ok(0) => return Ok(Stands::Gone),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            self.unsent.extend_from_slice(&buffer[..read]);
            // With epoll, less than there was room for is all there is, but for an end that came with it. Like tokio, save the
            // call that would say so.
            let drained = read < buffer.len() && !event.is_read_closed();
            if !self.send_rest()? || drained {
                break;
            }
        }
        Ok(Stands::Here)
    }

    /// Says whether everything is sent.
    fn send_rest(&mut self) -> io::Result<bool> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
