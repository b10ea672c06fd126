//! The end of a run, told: in JSON, as a table and one sentence, and as Markdown for a GitHub job's summary.

use crate::{
    cli::{columns, context::Ctx},
    ops::{Error, Kind, Result},
    output::{Format, Page, Report},
    rotate::Counts,
};
use serde_json::{Value, json};
use std::{fs::OpenOptions, io::Write};

/// Tells it; answers with the one sentence.
pub(super) fn tell(cx: &mut Ctx, counts: &Counts, results: &[Value], summary: &Value) -> Result<String> {
    match cx.format() {
        // The lines on standard output are of one schema, a result each.
        Format::Jsonl if cx.out.options.field.is_none() => cx.note(&summary.to_string()),
        Format::Json => {
            let mut document = summary.clone();
            document["items"] = json!(results);
            let written = cx.flat("keyward.rotation-run/v1", without_schema(document), "exit");
            cx.after_change(written)?;
        }
        Format::Table | Format::Wide if results.is_empty() && !cx.reply_asked() => {}
        _ => {
            let mut rows = results.to_vec();
            if cx.names_suffice() {
                // Whoever goes on with the names takes them for those of keys that have a new secret.
                rows.retain(|row| ["rotated", "staged", "would_rotate"].map(Some).contains(&row["outcome"].as_str()));
            }
            let page = Page::whole(rows.len());
            // As everywhere: -q prints ids, which name one key each, and -o name names.
            let named = if cx.out.options.format == Format::Name { "name" } else { "key_id" };
            let report = Report::list("keyward.rotation-result-list/v1", rows, page, columns::ROTATION_RESULTS, named);
            let written = cx.emit(&report);
            cx.after_change(written)?;
        }
    }
    let sentence = sentence(counts, summary["dry_run"] == json!(true));
    let Some(path) = cx.env.path("GITHUB_STEP_SUMMARY") else { return Ok(sentence) };
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(markdown(counts, results).as_bytes()));
    written.map_err(|error| {
        Error::new(Kind::of_io(&error), "step_summary", format!("cannot write to {}", path.display()))
            .cause(error.to_string())
            .cause(sentence.clone())
            .hint("the rotations themselves are done; GITHUB_STEP_SUMMARY names the file")
    })?;
    Ok(sentence)
}

fn without_schema(mut document: Value) -> Value {
    if let Some(fields) = document.as_object_mut() {
        fields.shift_remove("schema");
    }
    document
}

fn sentence(counts: &Counts, dry_run: bool) -> String {
    let rotated = if dry_run { "would be rotated" } else { "rotated" };
    let parts = [
        (counts.rotated, rotated),
        (counts.staged, "staged"),
        (counts.failed, "failed"),
        (counts.undelivered, "undelivered"),
        (counts.unmatched, "without a rule"),
        (counts.expired, "expired"),
        (counts.skipped, "skipped"),
        (counts.left, "left for the next run"),
    ];
    let parts: Vec<String> =
        parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let due =
        if counts.due == 0 { "nothing is due".to_owned() } else { format!("{} due: {}", counts.due, parts.join(", ")) };
    let overlaps =
        [(counts.waiting, "waits for a consumer"), (counts.given_up, "ends in use"), (counts.ended, "ended idle")];
    let overlaps = overlaps.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let overlaps: Vec<String> = overlaps.collect();
    if overlaps.is_empty() { due } else { format!("{due}; old secrets: {}", overlaps.join(", ")) }
}

/// A table that GitHub shows below the job. What people wrote into names must not become markup there.
fn markdown(counts: &Counts, results: &[Value]) -> String {
    let mut text = format!("### keyward: {}\n\n", sentence(counts, false));
    if !results.is_empty() {
        text.push_str("| key | environment | outcome | next due | why |\n| --- | --- | --- | --- | --- |\n");
    }
    for result in results {
        let cells = ["name", "environment", "outcome", "next_due_at", "why"].map(|field| plain(&result[field]));
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text.push('\n');
    text
}

fn plain(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '(' | ')' | '#' | '!' | '|' | '~' | '&'
            | '@' => {
                safe.push_str(&format!("&#{};", u32::from(character)));
            }
            control if control.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_becomes_markup() {
        let hostile = json!("a|b <script>`x`\n[l](javascript:1) \u{1b}[31m_é_");
        let cell = plain(&hostile);
        assert!(!cell.contains(['|', '<', '`', '\n', '[', '(', '\u{1b}', '_']), "{cell}");
        assert!(cell.contains('é'));
    }
}
