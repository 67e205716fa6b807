//! `connect chat`: sends what is typed, and shows what arrives while you type.
//!
//! The tutorial's client has two threads, one to type and one to show. The one that types cannot be
//! woken when the server goes away, and the one that shows writes into a line that is half typed. This one
//! has no thread but its own: it waits for the server, the keyboard, signals and the clock in one place, poll(2),
//! and what it shows and where it draws the line being typed is decided by one owner.
//!
//! ```text
//!   stdin --> face --typed lines--> identity --> outbox --> link --> server
//!  stdout <-- face <------------- lines <------------------- link <-- server
//! ```
//!
//! The [face](face::Face) is a terminal's or a pipe's; all else is the same for both. That is also why the line editor
//! is no library's. Those of the common ones own the loop: what ends them while they wait for a key is a signal
//! (rustyline) or a flag that a timer looks at (reedline), and not a socket.

mod backoff;
mod face;
mod identity;
mod link;
mod outbox;
mod paint;
mod pending;
mod plain;
mod talk;
mod terminal;

use crate::cli::args::ChatClient;
use crate::cli::output;
use identity::{Identity, NOBODY};
use link::Link;
use paint::Paint;
use plain::Plain;
use std::io::{self, IsTerminal};
use talk::Talk;
use terminal::Terminal;

/// Which line is too long is the server's to say: here, only memory is bounded.
const LONGEST_LINE: usize = 64 << 20;

pub(super) fn run(args: ChatClient) -> anyhow::Result<()> {
    let given = args.name.is_some();
    let name = args.name.unwrap_or_else(|| NOBODY.into());
    let paint = Paint::chosen(args.color);
    let (link, trouble) = Link::open(args.addr, args.reconnect)?;

    let both = io::stdin().is_terminal() && io::stdout().is_terminal();
    // A terminal that can do nothing but print has no place for a line that stays put.
    let interactive = both && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    let identity = Identity::new(&name, interactive && given && !args.no_register);
    if interactive {
        let terminal = Terminal::open(&name, paint)?;
        return Talk::new(terminal, link, identity).run(trouble);
    }
    if both && trouble.is_none() {
        output::line(&format!(
            "Connected as {name}. Type a line to send it, Q to quit."
        ))?;
    }
    let plain = Plain::new(paint);
    Talk::new(plain, link, identity).run(trouble)
}
