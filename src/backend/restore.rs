//! Putting a backup back in place of the keystore, or where there is none.

use super::{
    journal::{Entry, Journal},
    maintenance::cannot_write,
    unlock::{LocalVault, Unlock},
};
use crate::{
    domain::{Action, counted},
    files,
    ops::{self, Context, Error, Result},
    store::{self, Store},
    vault::Pins,
};
use serde_json::json;
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// What came of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The keystore file.
    pub keystore: PathBuf,
    /// How many events the trail of the backup had.
    pub events: u64,
    /// How many keys it holds.
    pub keys: u64,
}

/// A private directory beside the keystore, removed when dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of it is a sealed copy of the backup: worth no error.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl LocalVault {
    /// Restores a backup, which must open with one of its own slots and be intact. The file itself is only read.
    ///
    /// # Errors
    /// `Conflict` for the backup of another vault, and without `force` where it would replace a longer trail or a file
    /// that is no keystore; `Locked` and `Integrity` as for any keystore.
    pub fn restore(&self, cx: &Context, file: &Path, force: bool, unlock: Unlock<'_>) -> Result<Restored> {
        cx.writable()?;
        let live = self.dirs().keystore();
        for dir in [&self.dirs().data, &self.dirs().state] {
            files::create_private_dir(dir).map_err(|error| cannot_write(dir, &error))?;
        }
        let scratch = Scratch(files::sibling(&live, "restore"));
        files::create_private_dir(&scratch.0).map_err(|error| cannot_write(&scratch.0, &error))?;
        let copy = scratch.0.join("keystore.db");
        copy_private(file, &copy)?;

        let locked = Store::open(&copy)?;
        let vault_id = locked.meta().vault_id.clone();
        let (caps, _) = self.resolve(cx, &locked, &vault_id, unlock)?;
        if caps.admin.is_none() {
            let error = ops::support_refused();
            let event = cx.refusal(Action::VaultRestore, vault_id.as_str(), &error);
            Journal::at(&self.dirs().journal()).append(&Entry::refused(cx, &event))?;
            return Err(error);
        }
        // Judged by itself: the copy is older than what was last seen, and that is the point.
        let store = locked.unlock(caps, Pins::new(&scratch.0), cx.now)?;
        let report = store.verify_all(cx.now)?;
        self.check_live(&live, &vault_id, report.events, force)?;
        let restored = Restored { keystore: live.clone(), events: report.events, keys: report.keys };
        if cx.dry_run {
            return Ok(restored);
        }
        let seen =
            Pins::new(&self.dirs().state).load(&vault_id).map_err(|error| cannot_write(&self.dirs().state, &error))?;
        let changes = json!({
            "restored_events": report.events,
            "replaces": seen.as_ref().map(|seen| json!({
                "incarnation": seen.pin.incarnation, "epoch": seen.pin.epoch, "head": seen.pin.head,
            })),
        });
        let event = cx.event(Action::VaultRestore, vault_id, changes);
        store.reincarnate(seen.map_or(0, |seen| seen.pin.incarnation), event, cx.now)?;
        store.install(&live)?;
        Ok(restored)
    }

    fn check_live(&self, live: &Path, vault_id: &str, events: u64, force: bool) -> Result<()> {
        if !self.exists() {
            return Ok(());
        }
        match Store::open(live) {
            Ok(there) if there.meta().vault_id != vault_id => {
                Err(Error::conflict("other_vault", "the backup is of another vault than the one in this place")
                    .hint("name another place with --vault DIR"))
            }
            Ok(there) if there.claimed_trail_size()? > events && !force => Err(Error::conflict(
                "newer_keystore",
                format!(
                    "the keystore has {}, the backup {events}: what came after it would be lost",
                    counted(there.claimed_trail_size()?, "event")
                ),
            )
            .hint("keyward vault backup FILE  (keeps what is there), then restore with --force")),
            Ok(_) => Ok(()),
            Err(error @ store::Error::TooOpen(_)) => Err(error.into()),
            Err(_) if force => Ok(()),
            Err(error) => Err(Error::conflict("damaged_keystore", "the file in this place is no keystore that opens")
                .cause(error.to_string())
                .hint("--force moves it aside")),
        }
    }
}

fn copy_private(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).map_err(|error| {
        let shown = format!("cannot read {}", from.display());
        match error.kind() {
            std::io::ErrorKind::NotFound => Error::not_found(shown),
            _ => Error::new(crate::ops::Kind::Unavailable, "io", shown).cause(error.to_string()),
        }
    })?;
    files::create_private(to)
        .and_then(|mut target| {
            std::io::copy(&mut source, &mut target)?;
            target.sync_all()
        })
        .map_err(|error| cannot_write(to, &error))
}
