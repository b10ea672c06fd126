//! Keys: sealed rows and their look-up ids.

use super::{
    buckets::Timed,
    error::{Error, Result},
    head::Table,
    records::{KeyColumns, KeyRecord, decode},
    rows,
    scan::{Sieve, Take},
    timed::ALWAYS,
    tx::Tx,
    usage::{self, all_usage},
    view::View,
};
use crate::{
    domain::{Environment, Key, KeyId, KeyRef, Lookup, Scope, Time, Usage, text},
    vault::{Capabilities, seal_framed},
};
use rusqlite::{OptionalExtension, Params, Row};
use std::collections::BTreeMap;

pub(super) const COLUMNS: &str = "id, name_index, workspace_index, environment, active, revoked_at, expires_at, created_at, \
                       due_at, rotation, rotating, version, epoch, generation, sealed, tag";
/// How many candidates of an ambiguous prefix are of use.
const MAX_CANDIDATES: i64 = 20;

/// A condition on facts in the clear, answered by an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearFilter {
    /// Keys by their expiry.
    Expiring {
        /// Only keys that expire after this time; any when `None`.
        after: Option<Time>,
        /// Only keys that expire at or before this time.
        by: Time,
    },
    /// Keys that have ended by a time, or may have.
    Ended {
        /// The time.
        by: Time,
    },
    /// Keys whose rotation is due at or before a time, or was begun and has not ended.
    Due {
        /// The time.
        by: Time,
    },
}

/// A row as stored.
pub(super) struct StoredKey {
    pub(super) columns: KeyColumns,
    pub(super) sealed: Vec<u8>,
    tag: [u8; 32],
}

/// Bytes of a fixed length. Of another length they were tampered with: what stands for them has no tag.
fn fixed<const N: usize>(row: &Row<'_>, column: usize) -> rusqlite::Result<[u8; N]> {
    Ok(row.get_ref(column)?.as_blob()?.try_into().unwrap_or([0; N]))
}

