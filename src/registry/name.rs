//! [`Name`] and [`RoomName`]: what people and rooms may be called.
//!
//! Names are shown to everybody, so nothing in one may rule a screen, hide, or end a line: no control characters, no
//! white space, no characters that are invisible or turn the direction of writing. Any script will do. Names are
//! compared character by character: `Ann` is not `ann`, and nothing is normalised. None begins like a command, an answer or
//! news, and none ends like `error:`: in the server's own lines, `* -- is now error:` would pass for several of them.

use crate::client::ClientId;
use std::fmt;
use std::sync::{Arc, LazyLock};
use thiserror::Error;

/// The most characters of a [`Name`] or a [`RoomName`].
pub const MAX_CHARACTERS: usize = 32;

/// What a sentence calls a [`Name`].
const PERSON: &str = "a name";
/// What a sentence calls a [`RoomName`].
const ROOM: &str = "the name of a room";

/// What a client without a name is called, before its number.
const GUEST: &str = "guest-";

/// How a client is called, by its own choice: 1 to [`MAX_CHARACTERS`] characters. Clones share the text.
///
/// ```
/// use guardhouse::registry::Name;
///
/// assert_eq!(Name::new("영희")?.as_str(), "영희");
/// assert_eq!(
///     Name::new("ann\x1b[2J").unwrap_err().to_string(),
///     r#"a name cannot be "ann\u{1b}[2J": \u{1b} is a control character"#
/// );
/// # Ok::<(), guardhouse::registry::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// How a room is called: as a [`Name`] is built.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(Arc<str>);

/// Somebody or something cannot be called so. Its text shows the value with everything harmful escaped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} cannot be {}: {fault}", Harmless(.value))]
pub struct InvalidName {
    what: &'static str,
    value: String,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum Fault {
    #[error("it is empty; it takes 1 to {MAX_CHARACTERS} characters")]
    Empty,
    #[error("it has {0} characters; the limit is {MAX_CHARACTERS}")]
    TooLong(usize),
    #[error("it begins with a slash, as commands do")]
    Slash,
    #[error("it begins with {0}, as lines of the server's own do")]
    Mark(char),
    #[error("it ends with a colon, as what begins a complaint of the server's does")]
    Colon,
    #[error("it is what a client without a name is called")]
    Guest,
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("{} is {why}", .character.escape_unicode())]
    Character { character: char, why: &'static str },
}

impl Name {
    /// A client's name.
    ///
    /// # Errors
    /// [`InvalidName`], which says what is wrong with `text`. `guest-7` is refused, too: clients without a name are
    /// called so.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let number = text.strip_prefix(GUEST);
        if number.is_some_and(|n| !n.is_empty() && n.bytes().all(|digit| digit.is_ascii_digit())) {
            return Err(InvalidName::new(PERSON, text, Fault::Guest));
        }
        checked(PERSON, text).map(Self)
    }

