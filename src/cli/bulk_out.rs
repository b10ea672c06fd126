//! The file that the secrets of a bulk creation go to: private, a line a key, durable before anything hangs on it.

use super::{columns::KEY, context::Ctx, render::minted};
use crate::{
    domain::KeyRef,
    files,
    ops::{Created, Error, Kind, Show},
};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// A line of secrets is shorter.
pub(super) const LONGEST_LINE: u64 = 1 << 20;
/// Secrets are written in pieces of this size.
const PIECE: usize = 64 * 1024;
/// What a line has beside what the caller wrote: names of fields, ids, times, the secret.
const OWN: usize = 2048;

/// The file, and how much of it holds lines.
pub(super) struct SecretsFile {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) length: u64,
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

    /// Takes room for the lines of so many more keys.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn take_room(&self, text: usize, keys: usize) -> io::Result<()> {
        files::reserve(&self.file, self.length + (2 * text + OWN * keys) as u64)
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
            let asked = cx.backend().and_then(|backend| backend.ask(&cx.operation(), &Show { key, environment: None }));
            asked.is_err_and(|error| error.kind == Kind::NotFound)
        });
    if unwritten || dead {
        let rm = shell_words::join(["rm", "--", &path.to_string_lossy()]);
        return Error { hints: vec![rm], ..told }.cause("an earlier run left it that was ended before it made a key");
    }
    told
}
