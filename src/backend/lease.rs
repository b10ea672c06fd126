//! Which process works on a key's rotation: a lock that ends with the process that holds it.
//!
//! Children inherit the lock, so that a program which outlives a killed keyward, and may still store the secret it was
//! given, is waited for. A lock is never waited for beyond a rotation's own lease: nothing can block a key for ever.

use crate::{
    domain::KeyId,
    files,
    ops::{Error, Kind, Result},
};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::{
    cell::RefCell,
    collections::HashMap,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long another process's step is waited for; short enough for a signal to be answered in time.
const PATIENCE: Duration = Duration::from_secs(4);
const POLL: Duration = Duration::from_millis(20);

/// The locks this process holds, one file a key.
pub(super) struct Leases {
    dir: PathBuf,
    held: RefCell<HashMap<KeyId, Lease>>,
}

/// A lock; dropping it removes its file and lets go.
struct Lease {
    path: PathBuf,
    _file: File,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The file goes while the lock is held, so that nobody can lock a name that leads elsewhere a moment later.
        let _ = fs::remove_file(&self.path);
    }
}

impl Leases {
    pub(super) fn at(dir: PathBuf) -> Self {
        Self { dir, held: RefCell::default() }
    }

    /// Takes the lock of a key; says whether this process has it to itself.
    pub(super) fn acquire(&self, key: &KeyId) -> Result<bool> {
        if self.held.borrow().contains_key(key) {
            return Ok(false);
        }
        files::create_private_dir(&self.dir).map_err(|error| cannot_lock(&self.dir, &error))?;
        let path = self.dir.join(key.as_str());
        let patience = Instant::now() + PATIENCE;
        loop {
            match try_lock(&path).map_err(|error| cannot_lock(&path, &error))? {
                Some(file) => {
                    self.held.borrow_mut().insert(key.clone(), Lease { path, _file: file });
                    return Ok(true);
                }
                None if Instant::now() >= patience => return Ok(false),
                None => thread::sleep(POLL),
            }
        }
    }

    /// Lets go of a key.
    pub(super) fn release(&self, key: &KeyId) {
        self.held.borrow_mut().remove(key);
    }
}

/// The locked file, or nothing while another process has it. A file that was replaced in between is no lock.
fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let still_there = fs::metadata(path).is_ok_and(|there| file.metadata().is_ok_and(|ours| ours.ino() == there.ino()));
    if !still_there {
        return Ok(None);
    }
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(Some(file))
}

fn cannot_lock(path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::of_io(error), "lease", format!("cannot lock {}", path.display()))
        .cause(error.to_string())
        .hint("make the directory writable")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> KeyId {
        "key_0123456789abcdef".parse().unwrap()
    }

    #[test]
    fn a_key_is_one_process_s_until_it_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (Leases::at(dir.path().join("l")), dir.path().join("l").join(key().as_str()));
        assert!(one.acquire(&key()).unwrap());
        assert!(!one.acquire(&key()).unwrap(), "the second time it is not alone: its own first rotation runs");
        assert!(try_lock(&other).unwrap().is_none());
        one.release(&key());
        assert!(try_lock(&other).unwrap().is_some());
        assert_eq!(fs::read_dir(dir.path().join("l")).unwrap().count(), 1);
    }

    #[test]
    fn a_child_that_outlives_its_parent_keeps_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let file = try_lock(&path).unwrap().unwrap();
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        drop(file);
        assert!(try_lock(&path).unwrap().is_none(), "the child may still store what it was given");
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(try_lock(&path).unwrap().is_some());
    }
}
