//! What this machine last saw of a vault, and where, remembered outside the keystore: that is what notices an old copy put
//! back, and a keystore that is gone.

use crate::files;
use serde::{Deserialize, Serialize};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

const MAX_FILE: u64 = 16 * 1024;

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

/// What is kept of a vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its last head.
    #[serde(flatten)]
    pub pin: Pin,
    /// Its keystore file; `None` where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keystore: Option<String>,
}

/// The directory of what was last seen, a file a vault.
#[derive(Debug, Clone)]
pub struct Pins {
    dir: PathBuf,
    /// The keystore file that is looked at; `None` for a copy that is not to be remembered.
    keystore: Option<String>,
    /// Nothing may be changed that cannot be remembered.
    required: bool,
    /// Why the last change was not remembered; shared by all copies of this value.
    missed: Arc<Mutex<Option<String>>>,
}

impl Pins {
    /// The pins in a state directory, for a keystore whose place does not matter.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self { dir: state.join("pins"), keystore: None, required: false, missed: Arc::default() }
    }

    /// The same, for the keystore in this place, which is remembered too.
    #[must_use]
    pub fn at(self, keystore: &Path) -> Self {
        let absolute = std::path::absolute(keystore).unwrap_or_else(|_| keystore.to_owned());
        Self { keystore: Some(absolute.to_string_lossy().into_owned()), ..self }
    }

    /// The same, with no place to remember yet.
    #[must_use]
    pub fn nowhere(&self) -> Self {
        Self { keystore: None, ..self.clone() }
    }

    /// The same, where nothing may be changed that cannot be remembered.
    #[must_use]
    pub fn required(self, required: bool) -> Self {
        Self { required, ..self }
    }

    /// Makes sure, before a change, that it can be remembered where that is required.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn before_change(&self) -> io::Result<()> {
        if !self.required {
            return Ok(());
        }
        files::create_private_dir(&self.dir)?;
        let trial = files::sibling(&self.dir.join("trial"), "new");
        files::create_private(&trial)?;
        std::fs::remove_file(&trial)
    }

    /// Remembers a change that was made. That it could not be is no failure of the change: it is told.
    pub fn changed(&self, vault_id: &str, pin: &Pin) {
        let missed = self.advance(vault_id, pin).err().map(|error| format!("{}: {error}", self.dir.display()));
        if let Some(why) = &missed {
            tracing::warn!(%why, "the last change could not be remembered outside the keystore");
        }
        *self.missed.lock().unwrap_or_else(PoisonError::into_inner) = missed;
    }

    /// Why the last change was not remembered; `None` when it was.
    #[must_use]
    pub fn missed(&self) -> Option<String> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether changes could be remembered, as far as that can be told without making anything.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> io::Result<()> {
        let there = self.dir.ancestors().find(|dir| dir.symlink_metadata().is_ok()).unwrap_or(&self.dir);
        if let Some(error) = files::not_writable(there) {
            return Err(io::Error::new(error.kind(), format!("{}: {error}", there.display())));
        }
        match std::fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            entries => entries.map(drop),
        }
    }

    /// Forgets a vault that is no more.
    ///
    /// # Errors
    /// When its files cannot be removed.
    pub fn forget(&self, vault_id: &str) -> io::Result<()> {
        let entries = match std::fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            let rest = name.to_str().and_then(|name| name.strip_prefix(vault_id));
            if rest.is_some_and(|rest| rest.starts_with(['.', '-'])) {
                std::fs::remove_file(self.dir.join(&name))?;
            }
        }
        Ok(())
    }

    /// Whether a vault was last seen in another place than this, or nowhere.
    #[must_use]
    pub fn moved(&self, seen: &Seen) -> bool {
        self.keystore.is_some() && seen.keystore != self.keystore
    }

    /// Whether some vault was last seen in this place.
    ///
    /// # Errors
    /// When what is remembered cannot be read or understood.
    pub fn remember_this_place(&self) -> io::Result<bool> {
        let entries = match std::fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            let Some(vault_id) = name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
            if self.load(vault_id)?.is_some_and(|seen| seen.keystore.is_some() && seen.keystore == self.keystore) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Remembers the place of a vault that has just come there.
    pub fn settle(&self, vault_id: &str) {
        // What was not remembered at the commit has no place either.
        if let Ok(Some(seen)) = self.load(vault_id) {
            self.changed(vault_id, &seen.pin);
        }
    }

    /// What was last seen of a vault; `None` on first sight.
    ///
    /// # Errors
    /// When the file is there and cannot be read or understood: guessing would hide a rollback.
    pub fn load(&self, vault_id: &str) -> io::Result<Option<Seen>> {
        match files::read_limited(&self.file(vault_id), MAX_FILE) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Remembers a newer head, and the place; an older head changes nothing, so that two processes may race.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn advance(&self, vault_id: &str, pin: &Pin) -> io::Result<()> {
        files::create_private_dir(&self.dir)?;
        let guard = files::open_private(&self.dir.join(format!("{vault_id}.lock")))?;
        guard.lock()?;
        let seen = self.load(vault_id)?;
        if seen.as_ref().is_none_or(|seen| pin.is_after(&seen.pin) || self.moved(seen)) {
            let (before, place) = seen.map(|seen| (seen.pin, seen.keystore)).unzip();
            let pin = before.filter(|before| before.is_after(pin)).unwrap_or_else(|| pin.clone());
            let kept = Seen { pin, keystore: self.keystore.clone().or(place.flatten()) };
            files::write_private_atomic(&self.file(vault_id), &serde_json::to_vec(&kept)?)?;
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
            assert_eq!(pins.load("vault_1").unwrap().unwrap().pin, pin(expected.0, expected.1));
        }
        let here = pins.clone().at(&dir.path().join("keystore.db"));
        assert!(!here.remember_this_place().unwrap());
        here.settle("vault_1");
        assert!(here.remember_this_place().unwrap());
        assert_eq!(here.load("vault_1").unwrap().unwrap().pin, pin(2, 1), "the head stays");
        pins.advance("vault_1", &pin(2, 2)).unwrap();
        assert!(here.remember_this_place().unwrap(), "whoever does not know the place does not forget it");
        let there = pins.clone().at(&dir.path().join("other/keystore.db"));
        there.advance("vault_1", &pin(2, 2)).unwrap();
        assert!(there.remember_this_place().unwrap() && !here.remember_this_place().unwrap(), "it has moved");
        std::fs::write(pins.file("vault_1"), b"{").unwrap();
        assert!(pins.load("vault_1").is_err());
    }
}
