//! Looking after the vault itself: status, slots, re-keying, backup.

use super::{
    journal::{Entry, Journal},
    keyring::REKEYED,
    local::Local,
    unlock::OpenedBy,
};
use crate::{
    domain::{Action, SlotRole, time::format_time},
    files,
    ops::{Context, Done, Error, Kind, Result},
    store::{self, Tx},
    vault::{Slot, SlotKind, SlotPlan, SlotSecret, device, recovery::RecoveryCode},
};
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The facts of a keystore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VaultStatus {
    /// The vault's random id.
    pub vault_id: String,
    /// The keystore file.
    pub keystore: PathBuf,
    /// What its tokens begin with.
    pub brand: String,
    /// When it was made.
    pub created_at: String,
    /// What this opening may do.
    pub role: &'static str,
    /// How many commits it has seen.
    pub epoch: u64,
    /// How many events its trail has.
    pub events: u64,
    /// How many slots open it.
    pub slots: usize,
}

/// A slot as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotView {
    /// Its id.
    pub id: String,
    /// What opens it.
    pub kind: &'static str,
    /// What it opens.
    pub role: &'static str,
    /// A label for people.
    pub label: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// Whether it opened the vault just now.
    pub in_use: bool,
}

/// A slot to be added, with the secret that will open it.
pub struct NewSlot {
    /// What it opens.
    pub role: SlotRole,
    /// A label for people.
    pub label: Option<String>,
    /// The secret.
    pub secret: NewSlotSecret,
    /// The slot that goes in the same moment.
    pub replaces: Option<String>,
}

/// The secret of a new slot.
pub enum NewSlotSecret {
    /// A passphrase.
    Passphrase(Zeroizing<String>),
    /// A random key in a new private file.
    DeviceFile(PathBuf),
    /// A printed code.
    Recovery(RecoveryCode),
}

impl NewSlot {
    fn plan(&self) -> SlotPlan {
        let kind = match self.secret {
            NewSlotSecret::Passphrase(_) => SlotKind::Passphrase,
            NewSlotSecret::DeviceFile(_) => SlotKind::Device,
            NewSlotSecret::Recovery(_) => SlotKind::Recovery,
        };
        SlotPlan { kind, role: self.role, label: self.label.clone() }
    }
}

pub(super) fn status(local: &Local, cx: &Context) -> Result<VaultStatus> {
    let snapshot = local.store.read(cx.now)?;
    let meta = snapshot.meta();
    Ok(VaultStatus {
        vault_id: meta.vault_id.clone(),
        keystore: meta.path.clone(),
        brand: meta.brand.to_string(),
        created_at: format_time(meta.created_at),
        role: local.store.capabilities().role().as_str(),
        epoch: snapshot.epoch(),
        events: snapshot.trail_size(),
        slots: snapshot.slots()?.len(),
    })
}

pub(super) fn slots(local: &Local, cx: &Context) -> Result<Vec<SlotView>> {
    let slots = local.store.read(cx.now)?.slots()?;
    Ok(slots.iter().map(|slot| view(slot, local)).collect())
}

/// Makes the slot, proven to open. A device key's file is durable before the slot that needs it is committed.
pub(super) fn add_slot(local: &Local, tx: &mut Tx<'_>, cx: &Context, new: NewSlot) -> Result<Done<SlotView>> {
    let rng = &mut rand::rng();
    let (plan, replaces) = (new.plan(), new.replaces.clone());
    let secret = match new.secret {
        NewSlotSecret::Passphrase(passphrase) => SlotSecret::from_passphrase(&passphrase),
        NewSlotSecret::Recovery(code) => code.secret(),
        NewSlotSecret::DeviceFile(_) if cx.dry_run => SlotSecret::from_random(&[0; 32]),
        NewSlotSecret::DeviceFile(path) => device::create(&path, rng).map_err(|error| cannot_write(&path, &error))?,
    };
    let slot = Slot::create(rng, local.store.capabilities(), plan, &secret, cx.now)?;
    tx.put_slot(&slot)?;
    let changes = json!({ "kind": slot.kind.as_str(), "role": slot.role.as_str(), "label": slot.label });
    let mut events = vec![cx.event(Action::VaultSlotAdd, slot.id.clone(), changes)];
    if let Some(old) = replaces {
        events.extend(remove_slot(local, tx, cx, &old)?.events);
    }
    Ok(Done { outcome: view(&slot, local), events })
}

