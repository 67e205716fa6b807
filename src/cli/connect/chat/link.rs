//! [`Link`]: the connection, and the way back to the server when it is gone.
//!
//! ```text
//!          +-------- lost --------> waiting <---- lost ----+
//!          |                           |                   |
//!         up                      the clock                |
//!          ^                           v                   |
//!          +------- connected ------ opening --------------+
//! ```
//!
//! Nothing here blocks but the look-up of a name: whoever types goes on typing.

use super::backoff::{Attempt, Backoff, LONGEST};
use crate::cli::args::Attempts;
use anyhow::{Context, anyhow, bail};
use rustix::event::PollFlags;
use rustix::io::Errno;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// For a server to answer an attempt.
const PATIENCE: Duration = Duration::from_secs(5);

/// After so long without a word, the kernel asks whether the server is still there.
const SILENCE: Duration = Duration::from_secs(30);

pub(super) struct Link {
    addr: String,
    /// If we are to come back at all.
    backoff: Option<Backoff>,
    state: State,
    was_up: bool,
}

enum State {
    Up {
        stream: TcpStream,
        since: Instant,
    },
    Opening {
        stream: TcpStream,
        /// To be tried if this one fails.
        others: Vec<SocketAddr>,
        until: Instant,
    },
    Waiting {
        until: Instant,
    },
}

/// What has become of the link.
pub(super) enum Progress {
    Nothing,
    /// There may be something to receive.
    Readable,
    /// We are back.
    Connected,
    /// The attempt failed.
    Failed(anyhow::Error),
}

impl Link {
    /// Connects. If that fails and there are to be more attempts, it is no error but something to tell.
    pub(super) fn open(
        addr: String,
        attempts: Option<Attempts>,
    ) -> anyhow::Result<(Self, Option<String>)> {
        let opened = super::super::open(&addr);
        let mut link = Self {
            addr,
            backoff: attempts.map(|Attempts(limit)| Backoff::new(limit)),
            state: State::Waiting {
                until: Instant::now(),
            },
            was_up: false,
        };
        match opened {
            Ok(stream) => {
                stream.set_nonblocking(true)?;
                link.state = link.up(stream);
                Ok((link, None))
            }
            Err(why) if is_no_address(&why) => Err(why),
            Err(why) => {
                let told = link.lost(why)?;
                Ok((link, Some(told)))
            }
        }
    }

    /// The stream, while there is one that works.
    pub(super) fn stream(&self) -> Option<&TcpStream> {
        match &self.state {
            State::Up { stream, .. } => Some(stream),
            _ => None,
        }
    }

    /// Whether there has ever been a connection.
    pub(super) fn was_up(&self) -> bool {
        self.was_up
    }

    /// What to wait for.
    pub(super) fn interest(&self, sends: bool) -> Option<(&TcpStream, PollFlags)> {
        match &self.state {
            State::Up { stream, .. } => {
                let mut interest = PollFlags::IN;
                interest.set(PollFlags::OUT, sends);
                Some((stream, interest))
            }
            State::Opening { stream, .. } => Some((stream, PollFlags::OUT)),
            State::Waiting { .. } => None,
        }
    }

