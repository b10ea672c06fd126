//! The connection to a keystore file, also where nothing can be written: a read-only mount, a snapshot, a volume.
//!
//! SQLite reads a file in WAL mode through two more, `-wal` and `-shm`, which it makes when they are not there. Where it
//! cannot make them it cannot read either, unless it is told that nobody changes the file. That is only true where no
//! `-wal` holds anything: what stands there is the newer half of the keystore, and a revocation may be in it.

use super::{
    error::{Error, Result},
    schema,
};
use crate::files;
use rusqlite::{Connection, OpenFlags};
use std::{
    ffi::OsStr,
    fs::Metadata,
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

/// A file that is read as one that nobody changes, and what it was when it was opened.
pub(super) struct Still {
    path: PathBuf,
    was: (u64, u64, u64, i64, i64),
}

impl Still {
    fn of(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), was: identity(&path.metadata()?) })
    }

    /// Whether it is still what was opened: somebody may write to it through another mount.
    pub(super) fn check(&self) -> Result<()> {
        if log_of(&self.path)? == 0 && identity(&self.path.metadata()?) == self.was { Ok(()) } else { Err(Error::Busy) }
    }
}

fn identity(file: &Metadata) -> (u64, u64, u64, i64, i64) {
    (file.dev(), file.ino(), file.len(), file.mtime(), file.mtime_nsec())
}

/// The connection, and what to watch where nothing can be written.
pub(super) fn connect(path: &Path) -> Result<(Connection, Option<Still>)> {
    mend_modes(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).map_err(Error::from);
    match opened.and_then(configured) {
        Err(error @ Error::ReadOnly(_)) if shut(path) => {
            if log_of(path)? > 0 {
                return Err(Error::LogShut(files::with_suffix(path, "-wal"), Box::new(error)));
            }
            let still = Still::of(path)?;
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
            let connection = configured(Connection::open_with_flags(unchanging(path), flags)?)?;
            Ok((connection, Some(still)))
        }
        opened => Ok((opened?, None)),
    }
}

/// The connection with its settings, once the file was read through it: only then SQLite needs what lies beside it.
fn configured(connection: Connection) -> Result<Connection> {
    schema::configure(&connection)?;
    schema::touch(&connection)?;
    Ok(connection)
}

/// Whether nothing can be made beside the file.
fn shut(path: &Path) -> bool {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    files::not_writable(dir).is_some()
}

/// How long the log beside the file is.
fn log_of(path: &Path) -> Result<u64> {
    match files::with_suffix(path, "-wal").metadata() {
        Ok(log) => Ok(log.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// The address by which SQLite takes a file for one that nobody changes.
fn unchanging(path: &Path) -> PathBuf {
    let mut address = b"file:".to_vec();
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for byte in absolute.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => address.push(*byte),
            other => address.extend(format!("%{other:02X}").bytes()),
        }
    }
    address.extend(b"?immutable=1");
    PathBuf::from(OsStr::from_bytes(&address))
}

/// SQLite gives what it makes beside a file the mode that the file has at that moment. A keystore that was read while it
/// was 0400 would stay closed to its owner for ever: its log is, and only whoever may write takes the log away.
fn mend_modes(path: &Path) {
    let Ok(file) = path.metadata() else { return };
    let mode = file.permissions().mode();
    if mode & 0o200 == 0 {
        return;
    }
    for beside in ["-wal", "-shm"].map(|suffix| files::with_suffix(path, suffix)) {
        let narrow = |found: &Metadata| found.is_file() && found.uid() == file.uid() && found.mode() & 0o200 == 0;
        if beside.symlink_metadata().is_ok_and(|found| narrow(&found)) {
            // Where that is not ours to do, SQLite says what is wrong.
            let _ = std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(mode & 0o777));
        }
    }
}
