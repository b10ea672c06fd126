//! The slots that open the vault. They are readable before anything is open, and digested like every other table.

use super::{
    error::{Error, Result},
    head::Table,
    records::{decode, encode, time},
    rows,
    sum::{self, Sum},
    tx::Tx,
    view::View,
};
use crate::vault::{KdfParams, Slot};
use minicbor::{Decode, Encode};
use rusqlite::{Connection, OptionalExtension};

#[derive(Encode, Decode)]
struct SlotRecord {
    #[n(0)]
    id: String,
    #[n(1)]
    kind: String,
    #[n(2)]
    role: String,
    #[n(3)]
    label: Option<String>,
    #[n(4)]
    created_at: i64,
    #[n(5)]
    kdf: Option<KdfParams>,
    #[cbor(n(6), with = "minicbor::bytes")]
    salt: [u8; 16],
    #[cbor(n(7), with = "minicbor::bytes")]
    commitment: [u8; 32],
    #[n(8)]
    generation: u32,
    #[cbor(n(9), with = "minicbor::bytes")]
    wrapped: Vec<u8>,
}

impl SlotRecord {
    fn of(slot: &Slot) -> Self {
        Self {
            id: slot.id.clone(),
            kind: slot.kind.as_str().to_owned(),
            role: slot.role.as_str().to_owned(),
            label: slot.label.clone(),
            created_at: slot.created_at.timestamp(),
            kdf: slot.kdf,
            salt: slot.salt,
            commitment: slot.commitment,
            generation: slot.generation,
            wrapped: slot.wrapped.clone(),
        }
    }

    fn into_slot(self) -> Result<Slot> {
        let damaged = |_: String| Error::RowTampered { table: "slots", id: self.id.clone() };
        Ok(Slot {
            kind: self.kind.parse().map_err(damaged)?,
            role: self.role.parse().map_err(damaged)?,
            label: self.label,
            created_at: time(self.created_at)?,
            kdf: self.kdf,
            salt: self.salt,
            commitment: self.commitment,
            generation: self.generation,
            wrapped: self.wrapped,
            id: self.id,
        })
    }
}

/// All slots, oldest first; needs no key.
pub(super) fn read(connection: &Connection) -> Result<Vec<Slot>> {
    let mut statement = connection.prepare_cached("SELECT body FROM slots ORDER BY rowid")?;
    let bodies = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    bodies.iter().map(|body| decode::<SlotRecord>(body)?.into_slot()).collect()
}

impl View<'_> {
    /// All slots, oldest first.
    ///
    /// # Errors
    /// `RowTampered` when one does not decode; `SetMismatch` when one was added, edited or removed.
    pub fn slots(&self) -> Result<Vec<Slot>> {
        self.check_small_tables()?;
        read(self.connection)
    }

    /// Checks the slots as a set against the head.
    pub(super) fn check_slots(&self) -> Result<()> {
        let mut statement = self.connection.prepare_cached("SELECT id, body, tag FROM slots")?;
        let stored = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<Vec<(String, Vec<u8>, Vec<u8>)>>>()?;
        let mut sum = Sum::default();
        for (id, body, found) in &stored {
            let tag = rows::tag(self.caps, Table::Slots, id.as_bytes(), body);
            if tag.is_some_and(|tag| tag.as_slice() != found) {
                return Err(Error::SetMismatch(Table::Slots.name()));
            }
            if let Some(element) = tag.and_then(|tag| sum::of_row(self.caps, Table::Slots, id.as_bytes(), &tag)) {
                sum.add(element);
            }
        }
        self.check_set(Table::Slots, stored.len(), sum)
    }
}

impl Tx<'_> {
    /// Adds a slot, or replaces the one of its id.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn put_slot(&mut self, slot: &Slot) -> Result<()> {
        self.delete_slot(&slot.id)?;
        let body = encode(&SlotRecord::of(slot))?;
        let tag = rows::tag(self.caps, Table::Slots, slot.id.as_bytes(), &body).ok_or(Error::SupportSlot)?;
        self.connection.prepare_cached("INSERT INTO slots (id, body, tag) VALUES (?1, ?2, ?3)")?.execute((
            &slot.id,
            body.as_slice(),
            tag.as_slice(),
        ))?;
        self.row_added(Table::Slots, slot.id.as_bytes(), &tag)
    }

    /// Removes a slot, if there is one of that id.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn delete_slot(&mut self, id: &str) -> Result<()> {
        let body: Option<Vec<u8>> = self
            .connection
            .prepare_cached("DELETE FROM slots WHERE id = ?1 RETURNING body")?
            .query_row((id,), |row| row.get(0))
            .optional()?;
        let Some(body) = body else { return Ok(()) };
        let tag = rows::tag(self.caps, Table::Slots, id.as_bytes(), &body).ok_or(Error::SupportSlot)?;
        self.row_removed(Table::Slots, id.as_bytes(), &tag)
    }
}
