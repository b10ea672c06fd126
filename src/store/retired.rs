//! Versions of a secret that stopped working long ago, in a table of their own: a key that is rotated for years keeps a
//! short row, and an old token can still be named as what it was.
//!
//! A row is written once, checked by itself where it is read, and as part of its set by a whole check.

use super::{
    error::{Error, Result},
    head::Table,
    records::{SecretRecord, decode, encode},
    rows,
    sum::{self, Sum},
    tx::Tx,
    view::View,
};
use crate::{
    domain::{KeyId, Lookup, Secret, SecretState},
    vault::{Capabilities, seal_framed},
};
use rusqlite::{OptionalExtension, Row};

/// So many dead versions stay in the row of their key.
const KEPT: usize = 16;
const COLUMNS: &str = "lookup, key_id, generation, sealed, tag";

/// A row as stored.
pub(super) struct RetiredRow {
    lookup: String,
    pub(super) key_id: String,
    generation: i64,
    sealed: Vec<u8>,
    tag: Vec<u8>,
}

fn is_dead(secret: &&Secret) -> bool {
    matches!(secret.state, SecretState::Dead { .. })
}

/// How many of the dead versions, oldest first, are too many for the row of their key.
fn too_many(secrets: &[Secret]) -> usize {
    secrets.iter().filter(is_dead).count().saturating_sub(KEPT)
}

/// The versions that leave the row of their key.
pub(super) fn overflow(secrets: &[Secret]) -> impl Iterator<Item = &Secret> {
    secrets.iter().filter(is_dead).take(too_many(secrets))
}

/// The versions that stay there.
pub(super) fn kept(secrets: &[Secret]) -> impl Iterator<Item = &Secret> {
    let mut leaving = too_many(secrets);
    secrets.iter().filter(move |secret| {
        let leaves = leaving > 0 && is_dead(secret);
        leaving -= usize::from(leaves);
        !leaves
    })
}

impl RetiredRow {
    pub(super) fn seal(caps: &Capabilities, key: &KeyId, secret: &Secret) -> Result<Self> {
        let mut row = Self {
            lookup: secret.lookup.to_string(),
            key_id: key.to_string(),
            generation: i64::from(caps.generation),
            sealed: Vec::new(),
            tag: Vec::new(),
        };
        let sealed = rows::seal(caps, Table::Retired, &row.bound(caps), &encode(&SecretRecord::of(secret))?)?;
        (row.sealed, row.tag) = (sealed.sealed, sealed.tag.to_vec());
        Ok(row)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (lookup, key_id, generation) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Self { lookup, key_id, generation, sealed: row.get(3)?, tag: row.get(4)? })
    }

    fn bound(&self, caps: &Capabilities) -> Vec<u8> {
        seal_framed(&[
            caps.vault_id.as_bytes(),
            Table::Retired.name().as_bytes(),
            self.lookup.as_bytes(),
            self.key_id.as_bytes(),
            &self.generation.to_le_bytes(),
        ])
    }

    fn checked_tag(&self, caps: &Capabilities, bound: &[u8]) -> Result<Option<[u8; 32]>> {
        let tag = rows::tag(caps, Table::Retired, bound, &self.sealed);
        if tag.is_some_and(|tag| tag.as_slice() != self.tag) { Err(self.tampered()) } else { Ok(tag) }
    }

    fn open(&self, caps: &Capabilities) -> Result<(Secret, Option<[u8; 32]>)> {
        let bound = self.bound(caps);
        let tag = self.checked_tag(caps, &bound)?;
        let plain = caps.open_record(&bound, &self.sealed).map_err(|_| self.tampered())?;
        let secret = decode::<SecretRecord>(&plain)?.into_secret()?;
        if is_dead(&&secret) && secret.lookup.as_str() == self.lookup {
            Ok((secret, tag))
        } else {
            Err(self.tampered())
        }
    }

    fn tampered(&self) -> Error {
        Error::RowTampered { table: Table::Retired.name(), id: self.lookup.clone() }
    }
}

impl View<'_> {
    /// The version of a key's secret that left its row.
    pub(super) fn retired_secret(&self, lookup: &Lookup, key: &KeyId) -> Result<Option<Secret>> {
        let sql = format!("SELECT {COLUMNS} FROM retired WHERE lookup = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let Some(row) = statement.query_row((lookup.as_str(),), RetiredRow::read).optional()? else {
            return Ok(None);
        };
        if row.lookup != lookup.as_str() || row.key_id != key.as_str() {
            return Err(row.tampered());
        }
        row.open(self.caps).map(|(secret, _)| Some(secret))
    }

    /// Those of some keys, whose ids are a list in JSON, each checked by itself.
    pub(super) fn retired_of(&self, keys: &str) -> Result<Vec<(String, Secret)>> {
        let sql = format!("SELECT {COLUMNS} FROM retired WHERE key_id IN (SELECT value FROM json_each(?1))");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map((keys,), RetiredRow::read)?;
        let opened = rows.map(|row| {
            let row = row?;
            let (secret, _) = row.open(self.caps)?;
            Ok((row.key_id, secret))
        });
        opened.collect()
    }

    /// All of them with their keys' ids, checked as a set against the head.
    pub(super) fn all_retired(&self) -> Result<Vec<(String, Secret)>> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM retired"))?;
        let (mut sum, mut all) = (Sum::default(), Vec::new());
        for row in statement.query_map([], RetiredRow::read)? {
            let row = row?;
            let (secret, tag) = row.open(self.caps)?;
            if let Some(element) = tag.and_then(|tag| element(self.caps, &row.lookup, &tag)) {
                sum.add(element);
            }
            all.push((row.key_id, secret));
        }
        self.check_set(Table::Retired, all.len(), sum)?;
        Ok(all)
    }
}

fn element(caps: &Capabilities, lookup: &str, tag: &[u8; 32]) -> Option<Sum> {
    sum::of_row(caps, Table::Retired, lookup.as_bytes(), tag)
}

impl Tx<'_> {
    /// Adds a row, unless the version has left the row of its key before.
    pub(super) fn put_retired(&mut self, row: &RetiredRow) -> Result<()> {
        let sql = format!("INSERT OR IGNORE INTO retired ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5)");
        let added = self.connection.prepare_cached(&sql)?.execute((
            &row.lookup,
            &row.key_id,
            row.generation,
            &row.sealed,
            &row.tag,
        ))?;
        if added == 0 {
            return Ok(());
        }
        let tag = row.tag.as_slice().try_into().map_err(|_| row.tampered())?;
        self.row_added(Table::Retired, row.lookup.as_bytes(), tag)
    }

    /// Seals one again, under the keys of this transaction.
    pub(super) fn reseal_retired(&mut self, key_id: &str, secret: &Secret) -> Result<()> {
        let key = key_id.parse().map_err(|_| Error::Damaged(None))?;
        let row = RetiredRow::seal(self.caps, &key, secret)?;
        self.put_retired(&row)
    }

    /// Removes those of a key.
    pub(super) fn forget_retired(&mut self, key: &KeyId) -> Result<()> {
        let sql = format!("DELETE FROM retired WHERE key_id = ?1 RETURNING {COLUMNS}");
        let rows = self
            .connection
            .prepare_cached(&sql)?
            .query_map((key.as_str(),), RetiredRow::read)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        for row in rows {
            let tag = row.checked_tag(self.caps, &row.bound(self.caps))?.ok_or(Error::SupportSlot)?;
            self.row_removed(Table::Retired, row.lookup.as_bytes(), &tag)?;
        }
        Ok(())
    }
}
