//! Where the files of a vault live.

use crate::{
    files,
    ops::{Error, Result},
};
use std::{
    io,
    path::{Path, PathBuf},
};

/// The directories of one user and one vault, resolved by the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// Holds the keystore.
    pub data: PathBuf,
    /// Holds device keys, never beside the keystore.
    pub config: PathBuf,
    /// Holds what was last seen of the keystore.
    pub state: PathBuf,
    /// Holds unlocked copies; gone after a reboot where the system provides such a place.
    pub runtime: PathBuf,
}

impl Dirs {
    /// The keystore file.
    #[must_use]
    pub fn keystore(&self) -> PathBuf {
        self.data.join("keystore.db")
    }

    /// The locks of rotations that are being worked on.
    #[must_use]
    pub fn leases(&self) -> PathBuf {
        self.state.join("leases")
    }

    /// The journal of what happened to a vault while no signing key was at hand.
    #[must_use]
    pub fn journal(&self, vault_id: &str) -> PathBuf {
        self.state.join("journals").join(format!("{vault_id}.jsonl"))
    }

    /// Makes a directory of a vault, private, unless it is there.
    pub(super) fn make(dir: &Path) -> Result<()> {
        files::create_private_dir(dir).map_err(|error| Self::cannot_write(dir, &error))
    }

    /// The error of a directory of a vault that cannot be made or written.
    pub(super) fn cannot_write(dir: &Path, error: &io::Error) -> Error {
        let error = match error.kind() {
            // Another file stands where the directory should.
            io::ErrorKind::AlreadyExists => &io::ErrorKind::NotADirectory.into(),
            _ => error,
        };
        Error::cannot_write(dir, error).hint("another place for the vault: --vault DIR")
    }
}
