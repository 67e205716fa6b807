//! What can be said to `guardhouse connect`.

use clap::{ColorChoice, Subcommand};
use std::num::NonZeroU32;
use std::str::FromStr;

#[derive(Debug, Subcommand)]
pub(crate) enum Connect {
    /// Type lines, see them come back
    Echo {
        /// The server
        #[arg(default_value = "127.0.0.1:7777", value_name = "HOST:PORT")]
        addr: String,
    },
    /// Talk to everyone who is connected
    Chat(ChatClient),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "On a terminal, the line being typed stays at the bottom while messages arrive. Keys are those of \
    readline: arrows, Ctrl-A/E/K/U/W/Y, up and down for what was typed before, Ctrl-R to search it. In a pipe there is no \
    prompt and no colour.\n\n\
    A line that begins with / is a command and goes to the server as it is: /who, /join ROOM, /me TEXT, /name NAME, /help. \
    Text that begins with a slash is typed with two: //. /quit, Q and Ctrl-D end the client.\n\n\
    With --reconnect, lines typed meanwhile are kept and sent when the server is back, after the name and the room; \
    lines sent just before it went away may be lost.\n\n\
    Examples:\n  \
    guardhouse connect chat --name ann\n  \
    guardhouse connect chat chat.example:7777 --name ann --reconnect\n  \
    printf '/join ops\\ndeployed\\n' | guardhouse connect chat --name ci\n  \
    guardhouse connect chat 127.0.0.1:9190 --name ann --no-register   (a server that has no /name)\n\n\
    Exit codes: 0 left, 1 the server is gone or was never there, or complained in place of the last line of a pipe, \
    2 wrong use, 130 Ctrl-C."
)]
pub(crate) struct ChatClient {
    /// The server
    #[arg(default_value = "127.0.0.1:7777", value_name = "HOST:PORT")]
    pub(crate) addr: String,
    /// Who is talking: lines go out as `[NAME] text`. On a terminal, the server is asked for the name, too; if it has
    /// another of that name, they go out as `[guest] text` until it takes a /name
    /// [default: guest]
    #[arg(long, value_parser = name)]
    pub(crate) name: Option<String>,
    /// Ask the server for no name: for one that would relay the question as text
    #[arg(long)]
    pub(crate) no_register: bool,
    /// When to use colours; auto: on a terminal, unless `NO_COLOR` is set
    #[arg(long, value_name = "WHEN", default_value_t)]
    pub(crate) color: ColorChoice,
    /// When the server goes away or is not there, try again: for ever, or so many times in a row. The wait doubles
    /// from 0.25 s to 10 s, half of it by chance
    #[arg(long, value_name = "ATTEMPTS", num_args = 0..=1, require_equals = true, default_missing_value = "forever")]
    pub(crate) reconnect: Option<Attempts>,
}

/// How often to try: without a number, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempts(pub(crate) Option<NonZeroU32>);

impl FromStr for Attempts {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "forever" {
            return Ok(Self(None));
        }
        let number = text.parse().ok();
        let number = number.ok_or("must be `forever` or a number from 1 on")?;
        Ok(Self(Some(number)))
    }
}

fn name(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("a name has at least 1 character, and no control characters");
    }
    Ok(text.into())
}
