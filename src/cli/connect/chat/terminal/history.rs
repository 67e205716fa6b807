//! [`History`]: the lines that were typed, and the one that was being typed when somebody looked back.

use std::collections::VecDeque;

const KEPT: usize = 1000;

#[derive(Default)]
pub(super) struct History {
    lines: VecDeque<String>,
    /// The line that is shown, while it is one of these.
    at: Option<usize>,
    /// What was being typed before.
    draft: String,
}

impl History {
    /// A line was sent. One that says the same as the last is not kept twice.
    pub(super) fn push(&mut self, line: &str) {
        self.at = None;
        self.draft.clear();
        if self.lines.back().is_some_and(|last| last == line) {
            return;
        }
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line.into());
    }

    /// The line before the one that is shown; `typed` is put aside.
    pub(super) fn older(&mut self, typed: &str) -> Option<&str> {
        let at = self.at.unwrap_or(self.lines.len()).checked_sub(1)?;
        if self.at.is_none() {
            typed.clone_into(&mut self.draft);
        }
        self.at = Some(at);
        self.get(at)
    }

    /// The line after the one that is shown: the last of all is what was being typed.
    pub(super) fn newer(&mut self) -> Option<&str> {
        let at = self.at? + 1;
        if at < self.lines.len() {
            self.at = Some(at);
            self.get(at)
        } else {
            self.at = None;
            Some(&self.draft)
        }
    }

    /// The newest line before number `before` that contains `text`.
    pub(super) fn find(&self, text: &str, before: Option<usize>) -> Option<usize> {
        let end = before.unwrap_or(self.lines.len()).min(self.lines.len());
        (0..end).rev().find(|&at| self.lines[at].contains(text))
    }

    pub(super) fn get(&self, at: usize) -> Option<&str> {
        self.lines.get(at).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_back_ends_at_what_was_being_typed() {
        let mut history = History::default();
        assert_eq!(history.older("draft"), None);
        for line in ["one", "two", "two"] {
            history.push(line);
        }
        assert_eq!(history.newer(), None);
        assert_eq!(history.older("draft"), Some("two"));
        assert_eq!(history.older("two"), Some("one"));
        assert_eq!(history.older("one"), None);
        assert_eq!(history.newer(), Some("two"));
        assert_eq!(history.newer(), Some("draft"));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn a_search_goes_from_new_to_old() {
        let mut history = History::default();
        for line in ["an apple", "a pear", "another apple"] {
            history.push(line);
        }
        assert_eq!(history.find("apple", None), Some(2));
        assert_eq!(history.find("apple", Some(2)), Some(0));
        assert_eq!(history.find("apple", Some(0)), None);
        assert_eq!(history.find("plum", None), None);
    }

    #[test]
    fn the_oldest_lines_are_forgotten() {
        let mut history = History::default();
        for n in 0..=KEPT {
            history.push(&n.to_string());
        }
        assert_eq!((history.get(0), history.lines.len()), (Some("1"), KEPT));
    }
}
