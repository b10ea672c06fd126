//! Walking files and directories on every core; what cannot be read is told, not passed over.

use super::{
    search::{Buffer, Hit, search},
    secrets::Finder,
};
use crate::ops::identify::Leaked;
use ignore::{DirEntry, WalkBuilder, WalkState};
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// A secret and where it was found.
pub(in crate::cli) struct Found {
    /// The secret.
    pub(in crate::cli) secret: Leaked,
    /// The file; `-` for standard input.
    pub(in crate::cli) file: PathBuf,
    /// Counted from 1.
    pub(in crate::cli) line: u64,
    /// Counted from 1, in bytes of the line as UTF-8.
    pub(in crate::cli) column: u64,
    /// Counted from 1, in characters.
    pub(in crate::cli) character: u64,
    /// Counted from 0, in bytes of the file; unknown of one that had to be decoded.
    pub(in crate::cli) offset: Option<u64>,
    /// In bytes.
    pub(in crate::cli) length: usize,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::cli) struct Options {
    /// Also what ignore files name.
    pub(in crate::cli) no_ignore: bool,
    /// Also binary files in directories.
    pub(in crate::cli) binary: bool,
}

/// What came of a scan.
#[derive(Default)]
pub(in crate::cli) struct Scanned {
    /// Every secret, by file and place.
    pub(in crate::cli) found: Vec<Found>,
    /// What could not be read, and why.
    pub(in crate::cli) unread: Vec<String>,
    /// Files that were read.
    pub(in crate::cli) files: u64,
    /// Bytes that were read.
    pub(in crate::cli) bytes: u64,
    /// Binary files that were passed over.
    pub(in crate::cli) skipped: u64,
    /// Files that were passed over because ignore files name them.
    pub(in crate::cli) ignored: u64,
}

/// Looks at every file below the paths; `-` is standard input.
pub(in crate::cli) fn scan(finder: &Finder, paths: &[PathBuf], options: Options, stdin: &mut dyn Read) -> Scanned {
    let shared = Mutex::new(Scanned::default());
    let (dashes, paths): (Vec<_>, Vec<_>) = paths.iter().partition(|path| path.as_path() == Path::new("-"));
    if let Some(dash) = dashes.first() {
        one(finder, dash, Ok(stdin), &mut Buffer::new(finder), true, &shared);
    }
    if let Some((first, rest)) = paths.split_first() {
        let met = AtomicU64::new(0);
        walk(first, rest, options.no_ignore).build_parallel().run(|| {
            let mut buffer = Buffer::new(finder);
            let (shared, met) = (&shared, &met);
            Box::new(move |entry| {
                match entry {
                    Ok(entry) if is_read(&entry) => {
                        met.fetch_add(1, Ordering::Relaxed);
                        // What was named is read, binary or not: that nothing is found must not mean that nobody looked.
                        let (path, binary) = (entry.path(), options.binary || entry.depth() == 0);
                        one(finder, path, File::open(path), &mut buffer, binary, shared);
                    }
                    Ok(_) => {}
                    Err(error) => lock(shared).unread.push(error.to_string()),
                }
                WalkState::Continue
            })
        });
        if !options.no_ignore {
            lock(&shared).ignored = files(first, rest).saturating_sub(met.into_inner());
        }
    }
    let mut scanned = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    scanned.found.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    scanned.unread.sort();
    scanned
}

/// The walk over some paths.
fn walk(first: &Path, rest: &[&PathBuf], no_ignore: bool) -> WalkBuilder {
    let mut walk = WalkBuilder::new(first);
    rest.iter().for_each(|path| {
        walk.add(path);
    });
    // Secrets leak into hidden files more than into others.
    walk.hidden(false).require_git(false).filter_entry(|entry| entry.depth() == 0 || !is_store(entry.path()));
    if no_ignore {
        walk.ignore(false).git_ignore(false).git_exclude(false).git_global(false).parents(false);
    }
    walk
}

/// How many files there are below the paths, whatever ignore files say.
fn files(first: &Path, rest: &[&PathBuf]) -> u64 {
    let count = AtomicU64::new(0);
    walk(first, rest, true).build_parallel().run(|| {
        Box::new(|entry| {
            count.fetch_add(u64::from(entry.is_ok_and(|entry| is_read(&entry))), Ordering::Relaxed);
            WalkState::Continue
        })
    });
    count.into_inner()
}

/// Whether a directory is where git keeps its objects, which are compressed. What else it keeps is text like any other, and
/// the address of a remote is where many a secret stands.
fn is_store(path: &Path) -> bool {
    path.ends_with("objects") && path.components().any(|component| component.as_os_str() == ".git")
}

/// Files; of what was named itself also whatever else can be read, such as the pipe of a process substitution.
fn is_read(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_file()) || (entry.depth() == 0 && !entry.path().is_dir())
}

fn one(
    finder: &Finder,
    path: &Path,
    source: std::io::Result<impl Read>,
    buffer: &mut Buffer,
    binary: bool,
    shared: &Mutex<Scanned>,
) {
    let mut found = Vec::new();
    let read = source.and_then(|source| {
        search(source, finder, buffer, binary, |hit| {
            let Hit { secret, line, column, character, offset, length } = hit;
            found.push(Found { secret, file: path.to_owned(), line, column, character, offset, length });
        })
    });
    let mut shared = lock(shared);
    match read {
        Ok(Some(bytes)) => {
            shared.files += 1;
            shared.bytes += bytes;
        }
        Ok(None) => shared.skipped += 1,
        Err(error) => shared.unread.push(format!("{}: {error}", path.display())),
    }
    shared.found.append(&mut found);
}

fn lock(shared: &Mutex<Scanned>) -> MutexGuard<'_, Scanned> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
