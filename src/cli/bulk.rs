//! Bulk creation from a CSV or JSONL file: every line is read and judged before anything is written, and the keys come
//! into being in one transaction, all or none.
//!
//! A line has the fields of `create`. In CSV, lists are separated by `;`. Secrets go to a new private file, where they are
//! durable before a key exists, or, as JSONL, to stdout.

use super::{
    bulk_file,
    bulk_line::FIELDS,
    bulk_out::{SecretsFile, in_the_way},
    columns::KEYS,
    context::Ctx,
    exit::Exit,
    render::MINTED,
};
use crate::{
    backend::{Backend, BulkError},
    domain::counted,
    ops::{Context, Create, Created, EntryErrors, Error, Kind, Result},
    output::Format,
};
use std::{collections::HashSet, fs::File, io::Read, path::Path};

/// So many wrong lines are told; the rest would only scroll them away.
pub(super) const TOLD: usize = 100;
/// So many ways out of them, each once: lines that are wrong alike share theirs.
const HINTS: usize = 5;

/// The keys of a file, of which no line is wrong by itself.
pub(super) struct Bulk {
    /// The name that messages give the file.
    pub(super) place: String,
    /// How long its text is.
    pub(super) length: usize,
    pub(super) requests: Vec<Create>,
    /// The line each came from.
    pub(super) lines: Vec<u64>,
}

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
            backend.create_many(dry, requests.into(), &mut |_| (), &mut |_| Ok(())).err()
        };
        return Err(all_refused(cx, &place, "created", wrong, &lines, judge));
    }
    let bulk = Bulk { place, length, requests: parsed.requests, lines: parsed.lines };
    #[cfg(feature = "server")]
    if let (Some(out), true, false) = (out, cx.is_remote(), cx.global.dry_run) {
        return super::bulk_slices::create(cx, bulk, out);
    }
    at_once(cx, bulk, out)
}

/// Creates all keys in one transaction.
fn at_once(cx: &mut Ctx, bulk: Bulk, out: Option<&Path>) -> Result<u8> {
    let Bulk { place, length, requests, lines } = bulk;
    if cx.rehearse_if_new()? {
        let dry = Context { dry_run: true, ..cx.operation() };
        let tried = cx.backend()?.create_many(&dry, requests.clone().into(), &mut |_| (), &mut |_| Ok(()));
        tried.map(drop).map_err(|error| failed(cx, &place, "created", error, &lines))?;
    }
    let mut sink = match out {
        Some(path) if !cx.global.dry_run => {
            let made = SecretsFile::create(path, length, requests.len());
            Some((path, made.map_err(|error| in_the_way(cx, path, &error))?))
        }
        _ => None,
    };
    let backend = match cx.backend_or_new() {
        Ok(backend) => backend,
        Err(error) => {
            sink.map_or(Ok(()), |(path, _)| {
                std::fs::remove_file(path).map_err(|error| Error::cannot_write(path, &error))
            })?;
            return Err(error);
        }
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
            match &mut sink {
                Some((path, file)) => file.append(created).map_err(|error| Error::cannot_write(path, &error)),
                None => print_secrets(cx, created),
            }
        };
        backend.create_many(&operation, requests.into(), &mut heard, &mut keep)
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
    if cx.global.dry_run {
        let planned = created.iter().map(|one| cx.minted(cx.created_key(one), None).existed(one.existed));
        let planned: Vec<_> = planned.collect();
        return cx.emit_lines(MINTED, &planned);
    }
    let reports: Vec<_> =
        created.iter().map(|one| cx.minted(&one.key, one.secret.as_ref()).existed(one.existed)).collect();
    cx.emit_lines(MINTED, &reports)
}

pub(super) fn tell(cx: &mut Ctx, created: &[Created], out: Option<&Path>) -> Result<u8> {
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
