//! A task per client on tokio's current-thread runtime.

use super::CHUNK;
use std::io;
use std::net::TcpListener as StdListener;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

pub(super) fn serve(listener: StdListener, clients: usize) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    Builder::new_current_thread()
        .enable_io()
        .build()?
        .block_on(async {
            let listener = TcpListener::from_std(listener)?;
            let mut tasks = JoinSet::new();
            for _ in 0..clients {
                let (stream, _) = listener.accept().await?;
                tasks.spawn(echo(stream));
            }
            while let Some(ended) = tasks.join_next().await {
                ended??;
            }
            Ok(())
        })
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            read => stream.write_all(&buffer[..read]).await?,
        }
    }
}
