//! [`Command`]: what a line that begins with a slash asks for.

use crate::registry::{Harmless, InvalidName, Name, RoomName};
use thiserror::Error;

/// What `/help` says, a line each.
pub(super) const HELP: [&str; 8] = [
    "/name NAME   be called NAME, as nobody else is",
    "/who         who is in this room",
    "/rooms       which rooms there are",
    "/join ROOM   go into ROOM, which begins with who comes first",
    "/me TEXT     say TEXT about yourself",
    "/quit        leave",
    "/help        this",
    "//TEXT       say /TEXT; a line without a slash is said as it is",
];

/// What a client asks of a chat.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Name(Name),
    Who,
    Rooms,
    Join(RoomName),
    Me(&'a [u8]),
    Quit,
    Help,
}

/// Why a line is no command.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum Wrong {
    #[error(
        "no command /{word}; /help lists them; a line that is to begin with a slash is written //{word}"
    )]
    Unknown { word: String },
    #[error("{command} needs something after it: {command} {argument}")]
    Missing {
        command: &'static str,
        argument: &'static str,
    },
    #[error("{command} takes nothing after it, and was given {}", Harmless(.given))]
    TooMuch {
        command: &'static str,
        given: String,
    },
    #[error(transparent)]
    Invalid(#[from] InvalidName),
}

impl<'a> Command<'a> {
    /// The command of a line, which is given without its slash. White space around its parts, and with it the carriage
    /// return of a telnet, does not matter.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, Wrong> {
        let line = line.trim_ascii_end();
        let end = line.iter().position(u8::is_ascii_whitespace);
        let (word, rest) = line.split_at(end.unwrap_or(line.len()));
        let rest = rest.trim_ascii();
        Ok(match word {
            b"name" => Self::Name(Name::from_utf8(needed("/name", "NAME", rest)?)?),
            b"who" => nothing_after("/who", rest, Self::Who)?,
            b"rooms" => nothing_after("/rooms", rest, Self::Rooms)?,
            b"join" => Self::Join(RoomName::from_utf8(needed("/join", "ROOM", rest)?)?),
            b"me" => Self::Me(needed("/me", "TEXT", rest)?),
            b"quit" => nothing_after("/quit", rest, Self::Quit)?,
            b"help" => nothing_after("/help", rest, Self::Help)?,
            unknown => {
                let quoted = Harmless(&String::from_utf8_lossy(unknown)).to_string();
                let word = quoted.trim_matches('"').into();
                return Err(Wrong::Unknown { word });
            }
        })
    }
}

fn needed<'a>(
    command: &'static str,
    argument: &'static str,
    rest: &'a [u8],
) -> Result<&'a [u8], Wrong> {
    if rest.is_empty() {
        return Err(Wrong::Missing { command, argument });
    }
    Ok(rest)
}

fn nothing_after<'a>(
    command: &'static str,
    rest: &[u8],
    meant: Command<'a>,
) -> Result<Command<'a>, Wrong> {
    if !rest.is_empty() {
        let given = String::from_utf8_lossy(rest).into_owned();
        return Err(Wrong::TooMuch { command, given });
    }
    Ok(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(line: &[u8]) -> String {
        Command::parse(line).unwrap_err().to_string()
    }

    #[test]
    fn a_command_is_a_word_and_what_it_needs() {
        let name = Name::new("ann").unwrap();
        assert_eq!(Command::parse(b"name ann"), Ok(Command::Name(name)));
        assert_eq!(
            Command::parse(b"join lobby"),
            Ok(Command::Join(RoomName::lobby()))
        );
        assert_eq!(
            Command::parse(b"me says  \xff!"),
            Ok(Command::Me(b"says  \xff!"))
        );
        assert_eq!(Command::parse(b"quit"), Ok(Command::Quit));
        assert_eq!(Command::parse(b" \tjoin"), Command::parse(b""));
    }

    #[test]
    fn white_space_around_and_a_carriage_return_do_not_matter() {
        for line in [&b"join \t lobby"[..], b"join lobby  ", b"join lobby\r"] {
            assert_eq!(Command::parse(line), Ok(Command::Join(RoomName::lobby())));
        }
        assert_eq!(Command::parse(b"who\r"), Ok(Command::Who));
    }

    #[test]
    fn what_is_no_command_says_why_and_shows_nothing_harmful() {
        let unknown = "no command /fo\\u{1b}o; /help lists them; a line that is to begin with a slash is written //fo\\u{1b}o";
        assert_eq!(wrong(b"fo\x1bo bar"), unknown);
        assert!(wrong(b"").starts_with("no command /; "));
        assert!(wrong(b"WHO").starts_with("no command /WHO; "));
        assert_eq!(wrong(b"name"), "/name needs something after it: /name NAME");
        assert_eq!(wrong(b"me \r"), "/me needs something after it: /me TEXT");
        assert_eq!(
            wrong(b"who \x1b[2J"),
            "/who takes nothing after it, and was given \"\\u{1b}[2J\""
        );
        assert!(wrong(b"name a b").contains("white space"));
        assert!(wrong(b"join \xff").contains("not UTF-8"));
    }
}
