//! The keys of a vault that is served, and new ones when another process gives it some: the slot that opened the vault
//! opens it again, as long as it is still there.

use super::unlock::OpenedBy;
use crate::{
    domain::Time,
    ops::{Error, GONE, Kind, REKEYED, Result},
    store::Store,
    vault::{Capabilities, SlotSecret},
};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

/// What every connection of a server is opened by.
pub(super) struct Keyring {
    keystore: PathBuf,
    /// The slot that opened the vault, and its secret; none for a session, which holds a copy of the keys alone.
    slot: Option<(String, SlotSecret)>,
    newest: Mutex<Arc<Capabilities>>,
}

impl Keyring {
    pub(super) fn of(store: &Store, opened_by: &OpenedBy) -> Arc<Self> {
        let slot = match opened_by {
            OpenedBy::Session => None,
            OpenedBy::Slot { id, secret } => Some((id.clone(), secret.again())),
        };
        let keystore = store.meta().path.clone();
        Arc::new(Self { keystore, slot, newest: Mutex::new(store.shared_capabilities()) })
    }

    /// The newest keys that are known.
    pub(super) fn newest(&self) -> Arc<Capabilities> {
        Arc::clone(&self.newest.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens the vault again with its slot, when it has newer keys than these.
    ///
    /// # Errors
    /// `Locked` when the vault was opened by a session, or its slot is gone or opens it no more; those of the store.
    pub(super) fn renew(&self) -> Result<()> {
        let Some((id, secret)) = &self.slot else {
            return Err(lost("a session holds a copy of the keys that the vault had"));
        };
        let locked = Store::open(&self.keystore)?;
        let vault_id = locked.meta().vault_id.clone();
        let slots = locked.slots()?;
        let slot = slots.iter().find(|slot| slot.id == *id);
        let slot = slot.ok_or_else(|| lost("the slot that opened the vault was removed"))?;
        let caps = slot.open(secret, &vault_id)?;
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if caps.vault_id == newest.vault_id && caps.generation > newest.generation {
            tracing::info!(generation = caps.generation, "the vault got new keys, and was opened again");
            *newest = Arc::new(caps);
        }
        Ok(())
    }

    /// Replaces a connection that was opened by older keys than are known by now, or to a file that is not in its place any
    /// more; says whether it is another file.
    ///
    /// # Errors
    /// `Unavailable` when the file is gone, or another one is in its place that is no newer state of this vault; those of
    /// the store.
    pub(super) fn refresh(&self, store: &mut Store, now: Time) -> Result<bool> {
        let (newest, in_place) = (self.newest(), store.is_in_place()?);
        if !in_place {
            *store = store.another_with(newest, now).map_err(|error| replaced(&error.into()))?;
        } else if newest.generation != store.capabilities().generation {
            *store = store.another_with(newest, now)?;
        }
        Ok(!in_place)
    }
}

/// Whatever is wrong with the file that took the place of the keystore, it is not the vault that is served.
fn replaced(error: &Error) -> Error {
    let told = Error::new(Kind::Unavailable, GONE, "another file is in the place of the keystore that was opened");
    told.cause(error.message.clone()).hint("put the file back, or start the server again: keyward serve")
}

fn lost(cause: &str) -> Error {
    Error::new(Kind::Locked, REKEYED, "the vault got new keys, which this server cannot open")
        .cause(cause)
        .hint("start the server again, with a slot of the vault: keyward vault slots list")
}
