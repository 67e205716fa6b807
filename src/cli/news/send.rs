//! `news send`: a line, a datagram.
//!
//! The tutorial's sender asks `feof` before it reads, and so sends the last line twice; this one sends what it has read.

use super::cut::cut;
use super::done::Done;
use super::ending::{Ending, Wake};
use super::pace::Pace;
use super::source::{Line, Next, Source, Then};
use super::stdout;
use super::told::Told;
use super::words::some;
use crate::cli::args::{SendNews, Switch, Verbosity};
use crate::cli::{Interrupted, WrongUse};
use anyhow::{anyhow, bail};
use guardhouse::datagram::{DatagramError, Header, Numbering, SendOptions, Sender};
use rustix::event::PollFlags;
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// After the last line, when to say that it was the last: what says so may be lost like everything else.
const ENDS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(20),
    Duration::from_millis(200),
];

/// How often to look for a signal, in lines, where there is no time to wait between them.
const LOOK_UP: u64 = 64;

pub(super) fn run(args: &SendNews, verbosity: Verbosity) -> anyhow::Result<()> {
    let room = room(args)?;
    let mut ending = Ending::watch()?;
    let then = match (args.repeat, args.follow) {
        (true, _) => Then::Repeat,
        (_, true) => Then::Follow,
        _ => Then::Stop,
    };
    let sender = Sender::open(&args.to.audience(), &options(args))?;
    let source = Source::open(&args.file, then)?;
    let mut told = Told::start(verbosity);
    told.note(&greeting(args, &sender));
    if args.ttl == 0 {
        told.warn("with --ttl 0 no datagram leaves this host; --ttl 1 reaches the network");
    }
    let mut sending = Sending {
        sender,
        numbering: args.sequence.then(Numbering::new),
        room,
        truncate: args.truncate,
        datagram: Vec::new(),
        done: Done::default(),
        beyond_mtu: false,
        complaint: None,
    };
    let began = Instant::now();
    let outcome = sending.all(args, source, &mut ending, &mut told);
    let seconds = began.elapsed().as_secs_f64();
    let done = &sending.done;
    let printed = if args.json {
        let report = done.report(&sending.sender, sending.numbering.as_ref(), seconds);
        stdout::report(&report, &mut ending, &mut told)
    } else {
        told.sum_up([done.to_string()]);
        Ok(())
    };
    told.end();
    printed?;
    if let Some(signal) = outcome?
        && (then == Then::Stop || args.count.is_some())
    {
        return Err(Interrupted(signal).into());
    }
    if done.refused + done.failed > 0 {
        bail!("{}", done.unsent());
    }
    Ok(())
}

fn options(args: &SendNews) -> SendOptions {
    SendOptions {
        interface: args.to.interface.clone(),
        ttl: args.ttl,
        loops: args.loops == Switch::On,
        max_datagram: limit(args),
    }
}

fn limit(args: &SendNews) -> usize {
    usize::try_from(args.max_datagram.as_u64()).unwrap_or(usize::MAX)
}

/// Bytes that a datagram has for its line.
fn room(args: &SendNews) -> anyhow::Result<usize> {
    let limit = limit(args);
    if !args.sequence {
        return Ok(limit);
    }
    let room = limit.checked_sub(Header::LENGTH).filter(|room| *room > 0);
    let sentence = || {
        let header = Header::LENGTH;
        WrongUse(format!(
            "--max-datagram {limit} leaves nothing for a line after the {header} bytes of --sequence; it must be more than {header}"
        ))
    };
    Ok(room.ok_or_else(sentence)?)
}

fn greeting(args: &SendNews, sender: &Sender) -> String {
    let by = sender.interface();
    let by = by.map_or_else(String::new, |by| format!(" on {by}"));
    let how_often = match args.rate {
        Some(rate) if rate.is_one() => "a line a second".into(),
        Some(rate) => format!("{rate} lines a second"),
        None if args.interval.time.is_zero() => "as fast as it goes".into(),
        None => format!("a line every {}", args.interval),
    };
    format!("sending to {}{by}, {how_often}", sender.audience())
}

struct Sending {
    sender: Sender,
    numbering: Option<Numbering>,
    /// Bytes that a datagram has for its line.
    room: usize,
    truncate: bool,
    datagram: Vec<u8>,
    done: Done,
    /// The interface refused one that was within the limit.
    beyond_mtu: bool,
    /// What the last send that failed said: the same is told once.
    complaint: Option<String>,
}

