//! `news receive`: prints what is sent, and tells what was not heard.

use super::ending::{Ending, Wake};
use super::stdout;
use super::told::Told;
use super::words::some;
use crate::cli::args::{ReceiveNews, Verbosity};
use crate::cli::output::harmless;
use crate::cli::{Interrupted, WrongUse};
use anyhow::bail;
use guardhouse::datagram::{
    Account, Datagram, Decoded, Header, ReceiveOptions, Receiver, Report, StreamReport, Verdict,
};
use rustix::event::PollFlags;
use serde::Serialize;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// What is printed at once while more is waiting to be received.
const BATCH: usize = 64 * 1024;

/// Datagrams that are received before anybody looks for a signal.
const MOST_AT_ONCE: usize = 1024;

pub(super) fn run(args: &ReceiveNews, verbosity: Verbosity) -> anyhow::Result<()> {
    let mut ending = Ending::watch()?;
    let audience = args.of.audience();
    let mut receiver = Receiver::open(&audience, &options(args)?)?;
    let on = receiver.interface().map(ToString::to_string);
    let mut told = Told::start(verbosity);
    let by = on
        .as_deref()
        .map_or_else(String::new, |on| format!(" on {on}"));
    told.note(&format!("listening to {audience}{by}"));
    warn_of_a_small_buffer(args, &receiver, &mut told)?;
    let mut hearing = Hearing {
        account: Account::new(),
        printed: Vec::new(),
        prints: !args.json,
        shown: io::stdout().is_terminal(),
        heard: 0,
        bytes: 0,
        last: Instant::now(),
    };
    let began = Instant::now();
    let outcome = hearing.all(args, &mut receiver, &mut ending, &mut told);
    let report = hearing.account.report(receiver.dropped());
    if outcome.is_ok() && !hearing.printed.is_empty() {
        let bytes = hearing.printed.len();
        told.warn(&format!(
            "{bytes} bytes of lines were not printed: nobody reads stdout"
        ));
    }
    let printed = if args.json {
        let report = ReceiveReport {
            audience: audience.to_string(),
            interface: on,
            seconds: began.elapsed().as_secs_f64(),
            report,
        };
        stdout::report(&report, &mut ending, &mut told)
    } else {
        told.sum_up(summary(&hearing, &report));
        Ok(())
    };
    told.end();
    printed?;
    verdict(args, &outcome?, hearing.heard)
}

fn options(args: &ReceiveNews) -> anyhow::Result<ReceiveOptions> {
    let buffer = args.buffer.map(|size| {
        let most = i32::MAX as u64;
        let bytes = usize::try_from(size.as_u64()).ok();
        let bytes = bytes.filter(|_| (1..=most).contains(&size.as_u64()));
        bytes.ok_or_else(|| WrongUse(format!("--buffer {size} is outside 1 B to {most} B")))
    });
    Ok(ReceiveOptions {
        interface: args.of.interface.clone(),
        sources: args.source.clone(),
        buffer: buffer.transpose()?,
    })
}

fn warn_of_a_small_buffer(
    args: &ReceiveNews,
    receiver: &Receiver,
    told: &mut Told,
) -> anyhow::Result<()> {
    let granted = receiver.buffer()?;
    if let Some(asked) = args.buffer
        && (granted as u64) < asked.as_u64()
    {
        told.warn(&format!(
            "--buffer {asked}: the system grants {granted} bytes; `sysctl net.core.rmem_max` sets its limit"
        ));
    }
    Ok(())
}

/// Why it ended.
enum Outcome {
    Enough,
    Silence(Duration),
    Signal(i32),
}

fn verdict(args: &ReceiveNews, outcome: &Outcome, heard: u64) -> anyhow::Result<()> {
    match (outcome, args.count) {
        (Outcome::Silence(patience), Some(count)) => {
            bail!(
                "{heard} of {count} came, and then nothing for {patience:?}; `guardhouse news doctor` looks for reasons"
            )
        }
        (Outcome::Silence(patience), None) if heard == 0 => {
            bail!("nothing came for {patience:?}; `guardhouse news doctor` looks for reasons")
        }
        (Outcome::Signal(signal), Some(_)) => Err(Interrupted(*signal).into()),
        _ => Ok(()),
    }
}

struct Hearing {
    account: Account,
    /// Lines that are still to be printed.
    printed: Vec<u8>,
    prints: bool,
    /// On a terminal, without control characters.
    shown: bool,
    /// Lines that were printed, or would be without `--json`.
    heard: u64,
    /// Theirs.
    bytes: u64,
    /// When the last of them came.
    last: Instant,
}

impl Hearing {
    fn all(
        &mut self,
        args: &ReceiveNews,
        receiver: &mut Receiver,
        ending: &mut Ending,
        told: &mut Told,
    ) -> anyhow::Result<Outcome> {
        let count = args.count.map_or(u64::MAX, |count| count.get() as u64);
        let patience = args.timeout.as_ref().map(|timeout| timeout.time);
        loop {
            let before = self.heard;
            for _ in 0..MOST_AT_ONCE {
                if self.heard >= count || self.printed.len() >= BATCH {
                    break;
                }
                let Some(datagram) = receiver.receive(Some(Duration::ZERO))? else {
                    break;
                };
                self.enter(&datagram, told);
            }
            if let Some(signal) = stdout::print(&mut self.printed, ending)? {
                return Ok(Outcome::Signal(signal));
            }
            if self.heard >= count {
                return Ok(Outcome::Enough);
            }
            let until = patience.and_then(|patience| self.last.checked_add(patience));
            let silence = || Ok(Outcome::Silence(patience.unwrap_or_default()));
            // What is no news wakes it, too, but does not make it wait longer.
            if self.heard == before && until.is_some_and(|until| until <= Instant::now()) {
                return silence();
            }
            match ending.wait(Some((receiver.as_fd(), PollFlags::IN)), until)? {
                Wake::Ready => {}
                Wake::Time => return silence(),
                Wake::Signal(signal) => return Ok(Outcome::Signal(signal)),
            }
        }
    }

