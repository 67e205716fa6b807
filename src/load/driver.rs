//! [`Load`]: the connections, and the one thread that goes from one that is ready to the next.

use super::chat::Chat;
use super::echo::Echo;
use super::line::Kind;
use super::measured::{Arrival, Tally};
use super::{LoadError, Measured, Shape, Stop, Traffic};
use crate::net::socket::{self, Wait};
use crate::poller::{Epoll, Interest, Poller, Token};
use std::io::{ErrorKind, IoSlice};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Read from a socket at one call.
const INPUT: usize = 64 * 1024;

/// How often an interruption and the patience are looked at while nothing arrives.
const LOOK_UP: Duration = Duration::from_millis(50);

/// Connected clients, ready for any number of runs. For one thread.
pub struct Load {
    shape: Shape,
    interrupt: Arc<AtomicBool>,
    poller: Epoll,
    input: Box<[u8]>,
    peers: Vec<Peer>,
    script: Script,
    /// Messages said that have not arrived everywhere.
    outstanding: u64,
}

/// One client's connection.
struct Peer {
    stream: TcpStream,
    message: Vec<u8>,
    /// Bytes of the message that the kernel took.
    sent: usize,
    /// When the message was said; `None` once it is back.
    said: Option<Instant>,
    interest: Interest,
}

/// What is said, and what must come back.
enum Script {
    Echo(Echo),
    Chat(Chat),
}

/// How much more may be said.
enum Budget {
    Until(Instant),
    Messages(u64),
}

impl Budget {
    fn spend(&mut self, now: Instant) -> bool {
        match self {
            Self::Until(deadline) => now < *deadline,
            Self::Messages(left) => {
                let some = *left > 0;
                *left = left.saturating_sub(1);
                some
            }
        }
    }
}

impl Load {
    /// Connects all clients. When this returns, each of them has got an answer and is being served.
    ///
    /// # Errors
    /// [`LoadError`] when the shape cannot hold, or a client cannot connect, is refused, or is not answered
    /// within the patience.
    pub fn connect(addr: SocketAddr, shape: Shape) -> Result<Self, LoadError> {
        Self::connect_unless(addr, shape, Arc::default())
    }

    /// [`connect`](Self::connect), and as soon as `interrupt` is set (by a signal handler, say), connecting
    /// or running ends with [`LoadError::Interrupted`].
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_unless(
        addr: SocketAddr,
        shape: Shape,
        interrupt: Arc<AtomicBool>,
    ) -> Result<Self, LoadError> {
        shape.check()?;
        let mut load = Self {
            shape,
            interrupt,
            poller: Epoll::new()?,
            input: vec![0; INPUT].into_boxed_slice(),
            peers: Vec::with_capacity(shape.clients),
            script: match shape.traffic {
                Traffic::Echo => Script::Echo(Echo::new(shape.message)),
                Traffic::Chat { talkers } => Script::Chat(Chat::new(shape.message, talkers)),
            },
            outstanding: 0,
        };
        for _ in 0..shape.clients {
            load.join(addr)?;
        }
        Ok(load)
    }

    /// Sends and receives until `stop`, and until everything that was sent has arrived.
    ///
    /// # Errors
    /// [`LoadError`] when the server stalls or ends a connection.
    pub fn run(&mut self, stop: Stop) -> Result<Measured, LoadError> {
        let mut tally = Tally::new();
        let talkers = match &mut self.script {
            Script::Echo(_) => self.peers.len(),
            Script::Chat(chat) => {
                chat.begin();
                chat.talkers()
            }
        };
        let began = Instant::now();
        let mut budget = match stop {
            Stop::After(time) => Budget::Until(began + time),
            Stop::Messages(messages) => Budget::Messages(messages),
        };
        for client in 0..talkers {
            let now = Instant::now();
            if !budget.spend(now) {
                break;
            }
            self.say(client, Kind::Counted, now)?;
        }
        let mut heard = began;
        while self.outstanding > 0 {
            if self.turn(&mut tally, &mut budget)? {
                heard = Instant::now();
            } else if heard.elapsed() >= self.shape.patience {
                return Err(LoadError::Stalled {
                    patience: self.shape.patience,
                    outstanding: self.outstanding,
                    lost: tally.lost,
                    torn: tally.torn,
                });
            }
        }
        Ok(tally.measured(began.elapsed()))
    }

