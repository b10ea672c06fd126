//! Checking everything: chain, hashes, seals, sets, and that the rows are what the trail says.

use super::{
    error::{Error, Result},
    open::Store,
    shape,
    trail::Walk,
    view::View,
};
use crate::domain::{Key, Time, merkle::Hash};
use std::collections::HashMap;

/// What was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Events in the trail.
    pub events: u64,
    /// Keys that agree with it.
    pub keys: u64,
    /// The epoch of the head.
    pub epoch: u64,
    /// The root of the tree over the events.
    pub root: Hash,
    /// The roots at the sizes that were asked for, computed anew.
    pub roots: Vec<(u64, Hash)>,
}

impl Store {
    /// Checks the whole keystore.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn verify_all(&self, now: Time) -> Result<VerifyReport> {
        self.verify_with(now, Walk::quick())
    }

    /// Checks the whole keystore as thoroughly as is asked for.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn verify_with(&self, now: Time, walk: Walk<'_>) -> Result<VerifyReport> {
        let damaged: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if damaged != "ok" {
            return Err(Error::Damaged(None));
        }
        self.read(now)?.verify(walk)
    }
}

impl View<'_> {
    pub(super) fn verify(&self, walk: Walk<'_>) -> Result<VerifyReport> {
        shape::check(self.connection)?;
        let walked = self.walk_trail(walk)?;
        let keys = self.scan()?;
        self.check_objects()?;
        self.check_slots()?;
        self.all_remembered()?;
        self.check_every_page()?;
        self.verify_rows(&walked.last_epochs)?;
        self.verify_lookups(&keys)?;
        Ok(VerifyReport {
            events: self.head.size,
            keys: keys.len() as u64,
            epoch: self.head.epoch,
            root: self.head.tree.root(),
            roots: walked.roots,
        })
    }

    /// Each version of each secret is found under its key, and nothing else is found.
    fn verify_lookups(&self, keys: &[Key]) -> Result<()> {
        let mut statement = self.connection.prepare("SELECT lookup, key_id FROM lookups")?;
        let found = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
            .collect::<rusqlite::Result<HashMap<_, _>>>()?;
        let retired = self.all_retired()?;
        let in_rows = keys.iter().flat_map(|key| key.secrets.iter().map(|secret| (key.id.as_str(), secret)));
        let mut secrets = 0;
        for (id, secret) in in_rows.chain(retired.iter().map(|(id, secret)| (id.as_str(), secret))) {
            secrets += 1;
            if found.get(secret.lookup.as_str()).map(String::as_str) != Some(id) {
                return Err(Error::SetMismatch("lookups"));
            }
        }
        if found.len() == secrets { Ok(()) } else { Err(Error::SetMismatch("lookups")) }
    }

    /// Every key must be as its last event left it: that alone finds a change that was made without an event.
    fn verify_rows(&self, last_epochs: &HashMap<String, i64>) -> Result<()> {
        let mut statement = self.connection.prepare("SELECT id, epoch FROM keys")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        for row in rows {
            let (id, epoch) = row?;
            if last_epochs.get(&id) != Some(&epoch) {
                return Err(Error::RowRolledBack { table: "keys", id });
            }
        }
        Ok(())
    }
}
