//! [`Stalled`]: clients of a chat who read nothing.

use super::line::{Form, Kind, Line, MOST_SENDERS};
use super::{LoadError, Shape};
use crate::net::socket;
use memchr::memmem;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The least that the kernel gives. What waits in front of whoever does not read is then the server's to keep.
const RECEIVE_BUFFER: usize = 1;

/// Linux measures the sender's buffer by it: segments of the loopback's usual 64 KiB make it megabytes, and it would take
/// seconds until a stalled client is felt.
#[cfg(target_os = "linux")]
const SEGMENT: u32 = 536;

/// How often an interruption is looked at while an answer does not come.
const LOOK_UP: Duration = Duration::from_millis(50);

/// Clients of a chat who said hello once, heard themselves, and read no more. They stay until they are dropped, or until
/// the server hangs up on them, which is no error. For one thread.
#[derive(Debug)]
pub struct Stalled {
    _streams: Vec<TcpStream>,
}

impl Stalled {
    /// Connects as many as `shape` says, one after the other. When this returns, each is being served. As soon as `interrupt` is set,
    /// it ends with [`LoadError::Interrupted`].
    ///
    /// # Errors
    /// [`LoadError::OfStalled`] around what happened to one: it cannot connect, is refused, or does not hear itself within the
    /// patience.
    pub fn connect_unless(
        addr: SocketAddr,
        shape: Shape,
        interrupt: &AtomicBool,
    ) -> Result<Self, LoadError> {
        let streams = (0..shape.clients).map(|client| {
            let stream = connect(addr, shape.patience).map_err(|source| LoadError::Connect {
                client: client + 1,
                addr,
                source,
            });
            let stream = stream.map_err(LoadError::of_stalled)?;
            say_hello(&stream, client, shape, interrupt).map_err(LoadError::of_stalled)?;
            Ok(stream)
        });
        Ok(Self {
            _streams: streams.collect::<Result<_, LoadError>>()?,
        })
    }
}

fn connect(addr: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_mss(SEGMENT)?;
    socket.connect_timeout(&addr.into(), patience)?;
    let stream = TcpStream::from(socket);
    socket::reset_on_close(&stream)?;
    stream.set_read_timeout(Some(LOOK_UP))?;
    Ok(stream)
}

/// Says hello, and reads until it is back.
fn say_hello(
    mut stream: &TcpStream,
    client: usize,
    shape: Shape,
    interrupt: &AtomicBool,
) -> Result<(), LoadError> {
    let mut hello = Vec::new();
    let line = Line {
        kind: Kind::Hello,
        // Nobody of a load's has that number, and takes it for its own.
        sender: MOST_SENDERS - client,
        number: 0,
    };
    Form::new(shape.message).write(line, &mut hello);
    stream.write_all(&hello)?;
    let deadline = Instant::now() + shape.patience;
    let (mut heard, mut input) = (Vec::new(), [0; 1024]);
    while memmem::find(&heard, &hello).is_none() {
        if interrupt.load(Ordering::Relaxed) {
            return Err(LoadError::Interrupted);
        }
        match stream.read(&mut input) {
            Ok(0) => return Err(LoadError::Closed { client: client + 1 }),
            Ok(received) => heard.extend_from_slice(&input[..received]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(sentence) = heard.strip_prefix(b"error: ") {
            return Err(LoadError::refused(client + 1, sentence));
        }
        if Instant::now() >= deadline {
            return Err(LoadError::Unanswered {
                client: client + 1,
                clients: shape.clients,
                patience: shape.patience,
            });
        }
    }
    Ok(())
}
