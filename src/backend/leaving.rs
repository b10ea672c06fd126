//! The end of a vault: its keystore goes, and nothing that still opens a copy of it.

use super::{Dirs, unlock::LocalVault};
use crate::{
    ops::{Context, Result},
    store::{LockedStore, Store},
    vault::{Pins, device},
};
use std::path::PathBuf;

/// A vault that is to be deleted, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// The vault's random id.
    pub vault_id: String,
    /// Its keystore file.
    pub keystore: PathBuf,
    /// How many keys it holds.
    pub keys: u64,
    /// The device key of this machine, which stays: backups of the vault open with it.
    pub device_key: Option<PathBuf>,
}

impl LocalVault {
    /// What would be lost.
    ///
    /// # Errors
    /// `Integrity` for a damaged or foreign file.
    pub fn doomed(&self) -> Result<Doomed> {
        self.described(&Store::open(&self.dirs().keystore())?)
    }

    fn described(&self, store: &LockedStore) -> Result<Doomed> {
        let vault_id = store.meta().vault_id.clone();
        let device_key = Some(device::path(&self.dirs().config, &vault_id)).filter(|path| path.exists());
        Ok(Doomed { keystore: self.dirs().keystore(), keys: store.count_keys()?, vault_id, device_key })
    }

    /// Removes the keystore and what this machine remembers of it. Nothing is signed: the trail goes with the keystore.
    ///
    /// # Errors
    /// `Busy` while another process has it open; `Unavailable` when a file cannot be removed.
    pub fn delete(&self, cx: &Context) -> Result<Doomed> {
        cx.writable()?;
        let store = Store::open(&self.dirs().keystore())?;
        let doomed = self.described(&store)?;
        if cx.dry_run {
            return Ok(doomed);
        }
        let state = &self.dirs().state;
        store.remove()?;
        Pins::new(state).forget(&doomed.vault_id).map_err(|error| Dirs::cannot_write(state, &error))?;
        match std::fs::remove_file(self.dirs().journal(&doomed.vault_id)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Dirs::cannot_write(state, &error)),
            _ => Ok(doomed),
        }
    }
}
