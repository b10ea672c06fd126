//! What happened while no signing key was at hand: failed unlocks, changes that a support slot was refused, secrets that
//! it looked up and copies that it made.
//!
//! One JSON line an entry, in a private file a vault beside the state, of bounded size. The next opening with an admin
//! slot commits the lines to the audit trail and empties the file. The journal is a courtesy to the reviewer, not
//! evidence: whoever can write the file can forge it. So its events carry the source `journal`, and none of them says
//! that something was changed: what keyward itself never writes there does not get into the trail.

use super::Dirs;
use crate::{
    domain::{
        Action, Event, Outcome,
        time::{format_time, parse_time},
    },
    files,
    ops::{Context, Error, Kind, Result},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    fs::File,
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

/// More than this is not kept: a loop of failures must not fill the disk.
const MAX_BYTES: u64 = 256 * 1024;

/// One line of the journal.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    vault: String,
    at: String,
    action: String,
    target: String,
    outcome: String,
    actor: String,
    reason: Option<String>,
    ticket: Option<String>,
    detail: String,
}

impl Entry {
    /// A change that a support slot was refused.
    fn refused(cx: &Context, vault_id: &str, event: &Event) -> Self {
        Self {
            vault: vault_id.to_owned(),
            at: format_time(cx.now),
            action: event.action.to_string(),
            target: event.target.clone(),
            outcome: Outcome::Refused.to_string(),
            actor: cx.actor.clone(),
            reason: cx.reason.clone(),
            ticket: cx.ticket.clone(),
            detail: "support_slot".to_owned(),
        }
    }

    /// What was done where nothing can be signed: a secret was looked up, a copy was made.
    fn unsigned(cx: &Context, vault_id: &str, event: &Event) -> Self {
        let entry = Self::refused(cx, vault_id, event);
        Self { outcome: event.outcome.to_string(), detail: event.changes.to_string(), ..entry }
    }

    /// An unlock that failed.
    fn failed_unlock(cx: &Context, vault_id: &str, reason: &str) -> Self {
        Self {
            vault: vault_id.to_owned(),
            at: format_time(cx.now),
            action: Action::VaultUnlock.to_string(),
            target: "vault".to_owned(),
            outcome: Outcome::Failed.to_string(),
            actor: cx.actor.clone(),
            reason: None,
            ticket: None,
            detail: reason.to_owned(),
        }
    }

    /// The event of a line that keyward may have written about this vault; `None` for any other.
    fn into_event(self, vault_id: &str) -> Option<Event> {
        parse_time(&self.at).ok()?;
        let (action, outcome) = (self.action.parse().ok()?, self.outcome.parse().ok()?);
        let own = match (action, outcome) {
            (_, Outcome::Refused) | (Action::VaultUnlock, Outcome::Failed) | (Action::KeyIdentify, Outcome::Ok) => true,
            // An event that is `ok` is a commit on its target: of a key, it would contradict the key's row.
            (Action::VaultBackup, Outcome::Ok) => self.target == vault_id,
            _ => false,
        };
        if !own || self.vault != vault_id {
            return None;
        }
        Some(Event {
            action,
            target: self.target,
            outcome,
            actor: self.actor,
            source: "journal".to_owned(),
            reason: self.reason,
            ticket: self.ticket,
            workspace: None,
            changes: json!({ "happened_at": self.at, "detail": self.detail }),
        })
    }
}

/// The journal of a vault.
pub(super) struct Journal {
    path: PathBuf,
    vault_id: String,
}

impl Journal {
    pub(super) fn of(dirs: &Dirs, vault_id: &str) -> Self {
        Self { path: dirs.journal(vault_id), vault_id: vault_id.to_owned() }
    }

    /// Keeps an event that nothing can sign: a change that was refused.
    pub(super) fn refused(&self, cx: &Context, event: &Event) -> Result<()> {
        self.append(&Entry::refused(cx, &self.vault_id, event))
    }

    /// The same of what was done: a secret was looked up, a copy was made.
    pub(super) fn unsigned(&self, cx: &Context, event: &Event) -> Result<()> {
        self.append(&Entry::unsigned(cx, &self.vault_id, event))
    }

    /// The same of an unlock that failed.
    pub(super) fn failed_unlock(&self, cx: &Context, reason: &str) -> Result<()> {
        self.append(&Entry::failed_unlock(cx, &self.vault_id, reason))
    }

    /// Appends a line; silently full when the bound is reached.
    fn append(&self, entry: &Entry) -> Result<()> {
        let mut file = self.locked()?;
        let mut line = serde_json::to_vec(entry).map_err(|error| failed(&self.path, &error))?;
        line.push(b'\n');
        let size = file.metadata().map_err(|error| failed(&self.path, &error))?.len();
        if size + line.len() as u64 > MAX_BYTES {
            return Ok(());
        }
        file.seek(std::io::SeekFrom::End(0))
            .and_then(|_| file.write_all(&line))
            .and_then(|()| file.sync_data())
            .map_err(|error| failed(&self.path, &error))
    }

    /// Hands the lines over as events and empties the file once they are committed. A kill in between commits them
    /// twice at most; none is lost.
    pub(super) fn absorb(&self, commit: impl FnOnce(Vec<Event>) -> Result<()>) -> Result<()> {
        if !self.path.metadata().is_ok_and(|metadata| metadata.len() > 0) {
            return Ok(());
        }
        let mut file = self.locked()?;
        let mut text = String::new();
        (&mut file).take(MAX_BYTES).read_to_string(&mut text).map_err(|error| failed(&self.path, &error))?;
        let (mut events, mut dropped) = (Vec::new(), 0_usize);
        for line in text.lines() {
            match serde_json::from_str::<Entry>(line).ok().and_then(|entry| entry.into_event(&self.vault_id)) {
                Some(event) => events.push(event),
                None => dropped += 1,
            }
        }
        if dropped > 0 {
            tracing::warn!(dropped, journal = %self.path.display(), "the journal had lines that keyward does not write");
        }
        if !events.is_empty() {
            commit(events)?;
        }
        file.set_len(0).map_err(|error| failed(&self.path, &error))
    }

    fn locked(&self) -> Result<File> {
        if let Some(parent) = self.path.parent() {
            files::create_private_dir(parent).map_err(|error| failed(&self.path, &error))?;
        }
        let file = files::open_private(&self.path).map_err(|error| failed(&self.path, &error))?;
        file.lock().map_err(|error| failed(&self.path, &error))?;
        Ok(file)
    }
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::Unavailable, "journal", format!("the journal {} cannot be written", path.display()))
        .cause(error.to_string())
}
