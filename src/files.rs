//! Private files: 0600 from the first byte, replaced atomically, never half written.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIR: u32 = 0o700;

/// Creates a file that only its owner can read; refuses one that exists.
///
/// # Errors
/// When it exists or cannot be created.
pub fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(PRIVATE_FILE).open(path)
}

/// Opens a private file for reading and writing, creating it when it is not there.
///
/// # Errors
/// When it can be neither opened nor created.
pub fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(PRIVATE_FILE).open(path)
}

/// Creates a directory that only its owner can enter, with its parents; one that exists is left as it is.
///
/// # Errors
/// When it cannot be created.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(path)
}

/// Replaces a file with these bytes: the old ones or the new ones are there, never a part, also after a power cut.
///
/// # Errors
/// When the new file cannot be written; the old one is then untouched.
pub fn write_private_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = sibling(path, "new");
    let written = create_private(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        sync_dir_of(path)
    });
    if written.is_err() {
        // The write has failed already; that error is the one to report.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// A name beside a file that no other process uses at this moment.
#[must_use]
pub fn sibling(path: &Path, purpose: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{purpose}-{}-{:08x}", std::process::id(), rand::random::<u32>()));
    path.with_file_name(name)
}

/// The name of a file with something appended, as SQLite names what it keeps beside a database.
#[must_use]
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes a directory's change of names durable.
///
/// # Errors
/// When the directory cannot be opened or synced.
pub fn sync_dir_of(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

/// Reads a file that is expected to be small.
///
/// # Errors
/// When it cannot be read or is longer.
pub fn read_limited(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {most} bytes")));
    }
    Ok(bytes)
}

/// Whether others than its owner can get at a file.
#[must_use]
pub fn too_open(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}