    /// Connects one more client, and waits until it gets an answer: only then is it sure to be served,
    /// and to hear everything that is said from then on.
    fn join(&mut self, addr: SocketAddr) -> Result<(), LoadError> {
        let client = self.peers.len();
        let stream = TcpStream::connect_timeout(&addr, self.shape.patience).map_err(|source| {
            LoadError::Connect {
                client: client + 1,
                addr,
                source,
            }
        })?;
        stream.set_nodelay(true)?;
        self.poller
            .add(stream.as_fd(), Token(client), Interest::READ)?;
        self.peers.push(Peer {
            stream,
            message: Vec::new(),
            sent: 0,
            said: None,
            interest: Interest::READ,
        });
        match &mut self.script {
            Script::Echo(echo) => echo.join(),
            Script::Chat(chat) => chat.join(),
        }
        let now = Instant::now();
        self.say(client, Kind::Hello, now)?;
        let mut nothing_more = Budget::Messages(0);
        while self.peers[client].said.is_some() {
            self.turn(&mut Tally::new(), &mut nothing_more)?;
            if now.elapsed() >= self.shape.patience {
                return Err(LoadError::Unanswered {
                    client: client + 1,
                    clients: self.shape.clients,
                    patience: self.shape.patience,
                });
            }
        }
        Ok(())
    }

    fn say(&mut self, client: usize, kind: Kind, now: Instant) -> Result<(), LoadError> {
        let peer = &mut self.peers[client];
        self.outstanding += match &mut self.script {
            Script::Echo(echo) => echo.say(client, kind, &mut peer.message),
            Script::Chat(chat) => chat.say(client, kind, &mut peer.message),
        };
        peer.sent = 0;
        peer.said = Some(now);
        self.send(client)
    }

    /// Sends what the socket takes of the client's message, and watches for room as long as there is a rest.
    fn send(&mut self, client: usize) -> Result<(), LoadError> {
        let peer = &mut self.peers[client];
        while peer.sent < peer.message.len() {
            let rest = IoSlice::new(&peer.message[peer.sent..]);
            match socket::send(peer.stream.as_fd(), &[rest], Wait::Never) {
                Ok(sent) => peer.sent += sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The connection is broken. What there is to read may still say why.
                Err(_) => peer.sent = peer.message.len(),
            }
        }
        let interest = Interest {
            read: true,
            write: peer.sent < peer.message.len(),
        };
        if interest != peer.interest {
            self.poller
                .modify(peer.stream.as_fd(), Token(client), interest)?;
            peer.interest = interest;
        }
        Ok(())
    }

    /// Waits for the clients that are ready, a moment at most, and serves them. Says whether anything
    /// arrived.
    fn turn(&mut self, tally: &mut Tally, budget: &mut Budget) -> Result<bool, LoadError> {
        let mut cursor = self.poller.wait(Some(LOOK_UP))?;
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(LoadError::Interrupted);
        }
        let mut progress = false;
        while let Some(event) = self.poller.next(&mut cursor) {
            let Token(client) = event.token;
            if event.is_writable() {
                self.send(client)?;
            }
            if !event.is_readable() {
                continue;
            }
            let Some(arrival) = self.receive(client)? else {
                continue;
            };
            // Rubbish without end is no progress.
            progress |= arrival.delivered > 0 || arrival.torn == 0;
            tally.count(arrival);
            self.outstanding = self
                .outstanding
                .saturating_sub(arrival.delivered + arrival.lost);
            if arrival.came_back
                && let Some(said) = self.peers[client].said.take()
            {
                let now = Instant::now();
                tally.came_back_after(now - said);
                if budget.spend(now) {
                    self.say(client, Kind::Counted, now)?;
                }
            }
        }
        Ok(progress)
    }

    fn receive(&mut self, client: usize) -> Result<Option<Arrival>, LoadError> {
        let peer = &self.peers[client];
        let received = match socket::receive(peer.stream.as_fd(), &mut self.input, Wait::Never) {
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(LoadError::Io(error)),
        };
        let bytes = &self.input[..received];
        if bytes.is_empty() {
            return Err(LoadError::Closed { client: client + 1 });
        }
        if let Some(sentence) = bytes.strip_prefix(b"error: ") {
            return Err(LoadError::refused(client + 1, sentence));
        }
        Ok(Some(match &mut self.script {
            Script::Echo(echo) => echo.arrived(client, &peer.message, bytes),
            Script::Chat(chat) => chat.arrived(client, bytes),
        }))
    }
}
