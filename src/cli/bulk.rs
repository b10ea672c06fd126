//! Bulk creation from a CSV or JSONL file: every line is read and judged before anything is written, and the keys come
//! into being in one transaction, all or none.
//!
//! A line has the fields of `create`. In CSV, lists are separated by `;`. Secrets go to a new private file, where they are
//! durable before a key exists, or, as JSONL, to stdout.

use super::{
    bulk_file,
    bulk_line::FIELDS,
    columns::{KEY, KEYS},
    context::Ctx,
    exit::Exit,
    render::{MINTED, minted},
};
use crate::{
    backend::{Backend, BulkError},
    domain::{KeyRef, counted},
    files,
    ops::{Context, Create, Created, EntryErrors, Error, Kind, Result, Show},
    output::Format,
};
use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, Write},
    path::Path,
};
use zeroize::Zeroizing;

/// So many wrong lines are told; the rest would only scroll them away.
const TOLD: usize = 100;
/// So many ways out of them, each once: lines that are wrong alike share theirs.
const HINTS: usize = 5;
/// A line of secrets is shorter.
const LONGEST_LINE: u64 = 1 << 20;
/// Secrets are written in pieces of this size.
const PIECE: usize = 64 * 1024;

/// Creates the keys of a file.
///
/// # Errors
/// The kind of the first wrong line, after every wrong line was told.
pub(super) fn create(cx: &mut Ctx, from: &Path, out: Option<&Path>, defaults: &Create) -> Result<u8> {
    let out = out.filter(|out| *out != Path::new("-"));
    out.map_or(Ok(()), |out| cx.may_create("--out", out))?;
    if out.is_none() {
        if cx.given.field.is_none() {
            cx.refuse_layout(&[Format::Json, Format::Jsonl], "the keys are written as a line of JSON each")?;
        }
        cx.refuse_secrets_in_ci()?;
        cx.preflight_secret()?;
    }
    let (text, place) = read(cx, from)?;
    let parsed = bulk_file::parse(&text, defaults).map_err(|(line, why)| unusable(&place, line, why))?;
    let length = text.len();
    drop(text);
    let wrong = parsed.wrong.into_iter().map(|(line, why)| (line, Error::usage(why)));
    let repeated = parsed.repeated.into_iter().map(|(line, why)| (line, Error::conflict("exists", why)));
    let wrong: Vec<_> = wrong.chain(repeated).collect();
    if !wrong.is_empty() {
        let (requests, lines) = (parsed.requests, parsed.lines);
        let judge = |backend: &dyn Backend, dry: &Context| {
            backend.create_many(dry, requests, &mut |_| (), &mut |_| Ok(())).err()
        };
        return Err(all_refused(cx, &place, "created", wrong, &lines, judge));
    }
    let (requests, lines) = (parsed.requests, parsed.lines);
    let backend = cx.backend_or_new()?;
    let sink = match out {
        Some(path) if !cx.global.dry_run => {
            Some((path, room_for(path, length, requests.len()).map_err(|error| in_the_way(cx, path, &error))?))
        }
        _ => None,
    };
    let count = requests.len();
    let mut begun = false;
    let created = {
        let mut progress = cx.out.progress(count as u64, "creating keys");
        let mut told = 0;
        let mut heard = |done: usize| {
            progress.inc(done.saturating_sub(told) as u64);
            told = done;
        };
        let operation = cx.operation();
        let mut keep = |created: &[Created]| {
            begun = true;
            match &sink {
                Some((path, file)) => {
                    write_secrets(path, file, created).map_err(|error| Error::cannot_write(path, &error))
                }
                None => print_secrets(cx, created),
            }
        };
        backend.create_many(&operation, requests, &mut heard, &mut keep)
    };
    match created {
        Ok(created) => tell(cx, &created, out),
        // The server has made the keys: what was written of their secrets is all there is.
        Err(BulkError::Whole(error)) if begun && cx.is_remote() => Err(lost(error, count)),
        Err(error) => {
            let failed = failed(cx, &place, "created", error, &lines);
            match &sink {
                Some((path, _)) => std::fs::remove_file(path).map_err(|error| Error::cannot_write(path, &error))?,
                None if begun => {
                    return Err(failed.cause("no key was made: the secrets that were printed open nothing"));
                }
                None => {}
            }
            Err(failed)
        }
    }
}

