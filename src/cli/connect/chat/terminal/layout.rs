//! [`Layout`]: where on the screen the typed line is, cut into rows, and how to wipe it off again.
//!
//! The rows are cut here and not by the terminal: no two agree on what a wide character does at the edge.

use super::raw::Size;
use crate::cli::output::harmless;
use std::fmt::Write;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

pub(super) struct Layout {
    rows: Vec<Row>,
    cursor: Place,
}

#[derive(Default)]
struct Row {
    text: String,
    width: usize,
}

#[derive(Clone, Copy, Default)]
struct Place {
    row: usize,
    column: usize,
}

/// What [`Layout::draw`] left on the screen.
pub(super) struct Shape {
    /// How wide each row is.
    widths: Vec<usize>,
    cursor: Place,
    columns: usize,
}

impl Layout {
    /// `text` after `prompt` in rows of so many columns, with the cursor before byte number `cursor` of `text`.
    pub(super) fn of(prompt: &str, text: &str, cursor: usize, columns: usize) -> Self {
        let mut layout = Self {
            rows: vec![Row::default()],
            cursor: Place::default(),
        };
        for grapheme in prompt.graphemes(true) {
            layout.push(grapheme, columns);
        }
        for (at, grapheme) in text.grapheme_indices(true) {
            let place = layout.push(&shown(grapheme), columns);
            if at == cursor {
                layout.cursor = place;
            }
        }
        if cursor >= text.len() {
            layout.cursor = layout.end(1, columns);
        }
        layout
    }

    fn push(&mut self, grapheme: &str, columns: usize) -> Place {
        let width = grapheme.width();
        let place = self.end(width, columns);
        let row = &mut self.rows[place.row];
        row.text.push_str(grapheme);
        row.width += width;
        place
    }

    /// Where something goes that is so wide: into a new row if this one has no room for it.
    fn end(&mut self, width: usize, columns: usize) -> Place {
        let used = self.rows.last().map_or(0, |row| row.width);
        if used > 0 && used + width > columns {
            self.rows.push(Row::default());
        }
        Place {
            row: self.rows.len() - 1,
            column: self.rows.last().map_or(0, |row| row.width),
        }
    }

    /// Draws it into `screen` from a row's beginning on, and puts the cursor into its place. Of more
    /// rows than the screen has it draws those around the cursor. `painted` is what `prompt` looks like.
    pub(super) fn draw(
        &self,
        size: Size,
        prompt: &str,
        painted: &str,
        screen: &mut String,
    ) -> Shape {
        let from = (self.cursor.row + 1).saturating_sub(size.rows);
        let to = self.rows.len().min(from + size.rows);
        for (number, row) in self.rows.iter().enumerate().take(to).skip(from) {
            if number > from {
                screen.push_str("\r\n");
            }
            match row.text.strip_prefix(prompt) {
                Some(rest) if number == 0 => {
                    screen.push_str(painted);
                    screen.push_str(rest);
                }
                _ => screen.push_str(&row.text),
            }
        }
        up(to - 1 - self.cursor.row, screen);
        screen.push('\r');
        if self.cursor.column > 0 {
            // Writing to a string cannot fail.
            let _ = write!(screen, "\x1b[{}C", self.cursor.column);
        }
        Shape {
            widths: self.rows[from..to].iter().map(|row| row.width).collect(),
            cursor: Place {
                row: self.cursor.row - from,
                column: self.cursor.column,
            },
            columns: size.columns,
        }
    }
}

impl Shape {
    /// Wipes it off, on a screen that may have been resized to so many columns meanwhile. Most terminals then cut the
    /// rows that no longer fit into several; none puts rows together that ended by themselves.
    pub(super) fn wipe(&self, columns: usize, screen: &mut String) {
        let above = if columns < self.columns {
            let before = &self.widths[..self.cursor.row];
            let rows: usize = before
                .iter()
                .map(|width| width.div_ceil(columns).max(1))
                .sum();
            rows + self.cursor.column / columns
        } else {
            self.cursor.row
        };
        up(above, screen);
        screen.push_str("\r\x1b[J");
    }

    /// Leaves it where it is, and goes to the row below.
    pub(super) fn leave(&self, screen: &mut String) {
        for _ in self.cursor.row..self.widths.len() {
            screen.push_str("\r\n");
        }
    }
}

fn up(rows: usize, screen: &mut String) {
    if rows > 0 {
        // Writing to a string cannot fail.
        let _ = write!(screen, "\x1b[{rows}A");
    }
}

/// A character as it is drawn: those that would move the cursor are drawn as something else.
fn shown(grapheme: &str) -> String {
    if grapheme == "\t" {
        "    ".into()
    } else {
        harmless(grapheme.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, cursor: usize, columns: usize) -> (Vec<String>, (usize, usize)) {
        let layout = Layout::of("> ", text, cursor, columns);
        let rows = layout.rows.into_iter().map(|row| row.text).collect();
        (rows, (layout.cursor.row, layout.cursor.column))
    }

    #[test]
    fn rows_are_cut_at_the_edge() {
        assert_eq!(rows("abcd", 4, 8), (vec!["> abcd".into()], (0, 6)));
        assert_eq!(
            rows("abcdefgh", 1, 8),
            (vec!["> abcdef".into(), "gh".into()], (0, 3))
        );
        assert_eq!(
            rows("abcdef", 6, 8),
            (vec!["> abcdef".into(), String::new()], (1, 0)),
            "the cursor needs a place, too"
        );
        assert_eq!(
            rows("abcdefg", 6, 8),
            (vec!["> abcdef".into(), "g".into()], (1, 0))
        );
    }

    #[test]
    fn a_wide_character_is_not_cut_in_two() {
        let (all, cursor) = rows("ab가나", "ab가나".len(), 5);
        assert_eq!(all, ["> ab", "가나"]);
        assert_eq!(cursor, (1, 4));
        assert_eq!(
            rows("e\u{301}x", 3, 8).1,
            (0, 3),
            "one column, two characters"
        );
        assert_eq!(rows("\x07x", 1, 8), (vec!["> ^Gx".into()], (0, 4)));
        assert_eq!(rows("가", 3, 1).0.len(), 4, "wider than the screen");
    }

    #[test]
    fn a_line_taller_than_the_screen_shows_what_is_around_the_cursor() {
        let text = "abcdefghij";
        let mut screen = String::new();
        let shape = Layout::of("> ", text, text.len(), 4).draw(
            Size {
                columns: 4,
                rows: 2,
            },
            "> ",
            "> ",
            &mut screen,
        );
        assert_eq!(screen, "ghij\r\n\r");
        assert_eq!((shape.widths, shape.cursor.row), (vec![4, 0], 1));
    }

    #[test]
    fn what_was_drawn_is_wiped_off_also_after_the_screen_became_narrower() {
        let shape = |columns| {
            let layout = Layout::of("> ", "abcdefghij", 10, columns);
            layout.draw(Size { columns, rows: 9 }, "> ", "> ", &mut String::new())
        };
        let wiped = |shape: Shape, columns| {
            let mut screen = String::new();
            shape.wipe(columns, &mut screen);
            screen
        };
        assert_eq!(wiped(shape(20), 20), "\r\x1b[J");
        assert_eq!(wiped(shape(8), 8), "\x1b[1A\r\x1b[J");
        assert_eq!(wiped(shape(8), 20), "\x1b[1A\r\x1b[J");
        // 8 columns and 4 columns, in rows of 3: three rows, then one, and the cursor in a second.
        assert_eq!(wiped(shape(8), 3), "\x1b[4A\r\x1b[J");
    }
}
