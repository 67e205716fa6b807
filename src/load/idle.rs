//! [`Idle`]: clients who are connected, and no more than that.

use super::line::{Form, Kind, Line};
use super::{LoadError, Shape, Traffic};
use crate::net::socket::{self, Wait};
use crate::poller::timespec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io::{ErrorKind, IoSlice};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// So many connect and say hello before the first of them waits for its answer: far fewer than the backlog holds, and
/// enough to keep the server busy meanwhile.
const BATCH: usize = 256;

/// What a server may say instead of an answer.
const SENTENCE: usize = 1024;

/// How often an interruption is looked at while an answer does not come.
const LOOK_UP: Duration = Duration::from_millis(50);

/// Connected clients of an echo, who said hello once, were answered, and say no more. Dropping them resets their connections, so
/// that thousands leave no port behind that has to wait (`TIME_WAIT`).
///
/// They are in nobody's poller: whoever puts a [`Load`](super::Load) on the same server is not slowed down by their
/// number. For one thread.
#[derive(Debug)]
pub struct Idle {
    streams: Vec<TcpStream>,
}

impl Idle {
    /// Connects as many as `shape` says. When this returns, each has got its hello back and is being served. As soon as
    /// `interrupt` is set, it ends with [`LoadError::Interrupted`].
    ///
    /// # Errors
    /// [`LoadError`] when the shape cannot hold, which that of a chat does not: whoever is connected there hears everything. And
    /// [`LoadError::Idle`] around what happened to one: it cannot connect, is refused, or is not answered
    /// within the patience, which begins anew with every few hundred.
    pub fn connect_unless(
        addr: SocketAddr,
        shape: Shape,
        interrupt: &AtomicBool,
    ) -> Result<Self, LoadError> {
        shape.check()?;
        if shape.traffic != Traffic::Echo {
            return Err(LoadError::Shape(
                "a chat has no idle clients: whoever is connected hears everything".into(),
            ));
        }
        let mut idle = Self {
            streams: Vec::with_capacity(shape.clients),
        };
        let form = Form::new(shape.message);
        while idle.streams.len() < shape.clients {
            let batch = BATCH.min(shape.clients - idle.streams.len());
            idle.join(addr, shape, &form, batch, interrupt)
                .map_err(LoadError::of_idle)?;
        }
        Ok(idle)
    }

    /// Makes sure that all are still connected, and have not been told anything.
    ///
    /// # Errors
    /// [`LoadError::Idle`] around what happened to one.
    pub fn look(&self) -> Result<(), LoadError> {
        let mut input = [0; SENTENCE];
        for (client, stream) in (1..).zip(&self.streams) {
            match socket::receive(stream.as_fd(), &mut input, Wait::Never) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(received) => {
                    let said = &input[..received];
                    return Err(LoadError::of_idle(unexpected(client, said)));
                }
                Err(_) => return Err(LoadError::of_idle(LoadError::Closed { client })),
            }
        }
        Ok(())
    }

    /// Connects `batch` more.
    fn join(
        &mut self,
        addr: SocketAddr,
        shape: Shape,
        form: &Form,
        batch: usize,
        interrupt: &AtomicBool,
    ) -> Result<(), LoadError> {
        let first = self.streams.len();
        let deadline = Instant::now() + shape.patience;
        let mut hello = Vec::new();
        for client in first..first + batch {
            let stream = TcpStream::connect_timeout(&addr, shape.patience).map_err(|source| {
                LoadError::Connect {
                    client: client + 1,
                    addr,
                    source,
                }
            })?;
            socket::reset_on_close(&stream)?;
            stream.set_nodelay(true)?;
            form.write(said_by(client), &mut hello);
            // It fits into the buffer of a new socket. If the connection is broken, what there is to read says why.
            let _ = socket::send(stream.as_fd(), &[IoSlice::new(&hello)], Wait::Block);
            self.streams.push(stream);
        }
        let mut answer = vec![0; shape.message.max(SENTENCE)];
        for (client, stream) in (first..).zip(&self.streams[first..]) {
            let mut received = 0;
            form.write(said_by(client), &mut hello);
            while received < hello.len() {
                if !arrives(stream, deadline, interrupt)? {
                    return Err(LoadError::Unanswered {
                        client: client + 1,
                        clients: shape.clients,
                        patience: shape.patience,
                    });
                }
                let more = socket::receive(stream.as_fd(), &mut answer[received..], Wait::Never)
                    .unwrap_or_default();
                received += more;
                let said = &answer[..if more == 0 { 0 } else { received }];
                if said.is_empty() || !hello.starts_with(said) {
                    return Err(unexpected(client + 1, said));
                }
            }
        }
        Ok(())
    }
}

fn said_by(client: usize) -> Line {
    Line {
        kind: Kind::Hello,
        sender: client,
        number: 0,
    }
}

/// Why `client` got something else than its hello; nothing is the end of the connection.
fn unexpected(client: usize, said: &[u8]) -> LoadError {
    if said.is_empty() {
        return LoadError::Closed { client };
    }
    match said.strip_prefix(b"error: ") {
        Some(sentence) => LoadError::refused(client, sentence),
        None => LoadError::Garbled { client },
    }
}

/// Waits until there is something to read. `false` when that took too long.
fn arrives(
    stream: &TcpStream,
    deadline: Instant,
    interrupt: &AtomicBool,
) -> Result<bool, LoadError> {
    loop {
        if interrupt.load(Ordering::Relaxed) {
            return Err(LoadError::Interrupted);
        }
        let mut fds = [PollFd::new(stream, PollFlags::IN)];
        match poll(&mut fds, timespec(Some(LOOK_UP)).as_ref()) {
            Ok(0) if Instant::now() >= deadline => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(LoadError::Io(error.into())),
        }
    }
}
