//! CSV by RFC 4180, with cells that a spreadsheet would run as formulas defused.

use std::borrow::Cow;
use std::io::Write;

use super::cell::{CellStyle, render};
use super::columns::Picked;
use super::escape::{escape, escape_controls};
use super::row::Row;

/// Writes header and rows, with control characters escaped: a program may show a file as it is. Line breaks and tabs
/// stay where no terminal reads them, for a quoted cell holds them.
pub(super) fn write_csv<R: Row>(
    out: &mut dyn Write,
    columns: &[Picked],
    rows: &[R],
    style: CellStyle,
    terminal: bool,
) -> Result<(), ::csv::Error> {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out);
    writer.write_record(columns.iter().map(|column| guard(&column.path).into_owned()))?;
    for row in rows {
        for column in columns {
            let cell = column.cell(row);
            let text = render(&cell, column.kind, style);
            let text = if terminal { escape(&text) } else { escape_controls(&text) };
            let text = if cell.is_number() { text } else { guard(&text) };
            writer.write_field(&*text)?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    Ok(writer.flush()?)
}

/// Puts an apostrophe before text that a spreadsheet would take for a formula.
pub(super) fn guard(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::TimeStyle;
    use super::super::report::ColumnKind;
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn render_one(rows: &[Value]) -> Vec<u8> {
        let column =
            |path: &str| Picked { path: path.to_owned(), header: path.to_owned(), kind: ColumnKind::Text, late: false };
        let style = CellStyle { time: TimeStyle::Utc, now: "2026-03-01T00:00:00Z".parse().unwrap(), human: false };
        let mut out = Vec::new();
        write_csv(&mut out, &[column("a"), column("b")], rows, style, false).unwrap();
        out
    }

    #[test]
    fn quotes_by_rfc_4180_and_guards_text_but_not_numbers() {
        let bytes = render_one(&[
            json!({"a": "x,\"y\"\nz", "b": null}),
            json!({"a": "=1+1", "b": -5}),
            json!({"a": ["@x", "y"], "b": true}),
        ]);
        assert_eq!(String::from_utf8(bytes).unwrap(), "a,b\r\n\"x,\"\"y\"\"\nz\",\r\n'=1+1,-5\r\n\"'@x,y\",true\r\n");
    }

    proptest! {
        #[test]
        fn no_text_cell_starts_a_formula_and_reading_back_gives_the_text_with_control_characters_escaped(
            texts in proptest::collection::vec("[=+@\t\r\n-]?(?s).*", 1..6)
        ) {
            let rows: Vec<_> = texts.iter().map(|text| json!({"a": text, "b": 1})).collect();
            let bytes = render_one(&rows);
            let mut reader = ::csv::Reader::from_reader(&*bytes);
            let cells: Vec<String> = reader
                .records()
                .map(|record| record.unwrap()[0].to_owned())
                .collect();
            prop_assert_eq!(cells.len(), texts.len());
            for (cell, text) in cells.iter().zip(&texts) {
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']));
                let shown = escape_controls(text);
                prop_assert_eq!(cell.strip_prefix('\'').filter(|_| !text.starts_with('\'')).unwrap_or(cell), &*shown);
            }
        }
    }
}
