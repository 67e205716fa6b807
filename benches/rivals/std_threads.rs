//! A thread per client, on the standard library alone.

use super::CHUNK;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

#[allow(
    clippy::needless_pass_by_value,
    reason = "closed when it has accepted everybody"
)]
pub(super) fn serve(listener: TcpListener, clients: usize) -> io::Result<()> {
    let mut threads = Vec::with_capacity(clients);
    for stream in listener.incoming().take(clients) {
        let stream = stream?;
        threads.push(thread::spawn(move || echo(stream)));
    }
    for thread in threads {
        match thread.join() {
            Ok(outcome) => outcome?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    Ok(())
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; CHUNK];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => stream.write_all(&buffer[..read])?,
        }
    }
}