impl StoredKey {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            columns: KeyColumns {
                id: row.get(0)?,
                name_index: fixed(row, 1)?,
                workspace_index: fixed(row, 2)?,
                environment: row.get(3)?,
                active: row.get(4)?,
                revoked_at: row.get(5)?,
                expires_at: row.get(6)?,
                created_at: row.get(7)?,
                due_at: row.get(8)?,
                rotation: row.get(9)?,
                rotating: row.get(10)?,
                version: row.get(11)?,
                epoch: row.get(12)?,
                generation: row.get(13)?,
            },
            sealed: row.get(14)?,
            tag: fixed(row, 15)?,
        })
    }

    /// Checks the row's tag, as far as this slot can, and opens it.
    fn open(self, caps: &Capabilities) -> Result<(Key, Option<[u8; 32]>)> {
        let bound = bound(caps, &self.columns);
        let tag = self.checked_tag(caps, &bound)?;
        let plain = caps.open_record(&bound, &self.sealed).map_err(|_| self.tampered())?;
        Ok((decode::<KeyRecord<'_>>(&plain)?.into_key(&self.columns)?, tag))
    }

    /// The row's tag, if this slot can make it, and if it is the stored one.
    pub(super) fn checked_tag(&self, caps: &Capabilities, bound: &[u8]) -> Result<Option<[u8; 32]>> {
        let tag = rows::tag(caps, Table::Keys, bound, &self.sealed);
        if tag.is_some_and(|tag| tag != self.tag) { Err(self.tampered()) } else { Ok(tag) }
    }

    pub(super) fn tampered(&self) -> Error {
        Error::RowTampered { table: "keys", id: self.columns.id.clone() }
    }
}

/// All that stands in the clear, so that none of it can be changed apart from what is sealed.
pub(super) fn bound(caps: &Capabilities, columns: &KeyColumns) -> Vec<u8> {
    let optional = |time: Option<i64>| time.map(|time| time.to_string()).unwrap_or_default();
    seal_framed(&[
        caps.vault_id.as_bytes(),
        Table::Keys.name().as_bytes(),
        columns.id.as_bytes(),
        &columns.name_index,
        &columns.workspace_index,
        &columns.environment.to_le_bytes(),
        &[u8::from(columns.active)],
        optional(columns.revoked_at).as_bytes(),
        optional(columns.expires_at).as_bytes(),
        &columns.created_at.to_le_bytes(),
        optional(columns.due_at).as_bytes(),
        columns.rotation.as_deref().unwrap_or_default().as_bytes(),
        &[u8::from(columns.rotating)],
        &columns.version.to_le_bytes(),
        &columns.epoch.to_le_bytes(),
        &columns.generation.to_le_bytes(),
    ])
}

pub(super) fn workspace_index(caps: &Capabilities, workspace: &str) -> [u8; 16] {
    caps.blind_index("workspace", workspace)
}

pub(super) fn name_index(caps: &Capabilities, workspace: &str, environment: Environment, name: &str) -> [u8; 16] {
    let whole = format!("{workspace}\0{environment}\0{name}");
    caps.blind_index("key-name", &whole)
}

impl View<'_> {
    /// The key of an id.
    ///
    /// # Errors
    /// `RowTampered` and `RowRolledBack` when the row is not what the last commit on it left; `SetMismatch` when it is
    /// gone and the trail does not say so.
    pub fn key(&self, id: &KeyId) -> Result<Option<Key>> {
        let found = self.one("id = ?1", (id.as_str(),))?;
        match &found {
            None => self.check_absent(id.as_str())?,
            Some(key) if key.id != *id => return Err(misled(key)),
            Some(_) => {}
        }
        Ok(found)
    }

    /// The key of a name, also where an older vault holds it in another form of the same text.
    ///
    /// # Errors
    /// See [`View::key`].
    pub fn key_named(&self, workspace: &str, environment: Environment, name: &str) -> Result<Option<Key>> {
        if name.is_ascii() {
            return self.key_in_form(workspace, environment, name);
        }
        for form in text::forms(name) {
            if let Some(key) = self.key_in_form(workspace, environment, &form)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn key_in_form(&self, workspace: &str, environment: Environment, name: &str) -> Result<Option<Key>> {
        let index = name_index(self.caps, workspace, environment, name);
        let found = self.one("name_index = ?1", (&index,))?;
        match &found {
            None => self.check_name_absent(&index)?,
            Some(key) if (&*key.name, &*key.workspace, key.environment) != (name, workspace, environment) => {
                return Err(misled(key));
            }
            Some(_) => {}
        }
        Ok(found)
    }

    /// The key that has, or had, a version of its secret.
    ///
    /// # Errors
    /// See [`View::key`].
    pub fn key_by_lookup(&self, lookup: &Lookup) -> Result<Option<Key>> {
        let id: Option<String> = self
            .connection
            .prepare_cached("SELECT key_id FROM lookups WHERE lookup = ?1")?
            .query_row((lookup.as_str(),), |row| row.get(0))
            .optional()?;
        let Some(id) = id else { return self.check_lookup_absent(lookup.as_str()).map(|()| None) };
        let misled = || Error::RowTampered { table: "lookups", id: lookup.to_string() };
        let mut key = self.one("id = ?1", (&id,))?.ok_or_else(misled)?;
        if key.secrets.iter().all(|secret| secret.lookup != *lookup) {
            key.secrets.insert(0, self.retired_secret(lookup, &key.id)?.ok_or_else(misled)?);
        }
        Ok(Some(key))
    }

    /// The keys a reference may mean, within a workspace.
    ///
    /// # Errors
    /// See [`View::key`].
    pub fn find_keys(&self, key: &KeyRef, workspace: &str, environment: Option<Environment>) -> Result<Vec<Key>> {
        let mut found = match key {
            KeyRef::Id(id) => self.key(id)?.into_iter().collect(),
            KeyRef::Name(name) => {
                let mut found = Vec::new();
                for environment in Environment::ALL {
                    found.extend(self.key_named(workspace, environment, name)?);
                }
                found
            }
            KeyRef::Prefix(prefix) => {
                self.check_prefix(prefix)?;
                let mut ids =
                    self.connection.prepare_cached("SELECT id FROM keys WHERE id >= ?1 AND id < ?2 LIMIT ?3")?;
                let ids = ids
                    .query_map((prefix, format!("{prefix}~"), MAX_CANDIDATES), |row| row.get::<_, String>(0))?
                    .collect::<rusqlite::Result<Vec<_>>>()?;
                let ids = ids.iter().filter_map(|id| id.parse().ok());
                ids.map(|id| self.key(&id)).filter_map(Result::transpose).collect::<Result<_>>()?
            }
        };
        found.retain(|key| key.workspace == workspace && environment.is_none_or(|wanted| wanted == key.environment));
        Ok(found)
    }

    /// How many keys a workspace has.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn count_keys(&self, workspace: &str) -> Result<u32> {
        let count: i64 = self
            .connection
            .prepare_cached("SELECT count(*) FROM keys WHERE workspace_index = ?1")?
            .query_row((workspace_index(self.caps, workspace),), |row| row.get(0))?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// All keys of a workspace; a whole scan.
    ///
    /// # Errors
    /// Also `SetMismatch`, when a row was deleted, added or put back.
    pub fn all_keys(&self, workspace: &str) -> Result<Vec<Key>> {
        self.scan_for(Some(workspace), Sieve::default(), &Some)
    }

    /// The keys of a workspace with their usage: by an index where a filter is given, else a whole scan.
    ///
    /// # Errors
    /// See [`View::all_keys`].
    pub fn keys(&self, workspace: &str, filter: Option<ClearFilter>) -> Result<Vec<(Key, Usage)>> {
        self.keys_sifted(workspace, filter, Sieve::default(), &|key, usage| Some((key, usage)))
    }

    /// As [`View::keys`], without building the keys that do not pass a sieve. Of each of the others `take` keeps what is
    /// wanted, on several threads, so that the rest is never in memory together.
    ///
    /// # Errors
    /// See [`View::all_keys`].
    pub fn keys_sifted<T: Send>(
        &self,
        workspace: &str,
        filter: Option<ClearFilter>,
        sieve: Sieve<'_>,
        take: &(dyn Fn(Key, Usage) -> Option<T> + Sync),
    ) -> Result<Vec<T>> {
        let usage = all_usage(self)?;
        self.keys_alone(workspace, filter, sieve, &|key| {
            let used = usage.get(key.id.as_str()).cloned().unwrap_or_default();
            take(key, used)
        })
    }

    /// The keys of a workspace by facts in the clear, without their use.
    ///
    /// # Errors
    /// See [`View::all_keys`].
    pub fn keys_by(&self, workspace: &str, filter: ClearFilter) -> Result<Vec<Key>> {
        self.keys_alone(workspace, Some(filter), Sieve::default(), &Some)
    }

    fn keys_alone<T: Send>(
        &self,
        workspace: &str,
        filter: Option<ClearFilter>,
        sieve: Sieve<'_>,
        take: Take<'_, T>,
    ) -> Result<Vec<T>> {
        match filter {
            None => self.scan_for(Some(workspace), sieve, take),
            Some(ClearFilter::Expiring { after, by }) => {
                let after = after.map_or(i64::MIN, |time| time.timestamp());
                self.keys_timed(Timed::Expiry, (after, by.timestamp()), workspace, sieve, take)
            }
            Some(ClearFilter::Ended { by }) => {
                let by = by.timestamp();
                let mut found = self.keys_timed(Timed::Expiry, (i64::MIN, by), workspace, sieve, take)?;
                // A key without an end of its own ends with a secret that was not rotated, which lies behind its due date.
                let without_end = |key: Key| if key.expires_at.is_none() { take(key) } else { None };
                found.extend(self.keys_timed(Timed::Due, (i64::MIN, by), workspace, sieve, &without_end)?);
                Ok(found)
            }
            Some(ClearFilter::Due { by }) => {
                let by = by.timestamp();
                let mut found = self.keys_timed(Timed::Due, (i64::MIN, by), workspace, sieve, take)?;
                let not_yet = |key: Key| {
                    let found_before = Timed::Due.of_key(&key).is_some_and(|due| due <= by);
                    if found_before { None } else { take(key) }
                };
                found.extend(self.keys_timed(Timed::Rotating, ALWAYS, workspace, sieve, &not_yet)?);
                Ok(found)
            }
        }
    }

    /// How many keys of a workspace hold each scope by name.
    ///
    /// # Errors
    /// See [`View::all_keys`].
    pub fn scope_uses(&self, workspace: &str) -> Result<BTreeMap<Scope, usize>> {
        let mut uses = BTreeMap::new();
        for scope in self.all_keys(workspace)?.into_iter().flat_map(|key| key.scopes) {
            *uses.entry(scope).or_default() += 1;
        }
        Ok(uses)
    }

    /// Every key, checked as a set against the head.
    pub(super) fn scan(&self) -> Result<Vec<Key>> {
        self.scan_for(None, Sieve::default(), &Some)
    }

    pub(super) fn stored(&self, sql: &str, parameters: impl Params) -> Result<Vec<StoredKey>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(parameters, StoredKey::read)?.collect::<rusqlite::Result<_>>()?;
        Ok(rows)
    }

    /// The clear columns of every key, in the order of [`View::scan`].
    pub(super) fn stored_columns(&self) -> Result<Vec<KeyColumns>> {
        Ok(self.stored(&format!("SELECT {COLUMNS} FROM keys"), ())?.into_iter().map(|row| row.columns).collect())
    }

    pub(super) fn one(&self, condition: &str, parameters: impl Params) -> Result<Option<Key>> {
        let sql = format!("SELECT {COLUMNS} FROM keys WHERE {condition}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let Some(stored) = statement.query_row(parameters, StoredKey::read).optional()? else { return Ok(None) };
        let (id, epoch) = (stored.columns.id.clone(), stored.columns.epoch);
        let (key, tag) = stored.open(self.caps)?;
        self.check_current(&id, epoch, tag)?;
        Ok(Some(key))
    }
}

/// An index of the file was bent to lead to another key.
fn misled(key: &Key) -> Error {
    Error::RowTampered { table: "keys", id: key.id.to_string() }
}

impl Tx<'_> {
    /// Removes a key, its look-up ids and its usage for good.
    ///
    /// # Errors
    /// `Stale` when somebody else changed it in between.
    pub fn delete_key(&mut self, key: &Key) -> Result<()> {
        self.forget_key_row(key.id.as_str(), i64::try_from(key.version).map_err(|_| Error::Stale)?)?;
        self.forget_retired(&key.id)?;
        self.forget_lookups(key.id.as_str())?;
        for sql in usage::FORGET {
            self.connection.prepare_cached(sql)?.execute((key.id.as_str(),))?;
        }
        Ok(())
    }
}
