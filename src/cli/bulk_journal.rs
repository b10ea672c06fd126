//! What is remembered of a bulk creation through a server, so that the same command goes on after it was ended: how far it
//! came, and which keys may have been made without that it heard of them. No secret, and nothing of a key but its id.

use super::context::Ctx;
use crate::{
    domain::{KeyId, counted},
    files,
    ops::{Create, Error, Kind, Result},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
};

/// No journal is longer: it holds the ids of one request.
const LONGEST: u64 = 1 << 20;

/// How far a run came.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    server: String,
    workspace: Option<String>,
    out: PathBuf,
    /// So many keys of the file are made, and their secrets are in the file of secrets.
    pub(super) kept: usize,
    /// So long was that file then.
    pub(super) length: u64,
    /// The ids of the keys that come next, while the server may have made them.
    pub(super) sending: Vec<KeyId>,
    /// The key that may have a fresh secret of which nobody heard.
    pub(super) reissuing: Option<KeyId>,
    /// The digest of what was asked for so far.
    asked: String,
}

/// A run, and where it is remembered.
pub(super) struct Journal {
    path: PathBuf,
    pub(super) run: Run,
}

/// The digest of what is asked for, taken as it is sent.
#[derive(Clone, Default)]
pub(super) struct Asked(Sha256);

impl Asked {
    /// Takes in further keys.
    ///
    /// # Errors
    /// `Internal` for a request that is no JSON.
    pub(super) fn add(&mut self, requests: &[Create]) -> Result<()> {
        requests.iter().try_for_each(|request| {
            let bytes = serde_json::to_vec(request).map_err(|error| {
                Error::new(Kind::Internal, "request", "a key cannot be written").cause(error.to_string())
            })?;
            self.0.update((bytes.len() as u64).to_le_bytes());
            self.0.update(bytes);
            Ok(())
        })
    }

    fn text(&self) -> String {
        self.0.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Journal {
    /// The journal of the run into a file of secrets, if one was ended; else a new one, which nothing remembers yet.
    ///
    /// # Errors
    /// `Conflict` when it was a run through another server; `Failure` when the journal is none.
    pub(super) fn of(cx: &Ctx, out: &Path) -> Result<(Self, bool)> {
        let out = files::real(&std::path::absolute(out).map_err(|error| Error::cannot_write(out, &error))?);
        let dir = cx.dirs()?.bulk_runs();
        let name = Sha256::digest(out.as_os_str().as_encoded_bytes());
        let name: String = name.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let path = dir.join(format!("{name}.json"));
        let server = cx.global.server.clone().or_else(|| cx.global.profile.clone()).unwrap_or_default();
        let workspace = cx.global.workspace.clone();
        let bytes = match files::read_limited(&path, LONGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (sending, asked) = (Vec::new(), Asked::default().text());
                let run = Run { server, workspace, out, kept: 0, length: 0, sending, reissuing: None, asked };
                return Ok((Self { path, run }, false));
            }
            Err(error) => return Err(Self::unusable(&path, error.to_string())),
        };
        let run: Run = serde_json::from_slice(&bytes).map_err(|error| Self::unusable(&path, error.to_string()))?;
        let found = Self { path, run };
        if found.run.server != server || found.run.workspace != workspace {
            let (whom, where_) = (&found.run.server, found.run.workspace.as_deref().unwrap_or("default"));
            return Err(found.in_the_way(format!("it went to {whom}, workspace {where_}")));
        }
        Ok((found, true))
    }

    fn unusable(path: &Path, why: String) -> Error {
        Error::new(Kind::Failure, "journal", format!("{} tells not how far an earlier run came", path.display()))
            .cause(why)
            .hint(shell_words::join(["rm", "--", &path.to_string_lossy()]))
    }

    /// Whether the run made anything, or may have.
    pub(super) fn has_begun(&self) -> bool {
        self.run.kept > 0 || !self.run.sending.is_empty()
    }

    /// So many keys of the file it is about.
    pub(super) fn sent(&self) -> usize {
        self.run.kept + self.run.sending.len()
    }

    /// The digest of what was kept, when the same was asked for as now.
    ///
    /// # Errors
    /// `Conflict` when it was not.
    pub(super) fn compare(&self, requests: &[Create]) -> Result<Asked> {
        let other = || self.in_the_way("it asked for other keys, or in another order".to_owned());
        let mut asked = Asked::default();
        asked.add(requests.get(..self.run.kept).ok_or_else(other)?)?;
        let mut sent = asked.clone();
        sent.add(requests.get(self.run.kept..self.sent()).ok_or_else(other)?)?;
        if sent.text() == self.run.asked { Ok(asked) } else { Err(other()) }
    }

    /// The error of an earlier run that this one cannot go on with.
    pub(super) fn in_the_way(&self, why: String) -> Error {
        let (out, kept) = (self.run.out.display(), counted(self.run.kept, "key"));
        Error::conflict("another_run", format!("an earlier run into {out} was ended before it was done"))
            .cause(why)
            .cause(format!("the secrets of {kept} that it made are there"))
            .hint("run that command again, with the file as it was: it goes on where it ended")
            .hint(format!(
                "{}   (gives it up: keys it made stay, and may be without a secret)",
                shell_words::join(["rm", "--", &self.path.to_string_lossy()])
            ))
    }

    /// Remembers the keys that are sent next.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(super) fn sends(&mut self, ids: Vec<KeyId>, asked: &Asked) -> Result<()> {
        (self.run.sending, self.run.asked) = (ids, asked.text());
        self.write()
    }

    /// Remembers that they were made, and that their secrets are kept.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(super) fn keeps(&mut self, length: u64) -> Result<()> {
        self.run.kept = self.sent();
        (self.run.length, self.run.sending, self.run.reissuing) = (length, Vec::new(), None);
        self.write()
    }

    /// Remembers the key that is given a fresh secret next.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(super) fn reissues(&mut self, id: KeyId) -> Result<()> {
        self.run.reissuing = Some(id);
        self.write()
    }

    /// Remembers how far the run is, durably.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(super) fn write(&self) -> Result<()> {
        let bytes = serde_json::to_vec(&self.run).map_err(|error| {
            Error::new(Kind::Internal, "journal", "the journal cannot be written").cause(error.to_string())
        })?;
        let made = self.path.parent().map_or(Ok(()), files::create_private_dir);
        made.and_then(|()| files::write_private_atomic(&self.path, &bytes))
            .map_err(|error| Error::cannot_write(&self.path, &error).cause("it is to remember how far this run came"))
    }

    /// Forgets the run.
    ///
    /// # Errors
    /// When the journal cannot be removed.
    pub(super) fn forget(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::cannot_write(&self.path, &error)),
            _ => Ok(()),
        }
    }
}
