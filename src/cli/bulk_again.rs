//! The file of secrets as an earlier run left it: what a run through a server needs to go on where that one was ended.

use super::bulk_out::{LONGEST_LINE, SecretsFile};
use crate::ops::KeyView;
use serde::Deserialize;
use std::{
    fs::{OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};
use zeroize::Zeroizing;

/// A line of it; the secret is left where it is.
#[derive(Deserialize)]
pub(super) struct Line {
    pub(super) key: KeyView,
    #[serde(default)]
    pub(super) existed: bool,
}

impl SecretsFile {
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
}
