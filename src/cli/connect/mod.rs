//! `connect`: the tutorial's two clients, made whole.

mod chat;
mod echo;

use super::args::Connect;
use anyhow::Context;
use std::net::TcpStream;

pub(crate) fn run(connect: Connect) -> anyhow::Result<()> {
    match connect {
        Connect::Echo { addr } => echo::run(&open(&addr)?),
        Connect::Chat(args) => chat::run(args),
    }
}

fn open(addr: &str) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(addr).with_context(|| format!("cannot connect to {addr}"))?;
    // What is typed goes out at once.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// `q` or `Q` on a line of its own ends the client, as in the tutorial.
fn is_quit(line: &[u8]) -> bool {
    matches!(line.trim_ascii_end(), b"q" | b"Q")
}
