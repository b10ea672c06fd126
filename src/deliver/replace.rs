//! One file, replaced as a whole: the old bytes or the new ones are there, never a part, and never looser than before.
//!
//! The new file is made beside the old one, 0600 from its first byte, gets its owner and mode, is synced and renamed;
//! then the directory is synced. Whoever replaces holds a lock on the directory, so that two keys delivered into one
//! file at once do not lose each other, and remains of a run that was killed are known to be remains.

use super::{Fault, Reached, Running, SinkError, TICK};
use crate::files::{self, Obstacle};
use std::{
    fs::{self, File, Metadata, Permissions, TryLockError},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

const PURPOSE: &str = "keyward";
const MOST_BYTES: u64 = 16 << 20;
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How often a file may be changed under our hands before we give up.
const ATTEMPTS: usize = 5;

/// The permissions of the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// These.
    Exactly(u32),
    /// Those of the old one when it lets nobody in but its owner and its group; else 0600.
    Private,
    /// Those of the old one, whatever they are: the file is the caller's and holds more than the secret.
    Kept,
}

/// A file to be replaced.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
}

/// What a file was, to be put back.
pub(super) struct Kept {
    /// All of it.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    mode: u32,
}

/// What stands there now.
struct Found {
    /// The file itself, links followed.
    path: PathBuf,
    old: Option<Metadata>,
}

impl Found {
    fn dir(&self) -> PathBuf {
        self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| ".".into(), Path::to_owned)
    }

    fn mode(&self, mode: Mode) -> u32 {
        let old = self.old.as_ref().map(|old| old.permissions().mode() & 0o777);
        match (mode, old) {
            (Mode::Exactly(mode), _) => mode,
            (Mode::Kept, Some(old)) => old,
            (Mode::Private, Some(old)) if old & 0o027 == 0 && old & 0o400 != 0 => old & 0o640,
            (Mode::Kept | Mode::Private, _) => 0o600,
        }
    }
}

impl Target {
    pub(super) fn new(path: &str) -> Self {
        Self { path: path.into() }
    }

    fn failed(&self, what: &str, error: &io::Error) -> SinkError {
        let failed = SinkError::io(format!("{} cannot be {what}", self.path.display()), error);
        match error.kind() {
            ErrorKind::NotFound => failed.hint("make its directory first"),
            ErrorKind::PermissionDenied => failed.hint("let the user who runs keyward write to its directory"),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => failed.hint("make room on its file system"),
            _ => failed,
        }
    }

    fn refused(&self, cause: &str) -> SinkError {
        SinkError::failed(format!("{} cannot be replaced", self.path.display())).cause(cause)
    }

    /// The same for what another program holds up.
    fn held_up(&self, cause: &str) -> SinkError {
        SinkError { fault: Fault::Unavailable, ..self.refused(cause) }
    }

    /// Follows links to the file that is to be replaced.
    fn find(&self) -> Result<Found, SinkError> {
        if let Some(laid) = files::laid_by_others(&self.path) {
            let what = format!("{} is refused as the place of a secret", self.path.display());
            return Err(SinkError::new(Fault::Forbidden, what)
                .cause(laid.to_string())
                .hint("name a file in a directory that only you can write to"));
        }
        let (path, old) = files::regular(&self.path).map_err(|obstacle| {
            let refused = self.refused(&obstacle.to_string());
            match obstacle {
                Obstacle::Unseen(error) => self.failed("looked at", &error),
                Obstacle::Dangling => refused.hint("remove the link, or make what it names"),
                Obstacle::Directory => refused.hint("name the file in it"),
                Obstacle::Special => refused,
            }
        })?;
        let found = Found { path, old };
        if found.old.is_some() {
            return Ok(found);
        }
        match fs::metadata(found.dir()) {
            Ok(dir) if dir.is_dir() => Ok(found),
            Ok(_) => Err(self.refused("what should be its directory is none")),
            Err(error) => Err(self.failed("written", &error)),
        }
    }

