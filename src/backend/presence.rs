//! Which servers run on a vault: locked files beside the keystore. A lock ends with the process that holds it, however that
//! ended.

use crate::{domain::ids::random_base62, files};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// Beside the keystore: whoever serves the same file finds the same directory.
const DIRECTORY: &str = "servers";
const ENDING: &str = "running";
const NAME_CHARS: usize = 12;

/// The directory of what servers keep beside a keystore.
pub(super) fn directory(data: &Path) -> PathBuf {
    data.join(DIRECTORY)
}

/// A server that says that it runs, as long as this lives.
pub struct Presence {
    path: PathBuf,
    _file: File,
}

impl Drop for Presence {
    fn drop(&mut self) {
        // A file that stays is locked by nobody, and is removed by whoever looks next.
        let _ = fs::remove_file(&self.path);
    }
}

impl Presence {
    /// Says that a server runs on the keystore of a directory.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn announce(data: &Path) -> io::Result<Self> {
        let dir = directory(data);
        files::create_private_dir(&dir)?;
        let path = dir.join(random_base62(&mut rand::rng(), NAME_CHARS)).with_extension(ENDING);
        // Locked before it has its name: a file without a lock is taken for one that a killed server left.
        let unnamed = files::sibling(&path, "new");
        let file = files::create_private(&unnamed)?;
        file.try_lock()?;
        fs::rename(&unnamed, &path)?;
        Ok(Self { path, _file: file })
    }

    /// How many servers run on the keystore of a directory. What killed ones left is removed.
    #[must_use]
    pub fn count(data: &Path) -> usize {
        let entries = fs::read_dir(directory(data)).into_iter().flatten().flatten();
        let named = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == ENDING));
        named.filter(|path| is_held(path)).count()
    }
}

/// Whether somebody holds the lock of a file.
fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    match file.try_lock_shared() {
        Ok(()) => {
            // Nobody's any more; whoever looks at the same time may have removed it already.
            let _ = fs::remove_file(path);
            false
        }
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_counted_while_they_run() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Presence::count(dir.path()), 0);
        let one = Presence::announce(dir.path()).unwrap();
        let other = Presence::announce(dir.path()).unwrap();
        assert_eq!(Presence::count(dir.path()), 2);
        // A killed one leaves its file.
        fs::write(dir.path().join(DIRECTORY).join("killed.running"), "").unwrap();
        assert_eq!(Presence::count(dir.path()), 2);
        drop(one);
        assert_eq!(Presence::count(dir.path()), 1);
        drop(other);
        assert_eq!(fs::read_dir(dir.path().join(DIRECTORY)).unwrap().count(), 0);
    }
}
