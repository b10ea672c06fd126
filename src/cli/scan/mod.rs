//! Looking for tokens in files: directories are walked with their ignore files, each file is read in pieces.

mod search;
mod utf16;
mod walk;

pub(super) use walk::{Found, Options, Scanned, scan};
