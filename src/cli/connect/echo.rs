//! `connect echo`: a line out, the whole line back.
//!
//! The tutorial's client shows what one `recv` returned, which may be half of the echo, or the rest of
//! the one before. This one knows how many bytes it sent, and waits for as many.

use super::is_quit;
use anyhow::{Context, bail};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::net::TcpStream;
use std::thread;

pub(crate) fn run(stream: &TcpStream) -> anyhow::Result<()> {
    let mut stdin = io::stdin().lock();
    let mut stdout = io::stdout().lock();
    let prompts = stdin.is_terminal() && stdout.is_terminal();
    let mut line = Vec::new();
    loop {
        if prompts {
            write!(stdout, "Input message (Q to quit): ")?;
            stdout.flush()?;
        }
        line.clear();
        if stdin.read_until(b'\n', &mut line)? == 0 || is_quit(&line) {
            return Ok(());
        }
        let echo = exchange(stream, &line)?;
        stdout.write_all(b"Message from server: ")?;
        stdout.write_all(&echo)?;
        if !echo.ends_with(b"\n") {
            stdout.write_all(b"\n")?;
        }
        stdout.flush()?;
    }
}

/// Sends and receives at the same time: a line larger than the buffers on the way would otherwise fill them in
/// both directions, with each side waiting for the other to read.
fn exchange(mut stream: &TcpStream, line: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut echo = vec![0; line.len()];
    let mut received = 0;
    thread::scope(|scope| {
        let sending = thread::Builder::new()
            .name("gh-sender".into())
            .spawn_scoped(scope, move || {
                let mut stream = stream;
                stream.write_all(line)
            })
            .context("cannot start a thread to send with")?;
        while received < echo.len() {
            match stream.read(&mut echo[received..]) {
                Ok(0) => bail!(
                    "the server closed the connection after {received} of {} bytes{}",
                    line.len(),
                    last_words(&echo[..received], line)
                ),
                Ok(n) => received += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot receive"),
            }
        }
        match sending.join() {
            Ok(sent) => sent.context("cannot send")?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok(())
    })?;
    Ok(echo)
}

/// What came instead of the echo is likely to be the reason.
fn last_words(received: &[u8], line: &[u8]) -> String {
    if received.is_empty() || line.starts_with(received) {
        return String::new();
    }
    format!(
        "; it said: {}",
        String::from_utf8_lossy(received).trim_end()
    )
}