    /// What the file holds; `None` when there is none.
    pub(super) fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, SinkError> {
        self.read_found(&self.find()?)
    }

    fn read_found(&self, found: &Found) -> Result<Option<Zeroizing<Vec<u8>>>, SinkError> {
        match files::read_limited(&found.path, MOST_BYTES) {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read", &error)),
        }
    }

    /// Proves that a file of this size could be put there, by making one beside it and taking it away again.
    pub(super) fn prove(&self, mode: Mode, size: usize) -> Result<(), SinkError> {
        let found = self.find()?;
        let _lock = self.lock(&found, None)?;
        let trial = files::sibling(&found.path, PURPOSE);
        let made = self.make(&found, &trial, mode, &vec![b'x'; size]);
        // Whatever became of it, it is of no use any more.
        let removed = fs::remove_file(&trial);
        made?;
        removed.map_err(|error| self.failed("replaced", &error))?;
        files::sync_dir_of(&found.path).map_err(|error| self.failed("replaced", &error))
    }

    /// Makes the new file beside the old one, complete and on disk.
    fn make(&self, found: &Found, beside: &Path, mode: Mode, bytes: &[u8]) -> Result<(), SinkError> {
        let mut file = files::create_private(beside).map_err(|error| self.failed("written", &error))?;
        let mine = file.metadata().map_err(|error| self.failed("written", &error))?;
        if let Some(old) = &found.old
            && (old.uid(), old.gid()) != (mine.uid(), mine.gid())
        {
            // The group matters only where the mode lets it in; then a consumer could lose its access.
            let (uid, gid) = (old.uid(), old.gid());
            let kept = fchown(&file, Some(uid), Some(gid));
            if kept.is_err() && (uid != mine.uid() || found.mode(mode) & 0o070 != 0) {
                return Err(self
                    .refused("it belongs to another user or group, and the new one could not be given to them")
                    .hint("run keyward as the owner of the file"));
            }
        }
        file.set_permissions(Permissions::from_mode(found.mode(mode)))
            .map_err(|error| self.failed("written", &error))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| self.failed("written", &error))
    }

    /// Replaces the file with what `edit` makes of its bytes, which are read only when it needs them. The old file stays
    /// when anything fails before the rename.
    pub(super) fn replace(
        &self,
        mode: Mode,
        reads: bool,
        run: &Running<'_>,
        edit: impl Fn(Option<&[u8]>) -> Result<Zeroizing<Vec<u8>>, SinkError>,
    ) -> Result<(), SinkError> {
        for _ in 0..ATTEMPTS {
            let found = self.find()?;
            let lock = self.lock(&found, Some(run))?;
            // What was found before the lock was had may be another file by now.
            let found = self.find()?;
            sweep(&found, lock.is_some());
            let old = match &found.old {
                Some(_) if reads => self.read_found(&found)?,
                _ => None,
            };
            let new = edit(old.as_ref().map(|bytes| bytes.as_slice()))?;
            let beside = files::sibling(&found.path, PURPOSE);
            let outcome = self.make(&found, &beside, mode, &new).and_then(|()| {
                if !unchanged(&found) {
                    return Ok(false);
                }
                fs::rename(&beside, &found.path).map(|()| true).map_err(|error| self.failed("replaced", &error))
            });
            match outcome {
                Ok(true) => {
                    return files::sync_dir_of(&found.path)
                        .map_err(|error| self.failed("made durable", &error).reached(Reached::Maybe));
                }
                Ok(false) => discard(&beside)?,
                Err(error) => {
                    discard(&beside)?;
                    return Err(error);
                }
            }
        }
        Err(self.held_up("somebody else changes it all the time"))
    }

    /// The mode that the file will have, where that lets others read it.
    pub(super) fn open_to_others(&self, mode: Mode) -> Option<u32> {
        self.find().ok().map(|found| found.mode(mode)).filter(|mode| mode & 0o044 != 0)
    }

    /// What is there now; `None` when there is no such file.
    pub(super) fn keep(&self) -> Result<Option<Kept>, SinkError> {
        let found = self.find()?;
        let Some(old) = &found.old else { return Ok(None) };
        let mode = old.permissions().mode() & 0o777;
        Ok(self.read_found(&found)?.map(|bytes| Kept { bytes, mode }))
    }

    /// Puts back what was there, unless by now it holds something else than was put there instead.
    pub(super) fn put_back(&self, kept: Option<&Kept>, instead: &[u8], run: &Running<'_>) -> Result<(), SinkError> {
        let changed = || self.refused("somebody has changed it since");
        if let Some(kept) = kept {
            return self.replace(Mode::Exactly(kept.mode), true, run, |now| {
                if now == Some(instead) { Ok(kept.bytes.clone()) } else { Err(changed()) }
            });
        }
        let found = self.find()?;
        let _lock = self.lock(&found, Some(run))?;
        if self.read_found(&found)?.is_none_or(|now| *now != instead) {
            return Err(changed());
        }
        fs::remove_file(&found.path)
            .and_then(|()| files::sync_dir_of(&found.path))
            .map_err(|error| self.failed("removed", &error))
    }

    /// The lock on the directory; `None` where the file system knows no locks or the directory cannot be opened.
    fn lock(&self, found: &Found, run: Option<&Running<'_>>) -> Result<Option<File>, SinkError> {
        let Ok(dir) = File::open(found.dir()) else { return Ok(None) };
        let until = Instant::now() + LOCK_WAIT;
        loop {
            match dir.try_lock() {
                Ok(()) => return Ok(Some(dir)),
                Err(TryLockError::Error(_)) => return Ok(None),
                Err(TryLockError::WouldBlock) => {}
            }
            if let Some(why) = run.and_then(Running::ended) {
                let what = format!("{} was not replaced", self.path.display());
                return Err(SinkError::new(Fault::Interrupted, what).cause(why));
            }
            if Instant::now() >= until {
                return Err(self.held_up("another program holds a lock on its directory"));
            }
            std::thread::sleep(TICK / 4);
        }
    }
}

