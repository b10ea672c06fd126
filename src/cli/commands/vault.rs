//! `vault`: looking after the vault itself: status, slots, passphrase, re-keying, backup, recovery.

use crate::{
    backend::{HowRestored, NewSlot, NewSlotSecret, RecoveryCode, Rekey, SlotView},
    cli::{columns, context::Ctx, exit::Exit, input::Source, prompt},
    domain::{Action, SlotRole, counted},
    ops::{Error, Result, support_refused},
    output::Report,
};
use serde_json::json;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Look after the vault itself
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward vault status\n  keyward vault slots add --passphrase\n  \
    keyward vault backup /mnt/backup/keystore.db")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show where the vault is and what is in it
    #[command(after_help = "Example:\n  keyward vault status -o json")]
    Status,
    /// The slots that open the vault
    #[command(after_help = "Example:\n  keyward vault slots list")]
    Slots {
        #[command(subcommand)]
        command: Slots,
    },
    /// Set or change the passphrase; the old one stops when the new one is proven
    #[command(after_help = "Example:\n  keyward vault passphrase")]
    Passphrase(NewPassphrase),
    /// Replace the vault's keys and seal everything anew
    #[command(after_help = "Examples:\n  keyward vault rekey --reason 'a laptop was lost'\n  \
        keyward vault rekey --all --out webhooks.jsonl --reason 'an administrator left'")]
    Rekey {
        /// Drop the slots whose secret is not at hand
        #[arg(long)]
        drop_slots: bool,
        /// Replace what signs, too: the key of checkpoints and the secrets of webhooks
        #[arg(long)]
        all: bool,
        /// A new file for the new secrets of webhooks, a line of JSON each
        #[arg(long, value_name = "FILE", requires = "all", value_hint = clap::ValueHint::FilePath)]
        out: Option<PathBuf>,
    },
    /// Write a consistent copy of the keystore to a new file
    #[command(after_help = "Example:\n  keyward vault backup /mnt/backup/keystore.db")]
    Backup {
        /// The new file; `-` is standard output
        #[arg(value_hint = clap::ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Put a copy back in place of the keystore, as a new incarnation of the vault
    #[command(after_help = "Example:\n  keyward vault restore /mnt/backup/keystore.db")]
    Restore {
        /// The copy
        #[arg(value_hint = clap::ValueHint::FilePath)]
        file: PathBuf,
        /// Also replace a keystore that knows what the copy does not, or does not open
        #[arg(long)]
        force: bool,
    },
    /// Put a copy back on this machine and add a slot for it, so that it opens here without more
    #[command(after_help = "Example:\n  keyward vault adopt /mnt/backup/keystore.db")]
    Adopt {
        /// The copy
        #[arg(value_hint = clap::ValueHint::FilePath)]
        file: PathBuf,
        /// Also replace a keystore that knows what the copy does not, or does not open
        #[arg(long)]
        force: bool,
    },
    /// Delete the keystore for good, with its keys and its trail; backups and device keys stay
    #[command(after_help = "Example:\n  keyward vault delete --confirm vault_0123456789abcdef --dry-run")]
    Delete {
        /// The vault's id, as `vault status` shows it, as confirmation; --yes is not enough
        #[arg(long, value_name = "VAULT")]
        confirm: Option<String>,
    },
    /// Print a recovery code, once, and add the slot that it opens
    #[command(after_help = "Example:\n  keyward vault recovery | lp")]
    Recovery,
}

#[derive(Debug, clap::Subcommand)]
enum Slots {
    /// List the slots
    #[command(after_help = "Example:\n  keyward vault slots list")]
    List,
    /// Add a slot
    #[command(after_help = "Examples:\n  keyward vault slots add --passphrase --role support --label helpdesk\n  \
        keyward vault slots add --device-file /media/key/keyward.key")]
    Add(Add),
    /// Remove a slot; the last admin slot stays
    #[command(after_help = "Example:\n  keyward vault slots remove slot_0123456789abcdef")]
    Remove {
        /// Its id
        id: String,
    },
}

