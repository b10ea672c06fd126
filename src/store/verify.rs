//! Checking everything: chain, hashes, seals, sets, and that the rows are what the trail says.

use super::{
    error::{Error, Result},
    open::Store,
    scan::Sieve,
    shape,
    trail::Walk,
    view::View,
};
use crate::domain::{Key, KeyId, Lookup, Time, merkle::Hash};
use std::collections::HashMap;

/// A key and the versions of its secret that stand in its row.
pub(super) type KeyFacts = (KeyId, Vec<Lookup>);

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
        // Every index is compared with its table, too: what is found by one is otherwise trusted.
        let damaged: String = self.connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if damaged != "ok" {
            return Err(Error::Inconsistent(damaged));
        }
        self.read(now)?.verify(walk)
    }
}

impl View<'_> {
    pub(super) fn verify(&self, walk: Walk<'_>) -> Result<VerifyReport> {
        shape::check(self.connection)?;
        let walked = self.walk_trail(walk)?;
        let keys = self.facts_of_all_keys()?;
        self.check_objects()?;
        self.check_slots()?;
        self.all_remembered()?;
        self.verify_lookups(&keys)?;
        self.check_every_page()?;
        self.verify_rows(&walked.last_epochs)?;
        self.verify_archives()?;
        self.cursors()?;
        self.told()?;
        if self.caps.admin.is_some() && !self.is_of_before() {
            self.open_messages()?;
        }
        self.check_facts_of_use()?;
        Ok(VerifyReport {
            events: self.head.size,
            keys: keys.len() as u64,
            epoch: self.head.epoch,
            root: self.head.tree.root(),
            roots: walked.roots,
        })
    }

    /// The ids of all keys with the versions of their secrets, checked as a set against the head.
    pub(super) fn facts_of_all_keys(&self) -> Result<Vec<KeyFacts>> {
        let facts = |key: Key| Some((key.id, key.secrets.into_iter().map(|secret| secret.lookup).collect()));
        self.scan_for(None, Sieve::default(), &facts)
    }

    /// What was archived is what the head says.
    fn verify_archives(&self) -> Result<()> {
        let mut statement = self.connection.prepare("SELECT first, last FROM archives ORDER BY last")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut end = 0;
        for row in rows {
            let (first, last): (i64, i64) = row?;
            if first != end + 1 || last < first {
                return Err(Error::SetMismatch("archives"));
            }
            end = last;
        }
        if u64::try_from(end) == Ok(self.head.archived) { Ok(()) } else { Err(Error::SetMismatch("archives")) }
    }

    /// Each version of each secret is found under its key, and nothing else is found.
    pub(super) fn verify_lookups(&self, keys: &[KeyFacts]) -> Result<()> {
        let mut statement = self.connection.prepare("SELECT lookup, key_id FROM lookups")?;
        let found = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
            .collect::<rusqlite::Result<HashMap<_, _>>>()?;
        let retired = self.all_retired()?;
        let in_rows = keys.iter().flat_map(|(id, lookups)| lookups.iter().map(|lookup| (id.as_str(), lookup)));
        let mut secrets = 0;
        for (id, lookup) in in_rows.chain(retired.iter().map(|(id, secret)| (id.as_str(), &secret.lookup))) {
            secrets += 1;
            if found.get(lookup.as_str()).map(String::as_str) != Some(id) {
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
