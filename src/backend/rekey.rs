//! Replacing the vault's keys: those that seal, and where that is asked for those that sign. Whoever waited meanwhile opens the
//! vault again and goes on.

use super::{
    local::Local,
    slots::{SlotView, view as view_of},
    unlock::OpenedBy,
};
use crate::{
    domain::{Action, SlotRole, Time},
    files,
    ops::{Context, Error, Kind, Result, audit_checkpoint::verifier_key, webhooks::shown_secret},
    store::{self, Store, Tx, View},
    vault::{Capabilities, Pins, Slot, SlotKind, SlotSecret, device},
};
use serde_json::json;
use std::{
    io::Write,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

impl Local {
    /// The keystore, by the newest keys that are known here.
    pub(super) fn store(&self) -> &Store {
        self.newer.get().unwrap_or(&self.store)
    }

    /// Does what was refused because the vault got new keys in the meantime once more, where the slot that opened it opens it
    /// still.
    pub(super) fn with_newest_keys<'s, T>(
        &'s self,
        cx: &Context,
        work: impl Fn(&'s Store) -> std::result::Result<T, store::Error>,
    ) -> Result<T> {
        match (work(self.store()), &self.opened_by) {
            (Err(store::Error::Rekeyed), OpenedBy::Slot { id, secret }) if self.newer.get().is_none() => {
                let (path, pins) = (self.store.meta().path.clone(), self.store.pins().clone());
                let newer = open_again(&path, id, secret, pins, cx.now)?.ok_or(store::Error::Rekeyed)?;
                Ok(work(self.newer.get_or_init(|| newer))?)
            }
            (done, _) => Ok(done?),
        }
    }

    /// Begins what only records that something happened.
    pub(super) fn begin_record(&self, cx: &Context) -> Result<Tx<'_>> {
        self.with_newest_keys(cx, |store| store.begin(cx.now))
    }
}

/// Opens the vault again with a slot whose secret is at hand, after it got new keys; `None` when the slot is gone.
pub(super) fn open_again(
    keystore: &Path,
    id: &str,
    secret: &SlotSecret,
    pins: Pins,
    now: Time,
) -> Result<Option<Store>> {
    let locked = Store::open(keystore)?;
    let vault_id = locked.meta().vault_id.clone();
    let Some(slot) = locked.slots()?.into_iter().find(|slot| slot.id == id) else { return Ok(None) };
    let caps = slot.open(secret, &vault_id)?;
    match locked.unlock(caps, pins, now) {
        // No slot has newer keys than those that there are: the head only says so.
        Err(store::Error::Rekeyed) => Err(store::Error::HeadForged.into()),
        opened => Ok(Some(opened?)),
    }
}

