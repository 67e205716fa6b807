//! What came out, as a table for a terminal.

use super::rounds::Middle;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

/// Prints a title and a table: a column of names, and columns of numbers.
pub(crate) fn print(title: &str, header: &[String], rows: impl Iterator<Item = Vec<String>>) {
    let mut table = Table::new();
    let ruler = LineStyle::none().fill('-').junction('-');
    table
        .load_style(TableStyle::new().header_separator(ruler))
        .set_header(header.to_vec())
        .add_rows(rows);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("\n{title}\n");
    for line in table.lines() {
        println!("{}", line.trim_end());
    }
}

/// A name, the middle of what was measured at each of the `columns`, with so many decimals, and the spread: from the least to the
/// most, as a share of the middle, where it is widest. `None` for somebody of whom nothing was measured.
#[allow(dead_code, reason = "benches of locks draw no curves")]
pub(crate) fn row(
    name: String,
    columns: &[usize],
    figures: &[(usize, Middle)],
    decimals: usize,
) -> Option<Vec<String>> {
    let spreads = figures
        .iter()
        .map(|(_, figure)| (figure.max - figure.min) / figure.median);
    let widest = spreads.max_by(f64::total_cmp)?;
    let cells = columns.iter().map(|column| {
        let figure = figures.iter().find(|(of, _)| of == column);
        figure.map_or_else(nothing, |(_, figure)| {
            format!("{:.decimals$}", figure.median)
        })
    });
    let spread = format!("{:.0} %", 100.0 * widest);
    Some([name].into_iter().chain(cells).chain([spread]).collect())
}

/// What stands where there is nothing to compare with.
pub(crate) fn nothing() -> String {
    "-".to_owned()
}
