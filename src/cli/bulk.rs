//! Bulk creation from a CSV or JSONL file: every line is read and judged before anything is written, and the keys come
//! into being in one transaction, all or none.
//!
//! A line has the fields of `create`. In CSV, lists are separated by `;`. Secrets go to a new private file or, as JSONL,
//! to stdout.

use super::{
    bulk_line::{Line, request},
    context::Ctx,
    exit::Exit,
};
use crate::{
    backend::BulkError,
    files,
    ops::{Create, Created, EntryError, Error, Kind, Result},
};
use std::{
    fs::File,
    io::{BufWriter, Read, Write},
    path::Path,
};

/// So many wrong lines are told; the rest would only scroll them away.
const TOLD: usize = 100;

/// Creates the keys of a file.
///
/// # Errors
/// The kind of the first wrong line, after every wrong line was told.
pub(super) fn create(cx: &mut Ctx, from: &Path, out: Option<&Path>, defaults: &Create) -> Result<u8> {
    if out.is_none() {
        cx.refuse_secret_in_ci()?;
        cx.preflight_secret()?;
    }
    let text = read(cx, from)?;
    let place = if from == Path::new("-") { "stdin".to_owned() } else { from.display().to_string() };
    let (requests, lines) = parse(cx, &text, &place, defaults)?;
    let backend = cx.backend()?;
    let sink = match out {
        Some(path) if !cx.global.dry_run => {
            Some((path, files::create_private(path).map_err(|error| unwritable(path, &error))?))
        }
        _ => None,
    };
    let created = {
        let mut progress = cx.out.progress(requests.len() as u64, "creating keys");
        let mut told = 0;
        let mut heard = |done: usize| {
            progress.inc(done.saturating_sub(told) as u64);
            told = done;
        };
        backend.create_many(&cx.operation(), requests, &mut heard)
    };
    let created = match created {
        Ok(created) => created,
        Err(error) => {
            if let Some((path, _)) = &sink {
                std::fs::remove_file(path).map_err(|error| unwritable(path, &error))?;
            }
            return Err(match error {
                BulkError::Whole(error) => error,
                BulkError::Entries(entries) => {
                    let wrong = entries
                        .into_iter()
                        .map(|EntryError { index, error }| (lines.get(index).copied().unwrap_or(0), error));
                    refused(cx, &place, wrong.collect())
                }
            });
        }
    };
    hand_out(cx, created, sink)
}

fn hand_out(cx: &mut Ctx, created: Vec<Created>, sink: Option<(&Path, File)>) -> Result<u8> {
    let verb = if cx.global.dry_run { "would create" } else { "created" };
    let existed = created.iter().filter(|one| one.existed).count();
    let count = created.len() - existed;
    let mut notes: Vec<&String> = created.iter().filter(|one| !one.existed).flat_map(|one| &one.notes).collect();
    notes.dedup();
    for note in notes {
        cx.note(note);
    }
    let lost = |error: Error| {
        Error { message: format!("{count} keys were created, and not every secret could be written"), ..error.clone() }
            .cause(error.message)
            .hint("keyward list --sort -created -o name, then: keyward rotate KEY --now   for each whose secret is missing")
    };
    let place = if let Some((path, file)) = sink {
        let mut file = BufWriter::new(file);
        let written = created.iter().try_for_each(|one| {
            let line = Ctx::minted(&one.key, one.secret.as_ref()).to_json_line()?;
            file.write_all(line.as_bytes())?;
            file.write_all(b"\n")
        });
        let kept = written.and_then(|()| file.flush()).and_then(|()| file.get_ref().sync_all());
        kept.map_err(|error| lost(unwritable(path, &error)))?;
        format!("; their secrets are in {}", path.display())
    } else {
        let reports: Vec<_> = created.iter().map(|one| Ctx::minted(&one.key, one.secret.as_ref())).collect();
        if !cx.global.dry_run || cx.reply_asked() {
            cx.emit_lines("keyward.key-list/v1", &reports).map_err(lost)?;
        }
        String::new()
    };
    cx.note(&match existed {
        0 => format!("{verb} {count} keys{place}"),
        _ => format!("{verb} {count} keys, {existed} existed{place}"),
    });
    Ok(Exit::Ok.code())
}

fn read(cx: &mut Ctx, from: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if from == Path::new("-") {
        cx.out.streams.stdin.read_to_end(&mut bytes)
    } else {
        File::open(from).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|error| {
        Error::new(Kind::Usage, "input", format!("cannot read {}", from.display())).cause(error.to_string())
    })?;
    Ok(bytes)
}

/// The requests, and the line each came from.
fn parse(cx: &mut Ctx, text: &[u8], place: &str, defaults: &Create) -> Result<(Vec<Create>, Vec<u64>)> {
    let (mut requests, mut lines, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    let mut take = |number: u64, line: Result<Line, String>| match line.and_then(|line| request(line, defaults)) {
        Ok(request) => {
            requests.push(request);
            lines.push(number);
        }
        Err(why) => wrong.push((number, Error::usage(why))),
    };
    if text.trim_ascii_start().first() == Some(&b'{') {
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if !line.trim_ascii().is_empty() {
                take(index as u64 + 1, serde_json::from_slice(line).map_err(|error| json_problem(&error)));
            }
        }
    } else {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).from_reader(text);
        let headers = reader.headers().map_err(|error| Error::usage(format!("{place}:1: {error}")))?.clone();
        let mut record = csv::StringRecord::new();
        loop {
            let number = reader.position().line();
            match reader.read_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {
                    let number = record.position().map_or(number, csv::Position::line);
                    take(number, record.deserialize(Some(&headers)).map_err(|error| csv_problem(&error)));
                }
                Err(error) => take(number.max(2), Err(csv_problem(&error))),
            }
        }
    }
    if wrong.is_empty() { Ok((requests, lines)) } else { Err(refused(cx, place, wrong)) }
}

fn json_problem(error: &serde_json::Error) -> String {
    // The place inside the line means little; the number of the line is told already.
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

fn csv_problem(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.kind().to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!("{len} fields instead of {expected_len}"),
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

/// Tells every wrong line, and answers with the error of the whole.
fn refused(cx: &Ctx, place: &str, wrong: Vec<(u64, Error)>) -> Error {
    let kind = wrong.first().map_or(Kind::Usage, |(_, error)| error.kind);
    let count = wrong.len();
    let plural = if count == 1 { "line is" } else { "lines are" };
    let dry = if cx.global.dry_run { "would be" } else { "was" };
    let mut error = Error::new(kind, "bulk_lines", format!("{count} {plural} wrong; nothing {dry} created"));
    for (line, wrong) in wrong.iter().take(TOLD) {
        error = error.cause(format!("{place}:{line}: {}", wrong.message));
    }
    if count > TOLD {
        error = error.cause(format!("and {} more", count - TOLD));
    }
    error
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    let kind = if error.kind() == std::io::ErrorKind::AlreadyExists { Kind::Conflict } else { Kind::Unavailable };
    Error::new(kind, "out_file", format!("cannot write {}", path.display())).cause(error.to_string())
}
