//! Keys by a time of theirs, found by an index and known to be all of them.
//!
//! Somebody with the file can empty an index and leave its text as it is: then SQLite finds nothing by it. What the rows
//! that it leads to add up to is therefore compared with the [signed sums](super::pages) of their days. Of the days at both
//! ends, the keys that were not asked for are added up by the index alone.

use super::{
    buckets::{Timed, first_beside, last_beside},
    error::{Error, Result},
    keys::COLUMNS,
    scan::{Sieve, Take},
    sum::{self, Sum},
    tx::Tx,
    view::View,
};
use crate::domain::{Key, RotationId};

/// Every time there is: after the first and up to the second.
pub(super) const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

impl Timed {
    /// Which rows have a time, and of those which have one after `?1` and up to `?2`.
    fn condition(self) -> &'static str {
        match self {
            Self::Expiry => "expires_at > ?1 AND expires_at <= ?2",
            Self::Due => "due_at > ?1 AND due_at <= ?2",
            Self::Rotating => "rotating = 1 AND ?1 < ?2",
        }
    }

    /// The times and the ids between two times, by the index alone.
    fn between(self) -> Option<&'static str> {
        match self {
            Self::Expiry => Some("SELECT expires_at, id FROM keys WHERE expires_at BETWEEN ?1 AND ?2"),
            Self::Due => Some("SELECT due_at, id FROM keys WHERE due_at BETWEEN ?1 AND ?2"),
            Self::Rotating => None,
        }
    }
}

impl View<'_> {
    /// What is taken of the keys of a workspace that have a time after the first and up to the second; a whole scan where
    /// no index can be trusted.
    pub(super) fn keys_timed<T: Send>(
        &self,
        timed: Timed,
        (after, by): (i64, i64),
        workspace: &str,
        sieve: Sieve<'_>,
        take: Take<'_, T>,
    ) -> Result<Vec<T>> {
        if !self.counts_everything() {
            let wanted = |key: &Key| timed.of_key(key).is_some_and(|time| after < time && time <= by);
            return self.scan_for(Some(workspace), sieve, &|key| Some(key).filter(wanted).and_then(take));
        }
        if after >= by {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT {COLUMNS} FROM keys WHERE {}", timed.condition());
        let (taken, mut sum) = self.open_current_timed(&sql, (after, by), Some(workspace), sieve, Some(timed), take)?;
        if after != i64::MIN {
            sum.add(self.times_between(timed, first_beside(after), after)?);
        }
        if by != i64::MAX {
            sum.add(self.times_between(timed, by + 1, last_beside(by))?);
        }
        if sum == self.signed_times(timed, after, by)? { Ok(taken) } else { Err(Error::SetMismatch("keys")) }
    }

    fn times_between(&self, timed: Timed, first: i64, last: i64) -> Result<Sum> {
        let mut sum = Sum::default();
        let Some(sql) = timed.between() else { return Ok(sum) };
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query((first, last))?;
        while let Some(row) = rows.next()? {
            let id = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            sum.add(sum::of_time(self.caps, timed, row.get(0)?, id).ok_or(Error::SupportSlot)?);
        }
        Ok(sum)
    }

    /// The key whose running or last rotation has an id.
    ///
    /// # Errors
    /// See [`View::key`]; `SetMismatch` when it runs and is not found.
    pub fn key_rotating(&self, rotation: &RotationId) -> Result<Option<Key>> {
        let found = self.one("rotation = ?1", (rotation.as_str(),))?;
        if found.is_none() {
            let runs = |key: Key| key.run.filter(|run| run.id == *rotation).map(drop);
            let running = self.running_anywhere(&runs)?;
            return if running.is_empty() { Ok(None) } else { Err(Error::SetMismatch("keys")) };
        }
        Ok(found)
    }

    fn running_anywhere(&self, take: Take<'_, ()>) -> Result<Vec<()>> {
        if !self.counts_everything() {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT {COLUMNS} FROM keys WHERE {}", Timed::Rotating.condition());
        let (taken, sum) =
            self.open_current_timed(&sql, ALWAYS, None, Sieve::default(), Some(Timed::Rotating), take)?;
        if sum == self.signed_times(Timed::Rotating, ALWAYS.0, ALWAYS.1)? {
            Ok(taken)
        } else {
            Err(Error::SetMismatch("keys"))
        }
    }

    /// The keys of a workspace whose rotation was begun and has not ended.
    ///
    /// # Errors
    /// See [`View::key`].
    pub fn keys_rotating(&self, workspace: &str) -> Result<Vec<Key>> {
        self.keys_timed(Timed::Rotating, ALWAYS, workspace, Sieve::default(), &Some)
    }

    /// Every look-up with the id of its key.
    pub(super) fn each_lookup(&self, mut each: impl FnMut(&str, &str) -> Result<()>) -> Result<()> {
        let mut statement = self.connection.prepare_cached("SELECT lookup, key_id FROM lookups")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let lookup = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            each(lookup, row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
        }
        Ok(())
    }
}

impl Tx<'_> {
    /// Removes the look-ups of a key.
    pub(super) fn forget_lookups(&mut self, key: &str) -> Result<()> {
        let mut statement = self.connection.prepare_cached("DELETE FROM lookups WHERE key_id = ?1 RETURNING lookup")?;
        let gone = statement.query_map((key,), |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
        gone.iter().try_for_each(|lookup| self.in_lookups(lookup, key, Sum::subtract))
    }
}
