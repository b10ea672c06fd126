//! Looking after the vault itself: status and backup.

use super::local::Local;
use crate::{
    domain::{Action, time::format_time},
    files,
    ops::{Context, Error, Kind, Result, commit::commit},
    store::NewCopy,
};
use chrono::TimeDelta;
use serde::Serialize;
use serde_json::json;
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

/// Clocks of machines that share a keystore differ by so much.
pub const CLOCK_SLACK: TimeDelta = TimeDelta::seconds(60);

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
    /// When the last commit was made.
    pub last_commit_at: String,
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
    let snapshot = local.store().read(cx.now)?;
    let meta = snapshot.meta();
    Ok(VaultStatus {
        vault_id: meta.vault_id.clone(),
        keystore: meta.path.clone(),
        brand: meta.brand.to_string(),
        created_at: format_time(meta.created_at),
        last_commit_at: format_time(snapshot.last_commit_at()?),
        role: local.store().capabilities().role().as_str(),
        epoch: snapshot.epoch(),
        events: snapshot.trail_size(),
        slots: snapshot.slots()?.len(),
    })
}

pub(super) fn backup(local: &Local, cx: &Context, file: &Path) -> Result<u64> {
    // Before the event: what cannot be written is no backup.
    let copy = NewCopy::at(file)?;
    copied(local, cx, copy, &file.display().to_string())
}

/// The same to a stream: SQLite copies into a file, which is made beside the keystore and is gone afterwards.
pub(super) fn stream_backup(local: &Local, cx: &Context, out: &mut dyn Write) -> Result<u64> {
    let place = files::sibling(&local.store().meta().path, "stream");
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
        let vault_id = local.store().meta().vault_id.clone();
        let event = cx.event(Action::VaultBackup, vault_id, changes);
        if local.store().capabilities().admin.is_some() && !cx.read_only {
            commit(local.begin_record(cx)?, cx, vec![event])?;
        } else {
            local.journal().unsigned(cx, &event)?;
        }
        copy.fill(local.store())?;
    }
    Ok(local.store().read(cx.now)?.epoch())
}
