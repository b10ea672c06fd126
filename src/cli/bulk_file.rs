//! The text of a bulk file, CSV or JSON: what each line asks for, or what is wrong with it. Pure: it reads no file and
//! asks no vault.

use super::{
    bulk_line::{FIELDS, Line, request},
    csv_text::{misquoted, other_separator},
};
use crate::{
    domain::{closest, text::decode, unique_json},
    ops::Create,
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};
use std::collections::HashMap;

/// What a bulk file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct BulkFile {
    /// The keys to create.
    pub requests: Vec<Create>,
    /// The line each came from.
    pub lines: Vec<u64>,
    /// The lines that are wrong, and why.
    pub wrong: Vec<(u64, String)>,
    /// The lines that ask for the key of an earlier line once more, and which.
    pub repeated: Vec<(u64, String)>,
}

/// Reads the text of a bulk file: JSON when it begins with a brace or a bracket, else CSV with a header. What a line leaves
/// out is as in `defaults`.
///
/// # Errors
/// With the line, when the header is wrong and so every line is; when the file holds nothing, or no text.
pub fn parse(text: &[u8], defaults: &Create) -> Result<BulkFile, (u64, String)> {
    let mut found = BulkFile::default();
    let mut named = HashMap::new();
    lines(text, [], |number, line| match line.and_then(|(line, [])| request(line, defaults)) {
        Ok(request) => {
            let (environment, name) = (request.environment, &request.name);
            let earlier = *named.entry((environment, name.clone())).or_insert(number);
            // A retry may ask for a key again.
            if earlier < number && !request.if_not_exists && request.idempotency_key.is_none() {
                found
                    .repeated
                    .push((number, format!("the name '{name}' in {environment} stands on line {earlier} already")));
            }
            found.requests.push(request);
            found.lines.push(number);
        }
        Err(why) => found.wrong.push((number, why)),
    })?;
    Ok(found)
}

/// What a line says: the fields of `create`, and the further ones that were asked for.
pub(super) type Read<const N: usize> = (Line, [Option<String>; N]);

/// Hands out every line with its number; `further` names the text fields that may stand beside those of `create`.
///
/// # Errors
/// With the line, when the header is wrong, and so every line is.
pub(super) fn lines<const N: usize>(
    bytes: &[u8],
    further: [&str; N],
    mut take: impl FnMut(u64, Result<Read<N>, String>),
) -> Result<(), (u64, String)> {
    let text = &*decode(bytes).map_err(|why| (1, why))?;
    match text.trim_start().chars().next() {
        Some('[') => document::<Vec<&RawValue>>(text).map(|entries| each_entry(text, &entries, further, take)),
        Some('{') => {
            if let Ok(Keys { keys, .. }) = serde_json::from_str::<Keys<'_>>(text) {
                each_entry(text, &keys, further, take);
                return Ok(());
            }
            // An object of keys over several lines that is none is told as one, not line by line.
            if text.trim_start().lines().next().is_some_and(|line| line.trim_end() == "{") {
                return document::<Keys<'_>>(text).map(drop);
            }
            for (index, line) in text.split('\n').enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                take(index as u64 + 1, json_line(line, further));
            }
            Ok(())
        }
        _ => csv_lines(text, further, take),
    }
}

/// A file that holds all keys in one document of JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys<'t> {
    #[serde(borrow)]
    keys: Vec<&'t RawValue>,
    #[serde(rename = "schema", default)]
    _schema: Option<IgnoredAny>,
}

fn document<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, (u64, String)> {
    serde_json::from_str(text).map_err(|error| {
        let why = json_problem(&error);
        (error.line().max(1) as u64, format!("the file is no list of keys in JSON: {why}"))
    })
}

fn each_entry<const N: usize>(
    text: &str,
    entries: &[&RawValue],
    further: [&str; N],
    mut take: impl FnMut(u64, Result<Read<N>, String>),
) {
    let (mut line, mut from) = (1, 0);
    for entry in entries {
        // A borrowed entry lies in the text.
        let at = (entry.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        line += text.get(from..at).unwrap_or_default().matches('\n').count() as u64;
        from = at;
        take(line, json_line(entry.get(), further));
    }
}

fn csv_lines<const N: usize>(
    text: &str,
    further: [&str; N],
    mut take: impl FnMut(u64, Result<Read<N>, String>),
) -> Result<(), (u64, String)> {
    let misquoted = misquoted(text);
    let readable = misquoted.as_ref().map_or(text, |found| &text[..found.record]);
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).from_reader(readable.as_bytes());
    let header = record_line(readable.as_bytes(), reader.position());
    let headers = reader.headers().map_err(|error| (header, csv_problem(&error)))?.clone();
    are_columns(&headers, &FIELDS, &further).map_err(|why| (header, why))?;
    let columns = further.map(|name| headers.iter().position(|header| header == name));
    let mut record = csv::StringRecord::new();
    loop {
        let number = record_line(readable.as_bytes(), reader.position());
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let field = |column: Option<usize>| column.and_then(|column| record.get(column));
                let further = columns.map(|column| field(column).filter(|text| !text.is_empty()).map(str::to_owned));
                let own = headers.iter().zip(&record).enumerate().filter(|(at, _)| !columns.contains(&Some(*at)));
                let own = own.map(|(_, (column, cell))| (column.to_owned(), Value::from(cell))).collect();
                take(number, Line::of(own).map(|line| (line, further)));
            }
            Err(error) => take(number, Err(csv_problem(&error))),
        }
    }
    if let Some(found) = misquoted {
        take(found.line, Err(found.why));
    }
    Ok(())
}