    /// When to look again, if nothing happens before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Up { .. } => None,
            State::Opening { until, .. } | State::Waiting { until } => Some(*until),
        }
    }

    /// Takes the next step, if it is time for one.
    pub(super) fn progress(&mut self, ready: PollFlags) -> Progress {
        let late = self.deadline().is_some_and(|at| at <= Instant::now());
        match &mut self.state {
            State::Up { .. } => {
                if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                    Progress::Readable
                } else {
                    Progress::Nothing
                }
            }
            State::Opening { stream, others, .. } if !ready.is_empty() => {
                let others = std::mem::take(others);
                match arrived(stream) {
                    Ok(stream) => {
                        self.state = self.up(stream);
                        Progress::Connected
                    }
                    Err(error) => self.try_next(others, &error),
                }
            }
            State::Opening { others, .. } if late => {
                let others = std::mem::take(others);
                self.try_next(others, &io::ErrorKind::TimedOut.into())
            }
            State::Waiting { .. } if late => {
                // A server may have moved meanwhile, so its name is looked up every time.
                match self.addr.to_socket_addrs() {
                    Ok(addrs) => {
                        let error = io::Error::other("the name has no address");
                        self.try_next(addrs.collect(), &error)
                    }
                    Err(error) => self.failed(&error),
                }
            }
            _ => Progress::Nothing,
        }
    }

    /// Goes to the first of `addrs` that can be tried; if there is none, `error` is the reason.
    fn try_next(&mut self, mut addrs: Vec<SocketAddr>, error: &io::Error) -> Progress {
        if addrs.is_empty() {
            return self.failed(error);
        }
        let addr = addrs.remove(0);
        match start(addr) {
            Ok(stream) => {
                self.state = State::Opening {
                    stream,
                    others: addrs,
                    until: Instant::now() + PATIENCE,
                };
                Progress::Nothing
            }
            Err(error) => self.try_next(addrs, &error),
        }
    }

    fn failed(&self, error: &io::Error) -> Progress {
        Progress::Failed(anyhow!("cannot connect to {}: {error}", self.addr))
    }

    /// There is no connection, for the reason `why`. Says when the next attempt is.
    ///
    /// # Errors
    /// `why`, if there is none.
    pub(super) fn lost(&mut self, why: anyhow::Error) -> anyhow::Result<String> {
        let Some(backoff) = &mut self.backoff else {
            return Err(why);
        };
        // A server that accepts and hangs up is as good as none.
        if matches!(self.state, State::Up { since, .. } if since.elapsed() >= LONGEST) {
            backoff.reset();
        }
        let Some(Attempt { number, wait }) = backoff.next(fastrand::f64()) else {
            let tried = backoff.limit().map_or(0, std::num::NonZero::get);
            let s = if tried == 1 { "" } else { "s" };
            bail!("{why:#}; gave up after {tried} attempt{s}");
        };
        let of = backoff
            .limit()
            .map_or_else(String::new, |limit| format!(" of {limit}"));
        self.state = State::Waiting {
            until: Instant::now() + wait,
        };
        let wait = wait.as_secs_f64();
        Ok(format!("{why:#}; attempt {number}{of} in {wait:.1} s"))
    }

    fn up(&mut self, stream: TcpStream) -> State {
        self.was_up = true;
        if self.backoff.is_some() {
            // A server that was switched off says no goodbye: whoever only listens would wait for ever. Without it, its end
            // is still found by what is sent.
            let asks = TcpKeepalive::new()
                .with_time(SILENCE)
                .with_interval(PATIENCE);
            let _ = SockRef::from(&stream).set_tcp_keepalive(&asks);
        }
        State::Up {
            stream,
            since: Instant::now(),
        }
    }

    /// Ends our side; the server answers what it got, and ends its own.
    pub(super) fn say_goodbye(&self) -> anyhow::Result<()> {
        let Some(stream) = self.stream() else {
            return Ok(());
        };
        match stream.shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => {
                Err(error).context("cannot end the connection")
            }
            _ => Ok(()),
        }
    }
}

/// No later attempt will find a host and a port in it.
fn is_no_address(why: &anyhow::Error) -> bool {
    let error = why.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::InvalidInput)
}

/// How the way of `stream` to the server has ended.
fn arrived(stream: &TcpStream) -> io::Result<TcpStream> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    // Where nobody listens on a port that the kernel gives to clients, a socket may be given that port, and meet itself.
    if stream.peer_addr()? == stream.local_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    stream.try_clone()
}

/// Sets out to `addr`; the socket becomes writable when it is there, or has failed.
fn start(addr: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&addr.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => Err(error),
        _ => Ok(socket.into()),
    }
}
