//! Where the files of a vault live.

use std::path::PathBuf;

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

    /// The journal of refusals that happened without a signing key.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.state.join("journal.jsonl")
    }
}
