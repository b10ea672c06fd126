//! Looking for tokens in files: directories are walked with their ignore files, each file is read in pieces.

mod search;
mod secrets;
mod utf16;
mod walk;

pub(super) use secrets::Finder;
pub(super) use walk::{Found, Options, Scanned, scan};