/// A file where the secrets are to go, told by what it is: a run that was killed leaves the secrets of keys that it did not
/// come to make, and nothing else in the way may be taken for that.
fn in_the_way(cx: &mut Ctx, path: &Path, error: &io::Error) -> Error {
    let told = Error::cannot_write(path, error);
    // A device reads as zeros, and a pipe would wait for whoever writes to it.
    let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
    if error.kind() != io::ErrorKind::AlreadyExists || !is_file {
        return told;
    }
    let mut line = String::new();
    let first = File::open(path).and_then(|file| BufReader::new(file).take(LONGEST_LINE).read_line(&mut line));
    let line = Zeroizing::new(line);
    let id =
        serde_json::from_str::<serde_json::Value>(&line).ok().and_then(|one| one["key"]["id"].as_str()?.parse().ok());
    let unwritten = first.is_ok() && line.starts_with('\0');
    let dead = id.is_some_and(|key: KeyRef| {
        let asked = cx.backend().and_then(|backend| backend.show(&cx.operation(), &Show { key, environment: None }));
        asked.is_err_and(|error| error.kind == Kind::NotFound)
    });
    if unwritten || dead {
        let rm = shell_words::join(["rm", "--", &path.to_string_lossy()]);
        return Error { hints: vec![rm], ..told }.cause("an earlier run left it that was ended before it made a key");
    }
    told
}

/// The keys are there, and the secrets of some are nowhere.
fn lost(error: Error, count: usize) -> Error {
    error
        .undelivered(format!("created {}, and not every secret could be written", counted(count, "key")))
        .hint("keyward list --sort -created -o name, then: keyward rotate KEY --now   for each whose secret is missing")
}

/// The error of a file of which no line can be read.
pub(super) fn unusable(place: &str, line: u64, why: String) -> Error {
    Error::usage(format!("{place}:{line}: {why}"))
}

/// Tells every line that is wrong by itself, and of the others what the vault has against them: whoever mends a file wants to
/// do it once.
pub(super) fn all_refused(
    cx: &mut Ctx,
    place: &str,
    verb: &str,
    mut wrong: Vec<(u64, Error)>,
    lines: &[u64],
    judge: impl FnOnce(&dyn Backend, &Context) -> Option<BulkError>,
) -> Error {
    let there = cx.is_remote() || cx.vault().and_then(|vault| vault.exists()).is_ok_and(|there| there);
    let mut others = 0;
    if let (true, Ok(backend)) = (there, cx.backend()) {
        let dry = Context { dry_run: true, ..cx.operation() };
        if let Some(BulkError::Entries(entries)) = judge(&*backend, &dry) {
            let told: HashSet<u64> = wrong.iter().map(|(line, _)| *line).collect();
            let (judged, more) = on_lines(entries, lines);
            wrong.extend(judged.into_iter().filter(|(line, _)| !told.contains(line)));
            others = more.into_iter().filter(|line| !told.contains(line)).count();
        }
    }
    wrong.sort_by_key(|(line, _)| *line);
    refused(cx, place, verb, wrong, others)
}

/// The error of a bulk request, with the lines that its entries came from.
pub(super) fn failed(cx: &Ctx, place: &str, verb: &str, error: BulkError, lines: &[u64]) -> Error {
    match error {
        BulkError::Whole(error) => error,
        BulkError::Entries(entries) => {
            let (wrong, others) = on_lines(entries, lines);
            refused(cx, place, verb, wrong, others.len())
        }
    }
}

/// The errors of entries by the lines these came from, and the lines of those of which no more is told.
fn on_lines(entries: EntryErrors, lines: &[u64]) -> (Vec<(u64, Error)>, Vec<u64>) {
    let line = |index: usize| lines.get(index).copied().unwrap_or(0);
    let told = entries.told.into_iter().map(|entry| (line(entry.index), entry.error)).collect();
    (told, entries.others.into_iter().map(line).collect())
}

