//! The slots that open the vault: shown, added and removed.

use super::{LocalVault, local::Local, unlock::OpenedBy};
use crate::{
    domain::{Action, SlotRole, time::format_time},
    ops::{Context, Done, Error, Result},
    store::{Store, Tx},
    vault::{Slot, SlotError, SlotKind, SlotPlan, SlotSecret, device, recovery::RecoveryCode},
};
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use zeroize::Zeroizing;

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

pub(super) fn list(local: &Local, cx: &Context) -> Result<Vec<SlotView>> {
    let slots = local.store().read(cx.now)?.slots()?;
    Ok(slots.iter().map(|slot| view(slot, local)).collect())
}

/// Makes the slot, proven to open. A device key's file is durable before the slot that needs it is committed.
pub(super) fn add(local: &Local, tx: &mut Tx<'_>, cx: &Context, new: NewSlot) -> Result<Done<SlotView>> {
    if matches!(local.opened_by, OpenedBy::Session) {
        // A session ends; what it could leave behind would not.
        return Err(Error::forbidden("session", "a session adds no slot, which would open the vault after its end")
            .hint("unset KEYWARD_SESSION, and open the vault with a slot"));
    }
    let rng = &mut rand::rng();
    let (plan, replaces) = (new.plan(), new.replaces.clone());
    let secret = match new.secret {
        NewSlotSecret::Passphrase(passphrase) => {
            let secret = SlotSecret::from_passphrase(&passphrase);
            refuse_passphrase_in_use(local, &tx.slots()?, replaces.as_deref(), &secret)?;
            secret
        }
        NewSlotSecret::Recovery(code) => code.secret(),
        NewSlotSecret::DeviceFile(path) if cx.dry_run && path.symlink_metadata().is_ok() => {
            return Err(Error::cannot_write(&path, &std::io::ErrorKind::AlreadyExists.into()));
        }
        NewSlotSecret::DeviceFile(_) if cx.dry_run => SlotSecret::from_random(&[0; 32]),
        NewSlotSecret::DeviceFile(path) => {
            device::create(&path, rng).map_err(|error| Error::cannot_write(&path, &error))?
        }
    };
    if plan.role == SlotRole::Support {
        tx.open_histories()?;
    }
    let slot = Slot::create(rng, local.store().capabilities(), plan, &secret, cx.now)?;
    tx.put_slot(&slot)?;
    let changes = json!({ "kind": slot.kind.as_str(), "role": slot.role.as_str(), "label": slot.label });
    let mut events = vec![cx.event(Action::VaultSlotAdd, slot.id.clone(), changes)];
    if let Some(old) = replaces {
        events.extend(remove(local, tx, cx, &old)?.events);
    }
    Ok(Done { outcome: view(&slot, local), events })
}

/// Two slots that one passphrase opens cannot be told apart: whoever changes the one would lose the other, or leave it.
fn refuse_passphrase_in_use(local: &Local, slots: &[Slot], replaces: Option<&str>, secret: &SlotSecret) -> Result<()> {
    let vault_id = &local.store().meta().vault_id;
    for slot in slots.iter().filter(|slot| slot.kind == SlotKind::Passphrase && replaces != Some(&slot.id)) {
        match slot.open(secret, vault_id) {
            // Parameters that nobody can afford open nothing.
            Err(SlotError::WrongSecret | SlotError::Kdf(_)) => {}
            _ => {
                let (id, role) = (&slot.id, slot.role.as_str());
                return Err(Error::conflict("passphrase_in_use", format!("{id} ({role}) opens with this passphrase"))
                    .cause("each slot has a passphrase of its own")
                    .hint("choose another passphrase, or remove that slot first: keyward vault slots remove"));
            }
        }
    }
    Ok(())
}

pub(super) fn remove(local: &Local, tx: &mut Tx<'_>, cx: &Context, id: &str) -> Result<Done<SlotView>> {
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

pub(super) fn view(slot: &Slot, local: &Local) -> SlotView {
    shown(slot, matches!(&local.opened_by, OpenedBy::Slot { id, .. } if *id == slot.id))
}

fn shown(slot: &Slot, in_use: bool) -> SlotView {
    SlotView {
        id: slot.id.clone(),
        kind: slot.kind.as_str(),
        role: slot.role.as_str(),
        label: slot.label.clone(),
        created_at: format_time(slot.created_at),
        in_use,
    }
}

impl LocalVault {
    /// Its slots, each with what opens it; that stands in the clear, so nothing vouches for it before the vault is open.
    ///
    /// # Errors
    /// `Integrity` for a damaged or foreign file.
    pub fn slots_unopened(&self) -> Result<Vec<(SlotView, &'static str)>> {
        let slots = Store::open(&self.dirs().keystore())?.slots()?;
        Ok(slots.iter().map(|slot| (shown(slot, false), way_in(slot.kind))).collect())
    }
}

/// What opens a slot of this kind.
pub(super) fn way_in(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::Passphrase => {
            "keyward unlock --for 15m  (asks for the passphrase, on a terminal), or --passphrase-file FILE"
        }
        SlotKind::Recovery => "--key-file FILE, with the recovery code in it: chmod 600 FILE",
        SlotKind::Device => "--key-file FILE, with a copy of a device key: chmod 600 FILE",
    }
}
