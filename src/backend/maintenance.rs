//! Looking after the vault itself: status, re-keying, backup.

use super::{
    local::Local,
    slots::{SlotView, view},
    unlock::OpenedBy,
};
use crate::{
    domain::{Action, SlotRole, time::format_time},
    files,
    ops::{Context, Error, Kind, Result},
    store::NewCopy,
    vault::{Slot, SlotKind, SlotSecret, device},
};
use serde::Serialize;
use serde_json::json;
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};
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
    // Before the event: what cannot be written is no backup.
    let copy = NewCopy::at(file)?;
    copied(local, cx, copy, &file.display().to_string())
}

/// The same to a stream: SQLite copies into a file, which is made beside the keystore and is gone afterwards.
pub(super) fn stream_backup(local: &Local, cx: &Context, out: &mut dyn Write) -> Result<u64> {
    let place = files::sibling(&local.store.meta().path, "stream");
    let copy = NewCopy::at(&place)?;
    let epoch = copied(local, cx, copy, "-");
    let written = match &epoch {
        Ok(_) if !cx.dry_run => File::open(&place).and_then(|mut file| std::io::copy(&mut file, out)).map(drop),
        _ => Ok(()),
    };
    // Sealed, and worth no error.
    let _ = std::fs::remove_file(&place);
    written.map_err(|error| {
        Error::new(Kind::Unavailable, "stdout", "the backup could not be written to standard output")
            .cause(error.to_string())
    })?;
    epoch
}

fn copied(local: &Local, cx: &Context, copy: NewCopy, told: &str) -> Result<u64> {
    if !cx.dry_run {
        let changes = json!({ "file": told });
        let vault_id = local.store.meta().vault_id.clone();
        let event = cx.event(Action::VaultBackup, vault_id, changes);
        if local.store.capabilities().admin.is_some() && !cx.read_only {
            local.store.begin(cx.now)?.commit_all(vec![event])?;
        } else {
            local.journal().unsigned(cx, &event)?;
        }
        copy.fill(&local.store)?;
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