/// Prints a line a key, before the keys are committed: whoever is killed in between loses none.
fn print_secrets(cx: &mut Ctx, created: &[Created]) -> Result<()> {
    let reports: Vec<_> =
        created.iter().map(|one| cx.minted(&one.key, one.secret.as_ref()).existed(one.existed)).collect();
    cx.emit_lines(MINTED, &reports)
}

fn tell(cx: &mut Ctx, created: &[Created], out: Option<&Path>) -> Result<u8> {
    let dry = cx.global.dry_run;
    if dry && out.is_none() && cx.reply_asked() {
        print_secrets(cx, created)?;
    }
    let existed = created.iter().filter(|one| one.existed).count();
    let count = created.len() - existed;
    let mut notes: Vec<&String> = created.iter().filter(|one| !one.existed).flat_map(|one| &one.notes).collect();
    notes.dedup();
    for note in notes {
        cx.note(note);
    }
    for one in created.iter().filter(|one| one.existed).take(TOLD) {
        for note in one.notes.iter().skip(1) {
            cx.out.warn(&format!("{} ({}): {note}", one.key.name, one.key.id));
        }
    }
    let place = match (out.filter(|_| !dry).map(Path::display), count, existed) {
        (None, ..) => String::new(),
        (Some(path), _, 0) => format!("; their secrets are in {path}"),
        (Some(path), 0, _) => format!("; {path} lists them without a secret: what exists is not shown again"),
        (Some(path), ..) => {
            format!("; the secrets of the new ones are in {path}, and the others stand there without one")
        }
    };
    if out.is_some() && cx.reply_asked() {
        let keys = created.iter().map(|one| &one.key).collect();
        let written = cx.list("keyward.key-list/v1", keys, created.len(), KEYS);
        cx.after_change(written)?;
    }
    let verb = if dry { "would create" } else { "created" };
    cx.note(&match existed {
        0 => format!("{verb} {}{place}", counted(count, "key")),
        _ => format!("{verb} {}, {existed} existed{place}", counted(count, "key")),
    });
    if existed > 0 && out.is_none() && cx.secret_asked() {
        let existed = counted(existed, "key");
        return Err(Error::exists(format!(
            "{existed} existed, and their secrets are not shown again: their lines are empty"
        )));
    }
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

/// Writes a line a key, durably: the file, and its name in the directory.
fn write_secrets(path: &Path, file: &File, created: &[Created]) -> io::Result<()> {
    let mut out = Pieces { file, piece: Zeroizing::new(Vec::with_capacity(PIECE)) };
    for one in created {
        minted(&one.key, one.secret.as_ref(), KEY).existed(one.existed).write_json_line(&mut out)?;
    }
    out.flush()?;
    let mut file = file;
    file.set_len(file.stream_position()?)?;
    file.sync_all()?;
    files::sync_dir_of(path)
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

/// Tells every wrong line, and that there are others; answers with the error of the whole.
fn refused(cx: &Ctx, place: &str, verb: &str, wrong: Vec<(u64, Error)>, others: usize) -> Error {
    let kind = wrong.first().map_or(Kind::Usage, |(_, error)| error.kind);
    let count = wrong.len() + others;
    let plural = if count == 1 { "line is" } else { "lines are" };
    let dry = if cx.global.dry_run { "would be" } else { "was" };
    let mut error = Error::new(kind, "bulk_lines", format!("{count} {plural} wrong; nothing {dry} {verb}"));
    for (line, wrong) in wrong.iter().take(TOLD) {
        error = error.cause(format!("{place}:{line}: {}", wrong.message));
    }
    let told = wrong.len().min(TOLD);
    if count > told {
        error = error.cause(format!("and {} more", count - told));
    }
    for hint in wrong.iter().flat_map(|(_, wrong)| &wrong.hints) {
        if error.hints.len() < HINTS && !error.hints.contains(hint) {
            error = error.hint(hint);
        }
    }
    if wrong.iter().any(|(_, wrong)| wrong.message.contains("unknown field")) {
        error = error.hint(format!("the fields are {}", FIELDS.join(", ")));
    }
    error
}
