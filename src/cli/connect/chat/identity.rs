//! [`Identity`]: who is talking, and what becomes of a typed line on its way to the server.

use std::collections::VecDeque;

/// As many changes of name may wait for their answers.
const ASKED: usize = 16;

/// What the server says, to us alone, when a name is ours.
const RENAMED: &[u8] = b"-- you are now ";

/// Who has no name. Names are unique: this one is not asked for.
pub(super) const NOBODY: &str = "guest";

/// ```text
///             introduction                       the server refuses it
///  named --------------------> named, asking -----------------------------> nameless
///    ^                               |                                          |
///    +------- "you are now" ---------+----- "you are now", to any question -----+
/// ```
///
/// Who is named speaks as such before the answer is here: there are servers that give none.
pub(super) struct Identity {
    name: String,
    /// The server knows us by it, or is to.
    registers: bool,
    /// The introduction's question for the name has no answer yet.
    asking: bool,
    /// The server would not have us called so. Over the next connection it is asked again.
    nameless: bool,
    /// Names that the server was asked for and has not given. Nobody else's line can make us somebody whom
    /// we did not ask to be.
    asked: VecDeque<String>,
    /// The last room that was asked for.
    room: Option<Vec<u8>>,
}

/// What a line of the server's was to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing,
    /// We have another name now.
    Renamed,
    /// The name that we came with is not ours.
    Refused,
}

/// What somebody typed.
pub(super) enum Typed {
    /// Send this.
    Line(Vec<u8>),
    /// It is enough.
    Quit,
}

impl Identity {
    pub(super) fn new(name: &str, registers: bool) -> Self {
        Self {
            name: name.into(),
            registers,
            asking: false,
            nameless: false,
            asked: VecDeque::new(),
            room: None,
        }
    }

    /// As whom we speak.
    pub(super) fn name(&self) -> &str {
        if self.nameless { NOBODY } else { &self.name }
    }

    /// What we asked to be called first over this connection, or are called since.
    pub(super) fn wanted(&self) -> &str {
        &self.name
    }

    /// What is said first over every connection.
    pub(super) fn introduction(&mut self) -> Vec<u8> {
        let mut lines = Vec::new();
        self.asked.clear();
        self.asking = self.registers;
        if self.registers {
            self.asked.push_back(self.name.clone());
            lines.extend(format!("/name {}\n", self.name).into_bytes());
        }
        if let Some(room) = &self.room {
            lines.extend(b"/join ");
            lines.extend(room);
            lines.push(b'\n');
        }
        lines
    }

    /// Takes a typed line. A command goes out as it is, text with the name before it.
    pub(super) fn take(&mut self, line: &[u8]) -> Typed {
        let (word, rest) = split(line);
        match word {
            b"/quit" => return Typed::Quit,
            _ if super::super::is_quit(line) => return Typed::Quit,
            b"/name" if !rest.is_empty() => {
                if self.asked.len() == ASKED {
                    self.asked.pop_front();
                }
                self.asked
                    .push_back(String::from_utf8_lossy(rest).into_owned());
            }
            b"/join" if !rest.is_empty() => self.room = Some(rest.to_vec()),
            _ => {}
        }
        if line.starts_with(b"/") && !line.starts_with(b"//") {
            return Typed::Line(line.to_vec());
        }
        let text = if line.starts_with(b"//") {
            &line[1..]
        } else {
            line
        };
        Typed::Line([format!("[{}] ", self.name()).as_bytes(), text].concat())
    }

    /// Listens to a line of the server's.
    pub(super) fn hear(&mut self, line: &[u8]) -> Heard {
        if self.asking && self.refuses(line) {
            self.asking = false;
            self.nameless = true;
            return Heard::Refused;
        }
        let Some(name) = line.strip_prefix(RENAMED) else {
            return Heard::Nothing;
        };
        let name = String::from_utf8_lossy(name.trim_ascii());
        let Some(at) = self.asked.iter().position(|asked| *asked == *name) else {
            return Heard::Nothing;
        };
        self.asked.drain(..=at);
        self.asking = false;
        let same = !self.nameless && self.name == *name;
        self.name = name.into_owned();
        self.registers = true;
        self.nameless = false;
        if same { Heard::Nothing } else { Heard::Renamed }
    }