/// Removes a file that was not put in place; it may hold the secret.
fn discard(beside: &Path) -> Result<(), SinkError> {
    match fs::remove_file(beside) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => {
            Err(SinkError::io(format!("{} cannot be removed and holds the secret", beside.display()), &error)
                .hint(format!("remove {}", beside.display())))
        }
    }
}

/// Whether the file is still the one that was read.
fn unchanged(found: &Found) -> bool {
    let identity = |metadata: &Metadata| {
        (metadata.dev(), metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.mode())
    };
    match (&found.old, fs::symlink_metadata(&found.path)) {
        (Some(old), Ok(now)) => identity(old) == identity(&now),
        (None, Err(error)) => error.kind() == ErrorKind::NotFound,
        _ => false,
    }
}

/// Removes what a killed run left beside the file. Only under the lock: else it could be the work of a living one.
fn sweep(found: &Found, locked: bool) {
    let Some(name) = found.path.file_name().filter(|_| locked) else { return };
    let Ok(entries) = fs::read_dir(found.dir()) else { return };
    for entry in entries.flatten() {
        let other = entry.file_name();
        if other.as_encoded_bytes().strip_prefix(name.as_encoded_bytes()).is_some_and(is_remains) {
            // Another try comes with the next delivery.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a name goes on the way [`files::sibling`] makes them, `.keyward-PID-XXXXXXXX`, and in no other way.
fn is_remains(rest: &[u8]) -> bool {
    let Some(rest) = std::str::from_utf8(rest).ok().and_then(|rest| rest.strip_prefix('.')) else { return false };
    let mut parts = rest.split('-');
    let (Some(PURPOSE), Some(pid), Some(random), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let digits = |text: &str, radix| !text.is_empty() && text.chars().all(|character| character.is_digit(radix));
    digits(pid, 10) && random.len() == 8 && digits(random, 16)
}

#[cfg(test)]
#[path = "replace_tests.rs"]
mod tests;