#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("way").args(["passphrase", "device_file"]))]
struct Add {
    /// A passphrase opens it
    #[arg(long)]
    passphrase: bool,
    /// A random key in this new file opens it
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["new_passphrase_file", "new_passphrase_fd"])]
    device_file: Option<PathBuf>,
    /// What it opens: admin everything; support shows keys and their history and judges secrets, and changes nothing
    #[arg(long, default_value = "admin")]
    role: SlotRole,
    /// A label for people
    #[arg(long)]
    label: Option<String>,
    #[command(flatten)]
    new: NewPassphrase,
}

#[derive(Debug, clap::Args)]
struct NewPassphrase {
    /// A file with the new passphrase
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    new_passphrase_file: Option<PathBuf>,
    /// An open file descriptor to read the new passphrase from
    #[arg(long, value_name = "N", conflicts_with = "new_passphrase_file")]
    new_passphrase_fd: Option<u32>,
}

impl NewPassphrase {
    fn read(&self, cx: &mut Ctx) -> Result<Zeroizing<String>> {
        match Source::of(self.new_passphrase_file.as_deref(), self.new_passphrase_fd, false) {
            Some(source) => source.read_private(cx, "new passphrase"),
            None => prompt::new_passphrase(cx, "--new-passphrase-file"),
        }
    }
}

/// Looks after the vault.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    cx.local_only("vault")?;
    match args.command {
        Command::Status => {
            let status = cx.backend()?.vault("the state of the vault")?.status(&cx.operation())?;
            cx.flat("keyward.vault-status/v1", json!(status), "vault_id")?;
        }
        Command::Slots { command: Slots::List } => {
            let slots = cx.backend()?.vault("a slot")?.slots(&cx.operation())?;
            list(cx, &slots)?;
        }
        Command::Slots { command: Slots::Add(add) } => add_slot(cx, add)?,
        Command::Slots { command: Slots::Remove { id } } => remove_slot(cx, &id)?,
        Command::Passphrase(new) => passphrase(cx, &new)?,
        Command::Rekey { drop_slots, all, out } => rekey(cx, &Rekey { drop_slots, all, out })?,
        Command::Backup { file } => backup(cx, &file)?,
        Command::Restore { file, force } => restore(cx, &file, HowRestored { force, adopt: false })?,
        Command::Adopt { file, force } => restore(cx, &file, HowRestored { force, adopt: true })?,
        Command::Delete { confirm } => delete(cx, confirm.as_deref())?,
        Command::Recovery => recovery(cx)?,
    }
    Ok(Exit::Ok.code())
}

fn restore(cx: &mut Ctx, file: &Path, how: HowRestored) -> Result<()> {
    let restored = cx.restore(file, how)?;
    let verb = if cx.global.dry_run { "would restore" } else { "restored" };
    cx.note(&format!(
        "{verb} {} and {}: {}",
        counted(restored.keys, "key"),
        counted(restored.events, "event"),
        restored.keystore.display()
    ));
    if let Some((commit, seen)) = restored.lost {
        cx.note(&format!(
            "this machine remembers commit {seen} of the vault, and the backup ends with commit {commit}: what came \
                 in between is undone, and a key that was revoked then works again"
        ));
    }
    match &restored.device_key {
        Some(path) => cx.out.tell(&format!("it opens on this machine with: {}", path.display())),
        None if how.adopt && !cx.global.dry_run => cx.note("this machine opens it already: no slot was added"),
        None => {}
    }
    if !cx.reply_asked() {
        return Ok(());
    }
    let reply = json!({
        "keystore": restored.keystore, "keys": restored.keys, "events": restored.events, "device_key": restored.device_key,
    });
    let written = cx.flat("keyward.restore/v1", reply, "keystore");
    cx.after_change(written)
}

