//! Putting a backup back in place of the keystore, or where there is none.

use super::{
    Dirs,
    journal::Journal,
    unlock::{LocalVault, Unlock},
};
use crate::{
    domain::{Action, counted},
    files,
    ops::{self, Context, Error, Result},
    store::{self, LockedStore, Store},
    vault::{Pin, Pins},
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
    /// The commit of the backup, and the later one that this machine remembers: what came in between is lost.
    pub lost: Option<(u64, u64)>,
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
    /// `Conflict` for the backup of another vault, and without `force` where it would replace a trail that does not
    /// go on in the backup, or a file that is no keystore; `Locked` and `Integrity` as for any keystore.
    pub fn restore(&self, cx: &Context, file: &Path, force: bool, unlock: Unlock<'_>) -> Result<Restored> {
        cx.writable()?;
        let live = self.dirs().keystore();
        for dir in [&self.dirs().data, &self.dirs().state] {
            Dirs::make(dir)?;
        }
        let scratch = Scratch(files::sibling(&live, "restore"));
        Dirs::make(&scratch.0)?;
        let copy = scratch.0.join("keystore.db");
        copy_private(file, &copy)?;

        let locked = Store::open(&copy)?;
        let vault_id = locked.meta().vault_id.clone();
        let (caps, _) = self.resolve(cx, &locked, &vault_id, unlock)?;
        if caps.admin.is_none() {
            let error = ops::support_refused();
            let event = cx.refusal(Action::VaultRestore, vault_id.as_str(), &error);
            Journal::of(self.dirs(), &vault_id).refused(cx, &event)?;
            return Err(error);
        }
        // Judged by itself: the copy is older than what was last seen, and that is the point.
        let store = locked.unlock(caps, Pins::new(&scratch.0), cx.now)?;
        let report = store.verify_all(cx.now)?;
        let backup = store.read(cx.now)?.last_commit()?;
        let there = self.check_live(cx, &live, &store, &backup, force)?;
        let state = &self.dirs().state;
        let seen = Pins::new(state).load(&vault_id).map_err(|error| Dirs::cannot_write(state, &error))?;
        let lost = seen.as_ref().map(|seen| &seen.pin).filter(|seen| seen.is_after(&backup));
        let lost = lost.map(|seen| (backup.epoch, seen.epoch));
        let restored = Restored { keystore: live.clone(), events: report.events, keys: report.keys, lost };
        if cx.dry_run {
            return Ok(restored);
        }
        let changes = json!({
            "restored_events": report.events,
            "replaces": seen.as_ref().map(|seen| json!({
                "incarnation": seen.pin.incarnation, "epoch": seen.pin.epoch, "head": seen.pin.head,
            })),
        });
        let event = cx.event(Action::VaultRestore, vault_id, changes);
        let lived = [seen.map(|seen| seen.pin), there].into_iter().flatten().map(|commit| commit.incarnation).max();
        store.reincarnate(lived.unwrap_or_default(), event, cx.now)?;
        // Once more, now that nobody else can commit: what came in since was not asked about.
        store.install(&live, |there| replaces(cx, there, &store, &backup, force).map(drop))?;
        Ok(restored)
    }

    /// The last commit of the keystore that is there, if there is one that may be replaced.
    fn check_live(&self, cx: &Context, live: &Path, store: &Store, backup: &Pin, force: bool) -> Result<Option<Pin>> {
        if !self.exists() {
            return Ok(None);
        }
        match Store::open(live) {
            Ok(there) => replaces(cx, &there, store, backup, force),
            Err(error @ store::Error::TooOpen(_)) => Err(error.into()),
            Err(_) if force => Ok(None),
            Err(error) => Err(damaged(&error)),
        }
    }
}

/// Compares the keystore that is there with the backup: all that it knows, the backup knows too, and more. Answers with
/// its last commit; none when its head is damaged, and that was told to be no matter.
fn replaces(cx: &Context, there: &LockedStore, store: &Store, backup: &Pin, force: bool) -> Result<Option<Pin>> {
    if there.meta().vault_id != store.meta().vault_id {
        return Err(Error::conflict("other_vault", "the backup is of another vault than the one in this place")
            .hint("name another place with --vault DIR"));
    }
    let last = match there.last_commit(store.capabilities()) {
        Ok(last) => last,
        Err(_) if force => return Ok(None),
        Err(error) => return Err(damaged(&error)),
    };
    if force {
        return Ok(Some(last));
    }
    let refused = if last.events > backup.events {
        let (there, events) = (counted(last.events, "event"), backup.events);
        ("newer_keystore", format!("the keystore has {there}, the backup {events}: what came after it would be lost"))
    } else if last.incarnation > backup.incarnation || !store.read(cx.now)?.continues(&last)? {
        let at = last.epoch;
        (
            "parted_keystore",
            format!("the keystore has commits, up to {at}, that the backup does not know: they would be lost"),
        )
    } else {
        return Ok(Some(last));
    };
    let (reason, message) = refused;
    Err(Error::conflict(reason, message)
        .hint("keyward vault backup FILE  (keeps what is there), then restore with --force"))
}

fn damaged(error: &store::Error) -> Error {
    Error::conflict("damaged_keystore", "the file in this place is no keystore that opens")
        .cause(error.to_string())
        .hint("--force moves it aside")
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
        .map_err(|error| Error::cannot_write(to, &error))
}
