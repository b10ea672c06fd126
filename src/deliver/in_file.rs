//! The sinks that are files: the whole of one, one line of a dotenv file, one string of a JSON document.

use super::{
    Destination, Kept, Running, SinkError, dotenv,
    json::{self, Pointer},
    replace::{Mode, Target},
};
use crate::domain::PlainToken;
use zeroize::Zeroizing;

/// The longest a token can be, and a little more: what a preflight makes room for.
const ROOM: usize = 128;

/// Where in the file the secret is.
#[derive(Debug)]
pub(super) enum Format {
    Whole,
    Dotenv { name: String },
    Json { pointer: Pointer },
}

/// A sink in a file.
#[derive(Debug)]
pub(super) struct InFile {
    path: String,
    target: Target,
    format: Format,
    mode: Mode,
}

impl InFile {
    pub(super) fn new(path: &str, format: Format, mode: Mode) -> Self {
        Self { path: path.to_owned(), target: Target::new(path), format, mode }
    }

    /// The bytes of the file with another value in them.
    fn edit(&self, old: Option<&[u8]>, value: &str) -> Result<Zeroizing<Vec<u8>>, SinkError> {
        let edited = match &self.format {
            Format::Whole => Ok(value.as_bytes().to_vec()),
            Format::Dotenv { name } => dotenv::set(old.unwrap_or_default(), name, value),
            Format::Json { pointer } => {
                old.ok_or_else(|| "there is no such file".to_owned()).and_then(|old| json::set(old, pointer, value))
            }
        };
        edited.map(Zeroizing::new).map_err(|cause| self.misfit(cause))
    }

    fn misfit(&self, cause: String) -> SinkError {
        let place = match &self.format {
            Format::Whole => self.path.clone(),
            Format::Dotenv { name } => format!("{name} in {}", self.path),
            Format::Json { pointer } => format!("{pointer} in {}", self.path),
        };
        SinkError::failed(format!("{place} cannot be set")).cause(cause)
    }

    /// The old bytes, where the new ones depend on them.
    fn old(&self) -> Result<Option<Zeroizing<Vec<u8>>>, SinkError> {
        match self.format {
            Format::Whole => Ok(None),
            Format::Dotenv { .. } | Format::Json { .. } => self.target.read(),
        }
    }
}

impl Destination for InFile {
    fn preflight(&self) -> Result<(), SinkError> {
        let old = self.old()?;
        let new = self.edit(old.as_ref().map(|bytes| bytes.as_slice()), &"x".repeat(ROOM))?;
        self.target.prove(self.mode, new.len())
    }

    fn remark(&self) -> Option<String> {
        let mode = self.target.open_to_others(self.mode)?;
        let who = if mode & 0o004 != 0 { "everybody on this machine" } else { "its group" };
        Some(format!("{} can be read by {who} (mode {mode:04o})", self.path))
    }

    fn deliver(&self, token: &PlainToken, run: &Running<'_>) -> Result<String, SinkError> {
        let reads = !matches!(self.format, Format::Whole);
        self.target.replace(self.mode, reads, run, |old| self.edit(old, token.expose_plaintext()))?;
        Ok("written, synced and renamed into place".to_owned())
    }

    fn can_read_back(&self) -> bool {
        true
    }

    fn read_back(&self) -> Result<Option<Zeroizing<String>>, SinkError> {
        let Some(bytes) = self.target.read()? else { return Ok(None) };
        let value = match &self.format {
            Format::Whole => {
                let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                Ok(Some(Zeroizing::new(String::from_utf8_lossy(line).into_owned())))
            }
            Format::Dotenv { name } => dotenv::get(&bytes, name),
            Format::Json { pointer } => json::get(&bytes, pointer),
        };
        value.map_err(|cause| self.misfit(cause))
    }

    fn keep(&self) -> Option<Kept> {
        self.target.keep().ok().map(Kept)
    }

    fn put_back(&self, kept: &Kept, token: &PlainToken, run: &Running<'_>) -> Result<(), SinkError> {
        let before = kept.0.as_ref();
        let instead = self.edit(before.map(|kept| kept.bytes.as_slice()), token.expose_plaintext())?;
        self.target.put_back(before, &instead, run)
    }
}

#[cfg(test)]
#[path = "in_file_tests.rs"]
mod tests;
