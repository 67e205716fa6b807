//! [`Terminal`]: the line being typed stays at the bottom, and what arrives is shown above it.
//!
//! Before anything is shown the line is wiped off, and after it the line is drawn again below, all in one write:
//! nothing is seen to flicker, and nobody else draws.

mod editor;
mod history;
mod keys;
mod layout;
mod raw;

use super::face::Face;
use super::paint::Paint;
use crate::cli::Interrupted;
use crate::cli::output::{self, harmless};
use crate::cli::signals::{self, Signals};
use anyhow::Context;
use editor::{Did, Editor};
use keys::Keys;
use layout::{Layout, Shape};
use raw::Raw;
use rustix::io::Errno;
use signal_hook::consts::{SIGCONT, SIGINT, SIGWINCH};
use std::io;
use std::os::fd::BorrowedFd;

const CHUNK: usize = 4096;

pub(super) struct Terminal {
    raw: Raw,
    signals: Signals,
    keys: Keys,
    editor: Editor,
    name: String,
    paint: Paint,
    /// What of the typed line is on the screen.
    drawn: Option<Shape>,
    /// The line is ours; afterwards the terminal is as it was.
    open: bool,
}

impl Terminal {
    pub(super) fn open(name: &str, paint: Paint) -> anyhow::Result<Self> {
        let signals =
            Signals::watch(&Signals::OF_A_TERMINAL).context("cannot watch for signals")?;
        let raw = Raw::enter().context("cannot take over the terminal")?;
        Ok(Self {
            raw,
            signals,
            keys: Keys::default(),
            editor: Editor::default(),
            name: name.into(),
            paint,
            drawn: None,
            open: true,
        })
    }

    /// Prints `text`, whole lines, above the line being typed.
    fn above(&mut self, text: &str) -> anyhow::Result<()> {
        let mut screen = String::new();
        if self.open {
            self.wipe(&mut screen);
            screen.push_str(text);
            self.draw(&mut screen);
        } else {
            screen.push_str(text);
        }
        output::print(screen.as_bytes())
    }

    fn wipe(&mut self, screen: &mut String) {
        if let Some(drawn) = self.drawn.take() {
            drawn.wipe(raw::size().columns, screen);
        }
    }

    fn draw(&mut self, screen: &mut String) {
        let view = self.editor.view();
        let prompt = view
            .prompt
            .unwrap_or_else(|| harmless(format!("{}> ", self.name).as_bytes()));
        let size = raw::size();
        let layout = Layout::of(&prompt, view.text, view.cursor, size.columns);
        let painted = self.paint.prompt(&self.name, &prompt);
        self.drawn = Some(layout.draw(size, &prompt, &painted, screen));
    }

    fn redraw(&mut self) -> anyhow::Result<()> {
        self.above("")
    }

    fn key(&mut self, key: keys::Key, lines: &mut Vec<u8>) -> anyhow::Result<bool> {
        match self.editor.key(key) {
            Did::Edit => {}
            Did::Submit(line) => {
                lines.extend_from_slice(line.as_bytes());
                lines.push(b'\n');
            }
            Did::End => return Ok(false),
            Did::Interrupt => return Err(Interrupted(SIGINT).into()),
            Did::Suspend => self.suspend()?,
            Did::Clear => {
                self.drawn = None;
                output::print(b"\x1b[H\x1b[2J")?;
            }
        }
        Ok(true)
    }

    /// Stops, as the terminal would have us stopped, and goes on when we are told to. Where there is no shell to tell us,
    /// nobody stops.
    fn suspend(&mut self) -> anyhow::Result<()> {
        let mut screen = String::new();
        self.wipe(&mut screen);
        output::print(screen.as_bytes())?;
        self.raw.leave().context("cannot give the terminal back")?;
        signals::stop().context("cannot stop")?;
        self.raw
            .enter_again()
            .context("cannot take over the terminal")
    }
}

impl Face for Terminal {
    const INTERACTIVE: bool = true;

    fn greet(&mut self, name: &str) -> anyhow::Result<()> {
        self.tell(&format!(
            "Connected as {name}. Type a line to send it, Q to quit."
        ))
    }

    fn show(&mut self, _: &[u8], lines: &[u8]) -> anyhow::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let painted = self.paint.lines(lines);
        self.above(&painted)
    }

    fn needs_lines(&self) -> bool {
        true
    }

    fn tell(&mut self, text: &str) -> anyhow::Result<()> {
        let painted = self.paint.aside(&harmless(text.as_bytes()));
        self.above(&format!("{painted}\n"))
    }

    fn rename(&mut self, name: &str) -> anyhow::Result<()> {
        name.clone_into(&mut self.name);
        self.redraw()
    }

    fn read(&mut self, lines: &mut Vec<u8>) -> anyhow::Result<bool> {
        let mut chunk = [0; CHUNK];
        let count = match rustix::io::read(io::stdin(), &mut chunk) {
            Ok(count) => count,
            Err(Errno::INTR) => return Ok(true),
            // There is no terminal any more.
            Err(Errno::IO) => 0,
            Err(error) => return Err(error).context("cannot read what is typed"),
        };
        let mut more = count > 0;
        let mut pressed = Vec::new();
        self.keys.feed(&chunk[..count], &mut pressed);
        for key in pressed {
            if !more {
                break;
            }
            more = self.key(key, lines)?;
        }
        self.redraw()?;
        Ok(more)
    }

    fn signals(&self) -> Option<BorrowedFd<'_>> {
        Some(self.signals.fd())
    }

    fn signalled(&mut self) -> anyhow::Result<()> {
        for signal in self.signals.arrived() {
            match signal {
                SIGCONT if self.open => self
                    .raw
                    .enter_again()
                    .context("cannot take over the terminal")?,
                SIGCONT | SIGWINCH => {}
                signal => return Err(Interrupted(signal).into()),
            }
        }
        self.redraw()
    }

    fn close_input(&mut self) -> anyhow::Result<()> {
        if !self.open {
            return Ok(());
        }
        self.open = false;
        let mut screen = String::new();
        match self.drawn.take() {
            // What was not sent stays to be seen.
            Some(drawn) if self.editor.is_typing() => drawn.leave(&mut screen),
            Some(drawn) => drawn.wipe(raw::size().columns, &mut screen),
            None => {}
        }
        let printed = output::print(screen.as_bytes());
        self.raw.leave().context("cannot give the terminal back")?;
        printed
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Whatever went wrong has been said, and `Raw` gives the terminal back by itself.
        let _ = self.close_input();
    }
}
