//! What a verdict needs of every key, whole or since an event: read by whoever keeps them in memory.

use super::{
    audit::Body,
    error::{Error, Result},
    keys,
    scan::Sieve,
    view::View,
};
use crate::domain::{Action, Key, KeyId, Secret};
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

    /// Keys, with the versions of their secrets that left their rows; `None` for one that is gone. Quickest for ids that
    /// are neighbours: what vouches for one row vouches for those beside it.
    ///
    /// # Errors
    /// As [`View::key`].
    pub fn keys_with_retired(&self, ids: &[KeyId]) -> Result<Vec<(KeyId, Option<Key>)>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let list: Vec<&str> = ids.iter().map(KeyId::as_str).collect();
        let list = serde_json::to_string(&list).map_err(|_| Error::Damaged(None))?;
        let sql = format!("SELECT {} FROM keys WHERE id IN (SELECT value FROM json_each(?1))", keys::COLUMNS);
        let opened = self.open_current_of(&sql, (&list,), None, Sieve::default(), &Some)?;
        let mut found: HashMap<KeyId, Key> = opened.into_iter().map(|key| (key.id.clone(), key)).collect();
        for (id, secret) in self.retired_of(&list)? {
            let key = id.parse().ok().and_then(|id: KeyId| found.get_mut(&id));
            key.into_iter().for_each(|key| key.secrets.push(secret.clone()));
        }
        let taken = ids.iter().map(|id| {
            let key = found.remove(id);
            if key.is_none() {
                self.check_absent(id.as_str())?;
            }
            Ok((id.clone(), key))
        });
        taken.collect()
    }

    /// The keys that events after a place in the trail are about; some of them may be gone.
    ///
    /// # Errors
    /// Those of SQLite; `Trail` for an event that does not parse.
    pub fn keys_touched_after(&self, seq: u64) -> Result<Touched> {
        let after = i64::try_from(seq).unwrap_or(i64::MAX);
        // Not DISTINCT: that would be looked for in the order of targets, through the whole trail.
        let sql = "SELECT target, body, seq FROM audit WHERE seq > ?1 AND done = 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query((after,))?;
        let mut touched = Touched::default();
        while let Some(row) = rows.next()? {
            // What is not the id of a key is no key: a scope, a slot, a hidden name.
            let Ok(id) = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?.parse::<KeyId>() else { continue };
            let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let made = makes_a_key(body).ok_or_else(|| Error::Trail {
                seq: row.get::<_, i64>(2).unwrap_or_default().unsigned_abs(),
                what: "its body does not parse",
            })?;
            if made {
                touched.made.insert(id)
            } else {
                touched.changed.insert(id)
            };
        }
        touched.made.retain(|id| !touched.changed.contains(id));
        Ok(touched)
    }
}

/// Which keys events are about, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Those that something else happened to than that they were made.
    pub changed: BTreeSet<KeyId>,
    /// Those that were made, and nothing else since.
    pub made: BTreeSet<KeyId>,
}

/// Whether an event is that its target was made; `None` when it does not parse.
fn makes_a_key(body: &[u8]) -> Option<bool> {
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    Some([Action::KeyCreate, Action::KeyImport].iter().any(|made| made.as_str() == body.action))
}
