//! Remembered idempotency keys: for 24 hours the same one names the same key.
//!
//! There may be thousands, so they have a table of their own, which no change has to go through: a row that is read is
//! checked by itself, the set of them by a whole check. A row that somebody removed makes a repeated command do its work
//! again, where the name of the key still stands in its way.

use super::{
    error::{Error, Result},
    head::Table,
    records::{decode, encode},
    rows,
    sum::{self, Sum},
    tx::Tx,
    view::View,
};
use crate::{
    domain::KeyId,
    vault::{Capabilities, seal_framed},
};
use chrono::TimeDelta;
use minicbor::{Decode, Encode};
use rusqlite::{OptionalExtension, Row};

/// How long an idempotency key is remembered.
const REMEMBERED: TimeDelta = TimeDelta::hours(24);

const COLUMNS: &str = "name_index, at, generation, sealed, tag";

/// What is remembered.
#[derive(Encode, Decode)]
pub(super) struct Remembered {
    #[n(0)]
    idempotency_key: String,
    #[n(1)]
    made: String,
    /// The digest of the request, which tells a repetition from another request under the same key.
    #[n(2)]
    request: String,
}

struct Stored {
    name_index: Vec<u8>,
    at: i64,
    generation: i64,
    sealed: Vec<u8>,
    tag: Vec<u8>,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (name_index, at, generation) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Self { name_index, at, generation, sealed: row.get(3)?, tag: row.get(4)? })
    }

    fn bound(&self, caps: &Capabilities) -> Vec<u8> {
        seal_framed(&[
            caps.vault_id.as_bytes(),
            Table::Idempotency.name().as_bytes(),
            &self.name_index,
            &self.at.to_le_bytes(),
            &self.generation.to_le_bytes(),
        ])
    }

    /// What the row holds, and its tag as far as this slot can make it.
    fn open(&self, caps: &Capabilities) -> Result<(Remembered, Option<[u8; 32]>)> {
        let bound = self.bound(caps);
        let tag = rows::tag(caps, Table::Idempotency, &bound, &self.sealed);
        let plain = caps.open_record(&bound, &self.sealed).map_err(|_| self.tampered())?;
        if tag.is_some_and(|tag| tag.as_slice() != self.tag) {
            Err(self.tampered())
        } else {
            Ok((decode(&plain)?, tag))
        }
    }

    fn tampered(&self) -> Error {
        Error::RowTampered { table: Table::Idempotency.name(), id: super::audit::hex(&self.name_index) }
    }
}

fn name_index(caps: &Capabilities, idempotency_key: &str) -> Vec<u8> {
    caps.blind_index("idempotency", idempotency_key).to_vec()
}

impl View<'_> {
    /// The key that an idempotency key made within the last 24 hours, and the digest of the request that made it.
    ///
    /// # Errors
    /// `RowTampered` when the row was changed.
    pub fn idempotent(&self, idempotency_key: &str) -> Result<Option<(KeyId, String)>> {
        let sql = format!("SELECT {COLUMNS} FROM idempotency WHERE name_index = ?1 AND at > ?2");
        let index = name_index(self.caps, idempotency_key);
        let stored =
            self.connection.prepare_cached(&sql)?.query_row((&index, self.over_before()), Stored::read).optional()?;
        let Some(stored) = stored else { return Ok(None) };
        if stored.name_index != index {
            return Err(stored.tampered());
        }
        let (remembered, _) = stored.open(self.caps)?;
        let id = remembered.made.parse().map_err(|_| stored.tampered())?;
        Ok(Some((id, remembered.request)))
    }

    /// All that are remembered, with the time, checked as a set against the head.
    pub(super) fn all_remembered(&self) -> Result<Vec<(Remembered, i64)>> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM idempotency"))?;
        let stored = statement.query_map([], Stored::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        let (mut sum, mut all) = (Sum::default(), Vec::with_capacity(stored.len()));
        for row in &stored {
            let (remembered, tag) = row.open(self.caps)?;
            if let Some(element) = tag.and_then(|tag| sum::of_row(self.caps, Table::Idempotency, &row.name_index, &tag))
            {
                sum.add(element);
            }
            all.push((remembered, row.at));
        }
        self.check_set(Table::Idempotency, stored.len(), sum)?;
        Ok(all)
    }

    fn over_before(&self) -> i64 {
        (self.now - REMEMBERED).timestamp()
    }
}

impl Tx<'_> {
    /// Remembers which key an idempotency key made of which request, and forgets those that are over.
    ///
    /// # Errors
    /// Those of SQLite; `RowTampered` when a row that is over was changed.
    pub fn remember_idempotency(&mut self, idempotency_key: &str, id: &KeyId, request: &str) -> Result<()> {
        if !self.forgot_idempotency {
            self.forget_remembered("at <= ?1", self.over_before())?;
            self.forgot_idempotency = true;
        }
        self.forget_remembered("name_index = ?1", name_index(self.caps, idempotency_key))?;
        let (idempotency_key, request) = (idempotency_key.to_owned(), request.to_owned());
        let remembered = Remembered { idempotency_key, made: id.to_string(), request };
        self.put_remembered(&remembered, self.now.timestamp())
    }

    /// Forgets the idempotency keys of which that is said, by what they are and the id of what they made.
    ///
    /// # Errors
    /// `RowTampered` when a row was changed, `SetMismatch` when one is missing.
    pub fn forget_idempotency(&mut self, gone: impl Fn(&str, &str) -> bool) -> Result<()> {
        for (Remembered { idempotency_key, made, .. }, _) in self.all_remembered()? {
            if gone(&idempotency_key, &made) {
                self.forget_remembered("name_index = ?1", name_index(self.caps, &idempotency_key))?;
            }
        }
        Ok(())
    }

    pub(super) fn put_remembered(&mut self, remembered: &Remembered, at: i64) -> Result<()> {
        let (caps, sealed, tag) = (self.caps, Vec::new(), Vec::new());
        let name_index = name_index(caps, &remembered.idempotency_key);
        let mut stored = Stored { name_index, at, generation: i64::from(caps.generation), sealed, tag };
        let row = rows::seal(caps, Table::Idempotency, &stored.bound(caps), &encode(remembered)?)?;
        stored.sealed = row.sealed;
        self.connection
            .prepare_cached(&format!("INSERT INTO idempotency ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5)"))?
            .execute((&stored.name_index, stored.at, stored.generation, &stored.sealed, row.tag.as_slice()))?;
        self.row_added(Table::Idempotency, &stored.name_index, &row.tag)
    }

    fn forget_remembered(&mut self, condition: &str, parameter: impl rusqlite::ToSql) -> Result<()> {
        let sql = format!("DELETE FROM idempotency WHERE {condition} RETURNING {COLUMNS}");
        let stored = self
            .connection
            .prepare_cached(&sql)?
            .query_map((parameter,), Stored::read)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        for row in stored {
            let (_, tag) = row.open(self.caps)?;
            self.row_removed(Table::Idempotency, &row.name_index, &tag.ok_or(Error::SupportSlot)?)?;
        }
        Ok(())
    }
}