/// How the vault's keys are replaced.
#[derive(Debug, Clone, Default)]
pub struct Rekey {
    /// Slots whose secret is not at hand are dropped.
    pub drop_slots: bool,
    /// What signs is replaced, too: heads, checkpoints, messages to webhooks.
    pub all: bool,
    /// Where the new secrets of webhooks go: a new file.
    pub out: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Rekeyed {
    /// The slots that open the vault now.
    pub slots: Vec<SlotView>,
    /// The key that signs checkpoints now, where it is another one.
    pub checkpoint_key: Option<String>,
    /// How many webhooks have a new secret.
    pub webhooks: usize,
}

/// Re-keys with the slots whose secret is at hand: the one that opened the vault, and this machine's device key.
pub(super) fn rekey(local: &Local, cx: &Context, request: &Rekey) -> Result<Rekeyed> {
    cx.writable()?;
    let caps = local.store().capabilities();
    let rng = &mut rand::rng();
    let fresh = if request.all { caps.regenerate_all(rng) } else { caps.regenerate(rng) };
    let fresh = fresh.ok_or_else(crate::ops::support_refused)?;
    if cx.dry_run {
        let seen = local.store().read(cx.now)?;
        return Ok(decided(local, request, &fresh, &seen)?.rekeyed);
    }
    let (mut rekeyed, mut written) = (None, None);
    let done = local.store().rekey(&fresh, cx.now, |view| {
        let decided = decided(local, request, &fresh, view)?;
        // Durable where they belong before they are in force: nobody can be shown them again.
        if let (Some(secrets), Some(out)) = (&decided.secrets, &request.out) {
            write_secrets(out, secrets)?;
            written = Some(out);
        }
        rekeyed = Some(decided.rekeyed);
        Ok::<_, Error>((decided.kept, cx.event(Action::VaultRekey, caps.vault_id.clone(), decided.changes)))
    });
    if let Err(error) = done {
        if let Some(out) = written {
            // Secrets of nothing: somebody would hand them to receivers.
            let _ = std::fs::remove_file(out);
        }
        return Err(error);
    }
    rekeyed.ok_or_else(|| Error::new(Kind::Internal, "rekey", "nothing was decided"))
}

/// New secrets of webhooks, each with what it is the secret of.
type Secrets = Vec<(serde_json::Value, Zeroizing<String>)>;

/// What a re-keying keeps, replaces and tells.
struct Decided {
    kept: Vec<Slot>,
    changes: serde_json::Value,
    secrets: Option<Secrets>,
    rekeyed: Rekeyed,
}

fn decided(local: &Local, request: &Rekey, fresh: &Capabilities, view: &View<'_>) -> Result<Decided> {
    let (caps, rng) = (local.store().capabilities(), &mut rand::rng());
    let (mut kept, mut lost) = (Vec::new(), Vec::new());
    for mut slot in view.slots()? {
        match secret_at_hand(local, &slot) {
            Some(secret) => {
                slot.rewrap(rng, &secret, fresh)?;
                kept.push(slot);
            }
            None => lost.push(slot),
        }
    }
    if !kept.iter().any(|slot| slot.role == SlotRole::Admin) {
        return Err(Error::conflict("no_slot_at_hand", "no admin slot's secret is at hand to wrap the new keys with")
            .hint("open the vault with a passphrase, a key file or a recovery code, not with KEYWARD_SESSION"));
    }
    if !lost.is_empty() && !request.drop_slots {
        let names: Vec<String> = lost.iter().map(|slot| format!("{} ({})", slot.id, slot.kind.as_str())).collect();
        return Err(Error::conflict("slots_would_be_lost", "re-keying would drop slots whose secrets are not at hand")
            .cause(names.join(", "))
            .hint("keyward vault rekey --drop-slots  (then add them again)"));
    }
    let dropped: Vec<&str> = lost.iter().map(|slot| slot.id.as_str()).collect();
    let mut changes = json!({ "generation": fresh.generation, "dropped_slots": dropped });
    let slots = kept.iter().map(|slot| view_of(slot, local)).collect();
    let mut rekeyed = Rekeyed { slots, checkpoint_key: None, webhooks: 0 };
    let mut secrets = None;
    if request.all {
        let (before, after) = (verifier_key(caps)?.to_string(), verifier_key(fresh)?.to_string());
        changes["checkpoint_key"] = json!({ "before": before, "after": after });
        rekeyed.checkpoint_key = Some(after);
        let webhooks = view.webhooks()?;
        rekeyed.webhooks = webhooks.len();
        let lines = webhooks.iter().map(|webhook| {
            let secret = fresh.webhook_secret(&webhook.id).ok_or_else(crate::ops::support_refused)?;
            Ok((json!({ "webhook": webhook.name, "url": webhook.url }), shown_secret(&secret)))
        });
        secrets = (!webhooks.is_empty()).then(|| lines.collect::<Result<Vec<_>>>()).transpose()?;
    }
    if secrets.is_some() && request.out.is_none() {
        return Err(no_place(rekeyed.webhooks));
    }
    Ok(Decided { kept, changes, secrets, rekeyed })
}

fn no_place(webhooks: usize) -> Error {
    let webhooks = crate::domain::counted(webhooks, "webhook");
    Error::usage(format!("{webhooks} would get new secrets, which are shown only once"))
        .hint("keyward vault rekey --all --out FILE  (a new file for them, which only you can read)")
}

/// A line of JSON a webhook.
fn write_secrets(out: &Path, secrets: &[(serde_json::Value, Zeroizing<String>)]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = files::create_private(out)?;
        for (about, secret) in secrets {
            let about = about.to_string();
            // A secret is base64 after its prefix: nothing of it needs escaping.
            let line = Zeroizing::new(format!("{},\"secret\":\"{}\"}}\n", about.trim_end_matches('}'), **secret));
            file.write_all(line.as_bytes())?;
        }
        file.sync_all()?;
        files::sync_dir_of(out)
    };
    write().map_err(|error| Error::cannot_write(out, &error))
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
    let caps = local.store().capabilities();
    let path = device::path(&local.dirs.config, &caps.vault_id);
    let secret = device::parse(&Zeroizing::new(files::read_limited(&path, 4096).ok()?))?;
    slot.open(&secret, &caps.vault_id).is_ok().then_some(secret)
}
