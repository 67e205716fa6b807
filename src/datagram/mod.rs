//! News by datagram: one send, and whoever listens hears it.
//!
//! Over TCP, a line for a thousand readers is a thousand sends. A datagram to a *group* (multicast) or to everybody on the
//! network (broadcast) is one, whoever listens: the network copies it, and the kernel of each host gives every socket that
//! asked for it one copy more.
//!
//! ```text
//!                                          +--> host: kernel --+--> Receiver, joined
//!   Sender --one datagram--> network ------+                   +--> Receiver, joined
//!                             (copies)     +--> host: kernel       nobody joined: not for us
//! ```
//!
//! Nothing is promised: a datagram may be lost, come twice, or come after a later one, and nobody is told. Who wants to know
//! numbers what it sends: [`Numbering`] makes a [`Header`] for each, and an [`Account`] finds out from those that came
//! which did not.
//!
//! ```
//! use guardhouse::datagram::{Audience, Group, ReceiveOptions, Receiver, SendOptions, Sender, Wanted};
//! use std::time::Duration;
//!
//! // Heard on this host only: both ends are pinned to the loopback interface.
//! let loopback: Wanted = "127.0.0.1".parse()?;
//! # let port = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
//! # let group = format!("224.1.1.2:{port}");
//! # let doc = stringify! {
//! let group = "224.1.1.2:7777";
//! # };
//! let audience = Audience::Group(group.parse::<Group>()?);
//!
//! let options = ReceiveOptions { interface: Some(loopback.clone()), ..ReceiveOptions::default() };
//! let mut receiver = Receiver::open(&audience, &options)?;
//! let options = SendOptions { interface: Some(loopback), ..SendOptions::default() };
//! let sender = Sender::open(&audience, &options)?;
//!
//! sender.send(b"it rains\n")?;
//! let heard = receiver.receive(Some(Duration::from_secs(5)))?.expect("one datagram");
//! assert_eq!(heard.bytes, b"it rains\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | what |
//! |---|---|
//! | `audience.rs` | whom it is for: a group, or everybody on the network |
//! | `interface.rs` | the machine's interfaces, by name, index or address |
//! | `sender.rs`, `receiver.rs` | the two ends |
//! | `options.rs` | the socket options that socket2 has not |
//! | `error.rs` | what can go wrong, and what to do |
//! | `header.rs` | the bytes in front of a numbered datagram |
//! | `account.rs`, `account/` | what was lost, came twice or too late, from the headers that came |
//! | `doctor.rs`, `doctor/` | why nothing comes |

mod account;
mod audience;
pub mod doctor;
mod error;
mod header;
mod interface;
mod options;
mod receiver;
mod sender;

pub use account::{Account, Report, StreamReport, Verdict};
pub use audience::{Audience, Group, NotAGroup};
pub use error::DatagramError;
pub use header::{Decoded, Header, Kind, Malformed, Numbering};
pub use interface::{Interface, Wanted};
pub use receiver::{Datagram, ReceiveOptions, Receiver};
pub use sender::{SendOptions, Sender};
