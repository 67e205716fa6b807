//! The report as a table, and what one must know to read it.

use super::counted;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use guardhouse::lab::{Report, Row, Spread, Workload};
use guardhouse::strategy::ModelKind;

/// On so few cores the load takes from the server what a further thread could have given.
const FEW_CORES: usize = 8;

const CAPTION_WIDTH: usize = 78;

/// A column's title, and what stands in it.
type Column = (&'static str, fn(&Row) -> String);

const NAMES: [Column; 3] = [
    ("service", |row| row.service.to_string()),
    ("model", |row| row.model.into()),
    ("sync", |row| row.sync.into()),
];
const IDLE: [Column; 1] = [("idle", |row| row.idle.to_string())];
const FANOUT: [Column; 1] = [("fan-out", |row| row.fanout.unwrap_or("-").into())];
const STALLED: [Column; 1] = [("stalled", |row| row.stalled.to_string())];
const FIGURES: [Column; 5] = [
    ("messages/s", |row| {
        format!("{:.0}", row.messages_per_second.median)
    }),
    ("min-max", |row| {
        let rate = row.messages_per_second;
        format!("{:.0}-{:.0}", rate.min, rate.max)
    }),
    ("p50 us", |row| format!("{:.1}", row.p50_us.median)),
    ("p99 us", |row| format!("{:.1}", row.p99_us.median)),
    ("CPU us", |row| or_dash(row.server_cpu_us_per_message, 2)),
];
const KEPT: [Column; 1] = [("kept", |row| or_dash(row.kept, 2))];
const OF_THE_IDLE: [Column; 1] = [("B/idle", |row| or_dash(row.idle_client_bytes, 0))];
const BESIDE_THE_STALLED: [Column; 1] = [("p99 x", |row| or_dash(row.p99_times, 2))];

fn or_dash(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or("-".into(), |spread| format!("{:.digits$}", spread.median))
}

fn columns(report: &Report) -> Vec<Column> {
    let (some_are_idle, some_are_stalled) = (has_idle(report), has_stalled(report));
    let mut columns = NAMES.to_vec();
    columns.extend(FANOUT.iter().filter(|_| fanouts(report).len() > 1));
    columns.extend(IDLE.iter().filter(|_| some_are_idle));
    columns.extend(STALLED.iter().filter(|_| some_are_stalled));
    columns.extend(FIGURES);
    columns.extend(KEPT.iter().filter(|_| some_are_idle || some_are_stalled));
    columns.extend(OF_THE_IDLE.iter().filter(|_| some_are_idle));
    columns.extend(BESIDE_THE_STALLED.iter().filter(|_| some_are_stalled));
    columns
}

/// Each once, in the order of the rows.
fn fanouts(report: &Report) -> Vec<&'static str> {
    let mut seen = Vec::new();
    for fanout in report.rows.iter().filter_map(|row| row.fanout) {
        if !seen.contains(&fanout) {
            seen.push(fanout);
        }
    }
    seen
}

fn has_stalled(report: &Report) -> bool {
    report.rows.iter().any(|row| row.stalled > 0)
}

fn has_idle(report: &Report) -> bool {
    report.rows.iter().any(|row| row.idle > 0)
}

