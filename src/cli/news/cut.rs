//! A line that is too long for a datagram, cut to fit.

/// As much of a line as `room` bytes hold, and then its `end`, if there is room for that, too. Cut between two characters, where
/// it is UTF-8. `None`: not even the first character fits.
///
/// Of the line, `text` is everything before its end, or as much as was kept, which is more than `room`.
pub(super) fn cut(text: &[u8], end: &[u8], room: usize) -> Option<Vec<u8>> {
    // Receivers begin a new line after each datagram, so its end is what it can do without.
    [end, b""].into_iter().find_map(|end| {
        let keep = boundary(text, room.checked_sub(end.len())?);
        (keep > 0).then(|| [&text[..keep], end].concat())
    })
}

/// The last place up to `at` that is not within a character.
fn boundary(text: &[u8], at: usize) -> usize {
    let at = at.min(text.len());
    if !text.get(at).is_some_and(|byte| continues(*byte)) {
        return at;
    }
    // A character has at most 3 bytes after its first. What has more, or has no first, is no UTF-8: there it does not matter.
    let first = (1..=3)
        .map_while(|back| at.checked_sub(back))
        .find(|first| !continues(text[*first]));
    match first {
        Some(first) if first + width(text[first]) > at => first,
        _ => at,
    }
}

/// Whether it is a byte of a character, and not its first: those begin with the bits 10.
fn continues(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Bytes of the character that begins so.
fn width(first: u8) -> usize {
    match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a whole line.
    fn of(line: &[u8], room: usize) -> Option<Vec<u8>> {
        let end: &[u8] = match line {
            [.., b'\r', b'\n'] => b"\r\n",
            [.., b'\n'] => b"\n",
            _ => b"",
        };
        cut(&line[..line.len() - end.len()], end, room)
    }

    fn becomes(line: impl AsRef<[u8]>, room: usize, cut: impl AsRef<[u8]>) {
        let cut = cut.as_ref().to_vec();
        assert_eq!(of(line.as_ref(), room), Some(cut));
    }

    #[test]
    fn it_keeps_the_end_that_it_has() {
        becomes("abcdef\n", 4, "abc\n");
        becomes("abcdef\r\n", 4, "ab\r\n");
        becomes("abcdef\r\n", 7, "abcde\r\n");
        becomes("abcdef", 4, "abcd");
    }

    #[test]
    fn one_that_has_no_room_for_its_end_goes_without() {
        becomes("abc\n", 1, "a");
        becomes("a\r\n", 2, "a");
        becomes("가나\n", 3, "가");
    }

    #[test]
    fn no_character_is_cut_in_two() {
        for room in 4..7 {
            becomes("가나다\n", room, "가\n");
        }
        becomes("가나다\n", 7, "가나\n");
        becomes("é\u{1f980}é", 5, "é");
        becomes("é\u{1f980}é", 6, "é\u{1f980}");
        becomes("né\n", 3, "n\n");
    }

    #[test]
    fn what_does_not_hold_its_first_character_is_refused() {
        for (line, room) in [("가나\n", 2), ("\u{1f980}x\n", 3), ("é", 1)] {
            assert_eq!(of(line.as_bytes(), room), None, "{line} in {room}");
        }
    }

    #[test]
    fn what_is_no_utf_8_is_cut_anywhere() {
        becomes([0xb0; 3000], 1400, [0xb0; 1400]);
        becomes(b"a\xb0\xb0\xb0\xb0\xb0\n", 5, b"a\xb0\xb0\xb0\n");
        // A character's first byte, and more after it than it can have.
        becomes(b"\xc3\xa9\xa9\xa9\xa9\n", 4, b"\xc3\xa9\xa9\n");
    }
}
