//! A TCP server framework on threads, with the locks in plain sight.
//!
//! One protocol handler, written once, runs under every concurrency model and with its shared state
//! behind every lock; both are chosen at run time and measured side by side.
//!
//! # Write a service, serve it under any model
//!
//! ```
//! use guardhouse::model::{Pool, Select, Thread};
//! use guardhouse::{Client, Flow, Reply, Server, Service, Session};
//! use std::io::{Read, Write};
//!
//! /// Says everything back in capitals.
//! struct Shout;
//!
//! impl Service for Shout {
//!     fn open(&self, _: Client) -> Box<dyn Session> {
//!         Box::new(Shout)
//!     }
//! }
//!
//! impl Session for Shout {
//!     fn receive(&mut self, bytes: &[u8], reply: &mut Reply<'_>) -> Flow {
//!         reply.append(&bytes.to_ascii_uppercase());
//!         Flow::Continue
//!     }
//! }
//!
//! // `Thread::new()` here could as well be `Pool::new(workers)` or `Select`.
//! let server = Server::new(Shout).model(Thread::new()).start()?;
//!
//! let mut client = std::net::TcpStream::connect(server.local_addr())?;
//! client.write_all(b"hello")?;
//! client.shutdown(std::net::Shutdown::Write)?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert_eq!(answer, "HELLO");
//!
//! let stats = server.shutdown()?;
//! assert_eq!(stats.finished, 1);
//! # let _ = (Select, Pool::DEFAULT_QUEUE);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The floors
//!
//! A module imports only from floors below its own.
//!
//! | floor | modules | what |
//! |---|---|---|
//! | 8 | [`server`], [`strategy`], [`lab`] | builder and handle; from names to models and locks; comparing them |
//! | 5-7 | [`model`] | acceptor; blocking and readiness drivers; the models |
//! | 4 | `connection` | a session and where it stands, without a socket |
//! | 3 | [`registry`], [`service`] | who is connected; what a server does |
//! | 1-2 | [`mailbox`], [`client`], [`load`] | what a client is still to be sent; who it is; many of them, for measuring |
//! | 1 | [`datagram`] | news to a group, or to everybody on the network |
//! | 0-1 | [`sync`], [`poller`], [`net`] | critical sections; readiness; sockets |
//! | 0-1 | [`message`], [`codec`], [`limits`], [`stats`], [`shutdown`] | plain parts |

// Some parts are there for models that only Linux has, and one of them on processors of 64 bits.
#![cfg_attr(
    not(all(target_os = "linux", target_pointer_width = "64")),
    allow(dead_code)
)]

#[cfg(test)]
mod broken_log;
pub mod client;
pub mod codec;
mod connection;
pub mod datagram;
pub mod executor;
pub mod fanout;
pub mod lab;
pub mod limits;
pub mod load;
mod log;
pub mod mailbox;
pub mod message;
pub mod model;
#[cfg(all(test, any(model_check = "loom", model_check = "shuttle")))]
mod models;
pub mod net;
pub mod poller;
mod prefetch;
mod primitives;
pub mod registry;
pub mod server;
pub mod service;
pub mod shutdown;
pub mod stats;
pub mod strategy;
pub mod sync;

pub use client::{Client, ClientId};
pub use fanout::Fanout;
pub use limits::{Limits, Slow};
pub use message::Message;
pub use registry::{Clients, Registry};
pub use server::{Counters, Handle, Server, StartError};
pub use service::{Flow, Reply, Service, Session};

/// The README's example, kept true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// What does not compile there does not, and what does, does.
#[cfg(doctest)]
#[doc = include_str!("../docs/four-chats.md")]
struct FourChats;

/// Its Rust compiles.
#[cfg(doctest)]
#[doc = include_str!("../docs/multicast.md")]
struct Multicast;