impl Sending {
    /// Until the lines, the count or somebody's patience end. Says which signal it was.
    fn all(
        &mut self,
        args: &SendNews,
        mut source: Source,
        ending: &mut Ending,
        told: &mut Told,
    ) -> anyhow::Result<Option<i32>> {
        let interval = match args.rate {
            Some(rate) => rate.interval(),
            None => args.interval.time,
        };
        let mut pace = Pace::new(interval);
        let count = args.count.map_or(u64::MAX, |count| count.get() as u64);
        let mut lines = 0_u64;
        let mut signal = None;
        // When the file was last begun again, and what had been tried to send then.
        let (mut repeats, mut tried) = (0, 0);
        while self.done.sent + self.done.failed < count {
            let line = match source.next(ending)? {
                Next::Line(line) => line,
                Next::Remark(remark) => {
                    told.warn(&remark);
                    continue;
                }
                Next::Over => break,
                Next::Signal(number) => {
                    signal = Some(number);
                    break;
                }
            };
            if source.repeats() > repeats {
                let all = self.done.sent + self.done.failed;
                if all == tried {
                    return Err(self.nothing_fits(&args.file));
                }
                (repeats, tried) = (source.repeats(), all);
            }
            let now = Instant::now();
            let due = pace.next(now);
            lines += 1;
            if (due > now || lines.is_multiple_of(LOOK_UP))
                && let Wake::Signal(number) = ending.wait(None, Some(due))?
            {
                signal = Some(number);
                break;
            }
            let Some(text) = self.fit(line, told) else {
                continue;
            };
            signal = self.send(&text, ending, told)?;
            if signal.is_some() {
                break;
            }
        }
        if source.unfinished() > 0 {
            let bytes = some(source.unfinished() as u64, "byte");
            told.warn(&format!("{bytes} of a line without an end not sent"));
        }
        self.end(ending)?;
        Ok(signal)
    }

    fn nothing_fits(&self, file: &Path) -> anyhow::Error {
        let file = file.display();
        let limit = some(self.sender.max_datagram() as u64, "byte");
        let advice = match (self.beyond_mtu, self.truncate) {
            (true, _) => {
                " that the interface takes; a smaller --max-datagram and --truncate cut them"
            }
            (false, false) => "; --truncate cuts them",
            (false, true) => "",
        };
        anyhow!("no line of {file} fits a datagram of {limit}{advice}")
    }

    /// The line, if it fits a datagram or may be cut to fit.
    fn fit(&mut self, line: Line, told: &mut Told) -> Option<Vec<u8>> {
        let Line { text, length, end } = line;
        let room = self.room;
        if length <= room {
            return Some(text);
        }
        let whole = text.len() == length;
        let content = &text[..text.len() - if whole { end.len() } else { 0 }];
        let cut = cut(content, end, room).filter(|_| self.truncate);
        if cut.is_some() {
            self.done.cut += 1;
            return cut;
        }
        self.done.refused += 1;
        let why = if self.truncate {
            "not even its first character fits"
        } else {
            "--truncate cuts it"
        };
        told.warn(&format!(
            "a line of {} is refused: a datagram has room for {room} (--max-datagram); {why}",
            some(length as u64, "byte")
        ));
        None
    }

    /// Waits while what was sent before is still to leave the interface. Says which signal came meanwhile.
    ///
    /// # Errors
    /// If nothing was sent before: then it is not the network's mood, but how it is set up.
    fn send(
        &mut self,
        text: &[u8],
        ending: &mut Ending,
        told: &mut Told,
    ) -> anyhow::Result<Option<i32>> {
        self.datagram.clear();
        if let Some(numbering) = &mut self.numbering {
            self.datagram.extend(numbering.next_header().encode());
        }
        self.datagram.extend_from_slice(text);
        // Its number stays used if it is not sent: receivers are to know that something is missing.
        let sent = loop {
            match self.sender.try_send(&self.datagram) {
                Ok(true) => break Ok(()),
                Ok(false) => {}
                Err(error) => break Err(error),
            }
            let room = (self.sender.as_fd(), PollFlags::OUT);
            if let Wake::Signal(signal) = ending.wait(Some(room), None)? {
                self.done.failed += 1;
                told.warn("a line was not sent: those before it have not left the interface");
                return Ok(Some(signal));
            }
        };
        match sent {
            Ok(()) => {
                self.done.sent += 1;
                self.done.bytes += text.len() as u64;
                if self.complaint.take().is_some() {
                    told.warn("sending works again");
                }
            }
            // Another line may fit.
            Err(error) if exceeds_mtu(&error) => {
                self.done.refused += 1;
                self.beyond_mtu = true;
                told.warn(&format!("a line is refused: {error}"));
            }
            Err(error) if self.done.sent == 0 => return Err(error.into()),
            Err(error) => {
                self.done.failed += 1;
                let complaint = error.to_string();
                if self.complaint.as_ref() != Some(&complaint) {
                    told.warn(&complaint);
                    self.complaint = Some(complaint);
                }
            }
        }
        Ok(None)
    }

    fn end(&self, ending: &mut Ending) -> anyhow::Result<()> {
        let Some(numbering) = self
            .numbering
            .as_ref()
            .filter(|numbering| numbering.count() > 0)
        else {
            return Ok(());
        };
        let now = Instant::now();
        for after in ENDS {
            // Who says it again does not want to wait.
            if let Wake::Signal(_) = ending.wait(None, Some(now + after))? {
                break;
            }
            // Nobody is told anything by one that fails.
            let _ = self.sender.try_send(&numbering.end().encode());
        }
        Ok(())
    }
}

/// Whether it is more than the interface takes in one piece.
fn exceeds_mtu(error: &DatagramError) -> bool {
    matches!(error, DatagramError::System { cause, .. } if Errno::from_io_error(cause) == Some(Errno::MSGSIZE))
}
