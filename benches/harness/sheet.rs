//! What came out, as a table for a terminal.

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

/// What stands where there is nothing to compare with.
pub(crate) fn nothing() -> String {
    "-".to_owned()
}