fn delete(cx: &mut Ctx, confirm: Option<&str>) -> Result<()> {
    let vault = cx.existing_vault()?;
    let doomed = vault.doomed()?;
    let (backend, operation) = (cx.backend()?, cx.operation());
    if backend.vault("the state of the vault")?.status(&operation)?.role != SlotRole::Admin.as_str() {
        let error = support_refused();
        backend.refuse(&operation, Action::VaultDelete, &doomed.vault_id, &error)?;
        return Err(error);
    }
    drop(backend);
    let keys = counted(doomed.keys, "key");
    let what = format!("delete the vault {} with {keys} and its trail, {}", doomed.vault_id, doomed.keystore.display());
    prompt::confirm_name(cx, &doomed.vault_id, confirm, &what)?;
    // Whoever has it open is in the way, this command too.
    cx.close();
    let doomed = vault.delete(&cx.operation())?;
    let verb = if cx.global.dry_run { "would delete" } else { "deleted" };
    cx.note(&format!("{verb} the vault {} with {keys}: {}", doomed.vault_id, doomed.keystore.display()));
    if let Some(path) = &doomed.device_key {
        cx.note(&format!(
            "its backups still open with {}, which stays; remove it with the last of them",
            path.display()
        ));
    }
    if !cx.reply_asked() {
        return Ok(());
    }
    let reply = json!({
        "vault_id": doomed.vault_id, "keystore": doomed.keystore, "keys": doomed.keys, "device_key": doomed.device_key,
    });
    let written = cx.flat("keyward.vault-deletion/v1", reply, "vault_id");
    cx.after_change(written)
}

fn rekey(cx: &mut Ctx, request: &Rekey) -> Result<()> {
    let backend = cx.backend()?;
    let at_work = cx.at_work("sealing every record anew");
    let rekeyed = backend.vault("re-keying")?.rekey(&cx.operation(), request)?;
    drop(at_work);
    let verb = if cx.global.dry_run { "would re-key" } else { "re-keyed" };
    cx.note(&format!("{verb}: every record sealed anew, {} kept", counted(rekeyed.slots.len(), "slot")));
    if let (Some(key), false) = (&rekeyed.checkpoint_key, cx.global.dry_run) {
        cx.note(&format!("checkpoints are signed by {key} now: give it to whoever checks them"));
        if let (Some(out), 1..) = (&request.out, rekeyed.webhooks) {
            let webhooks = counted(rekeyed.webhooks, "webhook");
            cx.note(&format!(
                "{webhooks}: new secrets in {}; receivers refuse what is sent until they have them, and it is sent again",
                out.display()
            ));
        }
    }
    if !cx.reply_asked() {
        return Ok(());
    }
    let written = list(cx, &rekeyed.slots);
    cx.after_change(written)
}

fn list(cx: &mut Ctx, slots: &[SlotView]) -> Result<()> {
    let rows = slots.iter().map(|slot| json!(slot)).collect();
    cx.list("keyward.slot-list/v1", rows, slots.len(), columns::SLOTS)
}

fn told(cx: &mut Ctx, did: &str, would: &str, slot: &SlotView) -> Result<()> {
    let verb = if cx.global.dry_run { would } else { did };
    cx.note(&format!("{verb} {} ({}, {})", slot.id, slot.kind, slot.role));
    cx.item_if_asked("keyward.slot/v1", "slot", json!(slot), columns::SLOTS)
}

fn add_slot(cx: &mut Ctx, add: Add) -> Result<()> {
    let words = add.passphrase || add.new.new_passphrase_file.is_some() || add.new.new_passphrase_fd.is_some();
    if add.device_file.is_none() && !words {
        return Err(Error::usage("what opens the slot is missing")
            .hint("add --passphrase, or --new-passphrase-file FILE where there is no terminal to ask on")
            .hint("add --device-file FILE   (a new file with a random key)"));
    }
    let backend = cx.backend()?;
    let secret = match add.device_file {
        Some(file) => {
            cx.may_create("--device-file", &file)?;
            NewSlotSecret::DeviceFile(file)
        }
        None => NewSlotSecret::Passphrase(add.new.read(cx)?),
    };
    let slot = backend
        .vault("a slot")?
        .add_slot(&cx.operation(), NewSlot { role: add.role, label: add.label, secret, replaces: None })?;
    told(cx, "added", "would add", &slot)
}

fn remove_slot(cx: &mut Ctx, id: &str) -> Result<()> {
    let backend = cx.backend()?;
    // Nobody is asked about what is not there.
    if backend.vault("a slot")?.slots(&cx.operation())?.iter().any(|slot| slot.id == id) {
        prompt::confirm(cx, &format!("Remove the slot {id}? Its secret will no longer open the vault."))?;
    }
    let slot = backend.vault("a slot")?.remove_slot(&cx.operation(), id)?;
    told(cx, "removed", "would remove", &slot)?;
    cx.note("older copies of the keystore still open with it; `keyward vault rekey` makes new keys");
    Ok(())
}