pub(super) fn remove_slot(local: &Local, tx: &mut Tx<'_>, cx: &Context, id: &str) -> Result<Done<SlotView>> {
    let all = tx.slots()?;
    let slot = all
        .iter()
        .find(|slot| slot.id == id)
        .ok_or_else(|| Error::not_found(format!("no slot '{id}'")).hint("keyward vault slots list"))?;
    let other_admins = all.iter().filter(|other| other.role == SlotRole::Admin && other.id != id).count();
    if slot.role == SlotRole::Admin && other_admins == 0 {
        return Err(Error::conflict(
            "last_admin_slot",
            "the last admin slot stays: without it nothing opens the vault",
        )
        .hint("keyward vault slots add --passphrase  (then remove this one)"));
    }
    tx.delete_slot(id)?;
    let changes = json!({ "kind": slot.kind.as_str(), "role": slot.role.as_str(), "label": slot.label });
    let events = vec![cx.event(Action::VaultSlotRemove, id, changes)];
    Ok(Done { outcome: view(slot, local), events })
}

/// Re-keys with the slots whose secret is at hand: the one that opened the vault, and this machine's device key.
pub(super) fn rekey(local: &Local, cx: &Context, drop_slots: bool) -> Result<Vec<SlotView>> {
    cx.writable()?;
    let caps = local.store.capabilities();
    let rng = &mut rand::rng();
    let fresh = caps.regenerate(rng).ok_or_else(crate::ops::support_refused)?;
    let (mut kept, mut lost) = (Vec::new(), Vec::new());
    for mut slot in local.store.read(cx.now)?.slots()? {
        match secret_at_hand(local, &slot) {
            Some(secret) => {
                slot.rewrap(rng, &secret, &fresh)?;
                kept.push(slot);
            }
            None => lost.push(slot),
        }
    }
    if !kept.iter().any(|slot| slot.role == SlotRole::Admin) {
        return Err(Error::conflict("no_slot_at_hand", "no admin slot's secret is at hand to wrap the new keys with")
            .hint("open the vault with a passphrase, a key file or a recovery code, not with KEYWARD_SESSION"));
    }
    if !lost.is_empty() && !drop_slots {
        let names: Vec<String> = lost.iter().map(|slot| format!("{} ({})", slot.id, slot.kind.as_str())).collect();
        return Err(Error::conflict("slots_would_be_lost", "re-keying would drop slots whose secrets are not at hand")
            .cause(names.join(", "))
            .hint("keyward vault rekey --drop-slots  (then add them again)"));
    }
    let dropped: Vec<&str> = lost.iter().map(|slot| slot.id.as_str()).collect();
    let changes = json!({ "generation": fresh.generation, "dropped_slots": dropped });
    if !cx.dry_run {
        let event = cx.event(Action::VaultRekey, caps.vault_id.clone(), changes);
        local.store.rekey(&fresh, &kept, event, cx.now)?;
    }
    Ok(kept.iter().map(|slot| view(slot, local)).collect())
}

pub(super) fn backup(local: &Local, cx: &Context, file: &Path) -> Result<u64> {
    if file.symlink_metadata().is_ok() {
        return Err(Error::conflict("exists", format!("{} exists", file.display())).hint("choose a new file"));
    }
    if !cx.dry_run {
        let changes = json!({ "file": file.display().to_string() });
        let vault_id = local.store.meta().vault_id.clone();
        let event = cx.event(Action::VaultBackup, vault_id, changes);
        if local.store.capabilities().admin.is_some() && !cx.read_only {
            local.store.begin(cx.now)?.commit_all(vec![event])?;
        } else {
            Journal::at(&local.dirs.journal()).append(&Entry::unsigned(cx, &event))?;
        }
        local.store.backup(file)?;
    }
    Ok(local.store.read(cx.now)?.epoch())
}

