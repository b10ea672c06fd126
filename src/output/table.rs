//! Borderless tables: one for a list, and a two-column one for the fields of an item.
//!
//! On a terminal the table fits its width: long cells are cut with an ellipsis, and columns at the right for which no
//! room is left are left out, and named. Elsewhere nothing is cut. Cells are always escaped, for a line break in one would forge a row.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, Width};
use dialoguer::console::measure_text_width;
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

/// Padding behind every column.
const GAP: u16 = 2;
/// The first column names the thing, and keeps this much of the name.
const NAME: u16 = 12;

/// The table of a list, header first, and the headers of the columns that had no room. The caller has nothing to print
/// for an empty list.
pub(super) fn list(columns: &[Picked], rows: &[Value], style: TableStyle) -> (String, Vec<String>) {
    let mut table = table(style.width);
    table.set_header(columns.iter().map(|column| Cell::new(escape(&column.header.to_uppercase()))));
    for row in rows {
        add(
            &mut table,
            style.width,
            columns.iter().map(|column| {
                let text = render(column.value(row), column.kind, style.cell);
                let cell = Cell::new(escape(&text));
                if column.kind == ColumnKind::Number { cell.set_alignment(CellAlignment::Right) } else { cell }
            }),
        );
    }
    let whole = |column: usize| columns.get(column).is_some_and(|c| is_id(&c.path));
    let least = least_widths(&table, columns, whole);
    let room = style.width.and_then(|width| u16::try_from(width).ok());
    let shown = room.map_or(columns.len(), |room| fitting(&least, room));
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, GAP));
        if index >= shown {
            column.set_constraint(ColumnConstraint::Hidden);
        } else if whole(index) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        } else if room.is_some() {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least[index] + GAP)));
        }
    }
    let text = lines(
        &table,
        |at, line| {
            if at == 0 && style.color { format!("{BOLD}{line}{BOLD:#}") } else { line.to_owned() }
        },
    );
    (text, columns[shown..].iter().map(|column| column.header.clone()).collect())
}

/// What each column needs to be of use: its header, an id wholly, some of a name.
fn least_widths(table: &Table, columns: &[Picked], whole: impl Fn(usize) -> bool) -> Vec<u16> {
    let contents = table.column_max_content_widths();
    let least = |(index, column): (usize, &Picked)| {
        let content = contents.get(index).copied().unwrap_or_default();
        let header = u16::try_from(measure_text_width(&column.header)).unwrap_or(u16::MAX);
        match index {
            _ if whole(index) => content,
            0 => content.min(header.max(NAME)),
            _ => content.min(header),
        }
    };
    columns.iter().enumerate().map(least).collect()
}

/// How many columns, counted from the left, have room. The first two are there whatever the width.
fn fitting(least: &[u16], room: u16) -> usize {
    let mut taken = 0_u16;
    let fit = least.iter().take_while(|width| {
        taken = taken.saturating_add(**width).saturating_add(GAP);
        taken <= room.saturating_add(GAP)
    });
    fit.count().max(2).min(least.len())
}

/// The fields of an item, a line each.
pub(super) fn item(columns: &[Picked], row: &Value, style: TableStyle) -> String {
    let label = columns.iter().map(|column| column.header.chars().count() + 1).max().unwrap_or(0);
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
            // The gap behind the last column is trimmed.
            table.set_width(width.saturating_add(GAP));
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

fn lines(table: &Table, mut line: impl FnMut(usize, &str) -> String) -> String {
    let mut out = String::new();
    for (at, text) in table.lines().enumerate() {
        out.push_str(&line(at, text.trim_end()));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::format::TimeStyle;
    use super::*;
    use serde_json::json;

    fn columns() -> Vec<Picked> {
        [
            ("name", "name", ColumnKind::Text),
            ("id", "id", ColumnKind::Text),
            ("scopes", "scopes", ColumnKind::List),
            ("expires_at", "expires", ColumnKind::Time),
            ("uses", "uses", ColumnKind::Number),
        ]
        .map(|(path, header, kind)| Picked { path: path.to_owned(), header: header.to_owned(), kind })
        .to_vec()
    }

    fn rows() -> Vec<Value> {
        let scopes: Vec<_> = (0..12).map(|n| format!("resource{n}:read")).collect();
        vec![
            json!({"name": "billing", "id": "key_0123456789abcdef", "scopes": scopes,
                   "expires_at": "2026-03-04T00:00:00Z", "uses": 7}),
            json!({"name": "a\nb\u{1b}[31m", "id": "key_fedcba9876543210", "scopes": [],
                   "expires_at": null, "uses": 12345}),
        ]
    }

    fn style(width: Option<usize>, color: bool) -> TableStyle {
        let cell = CellStyle { time: TimeStyle::Relative, now: "2026-03-01T00:00:00Z".parse().unwrap(), human: true };
        TableStyle { cell, width, color }
    }

    #[test]
    fn a_terminal_width_is_kept_and_ids_stay_whole() {
        for width in [70, 80, 120] {
            let (text, left_out) = list(&columns(), &rows(), style(Some(width), false));
            assert!(left_out.is_empty(), "{left_out:?}");
            assert_eq!(text.lines().count(), 3, "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{line}");
            }
            assert!(text.contains("key_0123456789abcdef"), "{text}");
            assert!(text.contains('…'), "{text}");
        }
    }

    #[test]
    fn what_has_no_room_is_left_out_and_named() {
        let (text, left_out) = list(&columns(), &rows(), style(Some(44), false));
        assert_eq!(left_out, ["expires", "uses"], "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.starts_with("NAME") && text.contains("billing") && text.contains("SCOPES"), "{text}");
        let (text, left_out) = list(&columns(), &rows(), style(Some(10), false));
        assert_eq!(left_out, ["scopes", "expires", "uses"]);
        assert!(text.contains("key_0123456789abcdef"), "{text}");
    }

    #[test]
    fn without_a_terminal_nothing_is_cut_and_columns_align() {
        let (text, _) = list(&columns(), &rows(), style(None, false));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("NAME"), "{text}");
        assert!(lines[1].contains("resource11:read") && lines[1].contains("in 3d"), "{text}");
        assert!(lines[2].starts_with("a\\x0ab\\x1b[31m") && lines[2].contains("never"), "{text}");
        assert_eq!(lines[1].find("key_"), lines[2].find("key_"));
        assert_eq!(lines[1].len(), lines[2].len(), "numbers end together");
        assert!(lines.iter().all(|line| !line.ends_with(' ')));
    }

    #[test]
    fn colour_touches_the_header_alone() {
        let (text, _) = list(&columns(), &rows(), style(None, true));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("\u{1b}[1mNAME") && lines[0].ends_with("\u{1b}[0m"));
        assert!(!lines[1].contains('\u{1b}') && !lines[2].contains('\u{1b}'));
    }

    #[test]
    fn an_item_has_a_line_for_each_field() {
        let text = item(&columns(), &rows()[1], style(Some(20), false));
        assert_eq!(
            text,
            "name:     a\\x0ab\\x1b[31m\nid:       key_fedcba9876543210\nscopes:   -\n\
             expires:  never\nuses:     12345\n"
        );
    }
}
