//! Bulk creation from a CSV or JSONL file: every line is read and judged before anything is written, and the keys come
//! into being in one transaction, all or none.
//!
//! A line has the fields of `create`. In CSV, lists are separated by `;`. Secrets go to a new private file or, as JSONL,
//! to stdout.

use super::{bulk_file, context::Ctx, exit::Exit, render::MINTED};
use crate::{
    backend::BulkError,
    domain::counted,
    files,
    ops::{Create, Created, EntryError, Error, Kind, Result},
};
use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::Path,
};
use zeroize::Zeroizing;

/// So many wrong lines are told; the rest would only scroll them away.
const TOLD: usize = 100;
/// Secrets are written in pieces of this size.
const PIECE: usize = 64 * 1024;

/// Creates the keys of a file.
///
/// # Errors
/// The kind of the first wrong line, after every wrong line was told.
pub(super) fn create(cx: &mut Ctx, from: &Path, out: Option<&Path>, defaults: &Create) -> Result<u8> {
    if out.is_none() {
        cx.refuse_secrets_in_ci()?;
        cx.preflight_secret()?;
    }
    let (text, place) = read(cx, from)?;
    let parsed = bulk_file::parse(&text, defaults).map_err(|why| Error::usage(format!("{place}:1: {why}")))?;
    let length = text.len();
    drop(text);
    let wrong = parsed.wrong.into_iter().map(|(line, why)| (line, Error::usage(why)));
    let repeated = parsed.repeated.into_iter().map(|(line, why)| (line, Error::conflict("exists", why)));
    let mut wrong: Vec<_> = wrong.chain(repeated).collect();
    if !wrong.is_empty() {
        wrong.sort_by_key(|(line, _)| *line);
        return Err(refused(cx, &place, "created", wrong));
    }
    let (requests, lines) = (parsed.requests, parsed.lines);
    let backend = cx.backend()?;
    let sink = match out {
        Some(path) if !cx.global.dry_run => {
            Some((path, room_for(path, length, requests.len()).map_err(|error| Error::cannot_write(path, &error))?))
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
                std::fs::remove_file(path).map_err(|error| Error::cannot_write(path, &error))?;
            }
            return Err(failed(cx, &place, "created", error, &lines));
        }
    };
    hand_out(cx, created, sink)
}

/// The error of a bulk request, with the lines that its entries came from.
pub(super) fn failed(cx: &Ctx, place: &str, verb: &str, error: BulkError, lines: &[u64]) -> Error {
    match error {
        BulkError::Whole(error) => error,
        BulkError::Entries(entries) => {
            let line = |index: usize| lines.get(index).copied().unwrap_or(0);
            let wrong = entries.into_iter().map(|EntryError { index, error }| (line(index), error));
            refused(cx, place, verb, wrong.collect())
        }
    }
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
        let what = format!("created {}, and not every secret could be written", counted(count, "key"));
        error.undelivered(what).hint(
            "keyward list --sort -created -o name, then: keyward rotate KEY --now   for each whose secret is missing",
        )
    };
    let place = if let Some((path, file)) = sink {
        let kept = write_secrets(&file, &created)
            .and_then(|()| file.set_len((&file).stream_position()?))
            .and_then(|()| file.sync_all());
        kept.map_err(|error| lost(Error::cannot_write(path, &error)))?;
        format!("; their secrets are in {}", path.display())
    } else {
        let reports: Vec<_> = created.iter().map(|one| Ctx::minted(&one.key, one.secret.as_ref())).collect();
        if !cx.global.dry_run || cx.reply_asked() {
            cx.emit_lines(MINTED, &reports).map_err(lost)?;
        }
        String::new()
    };
    cx.note(&match existed {
        0 => format!("{verb} {}{place}", counted(count, "key")),
        _ => format!("{verb} {}, {existed} existed{place}", counted(count, "key")),
    });
    Ok(Exit::Ok.code())
}

/// A new file with room for the lines of so many keys, made from a text of this length: a full disk is found before anything
/// is minted.
fn room_for(path: &Path, length: usize, keys: usize) -> io::Result<File> {
    /// What a line has beside what the caller wrote: names of fields, ids, times, the secret.
    const OWN: usize = 2048;
    let file = files::create_private(path)?;
    files::reserve(&file, (2 * length + OWN * keys) as u64).inspect_err(|_| drop(std::fs::remove_file(path)))?;
    Ok(file)
}

/// Writes a line a key.
fn write_secrets(file: &File, created: &[Created]) -> io::Result<()> {
    let mut out = Pieces { file, piece: Zeroizing::new(Vec::with_capacity(PIECE)) };
    for one in created {
        Ctx::minted(&one.key, one.secret.as_ref()).write_json_line(&mut out)?;
    }
    out.flush()
}

/// Gathers what is written into pieces, in memory that is wiped.
struct Pieces<'f> {
    file: &'f File,
    piece: Zeroizing<Vec<u8>>,
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A buffer that grew would leave secrets behind in the memory it grew out of.
        if self.piece.len() + bytes.len() > PIECE {
            self.flush()?;
        }
        let bytes = bytes.get(..PIECE).unwrap_or(bytes);
        self.piece.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.piece)?;
        self.piece.clear();
        Ok(())
    }
}

/// Reads a bulk file, or standard input for `-`; with the name that messages give it.
pub(super) fn read(cx: &mut Ctx, from: &Path) -> Result<(Vec<u8>, String)> {
    let mut bytes = Vec::new();
    let stdin = from == Path::new("-");
    let read = if stdin {
        cx.out.streams.stdin.read_to_end(&mut bytes)
    } else {
        File::open(from).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|error| {
        Error::new(Kind::Usage, "input", format!("cannot read {}", from.display())).cause(error.to_string())
    })?;
    Ok((bytes, if stdin { "stdin".to_owned() } else { from.display().to_string() }))
}

/// Tells every wrong line, and answers with the error of the whole.
pub(super) fn refused(cx: &Ctx, place: &str, verb: &str, wrong: Vec<(u64, Error)>) -> Error {
    let kind = wrong.first().map_or(Kind::Usage, |(_, error)| error.kind);
    let count = wrong.len();
    let plural = if count == 1 { "line is" } else { "lines are" };
    let dry = if cx.global.dry_run { "would be" } else { "was" };
    let mut error = Error::new(kind, "bulk_lines", format!("{count} {plural} wrong; nothing {dry} {verb}"));
    for (line, wrong) in wrong.iter().take(TOLD) {
        error = error.cause(format!("{place}:{line}: {}", wrong.message));
    }
    if count > TOLD {
        error = error.cause(format!("and {} more", count - TOLD));
    }
    error
}