/// The new slot, proven by the backend, takes the place of the old one.
fn passphrase(cx: &mut Ctx, new: &NewPassphrase) -> Result<()> {
    let backend = cx.backend()?;
    let slots = backend.vault("a slot")?.slots(&cx.operation())?;
    let admins: Vec<&SlotView> =
        slots.iter().filter(|slot| slot.kind == "passphrase" && slot.role == "admin").collect();
    let old = match admins.as_slice() {
        [] => None,
        [one] => Some(*one),
        several => Some(*several.iter().find(|slot| slot.in_use).ok_or_else(|| {
            Error::conflict("ambiguous", format!("{} passphrases open the vault", several.len())).hint(
                "open it with the one to change: add --passphrase-file, or use keyward vault slots add and remove",
            )
        })?),
    };
    let secret = NewSlotSecret::Passphrase(new.read(cx)?);
    let label = old.and_then(|slot| slot.label.clone());
    let replaces = old.map(|slot| slot.id.clone());
    let slot = backend
        .vault("a slot")?
        .add_slot(&cx.operation(), NewSlot { role: SlotRole::Admin, label, secret, replaces })?;
    if old.is_some() {
        cx.note("the old passphrase still opens older copies of the keystore; `keyward vault rekey` makes new keys");
    }
    told(cx, "the passphrase is set:", "would set the passphrase:", &slot)
}

fn backup(cx: &mut Ctx, file: &Path) -> Result<()> {
    if file == Path::new("-") {
        return stream_backup(cx);
    }
    cx.may_create("FILE", file)?;
    let backend = cx.backend()?;
    let at_work = cx.at_work("copying the vault");
    let epoch = backend.vault("a backup")?.backup(&cx.operation(), file)?;
    drop(at_work);
    let verb = if cx.global.dry_run { "would write" } else { "wrote" };
    cx.note(&format!("{verb} {} (epoch {epoch}); it opens with the same slots", file.display()));
    if !cx.reply_asked() {
        return Ok(());
    }
    let written = cx.flat("keyward.backup/v1", json!({ "file": file, "epoch": epoch }), "file");
    cx.after_change(written)
}

fn stream_backup(cx: &mut Ctx) -> Result<()> {
    if cx.reply_asked() {
        return Err(Error::usage("standard output holds the backup or a reply about it, not both")
            .hint("keyward vault backup FILE -o json")
            .hint("leave out -o, --field and -q"));
    }
    if cx.out.streams.stdout_terminal {
        return Err(Error::usage("a backup is no text, and standard output is a terminal")
            .hint("keyward vault backup - > FILE"));
    }
    let backend = cx.backend()?;
    let operation = cx.operation();
    let epoch = backend.vault("a backup")?.stream_backup(&operation, &mut *cx.out.streams.stdout)?;
    let verb = if cx.global.dry_run { "would write" } else { "wrote" };
    cx.note(&format!("{verb} a backup to standard output (epoch {epoch}); it opens with the same slots"));
    Ok(())
}

fn recovery(cx: &mut Ctx) -> Result<()> {
    cx.refuse_secret_in_ci()?;
    cx.preflight_secret()?;
    let backend = cx.backend()?;
    let code = RecoveryCode::generate(&mut rand::rng());
    let shown = code.display();
    let new = NewSlot { role: SlotRole::Admin, label: None, secret: NewSlotSecret::Recovery(code), replaces: None };
    let slot = backend.vault("a slot")?.add_slot(&cx.operation(), new)?;
    if cx.global.dry_run {
        return told(cx, "added", "would add", &slot);
    }
    let id = slot.id.clone();
    let report =
        Report::item("keyward.slot/v1", "slot", json!(slot), Some(("secret", shown))).with_columns(columns::SLOTS);
    cx.emit(&report)
        .map_err(|error| error.hint(format!("keyward vault slots remove {id}   the code was not shown")))?;
    cx.note("keep the code on paper; in a file with mode 600 it opens the vault: --key-file FILE");
    Ok(())
}
