//! Borderless tables: one for a list, and a two-column one for the fields of an item.
//!
//! On a terminal the table fits its width and long cells are cut with an ellipsis; elsewhere
//! nothing is cut. Cells are always escaped, for a line break in one would forge a row.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table};
use serde_json::Value;

use super::cell::{CellStyle, render};
use super::columns::Picked;
use super::escape::escape;
use super::report::ColumnKind;

const BOLD: anstyle::Style = anstyle::Style::new().bold();

/// How a table meets its stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableStyle {
    pub(super) cell: CellStyle,
    /// The terminal's width; none where nothing may be cut.
    pub(super) width: Option<usize>,
    pub(super) color: bool,
}

/// The table of a list, header first. The caller has nothing to print for an empty one.
pub(super) fn list(columns: &[Picked], rows: &[Value], style: TableStyle) -> String {
    let mut table = table(style.width);
    table.set_header(
        columns
            .iter()
            .map(|column| Cell::new(escape(&column.header.to_uppercase()))),
    );
    for row in rows {
        add(
            &mut table,
            style.width,
            columns.iter().map(|column| {
                let text = render(column.value(row), column.kind, style.cell);
                let cell = Cell::new(escape(&text));
                if column.kind == ColumnKind::Number {
                    cell.set_alignment(CellAlignment::Right)
                } else {
                    cell
                }
            }),
        );
    }
    finish(
        &mut table,
        |column| columns.get(column).is_some_and(|c| is_id(&c.path)),
        |at, line| {
            if at == 0 && style.color {
                format!("{BOLD}{line}{BOLD:#}")
            } else {
                line.to_owned()
            }
        },
    )
}

/// The fields of an item, a line each.
pub(super) fn item(columns: &[Picked], row: &Value, style: TableStyle) -> String {
    let label = columns
        .iter()
        .map(|column| column.header.chars().count() + 1)
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for column in columns {
        let text = render(column.value(row), column.kind, style.cell);
        let name = format!("{}:", escape(&column.header.to_lowercase()));
        let name = format!("{name:<label$}");
        // Writing to a string cannot fail. A whole value matters more here than a tidy line.
        let _ = if style.color {
            writeln!(out, "{BOLD}{name}{BOLD:#}  {}", escape(&text))
        } else {
            writeln!(out, "{name}  {}", escape(&text))
        };
    }
    out
}

/// Ids are there to be copied, so they are never cut.
fn is_id(path: &str) -> bool {
    path == "id" || path.ends_with("_id")
}

fn table(width: Option<usize>) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_truncation_indicator("…");
    match width.and_then(|width| u16::try_from(width).ok()) {
        Some(width) => {
            table.set_width(width);
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table
}

fn add(table: &mut Table, width: Option<usize>, cells: impl Iterator<Item = Cell>) {
    let mut row = Row::from(cells);
    if width.is_some() {
        row.max_height(1);
    }
    table.add_row(row);
}

fn finish(
    table: &mut Table,
    whole: impl Fn(usize) -> bool,
    mut line: impl FnMut(usize, &str) -> String,
) -> String {
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if whole(index) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let mut out = String::new();
    for (at, text) in table.lines().enumerate() {
        out.push_str(&line(at, text.trim_end()));
        out.push('\n');
    }
    out
}
