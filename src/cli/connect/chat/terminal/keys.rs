//! [`Keys`]: from the bytes that a terminal sends to the keys that were pressed.
//!
//! Keys without a character come as escape sequences of the kind that xterm and its many heirs send (ECMA-48: CSI is
//! `ESC [`, then parameters, then one final byte; SS3 is `ESC O` and one byte). A sequence may be cut anywhere, and one
//! that means nothing here is passed over whole.

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    /// With Ctrl, in lower case.
    Ctrl(char),
    /// With Alt, or after Escape.
    Alt(char),
    Enter,
    Backspace,
    /// With Alt.
    WordBackspace,
    Delete,
    Left,
    Right,
    WordLeft,
    WordRight,
    Up,
    Down,
    Home,
    End,
}

#[derive(Default)]
pub(super) struct Keys {
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Ground,
    /// So many bytes of a character are still to come after these.
    Character(Vec<u8>, usize),
    Escape,
    /// After `ESC O`.
    Ss3,
    /// After `ESC [`: the parameters so far.
    Csi(Vec<u8>),
}

/// Longer parameters are no key's.
const LONGEST_PARAMETERS: usize = 32;

impl Keys {
    pub(super) fn feed(&mut self, bytes: &[u8], keys: &mut Vec<Key>) {
        for &byte in bytes {
            keys.extend(self.step(byte));
        }
    }

    fn step(&mut self, byte: u8) -> Option<Key> {
        match std::mem::take(&mut self.state) {
            State::Ground => self.ground(byte),
            State::Character(mut bytes, more) => {
                if byte & 0xC0 != 0x80 {
                    // It was cut short; whatever this is, it begins here.
                    return self.ground(byte);
                }
                bytes.push(byte);
                if more > 1 {
                    self.state = State::Character(bytes, more - 1);
                    return None;
                }
                let text = str::from_utf8(&bytes).ok();
                Some(Key::Char(
                    text.and_then(|text| text.chars().next())
                        .unwrap_or(char::REPLACEMENT_CHARACTER),
                ))
            }
            State::Escape => match byte {
                b'[' => {
                    self.state = State::Csi(Vec::new());
                    None
                }
                b'O' => {
                    self.state = State::Ss3;
                    None
                }
                0x08 | 0x7F => Some(Key::WordBackspace),
                b' '..=b'~' => Some(Key::Alt(char::from(byte))),
                _ => self.ground(byte),
            },
            State::Ss3 => cursor_key(byte, b""),
            State::Csi(mut parameters) => match byte {
                0x20..=0x3F => {
                    if parameters.len() < LONGEST_PARAMETERS {
                        parameters.push(byte);
                    }
                    self.state = State::Csi(parameters);
                    None
                }
                0x40..=0x7E => cursor_key(byte, &parameters),
                _ => self.ground(byte),
            },
        }
    }

    fn ground(&mut self, byte: u8) -> Option<Key> {
        let following = match byte {
            b'\r' | b'\n' => return Some(Key::Enter),
            0x08 | 0x7F => return Some(Key::Backspace),
            b'\t' | b' '..=b'~' => return Some(Key::Char(char::from(byte))),
            0x1B => {
                self.state = State::Escape;
                return None;
            }
            0..=0x1F => return Some(Key::Ctrl(char::from(byte | 0x40).to_ascii_lowercase())),
            0xC2..=0xDF => 1,
            0xE0..=0xEF => 2,
            0xF0..=0xF4 => 3,
            _ => return Some(Key::Char(char::REPLACEMENT_CHARACTER)),
        };
        self.state = State::Character(vec![byte], following);
        None
    }
}

fn cursor_key(last: u8, parameters: &[u8]) -> Option<Key> {
    // `1;5C` is Right with Ctrl: the second parameter is one more than a set of bits, 2 for Alt, 4 for Ctrl.
    let mut numbers = parameters.split(|&byte| byte == b';').map(number);
    let first = numbers.next().unwrap_or(0);
    let by_word = numbers
        .next()
        .is_some_and(|bits| bits > 0 && (bits - 1) & 6 != 0);
    match (last, first) {
        (b'A', _) => Some(Key::Up),
        (b'B', _) => Some(Key::Down),
        (b'C', _) if by_word => Some(Key::WordRight),
        (b'C', _) => Some(Key::Right),
        (b'D', _) if by_word => Some(Key::WordLeft),
        (b'D', _) => Some(Key::Left),
        (b'H', _) | (b'~', 1 | 7) => Some(Key::Home),
        (b'F', _) | (b'~', 4 | 8) => Some(Key::End),
        (b'~', 3) => Some(Key::Delete),
        _ => None,
    }
}

fn number(digits: &[u8]) -> u32 {
    str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Vec::new();
        Keys::default().feed(bytes, &mut keys);
        keys
    }

    #[test]
    fn each_key_is_found_wherever_its_bytes_are_cut() {
        let bytes = "a가\x1b[A\x1b[1;5C\x1bOH\x1b[3~\x1bb\x1b\x7f\r\x01\x7f\u{1F600}".as_bytes();
        let all = vec![
            Key::Char('a'),
            Key::Char('가'),
            Key::Up,
            Key::WordRight,
            Key::Home,
            Key::Delete,
            Key::Alt('b'),
            Key::WordBackspace,
            Key::Enter,
            Key::Ctrl('a'),
            Key::Backspace,
            Key::Char('\u{1F600}'),
        ];
        for cut in 0..=bytes.len() {
            let (mut state, mut pressed) = (Keys::default(), Vec::new());
            state.feed(&bytes[..cut], &mut pressed);
            state.feed(&bytes[cut..], &mut pressed);
            assert_eq!(pressed, all, "{cut}");
        }
    }

    #[test]
    fn what_is_no_key_leaves_no_rubbish() {
        assert_eq!(
            keys(b"\x1b[200~x\x1b[?1;2cy\x1b[15~"),
            [Key::Char('x'), Key::Char('y')]
        );
        assert_eq!(
            keys(b"\xff\xe3\x81z"),
            [Key::Char(char::REPLACEMENT_CHARACTER), Key::Char('z')]
        );
        assert_eq!(keys(b"\x1b\x1b[A"), [Key::Up]);
        assert_eq!(keys(b"\x1b[9\x03"), [Key::Ctrl('c')]);
    }
}