    fn enter(&mut self, datagram: &Datagram<'_>, told: &mut Told) {
        let (from, at) = (datagram.from, datagram.at);
        match Header::decode(datagram.bytes) {
            Ok(Decoded::Plain(line)) => {
                self.account.plain(line.len());
                told.detail(|| format!("from {from}"));
                self.line(line, at);
            }
            Ok(Decoded::Numbered(header, line)) => {
                let verdict = self.account.numbered(&header, from, line.len(), at);
                let news = match verdict {
                    Verdict::Duplicate | Verdict::Ended { .. } | Verdict::OnlyEnded { .. } => false,
                    Verdict::Begun { .. }
                    | Verdict::InOrder
                    | Verdict::Gap { .. }
                    | Verdict::Late
                    | Verdict::Stale => true,
                };
                if let Some(text) = told_of(&verdict, &header, from) {
                    told.warn(&text);
                }
                let Header {
                    stream, sequence, ..
                } = header;
                if verdict == Verdict::Late {
                    told.detail(|| {
                        format!("number {sequence} of stream {stream:016x} came after all")
                    });
                }
                if news {
                    told.detail(|| format!("from {from}, number {sequence}"));
                    self.line(line, at);
                }
            }
            Err(error) => {
                self.account.malformed();
                told.warn(&format!("from {from}: {error}; it is not printed"));
            }
        }
    }

    fn line(&mut self, line: &[u8], at: Instant) {
        self.heard += 1;
        self.bytes += line.len() as u64;
        self.last = at;
        if !self.prints {
            return;
        }
        if self.shown {
            self.printed.extend_from_slice(harmless(line).as_bytes());
        } else {
            self.printed.extend_from_slice(line);
        }
        if !line.ends_with(b"\n") {
            self.printed.push(b'\n');
        }
    }
}

/// What of a verdict is worth a line.
fn told_of(verdict: &Verdict, header: &Header, from: std::net::SocketAddr) -> Option<String> {
    let stream = format!("stream {:016x}", header.stream);
    match verdict {
        // Started again, or a second one beside the first: the next datagrams will tell.
        Verdict::Begun { again: true, .. } => Some(format!("another stream from {from}: {stream}")),
        Verdict::Begun { first: 1.., .. } => {
            let first = header.sequence;
            Some(format!(
                "{stream} from {from} began before: the first heard is number {first}"
            ))
        }
        Verdict::OnlyEnded { count } => Some(format!(
            "{stream} from {from} is over after {}, of which none was heard",
            some(*count, "number")
        )),
        // Those may come after all, and these hardly.
        Verdict::Gap { from, missing } => Some(numbers("missing", *from, *missing, &stream)),
        Verdict::Ended {
            first,
            missing: missing @ 1..,
        } => Some(numbers("lost", *first, *missing, &stream)),
        _ => None,
    }
}

/// Such of a stream.
fn numbers(what: &str, first: u64, count: u64, stream: &str) -> String {
    let last = first + count - 1;
    match count {
        1 => format!("{what} 1: number {first} of {stream}"),
        _ => format!("{what} {count}: numbers {first} to {last} of {stream}"),
    }
}

fn summary(hearing: &Hearing, report: &Report) -> Vec<String> {
    let (heard, bytes) = (some(hearing.heard, "line"), some(hearing.bytes, "byte"));
    let mut lines = vec![format!("heard {heard}, {bytes}")];
    lines.extend(report.streams.iter().map(of_stream));
    if report.malformed > 0 {
        let datagrams = some(report.malformed, "datagram");
        lines.push(format!("{datagrams} only began like a numbered one"));
    }
    if let Some(dropped @ 1..) = report.dropped_here {
        lines.push(format!(
            "lost here, since this receiver's buffer was full: {}; --buffer makes room",
            some(dropped.into(), "datagram")
        ));
    }
    lines
}

fn of_stream(stream: &StreamReport) -> String {
    let StreamReport {
        stream: id,
        from,
        received,
        lost,
        reordered,
        jitter_us,
        ..
    } = stream;
    let duplicates = some(stream.duplicates, "duplicate");
    let share = 100.0 * *lost as f64 / (received + lost).max(1) as f64;
    let mut text = format!(
        "stream {id} from {from}: {received} received, {lost} lost ({share:.2} %), {duplicates}, {reordered} reordered, \
         jitter {jitter_us:.0} µs"
    );
    for (holds, what) in [
        (
            stream.first > 0,
            format!(", heard from number {} on", stream.first),
        ),
        (
            stream.stale > 0,
            format!(", {} too far behind to tell", stream.stale),
        ),
        (stream.restarted, ", a sender that started again".into()),
        (stream.ended, ", ended".into()),
    ] {
        if holds {
            text.push_str(&what);
        }
    }
    text
}

/// What `--json` prints.
#[derive(Serialize)]
struct ReceiveReport {
    audience: String,
    interface: Option<String>,
    seconds: f64,
    #[serde(flatten)]
    report: Report,
}
