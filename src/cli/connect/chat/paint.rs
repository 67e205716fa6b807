//! [`Paint`]: how lines look on a terminal. What others sent is made harmless first; the colours are ours.

use crate::cli::output;
use clap::ColorChoice;
use std::fmt::Write;
use std::io::{self, IsTerminal};

const RED: u8 = 31;
const DIM: u8 = 2;

/// For names: none is the errors' red, and none is hard to read on black or on white alone.
const NAMES: [u8; 9] = [32, 33, 34, 35, 36, 92, 94, 95, 96];

#[derive(Clone, Copy)]
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    pub(super) fn chosen(choice: ColorChoice) -> Self {
        let on = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                let set = |name| std::env::var_os(name).unwrap_or_default();
                io::stdout().is_terminal() && set("NO_COLOR").is_empty() && set("TERM") != "dumb"
            }
        };
        Self { on }
    }

    pub(super) fn is_on(self) -> bool {
        self.on
    }

    /// Lines as they are shown.
    pub(super) fn lines(self, lines: &[u8]) -> String {
        let harmless = output::harmless(lines);
        if !self.on {
            return harmless;
        }
        let mut painted = String::with_capacity(harmless.len() * 2);
        for line in harmless.split_inclusive('\n') {
            let text = line.strip_suffix('\n').unwrap_or(line);
            self.line(text, &mut painted);
            painted.push_str(&line[text.len()..]);
        }
        painted
    }

    fn line(self, text: &str, painted: &mut String) {
        if text.starts_with("error: ") {
            self.dab(RED, text, painted);
        } else if ["* ", "-- ", "... "]
            .iter()
            .any(|sign| text.starts_with(sign))
        {
            self.dab(DIM, text, painted);
        } else if let Some(name) = name(text) {
            let (head, rest) = text.split_at(name.len() + 2);
            self.dab(colour(name), head, painted);
            painted.push_str(rest);
        } else {
            painted.push_str(text);
        }
    }

    /// Our own words, between those of others.
    pub(super) fn aside(self, text: &str) -> String {
        let mut painted = String::new();
        self.dab(DIM, text, &mut painted);
        painted
    }

    /// A prompt, in the colour that its name has in the lines.
    pub(super) fn prompt(self, name: &str, prompt: &str) -> String {
        let mut painted = String::new();
        self.dab(colour(name), prompt, &mut painted);
        painted
    }

    fn dab(self, colour: u8, text: &str, painted: &mut String) {
        if self.on {
            // Writing to a string cannot fail.
            let _ = write!(painted, "\x1b[{colour}m{text}\x1b[0m");
        } else {
            painted.push_str(text);
        }
    }
}

/// The name in `[name] text`.
fn name(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('[')?.split_once("] ")?;
    (!name.is_empty()).then_some(name)
}

/// The same for a name at every time and everywhere (FNV-1a).
fn colour(name: &str) -> u8 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    NAMES[(hash % NAMES.len() as u64) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_line_has_its_colour_and_text_has_none() {
        let on = Paint { on: true };
        assert_eq!(on.lines(b"error: no\n"), "\x1b[31merror: no\x1b[0m\n");
        assert_eq!(
            on.lines(b"* ann is here\n"),
            "\x1b[2m* ann is here\x1b[0m\n"
        );
        assert_eq!(on.lines(b"-- 2 here\n"), "\x1b[2m-- 2 here\x1b[0m\n");
        assert_eq!(
            on.lines(b"... 12 lines dropped\n"),
            "\x1b[2m... 12 lines dropped\x1b[0m\n"
        );
        let ann = colour("ann");
        assert_eq!(
            on.lines(b"[ann] [hi] there\nplain\n[] x\n"),
            format!("\x1b[{ann}m[ann]\x1b[0m [hi] there\nplain\n[] x\n")
        );
        assert_eq!(
            Paint { on: false }.lines(b"error: a\n[b] c\n"),
            "error: a\n[b] c\n"
        );
    }

    #[test]
    fn a_name_cannot_paint() {
        let shown = Paint { on: true }.lines(b"[a\x1b[31mb] hello\x07\n");
        let colour = colour("a^[[31mb");
        assert_eq!(shown, format!("\x1b[{colour}m[a^[[31mb]\x1b[0m hello^G\n"));
    }
}