/// Whether the first line is a header with a column of names, and of columns that are known: that of a file without one is
/// data, and would be dropped.
///
/// # Errors
/// What is missing, unknown or there twice.
pub(super) fn are_columns(headers: &csv::StringRecord, known: &[&str], further: &[&str]) -> Result<(), String> {
    if headers.iter().all(str::is_empty) {
        return Err("there is nothing in it".to_owned());
    }
    if !headers.iter().any(|column| column == "name") {
        let whole: Vec<&str> = headers.iter().collect();
        return Err(match other_separator(&whole.join(",")) {
            Some(separator) => {
                format!("{separator} stands between the columns, and a comma has to; `;` separates the items of a list")
            }
            None => "the first line is no header with the column `name`".to_owned(),
        });
    }
    for (at, column) in headers.iter().enumerate() {
        if !known.contains(&column) && !further.contains(&column) {
            let all: Vec<&str> = further.iter().chain(known).copied().collect();
            let near = closest(column, &all).into_iter().next();
            let near = near.map(|near| format!(" (is it `{near}`?)")).unwrap_or_default();
            return Err(format!("unknown column `{column}`{near}; there are {}", all.join(", ")));
        }
        if headers.iter().take(at).any(|earlier| earlier == column) {
            return Err(format!("the column `{column}` stands there twice"));
        }
    }
    Ok(())
}

fn json_line<const N: usize>(line: &str, further: [&str; N]) -> Result<Read<N>, String> {
    let mut texts = [const { None }; N];
    let Value::Object(mut fields) = unique_json::parse(line).map_err(|error| json_problem(&error))? else {
        return Err("a key is an object, such as {\"name\": \"billing\"}".to_owned());
    };
    for (text, name) in texts.iter_mut().zip(further) {
        *text = match fields.remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text).filter(|text| !text.is_empty()),
            Some(_) => return Err(format!("{name}: expected text")),
        };
    }
    Ok((Line::of(fields)?, texts))
}

/// The line on which the next record begins. The reader stands where the last one ended: before the blank lines and
/// comments that it will skip, and before the line feed of a CRLF.
fn record_line(text: &[u8], stands: &csv::Position) -> u64 {
    let mut line = stands.line();
    let mut rest = usize::try_from(stands.byte()).ok().and_then(|at| text.get(at..)).unwrap_or_default();
    loop {
        let skipped = match rest.first() {
            Some(b'\r') => 1,
            Some(b'\n') => {
                line += 1;
                1
            }
            Some(b'#') => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
            _ => return line,
        };
        rest = &rest[skipped..];
    }
}

fn json_problem(error: &serde_json::Error) -> String {
    // The place inside the line means little, and the number of the line is told already; neither is the list of all fields
    // told once more with every line.
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    text.split(", expected one of ").next().unwrap_or_default().to_owned()
}

