//! Private files: 0600 from the first byte, replaced atomically, never half written.

mod way;

pub use way::{Laid, laid_by_others, real};

use crate::domain::text::decode;
use std::{
    borrow::Cow,
    fmt,
    fs::{self, DirBuilder, File, Metadata, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
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

/// Takes the room that a file is going to need, so that a full disk is found now. Where the system cannot, nothing is taken.
///
/// # Errors
/// When there is no such room.
pub fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    if let Ok(length) = i64::try_from(bytes).map(|bytes| bytes.max(1))
        && let Err(error @ (nix::Error::ENOSPC | nix::Error::EDQUOT | nix::Error::EFBIG)) =
            nix::fcntl::posix_fallocate(file, 0, length)
    {
        return Err(error.into());
    }
    #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
    let _ = (file, bytes);
    Ok(())
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

/// Whether a failure of the file system may pass by itself, so that the same call is worth another try: a full disk is
/// emptied, a missing directory or permission is not there a moment later.
#[must_use]
pub fn may_pass(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    !matches!(
        error.kind(),
        E::NotFound | E::NotADirectory | E::IsADirectory | E::PermissionDenied | E::ReadOnlyFilesystem
    )
}

/// Why nothing can be put where a path leads.
#[derive(Debug)]
pub enum Obstacle {
    /// A link that leads nowhere.
    Dangling,
    /// A directory.
    Directory,
    /// A device, a pipe or a socket.
    Special,
    /// It cannot be looked at.
    Unseen(io::Error),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dangling => "it is a link that leads nowhere",
            Self::Directory => "it is a directory",
            Self::Special => "it is no regular file but a device, a pipe or a socket",
            Self::Unseen(error) => return error.fmt(f),
        })
    }
}

/// The regular file that a path names, links followed, and what it is now; `None` when it is still to be made.
///
/// # Errors
/// Whatever else stands there: renaming a file over it would take it away.
pub fn regular(path: &Path) -> Result<(PathBuf, Option<Metadata>), Obstacle> {
    let there = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((path.to_owned(), None)),
        there => there.map_err(Obstacle::Unseen)?,
    };
    let real = match there.is_symlink().then(|| path.canonicalize()) {
        None => path.to_owned(),
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Err(Obstacle::Dangling),
        Some(real) => real.map_err(Obstacle::Unseen)?,
    };
    let metadata = fs::metadata(&real).map_err(Obstacle::Unseen)?;
    match (metadata.is_dir(), metadata.is_file()) {
        (true, _) => Err(Obstacle::Directory),
        (_, false) => Err(Obstacle::Special),
        _ => Ok((real, Some(metadata))),
    }
}

/// Replaces a file with these bytes: the old ones or the new ones are there, never a part, also after a power cut. What
/// processes that were killed over it left in the directory is removed.
///
/// # Errors
/// When the new file cannot be written; the old one is then untouched.
pub fn write_private_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = sibling(path, "new");
    let written = create_private(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        sync_dir_of(path)
    });
    if written.is_err() {
        // The write has failed already; that error is the one to report.
        let _ = fs::remove_file(&temporary);
    } else if let Some(dir) = path.parent() {
        remove_abandoned(dir);
    }
    written
}

/// Removes the new files of [`write_private_atomic`] whose process is no more.
fn remove_abandoned(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_str().and_then(author).is_some_and(is_dead) {
            // Litter that stays is no reason to fail what has succeeded.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The process in a name that [`sibling`] made for a new file.
fn author(name: &str) -> Option<i32> {
    let (_, mark) = name.rsplit_once(".new-")?;
    let (process, random) = mark.split_once('-')?;
    let ours = random.len() == 8 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    process.parse().ok().filter(|process| ours && *process > 0)
}

fn is_dead(process: i32) -> bool {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), None) == Err(nix::errno::Errno::ESRCH)
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
    read_all(File::open(path)?, most)
}

/// Reads to the end what is expected to be small.
///
/// # Errors
/// When it cannot be read or is longer.
pub fn read_all(source: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(most + 1).read_to_end(&mut bytes)?;
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

/// Whether others than this process's user can get at a file with a secret in it. A file of root's that its group alone may read
/// is how systemd (`LoadCredential=`) and Kubernetes (a volume of a Secret) hand one to a process of another user: there the
/// reader can neither own the file nor close it.
#[must_use]
pub fn shared_secret(path: &Path) -> bool {
    let handed = path.metadata().is_ok_and(|found| {
        found.uid() == 0 && !nix::unistd::geteuid().is_root() && found.permissions().mode() & 0o037 == 0
    });
    too_open(path) && !handed
}

/// Whether a file is root's, who alone can write to it.
#[must_use]
pub fn is_of_root(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.uid() == 0 && found.permissions().mode() & 0o022 == 0)
}

/// Why this process cannot write a file or a directory that is there; `None` when it can.
#[must_use]
pub fn not_writable(path: &Path) -> Option<io::Error> {
    nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).err().map(io::Error::from)
}

/// The text of a file that people write with whatever editor they have: [`decode`] says in which encodings.
///
/// # Errors
/// Those of the system; `InvalidData` for what is no text.
pub fn read_text(path: &Path) -> io::Result<String> {
    let bytes = std::fs::read(path)?;
    decode(&bytes).map(Cow::into_owned).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_processes_left_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let (dead, own) = (child.id(), std::process::id());
        let names = [
            (format!("vault_1.json.new-{dead}-0123abcd"), false),
            (format!("vault_2.json.new-{dead}-0123abcd"), false),
            (format!("vault_1.json.new-{own}-0123abcd"), true),
            (format!("keystore.db.damaged-{dead}-0123abcd"), true),
            (format!("notes.new-{dead}-draft"), true),
            ("readme.new-0-0123abcd".to_owned(), true),
        ];
        for (name, _) in &names {
            fs::write(dir.path().join(name), b"").unwrap();
        }
        write_private_atomic(&dir.path().join("vault_1.json"), b"{}").unwrap();
        for (name, stays) in names {
            assert_eq!(dir.path().join(&name).exists(), stays, "{name}");
        }
    }
}
