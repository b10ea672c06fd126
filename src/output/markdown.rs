//! Tables in Markdown, as issue trackers and wikis read them (GitHub Flavored Markdown).
//!
//! What stands in a cell is text of others: whatever a renderer would take for markup, HTML, a link or the end of a
//! cell is escaped, and control characters are visible, so that a cell can neither leave its row nor dress up.

use std::io::{self, Write};

use super::cell::{CellStyle, render};
use super::columns::Picked;
use super::escape::escape;
use super::report::{ColumnKind, Section};
use super::row::Row;

/// Writes the rows of a list under their header; with sections a table under each heading.
pub(super) fn write_list<R: Row>(
    out: &mut dyn Write,
    columns: &[Picked],
    rows: &[R],
    sections: &[Section],
    style: CellStyle,
) -> io::Result<()> {
    if sections.is_empty() {
        return table(out, columns, rows, style);
    }
    let ends = sections.iter().skip(1).map(|section| section.first).chain([rows.len()]);
    for (section, end) in sections.iter().zip(ends) {
        writeln!(out, "{}### {}\n", if section.first > 0 { "\n" } else { "" }, markdown(&section.heading))?;
        table(out, columns, rows.get(section.first..end).unwrap_or_default(), style)?;
    }
    Ok(())
}

fn table<R: Row>(out: &mut dyn Write, columns: &[Picked], rows: &[R], style: CellStyle) -> io::Result<()> {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let rule = |column: &Picked| if column.kind == ColumnKind::Number { "---:" } else { "---" }.to_owned();
    out.write_all(line(columns.iter().map(|column| markdown(&column.header)).collect()).as_bytes())?;
    out.write_all(line(columns.iter().map(rule).collect()).as_bytes())?;
    for row in rows {
        let cells = columns.iter().map(|column| markdown(&render(&column.cell(row), column.kind, style))).collect();
        out.write_all(line(cells).as_bytes())?;
    }
    Ok(())
}

/// Writes the fields of one thing, a row each.
pub(super) fn write_item(out: &mut dyn Write, columns: &[Picked], row: &impl Row, style: CellStyle) -> io::Result<()> {
    out.write_all(b"| field | value |\n| --- | --- |\n")?;
    columns.iter().try_for_each(|column| {
        let value = column.cell(row);
        writeln!(out, "| {} | {} |", markdown(&column.header), markdown(&render(&value, column.kind, style)))
    })
}

/// Text as Markdown that shows it as it is.
pub(super) fn markdown(text: &str) -> String {
    let text = escape(text);
    let mut shown = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            // Between letters and digits it is no emphasis, and ids stay as they are.
            '_' if before.is_alphanumeric() && rest.peek().is_some_and(|next| next.is_alphanumeric()) => {
                shown.push('_');
            }
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '|' | '~' | '#' | '!' | '$' => {
                shown.push('\\');
                shown.push(character);
            }
            // An address of a page becomes a link by itself; one that is escaped does not.
            ':' if rest.peek() == Some(&'/') => shown.push_str("&#58;"),
            '.' if shown.ends_with("www") => shown.push_str("&#46;"),
            other => shown.push(other),
        }
        before = character;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::super::format::TimeStyle;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn list(rows: &[serde_json::Value], sections: &[Section]) -> String {
        let columns: Vec<Picked> = [("name", ColumnKind::Text), ("uses", ColumnKind::Number)]
            .map(|(path, kind)| Picked { path: path.to_owned(), header: path.to_owned(), kind, late: false })
            .to_vec();
        let style = CellStyle { time: TimeStyle::Utc, now: "2026-03-01T00:00:00Z".parse().unwrap(), human: true };
        let mut out = Vec::new();
        write_list(&mut out, &columns, rows, sections, style).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_has_a_header_a_rule_and_a_line_for_each_row() {
        let rows = [json!({"name": "key_a", "uses": 3}), json!({"name": "a|b\n<script>`x`", "uses": 0})];
        let table = "| name | uses |\n| --- | ---: |\n";
        assert_eq!(list(&rows, &[]), format!("{table}| key_a | 3 |\n| a\\|b\\\\x0a&lt;script&gt;\\`x\\` | 0 |\n"));
        let sections =
            [("*one*", 0), ("two", 1)].map(|(heading, first)| Section { heading: heading.to_owned(), first });
        let sectioned = list(&rows, &sections);
        assert!(
            sectioned.starts_with(&format!("### \\*one\\*\n\n{table}| key_a | 3 |\n\n### two\n\n{table}")),
            "{sectioned}"
        );
    }

    #[test]
    fn neither_links_nor_emphasis_nor_html_come_of_a_name() {
        assert_eq!(markdown("https://x.test www.x.test"), "https&#58;//x.test www&#46;x.test");
        assert_eq!(markdown("![a](b) _c_ d_e"), "\\!\\[a\\](b) \\_c\\_ d_e");
        assert_eq!(markdown("&lt;"), "&amp;lt;");
    }

    proptest! {
        #[test]
        fn a_cell_never_leaves_its_row(text in "\\PC*|(?s).*") {
            let shown = list(&[json!({"name": text, "uses": 1})], &[]);
            prop_assert_eq!(shown.lines().count(), 3);
            let row = shown.lines().last().unwrap();
            let bars = row.char_indices().filter(|(at, c)| {
                *c == '|' && row[..*at].chars().rev().take_while(|c| *c == '\\').count() % 2 == 0
            });
            prop_assert_eq!(bars.count(), 3, "{}", row);
            prop_assert!(!row.contains(['<', '>']));
        }
    }
}