fn csv_problem(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!("{len} fields instead of {expected_len}"),
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "name,env,owner,scopes,rate_limit,allow_ips,labels,expires_in,expires_at,no_expiry\n";

    fn of(text: impl AsRef<[u8]>) -> BulkFile {
        parse(text.as_ref(), &Create::named("")).unwrap()
    }

    #[test]
    fn a_wrong_line_is_named_by_its_number_and_the_others_are_read() {
        let csv = of("name,env\na,prod\nb,moon\n\"c\nc\",dev\nd,dev,more\ne,dev\n");
        assert_eq!(csv.lines, [2, 7]);
        assert_eq!(csv.wrong.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4, 6]);
        let jsonl = of("{\"name\":\"a\"}\n\n{\"name\":\"b\",\"nmae\":1}\n{\"name\"\n{\"name\":\"c\"}");
        assert_eq!(jsonl.lines, [1, 5]);
        assert_eq!(jsonl.wrong.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn without_a_header_or_anything_at_all_it_is_refused() {
        for (text, why) in [
            (&b"myservice\n"[..], "column `name`"),
            (b"owner,env\nbob,dev\n", "column `name`"),
            (b"", "nothing in it"),
            (b"\n# only this\n", "nothing in it"),
            (b"\x89PNG\xff\xfe\n", "UTF-8"),
        ] {
            let (_, refused) = parse(text, &Create::named("")).unwrap_err();
            assert!(refused.contains(why), "{text:?}: {refused}");
        }
        assert_eq!(of("\u{feff}name\na\n").requests.len(), 1, "a mark of byte order is none of the name");
        assert_eq!(of("name\n").requests, [], "an empty table is one");
    }

    #[test]
    fn one_document_of_json_is_read_with_the_lines_of_its_keys() {
        let list = of("[\n {\"name\":\"a\"},\n {\"name\":\"b\",\n  \"nmae\":1}, {\"name\":\"c\"}\n]");
        assert_eq!((list.lines, list.wrong), (vec![2, 4], vec![(3, "unknown field `nmae`".to_owned())]));
        let object = of("{\n \"schema\": \"x\",\n \"keys\": [\n  {\"name\":\"a\"}\n ]\n}");
        assert_eq!(object.lines, [4]);
        assert_eq!(of("{\"keys\":[{\"name\":\"a\"}]}").lines, [1]);
        assert_eq!(of("[]").requests, []);
        for (text, line) in [("[\n{\"name\":\n", 2), ("{\n \"keyz\": []\n}", 2), ("[1]", 1)] {
            let refused = parse(text.as_bytes(), &Create::named(""));
            let told = refused.map_or_else(|(line, _)| line, |found| found.wrong[0].0);
            assert!(told >= line, "{text}: {told}");
        }
    }

    #[test]
    fn marks_encodings_quotes_and_separators_are_read_or_named() {
        assert_eq!(of("\u{feff}{\"name\":\"a\"}\n{\"name\":\"b\"}\n").lines, [1, 2]);
        let utf16: Vec<u8> = "\u{feff}name\r\na\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(of(utf16).lines, [2]);
        let open = of("name,description\na,x\nb,\"never closed\nc,x\n");
        assert_eq!((open.lines.as_slice(), open.wrong[0].0, open.wrong.len()), (&[2][..], 3, 1));
        let refused = |text: &str| parse(text.as_bytes(), &Create::named("")).unwrap_err();
        assert!(refused("name;env\na;prod\n").1.starts_with("`;` stands between"));
        let (line, why) = refused("# mine\nname,onwer\na,b\n");
        assert!(line == 2 && why.contains("`onwer` (is it `owner`?)") && why.contains("rate_limit"), "{line}: {why}");
        assert!(refused("name,env,env\n").1.contains("twice"));
    }

    #[test]
    fn a_name_that_stands_twice_is_told_by_its_first_line() {
        let csv = of("name,env\na,prod\nb,dev\na,dev\na,prod\n");
        assert_eq!((csv.lines.len(), csv.wrong.len()), (4, 0));
        assert_eq!(csv.repeated, [(5, "the name 'a' in production stands on line 2 already".to_owned())]);
        let again = Create { if_not_exists: true, ..Create::named("") };
        assert_eq!(parse(b"name\na\na\n", &again).unwrap().repeated, []);
    }

    #[test]
    fn blank_lines_comments_and_carriage_returns_are_counted() {
        for newline in ["\n", "\r\n"] {
            let text = ["# keys", "", "name,env", "", "# the first", "#", "a,prod", "b,moon", "", "", "c,dev", "d", ""];
            let csv = of(text.join(newline));
            assert_eq!(csv.lines, [7, 11], "{newline:?}");
            assert_eq!(csv.wrong.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [8, 12], "{newline:?}");
        }
    }

    proptest! {
        #[test]
        fn every_line_is_a_request_or_an_error_whatever_the_bytes(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), start in 0usize..4,
        ) {
            let mut text = ["", "{\"name\":\"a\"}\n", HEADER, "name\n"][start].as_bytes().to_vec();
            text.extend(bytes);
            if let Ok(found) = parse(&text, &Create::named("")) {
                prop_assert_eq!(found.requests.len(), found.lines.len());
                let last = text.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64 + 2;
                prop_assert!(found.lines.iter().chain(found.wrong.iter().map(|(line, _)| line)).all(|line| *line <= last));
            }
        }

        #[test]
        fn words_that_look_right_do_not_panic_either(
            cells in proptest::collection::vec("[a-z0-9:*/;=., \"#{}-]{0,12}", 10), as_json in any::<bool>(),
        ) {
            let text = if as_json {
                format!("{{\"name\":{:?},\"scopes\":{:?},\"labels\":{:?}}}", cells[0], cells, cells[6])
            } else {
                format!("{HEADER}{}\n", cells.join(","))
            };
            let found = of(text);
            prop_assert!(found.requests.len() + found.wrong.len() <= 2);
        }
    }
}
