//! What this machine last saw of a vault, remembered outside the keystore: that is what notices an old copy put back.

use crate::files;
use serde::{Deserialize, Serialize};
use std::{
    io,
    path::{Path, PathBuf},
};

const MAX_FILE: u64 = 4096;

/// The last head seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Counts the commits of a vault.
    pub epoch: u64,
    /// Counts the times the vault was put back from a backup.
    pub incarnation: u64,
    /// The head's hash, in hexadecimal.
    pub head: String,
    /// How many events the trail had, and the hash of the last one: a later head that is not a fork still has it there.
    pub events: u64,
    /// In hexadecimal.
    pub last_event: String,
}

impl Pin {
    /// Whether this was seen later in the life of the vault than another.
    #[must_use]
    pub fn is_after(&self, other: &Self) -> bool {
        (self.incarnation, self.epoch) > (other.incarnation, other.epoch)
    }
}

/// The directory of what was last seen, a file a vault.
#[derive(Debug, Clone)]
pub struct Pins {
    dir: PathBuf,
}

impl Pins {
    /// The pins in a state directory.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self { dir: state.join("pins") }
    }

    /// What was last seen of a vault; `None` on first sight.
    ///
    /// # Errors
    /// When the file is there and cannot be read or understood: guessing would hide a rollback.
    pub fn load(&self, vault_id: &str) -> io::Result<Option<Pin>> {
        match files::read_limited(&self.file(vault_id), MAX_FILE) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Remembers a newer head; an older one changes nothing, so that two processes may race.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn advance(&self, vault_id: &str, pin: &Pin) -> io::Result<()> {
        files::create_private_dir(&self.dir)?;
        let guard = files::open_private(&self.dir.join(format!("{vault_id}.lock")))?;
        guard.lock()?;
        if self.load(vault_id)?.is_none_or(|seen| pin.is_after(&seen)) {
            files::write_private_atomic(&self.file(vault_id), &serde_json::to_vec(pin)?)?;
        }
        Ok(())
    }

    /// The last signed checkpoint of an incarnation that this machine made; `None` when it made none.
    ///
    /// # Errors
    /// When the file is there and cannot be read: guessing would hide a fork.
    pub fn load_checkpoint(&self, vault_id: &str, incarnation: u64) -> io::Result<Option<String>> {
        match files::read_limited(&self.checkpoint_file(vault_id, incarnation), MAX_FILE) {
            Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Remembers a signed checkpoint.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn save_checkpoint(&self, vault_id: &str, incarnation: u64, note: &str) -> io::Result<()> {
        files::create_private_dir(&self.dir)?;
        files::write_private_atomic(&self.checkpoint_file(vault_id, incarnation), note.as_bytes())
    }

    fn checkpoint_file(&self, vault_id: &str, incarnation: u64) -> PathBuf {
        self.dir.join(format!("{vault_id}-{incarnation}.checkpoint"))
    }

    fn file(&self, vault_id: &str) -> PathBuf {
        self.dir.join(format!("{vault_id}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_never_goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let pins = Pins::new(dir.path());
        let pin = |incarnation, epoch| Pin {
            epoch,
            incarnation,
            head: String::new(),
            events: epoch,
            last_event: String::new(),
        };
        assert_eq!(pins.load("vault_1").unwrap(), None);
        for (step, expected) in [((1, 5), (1, 5)), ((1, 4), (1, 5)), ((2, 1), (2, 1)), ((1, 9), (2, 1))] {
            pins.advance("vault_1", &pin(step.0, step.1)).unwrap();
            assert_eq!(pins.load("vault_1").unwrap(), Some(pin(expected.0, expected.1)));
        }
        std::fs::write(pins.file("vault_1"), b"{").unwrap();
        assert!(pins.load("vault_1").is_err());
    }
}
