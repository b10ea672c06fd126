//! Writing keys. A row is sealed apart from the transaction, so that a whole file of keys is sealed by all threads and
//! written by one.

use super::{
    error::{Error, Result},
    head::Table,
    keys::{COLUMNS, StoredKey, bound, name_index, workspace_index},
    records::{KeyColumns, KeyRecord, encode, environment_number},
    retired::{self, RetiredRow},
    rows::{self, SealedRow},
    sum::Sum,
    tx::Tx,
};
use crate::{domain::Key, vault::Capabilities};
use rusqlite::OptionalExtension;
use std::sync::LazyLock;

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO keys ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
    )
});

/// Seals keys for one transaction, on any thread.
#[derive(Clone, Copy)]
pub struct Sealer<'s> {
    caps: &'s Capabilities,
    epoch: i64,
}

/// A key ready to be written by the transaction it was sealed for.
pub struct SealedKey {
    columns: KeyColumns,
    row: SealedRow,
    lookups: Vec<String>,
    retired: Vec<RetiredRow>,
}

impl Sealer<'_> {
    /// Seals a key as the next version of itself.
    ///
    /// # Errors
    /// Without the keys of an admin.
    pub fn seal(&self, key: &Key) -> Result<SealedKey> {
        let caps = self.caps;
        let columns = KeyColumns {
            id: key.id.to_string(),
            name_index: name_index(caps, &key.workspace, key.environment, &key.name),
            workspace_index: workspace_index(caps, &key.workspace),
            environment: environment_number(key.environment),
            active: key.active,
            revoked_at: key.revoked_at.map(|time| time.timestamp()),
            expires_at: key.expires_at.map(|time| time.timestamp()),
            created_at: key.created_at.timestamp(),
            due_at: key.rotation.due_at.map(|time| time.timestamp()),
            rotation: key.run.as_ref().map(|run| run.id.to_string()),
            rotating: key.running().is_some(),
            version: i64::try_from(key.version).map_err(|_| Error::Stale)? + 1,
            epoch: self.epoch,
            generation: i64::from(caps.generation),
        };
        let row = seal_row(caps, &columns, key)?;
        let lookups = key.secrets.iter().map(|secret| secret.lookup.to_string()).collect();
        let retired = retired::overflow(&key.secrets).map(|secret| RetiredRow::seal(caps, &key.id, secret));
        Ok(SealedKey { columns, row, lookups, retired: retired.collect::<Result<_>>()? })
    }
}

fn seal_row(caps: &Capabilities, columns: &KeyColumns, key: &Key) -> Result<SealedRow> {
    rows::seal(caps, Table::Keys, &bound(caps, columns), &encode(&KeyRecord::of(key))?)
}

impl<'s> Tx<'s> {
    /// What seals keys for this transaction.
    #[must_use]
    pub fn sealer(&self) -> Sealer<'s> {
        Sealer { caps: self.view.caps, epoch: self.next_epoch() }
    }

    /// Inserts a key of version 0, or replaces the version it was read at.
    ///
    /// # Errors
    /// `Stale` when somebody else changed it in between.
    pub fn put_key(&mut self, key: &Key) -> Result<()> {
        let sealed = self.sealer().seal(key)?;
        self.put_sealed(&sealed)
    }

    /// As [`Tx::put_key`], of a key that was sealed before.
    ///
    /// # Errors
    /// `Stale` when somebody else changed it in between.
    pub fn put_sealed(&mut self, sealed: &SealedKey) -> Result<()> {
        self.forget_key_row(&sealed.columns.id, sealed.columns.version - 1)?;
        self.write_key_row(&sealed.columns, &sealed.row)?;
        let mut lookups =
            self.connection.prepare_cached("INSERT OR IGNORE INTO lookups (lookup, key_id) VALUES (?1, ?2)")?;
        for lookup in &sealed.lookups {
            if lookups.execute((lookup, &sealed.columns.id))? == 1 {
                self.in_lookups(lookup, &sealed.columns.id, Sum::add)?;
            }
        }
        drop(lookups);
        sealed.retired.iter().try_for_each(|row| self.put_retired(row))
    }

    /// Seals a key again, under the keys of this transaction; the row was opened under the old ones.
    pub(super) fn reseal_key(&mut self, mut columns: KeyColumns, key: &Key) -> Result<()> {
        self.connection.prepare_cached("DELETE FROM keys WHERE id = ?1")?.execute((key.id.as_str(),))?;
        columns.name_index = name_index(self.caps, &key.workspace, key.environment, &key.name);
        columns.workspace_index = workspace_index(self.caps, &key.workspace);
        columns.generation = i64::from(self.caps.generation);
        let row = seal_row(self.caps, &columns, key)?;
        self.write_key_row(&columns, &row)
    }

    fn write_key_row(&mut self, columns: &KeyColumns, row: &SealedRow) -> Result<()> {
        self.connection.prepare_cached(&INSERT)?.execute((
            &columns.id,
            &columns.name_index,
            &columns.workspace_index,
            columns.environment,
            columns.active,
            columns.revoked_at,
            columns.expires_at,
            columns.created_at,
            columns.due_at,
            &columns.rotation,
            columns.rotating,
            columns.version,
            columns.epoch,
            columns.generation,
            &row.sealed,
            row.tag.as_slice(),
        ))?;
        self.key_added(columns, &row.tag)
    }

    /// Removes the row of a version of a key; version 0 has none.
    pub(super) fn forget_key_row(&mut self, id: &str, version: i64) -> Result<()> {
        if version == 0 {
            return Ok(());
        }
        let sql = format!("DELETE FROM keys WHERE id = ?1 AND version = ?2 RETURNING {COLUMNS}");
        let old = self.connection.prepare_cached(&sql)?.query_row((id, version), StoredKey::read).optional()?;
        let old = old.ok_or(Error::Stale)?;
        let tag = old.checked_tag(self.caps, &bound(self.caps, &old.columns))?.ok_or(Error::SupportSlot)?;
        self.key_removed(&old.columns, &tag)
    }
}