pub(super) fn render(report: &Report) -> String {
    let columns = columns(report);
    let names = NAMES.len() + usize::from(fanouts(report).len() > 1);
    let mut table = Table::new();
    let ruler = LineStyle::none().fill('-').junction('-');
    table
        .load_style(TableStyle::new().header_separator(ruler))
        .set_header(columns.iter().map(|(title, _)| *title))
        .add_rows(report.rows.iter().map(|row| {
            let cells = columns.iter().map(|(_, cell)| cell(row));
            cells.collect::<Vec<String>>()
        }));
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if index >= names {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    text.push(String::new());
    for caption in captions(report) {
        wrap(&caption, &mut text);
    }
    text.join("\n")
}

/// Breaks a caption into lines; those after the first are indented.
fn wrap(caption: &str, lines: &mut Vec<String>) {
    let mut line = String::new();
    for word in caption.split(' ') {
        if line.len() + 1 + word.len() > CAPTION_WIDTH {
            lines.push(std::mem::replace(&mut line, " ".into()));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
}

fn captions(report: &Report) -> Vec<String> {
    let setup = &report.setup;
    let of = |workload| report.rows.iter().any(|row| row.service == workload);
    let mut captions = Vec::new();
    if of(Workload::Echo) {
        captions.push(format!(
            "echo: {} clients; a message is a round trip of {} bytes, checked byte by byte.",
            setup.clients, setup.message_bytes
        ));
    }
    if of(Workload::Chat) {
        captions.push(format!(
            "chat: {} clients, of whom {} talk; a message is a delivery, a line of {} bytes that reached one of them; the \
             times are those until a talker's own line is back. Fan-out: {}{}.",
            setup.clients,
            setup.talkers,
            setup.message_bytes,
            fanouts(report).join(", "),
            match setup.tuning.slow {
                Some(slow) => format!("; --slow {slow}"),
                None => String::new(),
            }
        ));
    }
    captions.push(
        "p50, p99: in a closed loop. A client sends its next message when its last one is back, so what would have \
         come in while the server was slow is not in them."
            .into(),
    );
    captions.push("CPU us: the server's processor time per message, user and system.".into());
    if has_idle(report) {
        captions.push(
            "idle: so many clients more are connected, have said hello once, and say nothing. kept: what is left of the \
             messages/s without them, round by round. B/idle: by how much the server's memory grew when they came, for \
             each; bytes in user space that are in memory (VmRSS), and none of the kernel's; less than 0 if it shrank."
                .into(),
        );
    }
    if has_stalled(report) {
        captions.push(
            "stalled: so many clients more are in the chat and read nothing, until the server hangs up on them if that is its \
             policy (serve --slow). kept: what is left of the others' messages/s without them, and p99 x: how many times as long \
             their p99 is, round by round."
                .into(),
        );
    }
    if report
        .rows
        .iter()
        .any(|row| row.idle > 0 && is(row, |kind| !kind.shares_memory()))
    {
        captions.push(
            "B/idle of several processes: of all of them, and what they share, as their program, counts for each."
                .into(),
        );
    }
    captions.extend(workers(report));
    captions.push(format!(
        "Medians of {} of {} s, each round in an order of its own. min-max is their spread: a smaller \
         difference between two rows shows nothing.",
        counted(setup.rounds, "round"),
        setup.duration_s
    ));
    for sentence in &report.left_out {
        captions.push(format!("left out: {sentence}."));
    }
    captions.push(machine(report));
    captions.extend(ceiling(report));
    captions
}

/// Whether a row's model is one of a kind.
fn is(row: &Row, of_a_kind: fn(ModelKind) -> bool) -> bool {
    ModelKind::ALL
        .into_iter()
        .any(|kind| kind.name() == row.model && of_a_kind(kind))
}

/// How many workers those models got whose clients keep one each.
fn workers(report: &Report) -> Option<String> {
    let mut keepers: Vec<&str> = report
        .rows
        .iter()
        .filter(|row| is(row, ModelKind::keeps_workers))
        .map(|row| row.model)
        .collect();
    keepers.dedup();
    if keepers.is_empty() {
        return None;
    }
    let clients = report.setup.clients;
    let (idle, against) = if has_idle(report) {
        let against = format!(
            " Their kept and B/idle are against a server with --workers {clients}, so that the workers of the idle \
             count as theirs."
        );
        (" and one more for each who is idle", against)
    } else {
        ("", String::new())
    };
    Some(format!(
        "{}: run with --workers {clients}, as many as there are clients{idle}. A worker serves one client at a time; \
         with fewer, the rest would wait.{against}",
        keepers.join(", "),
    ))
}

fn machine(report: &Report) -> String {
    let machine = &report.machine;
    let cores = machine.cores;
    let cpu = machine.cpu.as_deref().unwrap_or("unknown CPU");
    let scaling = if cores < FEW_CORES {
        "; what more threads would gain on more cores cannot be seen"
    } else {
        ""
    };
    format!(
        "machine: {cores} cores ({cpu}), {}, guardhouse {}. Load and server share these cores{scaling}.",
        machine.kernel, report.guardhouse
    )
}

/// Whose ceiling was measured: the fastest servers may be as fast as the load, and a busy machine leaves
/// little for either.
fn ceiling(report: &Report) -> Option<String> {
    let samples = report.rows.iter().flat_map(|row| &row.samples);
    let shares: Option<Vec<(f64, f64)>> = samples
        .map(|sample| {
            let time = sample.measured.elapsed.as_secs_f64();
            let generator = sample.generator_cpu_s? / time;
            Some((generator, generator + sample.server_cpu_s? / time))
        })
        .collect();
    let (generators, both): (Vec<f64>, Vec<f64>) = shares?.into_iter().unzip();
    let cores = report.machine.cores as f64;
    let both = Spread::of(both)?.max.min(cores);
    let busy = if both < 0.75 * cores.min(2.0) {
        "; other programs may have had the rest"
    } else {
        ""
    };
    Some(format!(
        "The load used up to {:.0} % of one core (near 100 %, a row shows the load's ceiling and not the server's); \
         load and server together up to {both:.1} of {cores} cores{busy}.",
        100.0 * Spread::of(generators)?.max
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_is_broken_between_words_and_nothing_of_it_is_lost() {
        let caption = "one two three ".repeat(20);
        let mut lines = Vec::new();
        wrap(caption.trim(), &mut lines);
        assert!(lines.len() > 1);
        assert!(lines.iter().all(|line| line.len() <= CAPTION_WIDTH));
        assert!(lines[1..].iter().all(|line| line.starts_with("  ")));
        let words = lines.iter().flat_map(|line| line.split_whitespace());
        assert!(words.eq(caption.split_whitespace()));
    }
}
