//! The file that the secrets of a bulk creation go to: private, a line a key, durable before anything hangs on it.

use super::{columns::KEY, context::Ctx, render::minted};
use crate::{
    domain::KeyRef,
    files,
    ops::{Created, Error, KeyView, Kind, Show},
};
use serde::Deserialize;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// A line of secrets is shorter.
const LONGEST_LINE: u64 = 1 << 20;
/// Secrets are written in pieces of this size.
const PIECE: usize = 64 * 1024;
/// What a line has beside what the caller wrote: names of fields, ids, times, the secret.
const OWN: usize = 2048;

/// The file, and how much of it holds lines.
pub(super) struct SecretsFile {
    path: PathBuf,
    file: File,
    length: u64,
}

/// A line of it; the secret is left where it is.
#[derive(Deserialize)]
pub(super) struct Line {
    pub(super) key: KeyView,
    #[serde(default)]
    pub(super) existed: bool,
}

impl SecretsFile {
    /// Makes the file, which nobody else may have made, and takes room for so many keys of a text of this length: a full disk
    /// is found before anything is minted.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn create(path: &Path, text: usize, keys: usize) -> io::Result<Self> {
        let made = Self { path: path.to_owned(), file: files::create_private(path)?, length: 0 };
        made.take_room(text, keys).inspect_err(|_| drop(std::fs::remove_file(path)))?;
        made.file.lock()?;
        Ok(made)
    }

    /// Opens the file of an earlier run; nothing where another process is at work with it.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn reopen(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { path: path.to_owned(), length: file.metadata()?.len(), file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes room for the lines of so many more keys.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn take_room(&self, text: usize, keys: usize) -> io::Result<()> {
        files::reserve(&self.file, self.length + (2 * text + OWN * keys) as u64)
    }

    /// How much of it holds lines.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The lines from `begin` on. What follows the last whole one is not held for a part of the file any more: it was
    /// being written when a run ended.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn lines_from(&mut self, begin: u64) -> io::Result<Vec<Line>> {
        self.file.seek(SeekFrom::Start(begin))?;
        let mut reader = BufReader::new(&self.file);
        let (mut lines, mut end) = (Vec::new(), begin);
        loop {
            let mut text = Zeroizing::new(Vec::new());
            let count = (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut text)?;
            let whole = if text.ends_with(b"\n") { serde_json::from_slice(&text).ok() } else { None };
            let Some(line) = whole else { break };
            lines.push(line);
            end += count as u64;
        }
        self.length = end;
        Ok(lines)
    }

    /// Whether bytes other than zero stand behind its lines.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn holds_more(&mut self) -> io::Result<bool> {
        self.file.seek(SeekFrom::Start(self.length))?;
        let mut reader = BufReader::new(&self.file);
        loop {
            let bytes = reader.fill_buf()?;
            let count = bytes.len();
            if count == 0 || bytes.iter().any(|byte| *byte != 0) {
                return Ok(count > 0);
            }
            reader.consume(count);
        }
    }

    /// Ends the file behind its lines: room that was taken and not used would be read as a line of zeros.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.sync_all()
    }

    /// Writes a line a key, durably: the lines, the end of the file behind them, and its name in the directory.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn append(&mut self, created: &[Created]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.length))?;
        let mut out = Pieces { file: &self.file, piece: Zeroizing::new(Vec::with_capacity(PIECE)) };
        for one in created {
            minted(&one.key, one.secret.as_ref(), KEY).existed(one.existed).write_json_line(&mut out)?;
        }
        out.flush()?;
        self.length = self.file.stream_position()?;
        self.file.set_len(self.length)?;
        self.file.sync_all()?;
        files::sync_dir_of(&self.path)
    }
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

/// A file where the secrets are to go, told by what it is: a run that was killed leaves the secrets of keys that it did not
/// come to make, and nothing else in the way may be taken for that.
pub(super) fn in_the_way(cx: &mut Ctx, path: &Path, error: &io::Error) -> Error {
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
    let unwritten = first.is_ok() && (line.is_empty() || line.starts_with('\0'));
    // A vault that is only just tried knows no key: that says nothing of this one.
    let dead = cx.rehearsal.is_none()
        && id.is_some_and(|key: KeyRef| {
            let asked =
                cx.backend().and_then(|backend| backend.show(&cx.operation(), &Show { key, environment: None }));
            asked.is_err_and(|error| error.kind == Kind::NotFound)
        });
    if unwritten || dead {
        let rm = shell_words::join(["rm", "--", &path.to_string_lossy()]);
        return Error { hints: vec![rm], ..told }.cause("an earlier run left it that was ended before it made a key");
    }
    told
}