fn secret_at_hand(local: &Local, slot: &Slot) -> Option<SlotSecret> {
    if let OpenedBy::Slot { id, secret } = &local.opened_by
        && *id == slot.id
    {
        return Some(secret.again());
    }
    if slot.kind != SlotKind::Device {
        return None;
    }
    let caps = local.store.capabilities();
    let path = device::path(&local.dirs.config, &caps.vault_id);
    let secret = device::parse(&Zeroizing::new(files::read_limited(&path, 4096).ok()?))?;
    slot.open(&secret, &caps.vault_id).is_ok().then_some(secret)
}

fn view(slot: &Slot, local: &Local) -> SlotView {
    SlotView {
        id: slot.id.clone(),
        kind: slot.kind.as_str(),
        role: slot.role.as_str(),
        label: slot.label.clone(),
        created_at: format_time(slot.created_at),
        in_use: matches!(&local.opened_by, OpenedBy::Slot { id, .. } if *id == slot.id),
    }
}

pub(super) fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    let reason = if error.kind() == std::io::ErrorKind::StorageFull { "disk_full" } else { "io" };
    Error::new(Kind::Unavailable, reason, format!("cannot write {}", path.display()))
        .cause(error.to_string())
        .hint("make room or permissions there, or choose another place with --vault DIR")
}

/// The keystore's errors, each with its own reason and exit code.
impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        use store::Error as E;
        let damaged = "keyward vault restore FILE  (from a backup), and find out who changed the file";
        let (kind, reason, hint) = match &error {
            E::Exists => (Kind::Conflict, "exists", "keyward vault status"),
            E::TargetExists => (Kind::Conflict, "exists", "choose a new file"),
            E::Foreign => (Kind::Integrity, "foreign_file", "name the vault's directory with --vault DIR"),
            E::Newer { .. } => (Kind::Conflict, "newer_format", "update keyward"),
            E::Damaged(_) => (Kind::Integrity, "damaged_file", damaged),
            E::RowTampered { .. } => (Kind::Integrity, "row_tampered", damaged),
            E::RowRolledBack { .. } => (Kind::Integrity, "row_rolled_back", damaged),
            E::SetMismatch(_) => (Kind::Integrity, "rows_missing", damaged),
            E::Shape { .. } => (
                Kind::Integrity,
                "schema_changed",
                "find out who changed it; put that object right with the sqlite3 program, or take a backup: keyward vault restore FILE; then keyward audit verify --full",
            ),
            E::HeadForged => (Kind::Integrity, "head_forged", damaged),
            E::Rekeyed => (Kind::Locked, REKEYED, "open it again: eval \"$(keyward unlock --for 15m)\""),
            E::TrailCut { .. } => (Kind::Integrity, "trail_cut", damaged),
            E::TreeDamaged => (Kind::Integrity, "tree_damaged", damaged),
            E::Trail { .. } => (Kind::Integrity, "trail_tampered", damaged),
            E::RolledBack { .. } => (
                Kind::Integrity,
                "rolled_back",
                "put the newest keystore back together with its -wal file; an old copy was put in its place",
            ),
            E::Forked { .. } => (
                Kind::Integrity,
                "forked",
                "put the copy this machine worked with back; to go on with this one: keyward vault restore COPY --force",
            ),
            E::TooOpen(path) => {
                return Self::forbidden("permissions", error.to_string()).hint(format!("chmod go= {}", path.display()));
            }
            E::Stale => (Kind::Conflict, "stale", "run the command again"),
            E::Busy => (Kind::Busy, "busy", "run the command again"),
            E::Full => (Kind::Unavailable, "disk_full", "make room on the disk and run the command again"),
            E::ReadOnly(_) => (Kind::Unavailable, "read_only_file", "check the permissions of the vault's directory"),
            E::Io(_) => (Kind::Unavailable, "io", "check the vault's directory: keyward doctor"),
            E::Sqlite(_) => (Kind::Failure, "sqlite", "keyward doctor"),
            E::SupportSlot => return crate::ops::support_refused(),
        };
        let mut out = Self::new(kind, reason, error.to_string()).hint(hint);
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            out = out.cause(cause.to_string());
            source = cause.source();
        }
        out
    }
}
