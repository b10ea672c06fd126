//! What a verdict needs of every key, whole or since an event: read by whoever keeps them in memory.

use super::{error::Result, view::View};
use crate::domain::{Key, KeyId, Secret};
use std::collections::{BTreeSet, HashMap};

impl View<'_> {
    /// Hands over every key of every workspace, with the versions of their secrets that left their rows, in any order
    /// and on several threads; a whole scan, checked as a set against the head. What was handed over holds only once
    /// this returns.
    ///
    /// # Errors
    /// `SetMismatch` when a row was deleted, added or put back; `RowTampered` when one was changed.
    pub fn every_key_with_retired(&self, taker: &(dyn Fn(Key) + Sync)) -> Result<()> {
        let mut retired: HashMap<String, Vec<Secret>> = HashMap::new();
        for (key, secret) in self.all_retired()? {
            retired.entry(key).or_default().push(secret);
        }
        self.scan_into(&|mut key| {
            key.secrets.extend(retired.get(key.id.as_str()).into_iter().flatten().cloned());
            taker(key);
        })?;
        // The pages of a whole scan: nothing that comes after it wants them.
        Ok(self.connection.execute_batch("PRAGMA shrink_memory;")?)
    }

    /// How many keys there are.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn count_of_keys(&self) -> Result<usize> {
        let count: i64 = self.connection.query_row("SELECT count(*) FROM keys", (), |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// A key, with the versions of its secret that left its row; `None` when it is gone.
    ///
    /// # Errors
    /// As [`View::key`].
    pub fn key_with_retired(&self, id: &KeyId) -> Result<Option<Key>> {
        let Some(mut key) = self.key(id)? else { return Ok(None) };
        key.secrets.extend(self.retired_of(id)?);
        Ok(Some(key))
    }

    /// The keys that events after a place in the trail are about; some of them may be gone.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn keys_touched_after(&self, seq: u64) -> Result<Vec<KeyId>> {
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        // Not DISTINCT: that would be looked for in the order of targets, through the whole trail.
        let mut statement = self.connection.prepare_cached("SELECT target FROM audit WHERE seq > ?1 AND done = 1")?;
        let targets = statement.query_map((seq,), |row| row.get::<_, String>(0))?;
        // What is not the id of a key is no key: a scope, a slot, a hidden name.
        let touched: Result<BTreeSet<KeyId>> = targets
            .filter_map(|target| target.map(|target| target.parse().ok()).map_err(Into::into).transpose())
            .collect();
        Ok(touched?.into_iter().collect())
    }
}
