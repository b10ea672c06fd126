//! Borderless tables: one for a list, and a two-column one for the fields of an item.
//!
//! Off a terminal, and where everything fits, the columns are as wide as their widest cell. Where a terminal is too
//! narrow, comfy-table decides how much each column gets: long cells are cut with an ellipsis, and columns at the right
//! for which no room is left are left out, and named. Cells are always escaped, for a line break in one would forge a
//! row.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row as TableRow, Table, Width};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::cell::{Cell as CellOf, CellStyle, render};
use super::columns::Picked;
use super::escape::escape;
use super::report::{ColumnKind, Section};
use super::row::Row;
use crate::domain::Environment;

const BOLD: anstyle::Style = anstyle::Style::new().bold();
/// The blanks behind every column.
const GAP: u16 = 2;
/// The first column names the thing, and keeps this much of the name.
const NAME: usize = 12;

/// How a table meets its stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableStyle {
    pub(super) cell: CellStyle,
    /// The terminal's width; none where nothing may be cut.
    pub(super) width: Option<usize>,
    pub(super) color: bool,
}

/// Writes the table of a list, header first, and names the columns that had no room. The caller has nothing to print
/// for an empty list.
pub(super) fn write_list<R: Row>(
    out: &mut dyn Write,
    columns: &[Picked],
    rows: &[R],
    sections: &[Section],
    style: TableStyle,
) -> io::Result<Vec<String>> {
    let whole = Grid::of(columns, rows, |cell, kind| render(cell, kind, style.cell).into_owned());
    let Some(width) = style.width.filter(|width| whole.width() > *width) else {
        return whole.write(out, sections, style.color).map(|()| Vec::new());
    };
    // Short forms first, then without the columns that matter least; only what is too wide even so is cut.
    let mut shown = columns.to_vec();
    let mut left_out = Vec::new();
    loop {
        let grid = Grid::of(&shown, rows, |cell, kind| short(cell, kind, style.cell).into_owned());
        if grid.width() <= width {
            grid.write(out, sections, style.color)?;
            break;
        }
        match shown.last() {
            Some(last) if last.late => left_out.extend(shown.pop().map(|column| column.header)),
            _ => {
                left_out.extend(grid.write_cut(out, sections, width, style.color)?.into_iter().rev());
                break;
            }
        }
    }
    left_out.reverse();
    Ok(left_out)
}

/// A cell where there is little room.
fn short<'a>(cell: &'a CellOf<'_>, kind: ColumnKind, style: CellStyle) -> Cow<'a, str> {
    let whole = render(cell, kind, style);
    match kind {
        ColumnKind::Environment => match whole.parse::<Environment>() {
            Ok(environment) => environment.token_code().into(),
            Err(_) => whole,
        },
        ColumnKind::Summary => match whole.split_once(',') {
            Some((first, more)) => format!("{first} +{}", more.split(',').count()).into(),
            None => whole,
        },
        _ => whole,
    }
}

/// The cells of a table, the header's first, row by row in one text.
struct Grid<'a> {
    columns: &'a [Picked],
    text: String,
    /// Where the cells meet: one more than there are cells.
    ends: Vec<usize>,
    widths: Vec<usize>,
}

