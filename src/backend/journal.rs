//! What happened while no signing key was at hand: failed unlocks, changes that a support slot was refused, secrets that
//! it looked up and copies that it made.
//!
//! One JSON line an entry, in a private file beside the state, of bounded size. The next opening with an admin slot
//! commits the lines to the audit trail and empties the file. The journal is a courtesy to the reviewer, not evidence:
//! whoever can write the file can forge it, so its events carry the source `journal`.

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
    pub(super) fn refused(cx: &Context, event: &Event) -> Self {
        Self {
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
    pub(super) fn unsigned(cx: &Context, event: &Event) -> Self {
        let entry = Self::refused(cx, event);
        Self { outcome: event.outcome.to_string(), detail: event.changes.to_string(), ..entry }
    }

    /// An unlock that failed.
    pub(super) fn failed_unlock(cx: &Context, reason: &str) -> Self {
        Self {
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

    fn into_event(self) -> Option<Event> {
        parse_time(&self.at).ok()?;
        Some(Event {
            action: self.action.parse().ok()?,
            target: self.target,
            outcome: self.outcome.parse().ok()?,
            actor: self.actor,
            source: "journal".to_owned(),
            reason: self.reason,
            ticket: self.ticket,
            workspace: None,
            changes: json!({ "happened_at": self.at, "detail": self.detail }),
        })
    }
}

/// The journal file.
pub(super) struct Journal {
    path: PathBuf,
}

impl Journal {
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Appends a line; silently full when the bound is reached.
    pub(super) fn append(&self, entry: &Entry) -> Result<()> {
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
        let events: Vec<Event> = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Entry>(line).ok())
            .filter_map(Entry::into_event)
            .collect();
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
