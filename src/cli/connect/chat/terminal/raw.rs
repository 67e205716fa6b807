//! [`Raw`]: the terminal without its own line editing, until it is dropped.

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize,
    tcsetattr,
};
use std::io;

pub(super) struct Raw {
    before: Termios,
    raw: Termios,
}

impl Raw {
    /// Every key comes as it is pressed, and is not shown. What is written still begins each line at the left.
    pub(super) fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
        raw.input_modes
            .remove(InputModes::ICRNL | InputModes::INLCR | InputModes::IXON | InputModes::ISTRIP);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        let raw = Self { before, raw };
        raw.enter_again()?;
        Ok(raw)
    }

    pub(super) fn enter_again(&self) -> io::Result<()> {
        Ok(tcsetattr(io::stdin(), OptionalActions::Now, &self.raw)?)
    }

    pub(super) fn leave(&self) -> io::Result<()> {
        Ok(tcsetattr(io::stdin(), OptionalActions::Now, &self.before)?)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // There may be no terminal any more.
        let _ = self.leave();
    }
}

/// How large the terminal is, in characters.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

pub(super) fn size() -> Size {
    // A serial line does not know.
    let known = tcgetwinsize(io::stdout()).ok();
    let or = |n: Option<u16>, guess| n.filter(|&n| n > 0).map_or(guess, usize::from);
    Size {
        columns: or(known.map(|size| size.ws_col), 80),
        rows: or(known.map(|size| size.ws_row), 24),
    }
}
