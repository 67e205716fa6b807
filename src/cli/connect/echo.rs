//! `connect echo`: a line out, the whole line back.
//!
//! The tutorial's client shows what one `recv` returned, which may be half of the echo, or the rest of
//! the one before. This one knows how many bytes it sent, and waits for as many.

use super::is_quit;
use crate::cli::output;
use anyhow::{Context, bail};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// Fits the smallest send buffer that Linux gives a socket (`tcp_wmem`), and nothing else is on the way when
/// a line is sent: sending it cannot block.
const FITS_ANY_BUFFER: usize = 4096;

/// The most that is read of a server's last words.
const LAST_WORDS: u64 = 4096;

pub(crate) fn run(stream: &TcpStream) -> anyhow::Result<()> {
    let mut stdin = io::stdin().lock();
    let prompts = stdin.is_terminal() && io::stdout().is_terminal();
    let mut line = Vec::new();
    loop {
        if prompts {
            output::print(b"Input message (Q to quit): ")?;
        }
        line.clear();
        let typed = stdin.read_until(b'\n', &mut line)?;
        if typed == 0 && prompts {
            // The shell's prompt belongs on a line of its own.
            output::line("")?;
        }
        if typed == 0 || is_quit(&line) {
            return Ok(());
        }
        let echo = exchange(stream, &line)?;
        let mut shown = b"Message from server: ".to_vec();
        shown.extend_from_slice(&echo);
        if !echo.ends_with(b"\n") {
            shown.push(b'\n');
        }
        output::print(&shown)?;
    }
}

/// Sends a line and receives its echo. A long line is sent by a thread of its own: it would otherwise fill the
/// buffers in both directions, with each side waiting for the other to read.
fn exchange(mut stream: &TcpStream, line: &[u8]) -> anyhow::Result<Vec<u8>> {
    if line.len() <= FITS_ANY_BUFFER {
        let sent = stream.write_all(line);
        return receive(stream, line, sent);
    }
    thread::scope(|scope| {
        let sending = thread::Builder::new()
            .name("gh-sender".into())
            .spawn_scoped(scope, move || stream.write_all(line))
            .context("cannot start a thread to send with")?;
        let echo = receive(stream, line, Ok(()));
        if echo.is_err() {
            // The sender must not wait for a server that has stopped reading.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        match sending.join() {
            Ok(sent) => {
                let echo = echo?;
                sent.context("cannot send")?;
                Ok(echo)
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Reads as many bytes as `line` has. When sending failed, what the server said before it closed is the better
/// reason, so it is read first.
fn receive(mut stream: &TcpStream, line: &[u8], sent: io::Result<()>) -> anyhow::Result<Vec<u8>> {
    let mut echo = vec![0; line.len()];
    let mut received = 0;
    while received < line.len() {
        match stream.read(&mut echo[received..]) {
            Ok(0) => break,
            Ok(n) => received += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                sent.context("cannot send")?;
                return Err(error).context("cannot receive");
            }
        }
    }
    echo.truncate(received);
    if !line.starts_with(&echo) {
        let mut words = echo;
        // Whatever else comes soon makes the sentence whole; an error or a silence ends it here.
        let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
        let _ = stream.take(LAST_WORDS).read_to_end(&mut words);
        bail!(
            "this is no echo: the server said: {}",
            String::from_utf8_lossy(&words).trim_end().escape_debug()
        );
    }
    sent.context("cannot send")?;
    if received < line.len() {
        bail!(
            "the server closed the connection after {received} of {} bytes",
            line.len()
        );
    }
    Ok(echo)
}