    /// Whether `line` is the complaint about the name that we came with: somebody has it, or nobody can. What others say
    /// may pass for it, but only while the question has no answer.
    fn refuses(&self, line: &[u8]) -> bool {
        let taken = format!("the name {} is ", self.name);
        line.strip_prefix(b"error: ").is_some_and(|complaint| {
            [taken.as_bytes(), b"a name cannot be ", b"/name needs "]
                .iter()
                .any(|beginning| complaint.starts_with(beginning))
        })
    }
}

/// The first word, and what is after it.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii_end();
    let end = line.iter().position(u8::is_ascii_whitespace);
    let (word, rest) = line.split_at(end.unwrap_or(line.len()));
    (word, rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(identity: &mut Identity, line: &str) -> String {
        match identity.take(line.as_bytes()) {
            Typed::Line(line) => String::from_utf8(line).unwrap(),
            Typed::Quit => "QUIT".into(),
        }
    }

    #[test]
    fn text_has_the_name_before_it_and_a_command_has_not() {
        let ann = &mut Identity::new("ann", false);
        assert_eq!(sent(ann, "hello\n"), "[ann] hello\n");
        assert_eq!(sent(ann, "/who\n"), "/who\n");
        assert_eq!(sent(ann, "//etc/passwd\n"), "[ann] /etc/passwd\n");
        assert_eq!(sent(ann, "///\n"), "[ann] //\n");
        assert_eq!(sent(ann, " /who\n"), "[ann]  /who\n");
        for quit in ["/quit\n", "/quit", "/quit now\n", "q\n", "Q\r\n"] {
            assert_eq!(sent(ann, quit), "QUIT", "{quit}");
        }
        assert_eq!(sent(ann, "/quitter\n"), "/quitter\n");
    }

    #[test]
    fn a_name_is_ours_when_the_server_says_so_and_we_asked() {
        let ann = &mut Identity::new("ann", false);
        let unasked = ann.hear(b"-- you are now mallory\n");
        assert_eq!(unasked, Heard::Nothing, "nobody asked");
        sent(ann, "/name  bob \n");
        sent(ann, "/name carl\n");
        assert_eq!(sent(ann, "hello\n"), "[ann] hello\n");
        assert_eq!(ann.hear(b"[eve] -- you are now bob\n"), Heard::Nothing);
        assert_eq!(ann.hear(b"-- you are now bob\n"), Heard::Renamed);
        assert_eq!(sent(ann, "hello\n"), "[bob] hello\n");
        assert_eq!(ann.hear(b"-- you are now carl\r\n"), Heard::Renamed);
        let late = ann.hear(b"-- you are now bob\n");
        assert_eq!(late, Heard::Nothing, "that was before");
        assert_eq!(ann.name(), "carl");
    }

    #[test]
    fn who_is_refused_its_name_has_none_until_it_is_given_one() {
        const TAKEN: &[u8] = b"error: the name ann is taken; choose another\n";
        let ann = &mut Identity::new("ann", true);
        assert_eq!(ann.hear(TAKEN), Heard::Nothing, "nobody asked yet");
        ann.introduction();
        assert_eq!(ann.hear(b"error: no command /foo\n"), Heard::Nothing);
        assert_eq!(ann.hear(TAKEN), Heard::Refused);
        assert_eq!(ann.hear(TAKEN), Heard::Nothing, "it is said already");
        assert_eq!(sent(ann, "hello\n"), "[guest] hello\n");
        assert_eq!((ann.name(), ann.wanted()), ("guest", "ann"));

        assert_eq!(ann.introduction(), b"/name ann\n");
        assert_eq!(ann.name(), "guest", "there is no answer yet");
        assert_eq!(ann.hear(b"-- you are now ann\n"), Heard::Renamed);
        assert_eq!(ann.hear(TAKEN), Heard::Nothing, "somebody pretends");
        assert_eq!(sent(ann, "hello\n"), "[ann] hello\n");

        ann.introduction();
        assert_eq!(
            ann.hear(b"error: a name cannot be \"ann\": \n"),
            Heard::Refused
        );
        sent(ann, "/name bob\n");
        assert_eq!(ann.hear(b"-- you are now bob\n"), Heard::Renamed);
        assert_eq!(ann.name(), "bob");
    }

    #[test]
    fn a_new_connection_is_told_the_name_and_the_room_last_asked_for() {
        let ann = &mut Identity::new("ann", true);
        assert_eq!(ann.introduction(), b"/name ann\n");
        sent(ann, "/join den\n");
        sent(ann, "/join  attic \n");
        sent(ann, "/join\n");
        assert_eq!(ann.introduction(), b"/name ann\n/join attic\n");
        assert_eq!(Identity::new("ann", false).introduction(), b"");
    }
}