impl<'a> Grid<'a> {
    /// The cells of some rows.
    fn of<R: Row>(columns: &'a [Picked], rows: &[R], text: impl Fn(&CellOf<'_>, ColumnKind) -> String) -> Self {
        let mut grid = Self::new(columns);
        for row in rows {
            for column in columns {
                grid.push(&escape(&text(&column.cell(row), column.kind)));
            }
        }
        grid
    }

    fn new(columns: &'a [Picked]) -> Self {
        let mut grid = Self { columns, text: String::new(), ends: vec![0], widths: vec![0; columns.len()] };
        for column in columns {
            grid.push(&escape(&column.header.to_uppercase()));
        }
        grid
    }

    fn push(&mut self, cell: &str) {
        let widest = &mut self.widths[(self.ends.len() - 1) % self.columns.len()];
        *widest = cell.width().max(*widest);
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }

    /// The width of the whole table; the gap behind the last column is trimmed.
    fn width(&self) -> usize {
        let whole: usize = self.widths.iter().map(|width| width + usize::from(GAP)).sum();
        whole.saturating_sub(usize::from(GAP))
    }

    /// The rows, each with its cells.
    fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = &str>> {
        let columns = self.columns.len();
        let starts =
            (0..self.ends.len()).step_by(columns.max(1)).filter(move |start| start + columns < self.ends.len());
        starts.map(move |start| self.ends[start..=start + columns].windows(2).map(|cell| &self.text[cell[0]..cell[1]]))
    }

    fn write(&self, out: &mut dyn Write, sections: &[Section], color: bool) -> io::Result<()> {
        let mut line = String::new();
        let mut sections = Headings { rest: sections, width: None, color };
        for (at, row) in self.rows().enumerate() {
            sections.write(out, at)?;
            line.clear();
            for ((cell, column), width) in row.zip(self.columns).zip(&self.widths) {
                let blanks = width - cell.width();
                let right = at > 0 && column.kind == ColumnKind::Number;
                let (before, after) = if right { (blanks, 0) } else { (0, blanks) };
                line.extend(std::iter::repeat_n(' ', before));
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', after + usize::from(GAP)));
            }
            write_line(out, at, &line, color)?;
        }
        Ok(())
    }

    /// Fits the table into a width; answers with the headers of the columns that had no room.
    fn write_cut(
        &self,
        out: &mut dyn Write,
        sections: &[Section],
        width: usize,
        color: bool,
    ) -> io::Result<Vec<String>> {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_truncation_indicator("…");
        table.set_width(narrow(width).saturating_add(GAP));
        table.set_content_arrangement(ContentArrangement::Dynamic);
        for (at, row) in self.rows().enumerate() {
            let cells = row.zip(self.columns).map(|(text, column)| match column.kind {
                ColumnKind::Number if at > 0 => Cell::new(text).set_alignment(CellAlignment::Right),
                _ => Cell::new(text),
            });
            if at == 0 {
                table.set_header(cells);
            } else {
                let mut row = TableRow::from(cells);
                row.max_height(1);
                table.add_row(row);
            }
        }
        let least = self.least_widths();
        let shown = fitting(&least, width);
        for (index, (column, picked)) in table.column_iter_mut().zip(self.columns).enumerate() {
            column.set_padding((0, GAP));
            column.set_constraint(if index >= shown {
                ColumnConstraint::Hidden
            } else if is_id(&picked.path) {
                ColumnConstraint::ContentWidth
            } else {
                ColumnConstraint::LowerBoundary(Width::Fixed(narrow(least[index]).saturating_add(GAP)))
            });
        }
        let mut sections = Headings { rest: sections, width: Some(width), color };
        table.lines().enumerate().try_for_each(|(at, line)| {
            sections.write(out, at)?;
            write_line(out, at, &line, color)
        })?;
        Ok(self.columns[shown..].iter().map(|column| column.header.clone()).collect())
    }

    /// What each column needs to be of use: its header, an id wholly, some of a name.
    fn least_widths(&self) -> Vec<usize> {
        let least = |(index, (column, content)): (usize, (&Picked, &usize))| {
            let header = column.header.width();
            match index {
                _ if is_id(&column.path) => *content,
                0 => (*content).min(header.max(NAME)),
                _ => (*content).min(header),
            }
        };
        self.columns.iter().zip(&self.widths).enumerate().map(least).collect()
    }
}

/// The headings that are still to come between the rows.
struct Headings<'a> {
    rest: &'a [Section],
    width: Option<usize>,
    color: bool,
}

impl Headings<'_> {
    /// Writes the heading before a line, counted with the header's, if a section begins there.
    fn write(&mut self, out: &mut dyn Write, line: usize) -> io::Result<()> {
        let Some((section, rest)) = self.rest.split_first().filter(|(section, _)| section.first + 1 == line) else {
            return Ok(());
        };
        self.rest = rest;
        if section.first > 0 {
            out.write_all(b"\n")?;
        }
        let heading = escape(&section.heading);
        let heading = cut(&heading, self.width.unwrap_or(usize::MAX));
        if self.color { writeln!(out, "{BOLD}{heading}{BOLD:#}") } else { writeln!(out, "{heading}") }
    }
}

/// Text with its end left out where it is wider than the room.
pub fn cut(text: &str, room: usize) -> Cow<'_, str> {
    if text.width() <= room {
        return Cow::Borrowed(text);
    }
    let mut taken = 1;
    let kept = text.chars().take_while(|character| {
        taken += character.width().unwrap_or(0);
        taken <= room
    });
    Cow::Owned(kept.chain(['…']).collect())
}

/// How many columns, counted from the left, have room. The first two are there whatever the width.
fn fitting(least: &[usize], room: usize) -> usize {
    let gap = usize::from(GAP);
    let mut taken = 0;
    let fit = least.iter().take_while(|width| {
        taken += **width + gap;
        taken <= room + gap
    });
    fit.count().max(2).min(least.len())
}

