//! [`Editor`]: the line being typed, and what each key does to it. The keys are those of readline.

use super::history::History;
use super::keys::Key;
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

#[derive(Default)]
pub(super) struct Editor {
    text: String,
    /// A byte between two graphemes.
    cursor: usize,
    /// What was cut last.
    cut: String,
    history: History,
    search: Option<Search>,
}

/// A search through the history, and what was there before it.
struct Search {
    wanted: String,
    found: Option<usize>,
    before: (String, usize),
}

/// What has come of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Did {
    /// Nothing but what can be seen.
    Edit,
    Submit(String),
    /// There will be no more.
    End,
    Interrupt,
    Suspend,
    /// The screen is to be cleared.
    Clear,
}

/// What is to be seen.
pub(super) struct View<'a> {
    /// In place of the usual one.
    pub(super) prompt: Option<String>,
    pub(super) text: &'a str,
    pub(super) cursor: usize,
}

impl Editor {
    pub(super) fn view(&self) -> View<'_> {
        let prompt = self.search.as_ref().map(|search| {
            let wanted = &search.wanted;
            let failed = !wanted.is_empty() && search.found.is_none();
            format!("({}`{wanted}'): ", if failed { "no " } else { "search " })
        });
        View {
            prompt,
            text: &self.text,
            cursor: self.cursor,
        }
    }

    /// Something is typed and not sent.
    pub(super) fn is_typing(&self) -> bool {
        !self.text.is_empty()
    }

    pub(super) fn key(&mut self, key: Key) -> Did {
        if self.search.is_some() && self.searched(key) {
            return Did::Edit;
        }
        match key {
            Key::Enter => return self.submit(),
            Key::Ctrl('c') => return Did::Interrupt,
            Key::Ctrl('d') if self.text.is_empty() => return Did::End,
            Key::Ctrl('l') => return Did::Clear,
            Key::Ctrl('z') => return Did::Suspend,
            Key::Char(character) => {
                self.text.insert(self.cursor, character);
                self.cursor += character.len_utf8();
                // A mark may have joined what follows it.
                self.cursor = self.boundary_from(self.cursor);
            }
            Key::Left | Key::Ctrl('b') => self.cursor = self.left(),
            Key::Right | Key::Ctrl('f') => self.cursor = self.right(),
            Key::WordLeft | Key::Alt('b' | 'B') => {
                self.cursor = self.word_left(char::is_alphanumeric);
            }
            Key::WordRight | Key::Alt('f' | 'F') => self.cursor = self.word_right(),
            Key::Home | Key::Ctrl('a') => self.cursor = 0,
            Key::End | Key::Ctrl('e') => self.cursor = self.text.len(),
            Key::Backspace => {
                let from = self.left();
                self.remove(from, self.cursor);
            }
            Key::Delete | Key::Ctrl('d') => self.remove(self.cursor, self.right()),
            Key::WordBackspace => self.cut(self.word_left(char::is_alphanumeric), self.cursor),
            Key::Ctrl('w') => self.cut(self.word_left(|c| !c.is_whitespace()), self.cursor),
            Key::Alt('d' | 'D') => self.cut(self.cursor, self.word_right()),
            Key::Ctrl('u') => self.cut(0, self.cursor),
            Key::Ctrl('k') => self.cut(self.cursor, self.text.len()),
            Key::Ctrl('y') => {
                self.text.insert_str(self.cursor, &self.cut);
                self.cursor += self.cut.len();
            }
            Key::Up | Key::Ctrl('p') => {
                let older = self.history.older(&self.text).map(String::from);
                self.replace(older);
            }
            Key::Down | Key::Ctrl('n') => {
                let newer = self.history.newer().map(String::from);
                self.replace(newer);
            }
            Key::Ctrl('r') => {
                self.search = Some(Search {
                    wanted: String::new(),
                    found: None,
                    before: (self.text.clone(), self.cursor),
                });
            }
            Key::Ctrl(_) | Key::Alt(_) => {}
        }
        Did::Edit
    }

    fn submit(&mut self) -> Did {
        self.search = None;
        self.cursor = 0;
        let line = std::mem::take(&mut self.text);
        // Enter alone says nothing.
        if line.is_empty() {
            return Did::Edit;
        }
        self.history.push(&line);
        Did::Submit(line)
    }

    /// A key during a search; `false` if it ends the search and does what it does elsewhere.
    fn searched(&mut self, key: Key) -> bool {
        let Some(search) = &mut self.search else {
            return false;
        };
        let before = match key {
            Key::Char(character) => {
                search.wanted.push(character);
                // The line that is shown may do.
                search.found.map(|at| at + 1)
            }
            Key::Backspace => {
                search.wanted.pop();
                None
            }
            Key::Ctrl('r') => search.found,
            Key::Ctrl('g') => {
                (self.text, self.cursor) = std::mem::take(&mut search.before);
                self.search = None;
                return true;
            }
            _ => {
                self.search = None;
                return false;
            }
        };
        if search.wanted.is_empty() {
            search.found = None;
            return true;
        }
        let found = self.history.find(&search.wanted, before);
        // An older one that is not there leaves the one that is.
        if found.is_some() || key != Key::Ctrl('r') {
            search.found = found;
        }
        if let Some(line) = found.and_then(|at| self.history.get(at)) {
            line.clone_into(&mut self.text);
            self.cursor = line.find(&*search.wanted).unwrap_or(line.len());
        }
        true
    }

    fn replace(&mut self, line: Option<String>) {
        if let Some(line) = line {
            self.cursor = line.len();
            self.text = line;
        }
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.drain(from..to);
        self.cursor = self.boundary_from(from);
    }

    fn cut(&mut self, from: usize, to: usize) {
        if from < to {
            self.cut = self.text[from..to].into();
            self.remove(from, to);
        }
    }

    /// The end of the grapheme that byte number `at` is inside of, or `at`.
    fn boundary_from(&self, at: usize) -> usize {
        let mut boundary = GraphemeCursor::new(at, self.text.len(), true);
        if boundary.is_boundary(&self.text, 0) == Ok(true) {
            return at;
        }
        let next = boundary.next_boundary(&self.text, 0).ok().flatten();
        next.unwrap_or(self.text.len())
    }

    fn left(&self) -> usize {
        let mut before = self.text[..self.cursor].grapheme_indices(true);
        before.next_back().map_or(0, |(start, _)| start)
    }

    fn right(&self) -> usize {
        let mut after = self.text[self.cursor..].graphemes(true);
        self.cursor + after.next().map_or(0, str::len)
    }

    fn word_left(&self, in_word: impl Fn(char) -> bool) -> usize {
        let before = &self.text[..self.cursor];
        let end = before.trim_end_matches(|c| !in_word(c));
        end.trim_end_matches(in_word).len()
    }

    fn word_right(&self) -> usize {
        let after = &self.text[self.cursor..];
        let start = after.trim_start_matches(|c: char| !c.is_alphanumeric());
        self.text.len() - start.trim_start_matches(char::is_alphanumeric).len()
    }
}

#[cfg(test)]
mod tests;
