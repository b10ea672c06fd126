//! Putting a backup back in place of the keystore, or where there is none.

use super::{
    Dirs,
    journal::Journal,
    unlock::{LocalVault, Unlock},
};
use crate::{
    domain::{Action, Event, SlotRole, counted},
    files,
    ops::{self, Context, Error, Kind, Result, commit::commit},
    store::{self, LockedStore, Store},
    vault::{Pin, Pins, Slot, SlotKind, SlotPlan, device},
};
use serde_json::json;
use std::{
    fs::File,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

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
    /// The device key that opens it on this machine from now on, where it was adopted.
    pub device_key: Option<PathBuf>,
}

/// How a backup is put back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HowRestored {
    /// Also replace a keystore that knows what the backup does not, or does not open.
    pub force: bool,
    /// Add a slot that a device key of this machine opens.
    pub adopt: bool,
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
    /// `Conflict` for the backup of another vault than one that holds something, and without `force` where it would replace a trail that does not
    /// go on in the backup, or a file that is no keystore; `Locked` and `Integrity` as for any keystore.
    pub fn restore(&self, cx: &Context, file: &Path, how: HowRestored, unlock: Unlock<'_>) -> Result<Restored> {
        let HowRestored { force, adopt } = how;
        cx.writable()?;
        self.exists()?;
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
        let (caps, _) = self.resolve(cx, &locked, &vault_id, unlock).map_err(of_the_copy)?;
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
        let mut restored =
            Restored { keystore: live.clone(), events: report.events, keys: report.keys, lost, device_key: None };
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
        if adopt {
            restored.device_key = self.adopt(cx, &store)?;
        }
        let installed = self.install(cx, &store, event, seen.map(|seen| seen.pin), there, &backup, force);
        if let (Err(_), Some(key)) = (&installed, &restored.device_key) {
            // It opens nothing, and would be in the way of the next try.
            let _ = std::fs::remove_file(key);
        }
        installed.map(|()| restored)
    }

    /// Makes the copy a later life of its vault and puts it in its place.
    #[allow(clippy::too_many_arguments, reason = "what one restore has found out, used once")]
    fn install(
        &self,
        cx: &Context,
        store: &Store,
        event: Event,
        seen: Option<Pin>,
        there: Option<Pin>,
        backup: &Pin,
        force: bool,
    ) -> Result<()> {
        let (live, state) = (self.dirs().keystore(), &self.dirs().state);
        let lived = [seen, there].into_iter().flatten().map(|commit| commit.incarnation).max();
        store.reincarnate(lived.unwrap_or_default(), event, cx.now)?;
        // Once more, now that nobody else can commit: what came in since was not asked about.
        let mut gone = None;
        store.install(&live, |there| {
            gone = Some(there.meta().vault_id.clone()).filter(|id| *id != store.meta().vault_id);
            replaces(cx, there, store, backup, force).map(drop)
        })?;
        if let Some(gone) = gone {
            // The empty vault that was here is no more: nobody is to miss it in this place.
            Pins::new(state).forget(&gone).map_err(|error| Dirs::cannot_write(state, &error))?;
        }
        Ok(())
    }

    /// Adds a slot for this machine to the copy, unless one of its slots opens here already; answers with the key's file.
    fn adopt(&self, cx: &Context, store: &Store) -> Result<Option<PathBuf>> {
        let vault_id = &store.meta().vault_id;
        let path = device::path(&self.dirs().config, vault_id);
        let slots = store.read(cx.now)?.slots()?;
        let kept = files::read_limited(&path, 4096).ok().and_then(|bytes| device::parse(&Zeroizing::new(bytes)));
        if kept.is_some_and(|secret| slots.iter().any(|slot| slot.open(&secret, vault_id).is_ok())) {
            return Ok(None);
        }
        Dirs::make(&self.dirs().config)?;
        let rng = &mut rand::rng();
        let secret = device::create(&path, rng).map_err(|error| Error::cannot_write(&path, &error))?;
        let plan = SlotPlan { kind: SlotKind::Device, role: SlotRole::Admin, label: None };
        let slot = Slot::create(rng, store.capabilities(), plan, &secret, cx.now)?;
        let mut tx = store.begin(cx.now)?;
        tx.put_slot(&slot)?;
        let changes = json!({ "kind": slot.kind.as_str(), "role": slot.role.as_str(), "label": slot.label });
        commit(tx, cx, vec![cx.event(Action::VaultSlotAdd, slot.id.clone(), changes)])?;
        Ok(Some(path))
    }

    /// The last commit of the keystore that is there, if there is one that may be replaced.
    fn check_live(&self, cx: &Context, live: &Path, store: &Store, backup: &Pin, force: bool) -> Result<Option<Pin>> {
        if !self.exists()? {
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

const KEEP: &str = "keyward vault backup FILE  (keeps what is there), then restore with --force";

/// Compares the keystore that is there with the backup: all that it knows, the backup knows too, and more. Answers with
/// its last commit; none when its head is damaged, and that was told to be no matter.
fn replaces(cx: &Context, there: &LockedStore, store: &Store, backup: &Pin, force: bool) -> Result<Option<Pin>> {
    if there.meta().vault_id != store.meta().vault_id {
        if there.holds_nothing()? {
            return Ok(None);
        }
        return Err(Error::conflict("other_vault", "the backup is of another vault than the one in this place")
            .hint("name another place with --vault DIR"));
    }
    let last = match there.last_commit(store.capabilities()) {
        Ok(last) => last,
        Err(_) if force => return Ok(None),
        Err(store::Error::Rekeyed) => {
            return Err(Error::conflict(
                "newer_keystore",
                "the keystore has newer keys than the backup: what came after it would be lost",
            )
            .hint(KEEP));
        }
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
    Err(Error::conflict(reason, message).hint(KEEP))
}

/// What would open the vault that is here does not open the copy: the ways to open that one.
fn of_the_copy(mut error: Error) -> Error {
    if error.kind == Kind::Locked && error.reason == "no_slot" {
        error.message = "the copy does not open".to_owned();
        error.hints = vec![
            "--passphrase-file FILE or --key-file FILE, of a slot that the copy has".to_owned(),
            "a recovery code opens it too: typed at a terminal, or in a file with --key-file".to_owned(),
        ];
    }
    error
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
            _ => Error::new(Kind::Unavailable, "io", shown).cause(error.to_string()),
        }
    })?;
    files::create_private(to)
        .and_then(|mut target| {
            std::io::copy(&mut source, &mut target)?;
            target.sync_all()
        })
        .map_err(|error| Error::cannot_write(to, &error))
}