/// comfy-table counts in 16 bits; no terminal is wider.
fn narrow(width: usize) -> u16 {
    u16::try_from(width).unwrap_or(u16::MAX)
}

/// A line without its last blanks; the first is the header's.
fn write_line(out: &mut dyn Write, at: usize, line: &str, color: bool) -> io::Result<()> {
    let line = line.trim_end();
    if at == 0 && color { writeln!(out, "{BOLD}{line}{BOLD:#}") } else { writeln!(out, "{line}") }
}

/// The fields of an item, a line each.
pub(super) fn item(columns: &[Picked], row: &impl Row, style: TableStyle) -> String {
    let label = columns.iter().map(|column| column.header.chars().count() + 1).max().unwrap_or(0);
    let mut out = String::new();
    for column in columns {
        let cell = column.cell(row);
        let text = render(&cell, column.kind, style.cell);
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

#[cfg(test)]
mod tests {
    use super::super::format::TimeStyle;
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn short_forms_come_first_and_then_what_matters_least_goes() {
        let picked = |path: &str, kind, late| Picked { path: path.to_owned(), header: path.to_owned(), kind, late };
        let columns = [
            picked("name", ColumnKind::Text, false),
            picked("env", ColumnKind::Environment, false),
            picked("owner", ColumnKind::Text, false),
            picked("scopes", ColumnKind::Summary, true),
        ];
        let scopes = ["audits:read", "b:read", "c:read"];
        let rows = [json!({"name": "billing-sync", "env": "production", "owner": "ana@example.com", "scopes": scopes})];
        let at = |width| list(&columns, &rows, style(width, false));
        assert!(at(None).0.contains("production  ana@example.com  audits:read,b:read,c:read"));
        let (text, left_out) = at(Some(60));
        assert!(text.contains("billing-sync  prod  ana@example.com  audits:read +2") && left_out.is_empty(), "{text}");
        let (text, left_out) = at(Some(40));
        assert!(text.contains("billing-sync  prod  ana@example.com\n"), "{text}");
        assert_eq!(left_out, ["scopes"]);
    }

    fn columns() -> Vec<Picked> {
        [
            ("name", "name", ColumnKind::Text),
            ("id", "id", ColumnKind::Text),
            ("scopes", "scopes", ColumnKind::List),
            ("expires_at", "expires", ColumnKind::Time),
            ("uses", "uses", ColumnKind::Number),
        ]
        .map(|(path, header, kind)| Picked { path: path.to_owned(), header: header.to_owned(), kind, late: false })
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

    fn list(columns: &[Picked], rows: &[Value], style: TableStyle) -> (String, Vec<String>) {
        let mut out = Vec::new();
        let left_out = write_list(&mut out, columns, rows, &[], style).unwrap();
        (String::from_utf8(out).unwrap(), left_out)
    }

    proptest! {
        #[test]
        fn what_fits_is_neither_cut_nor_moved(
            cells in proptest::collection::vec(("[a-z 東é]{0,9}", "\\PC{0,9}", 0u64..99_999), 1..6), room in 0usize..9,
        ) {
            let rows: Vec<_> = cells
                .iter()
                .map(|(name, id, uses)| json!({"name": name, "id": id, "scopes": [name], "uses": uses}))
                .collect();
            let columns = columns();
            let (whole, _) = list(&columns, &rows, style(None, false));
            let mut grid = Grid::new(&columns);
            for (row, column) in rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column))) {
                grid.push(&escape(&render(&column.cell(row), column.kind, style(None, false).cell)));
            }
            let fitted = list(&columns, &rows, style(Some(grid.width() + room), false));
            prop_assert_eq!(fitted, (whole.clone(), Vec::new()));
            prop_assert!(whole.lines().all(|line| line.width() <= grid.width()));
        }
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
    fn sections_stand_under_their_headings() {
        let sections = [("owner: é", 0), ("owner: nobody with a long name", 1)]
            .map(|(heading, first)| Section { heading: heading.to_owned(), first });
        for (width, last) in [
            (None, "owner: nobody with a long name"),
            (Some(44), "owner: nobody with a long name"),
            (Some(20), "owner: nobody with …"),
        ] {
            let mut out = Vec::new();
            write_list(&mut out, &columns(), &rows(), &sections, style(width, false)).unwrap();
            let text = String::from_utf8(out).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines[0].starts_with("NAME") && lines[2].starts_with("billing"), "{text}");
            assert_eq!((lines[1], lines[3], lines[4]), ("owner: é", "", last), "{text}");
        }
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