    /// [`new`](Self::new), of bytes as they arrived.
    ///
    /// # Errors
    /// [`InvalidName`], also when they are not UTF-8.
    pub fn from_utf8(bytes: &[u8]) -> Result<Self, InvalidName> {
        Self::new(text(PERSON, bytes)?)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RoomName {
    /// A room's name.
    ///
    /// # Errors
    /// [`InvalidName`], which says what is wrong with `text`.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        checked(ROOM, text).map(Self)
    }

    /// [`new`](Self::new), of bytes as they arrived.
    ///
    /// # Errors
    /// [`InvalidName`], also when they are not UTF-8.
    pub fn from_utf8(bytes: &[u8]) -> Result<Self, InvalidName> {
        Self::new(text(ROOM, bytes)?)
    }

    /// `lobby`, where everyone begins.
    pub fn lobby() -> Self {
        static LOBBY: LazyLock<RoomName> = LazyLock::new(|| RoomName("lobby".into()));
        LOBBY.clone()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Somebody in a room, to be shown: by its name, or as `guest-7` by its number. Those with names come first, in the
/// order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Its number.
    pub id: ClientId,
    /// Its name, if it has chosen one.
    pub name: Option<Name>,
}

impl Present {
    fn order(&self) -> (bool, &Option<Name>, ClientId) {
        (self.name.is_none(), &self.name, self.id)
    }
}

impl PartialOrd for Present {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Present {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl fmt::Display for Present {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => name.fmt(f),
            None => write!(f, "{GUEST}{}", self.id),
        }
    }
}

/// A text from outside in quotes, its beginning at least, with everything escaped that does not stand for itself on a
/// screen.
pub(crate) struct Harmless<'a>(pub(crate) &'a str);

impl fmt::Display for Harmless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        f.write_str("\"")?;
        for character in characters.by_ref().take(MAX_CHARACTERS) {
            if why_not(character).is_some_and(|_| character != ' ') {
                write!(f, "{}", character.escape_unicode())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        let more = characters.next().is_some();
        f.write_str(if more { "...\"" } else { "\"" })
    }
}

impl InvalidName {
    /// Of an endless text, as much is kept as is shown, and one more to tell that it went on.
    fn new(what: &'static str, text: &str, fault: Fault) -> Self {
        let value = text.chars().take(MAX_CHARACTERS + 1).collect();
        Self { what, value, fault }
    }
}

fn text<'a>(what: &'static str, bytes: &'a [u8]) -> Result<&'a str, InvalidName> {
    let lossy = || String::from_utf8_lossy(bytes);
    std::str::from_utf8(bytes).map_err(|_| InvalidName::new(what, &lossy(), Fault::NotUtf8))
}

fn checked(what: &'static str, text: &str) -> Result<Arc<str>, InvalidName> {
    let count = text.chars().count();
    let wrong = text.chars().find_map(|c| Some((c, why_not(c)?)));
    let fault = match (count, wrong) {
        (0, _) => Fault::Empty,
        (_, Some((character, why))) => Fault::Character { character, why },
        (MAX_CHARACTERS.., _) if count > MAX_CHARACTERS => Fault::TooLong(count),
        _ if text.starts_with('/') => Fault::Slash,
        _ if text.starts_with('*') => Fault::Mark('*'),
        _ if text.starts_with('-') => Fault::Mark('-'),
        _ if text.ends_with(':') => Fault::Colon,
        _ => return Ok(text.into()),
    };
    Err(InvalidName::new(what, text, fault))
}

/// Why a character is in no name.
fn why_not(character: char) -> Option<&'static str> {
    match character {
        _ if character.is_control() => Some("a control character"),
        _ if character.is_whitespace() => Some("white space"),
        // Embeddings, overrides, isolates, marks.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some("a character that turns the direction of writing")
        }
        // Joiners, fillers, selectors of variants, tags, and what else has no shape of its own.
        '\u{ad}'
        | '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => Some("an invisible character"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_script_are_names() {
        let longest = "ㅎ".repeat(MAX_CHARACTERS);
        for text in [
            "a",
            "ann",
            "영희",
            "Ἑλένη",
            "x/y",
            "guest-",
            "guest-x",
            "(3)",
            "a*-",
            ":a",
            &longest,
        ] {
            assert_eq!(Name::new(text).unwrap().as_str(), text);
            assert_eq!(RoomName::new(text).unwrap().to_string(), text);
        }
        assert_eq!(RoomName::new("lobby"), Ok(RoomName::lobby()));
        assert_ne!(Name::new("ann"), Name::new("Ann"));
    }

    #[test]
    fn what_hides_or_rules_the_screen_or_forges_a_line_is_refused_and_shown_escaped() {
        let refused = [
            ("", r#""": it is empty; it takes 1 to 32 characters"#),
            ("/ann", r#""/ann": it begins with a slash, as commands do"#),
            (
                "*",
                r#""*": it begins with *, as lines of the server's own do"#,
            ),
            (
                "--",
                r#""--": it begins with -, as lines of the server's own do"#,
            ),
            (
                "error:",
                r#""error:": it ends with a colon, as what begins a complaint of the server's does"#,
            ),
            ("ann bob", r#""ann bob": \u{20} is white space"#),
            ("a\u{a0}b", r#""a\u{a0}b": \u{a0} is white space"#),
            ("a\tb", r#""a\u{9}b": \u{9} is a control character"#),
            ("a\u{9b}m", r#""a\u{9b}m": \u{9b} is a control character"#),
            (
                "a\u{200b}",
                r#""a\u{200b}": \u{200b} is an invisible character"#,
            ),
            (
                "\u{202e}nna",
                r#""\u{202e}nna": \u{202e} is a character that turns the direction of writing"#,
            ),
        ];
        for (text, said) in refused {
            let expected = format!("a name cannot be {said}");
            assert_eq!(Name::new(text).unwrap_err().to_string(), expected);
            let expected = format!("the name of a room cannot be {said}");
            assert_eq!(RoomName::new(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn one_character_too_many_is_refused_and_only_the_beginning_shown() {
        let text = "é".repeat(MAX_CHARACTERS + 1);
        let shown = "é".repeat(MAX_CHARACTERS);
        assert_eq!(
            Name::new(&text).unwrap_err().to_string(),
            format!("a name cannot be \"{shown}...\": it has 33 characters; the limit is 32")
        );
    }

    #[test]
    fn nobody_takes_the_name_of_somebody_without_one() {
        let (id, name) = (ClientId(7), None);
        let guest = Present { id, name }.to_string();
        let refused = Name::new(&guest).unwrap_err().to_string();
        assert!(refused.contains("\"guest-7\""), "{refused}");
        assert!(RoomName::new(&guest).is_ok());
    }

    #[test]
    fn bytes_that_are_no_text_are_no_name() {
        assert_eq!(Name::from_utf8(b"ann"), Name::new("ann"));
        assert_eq!(
            RoomName::from_utf8(b"de\xffn").unwrap_err().to_string(),
            "the name of a room cannot be \"de\u{fffd}n\": it is not UTF-8"
        );
    }
}
