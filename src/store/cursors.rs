//! How far the trail was streamed to each place outside: durable, in the keystore, so that a backup that is restored brings
//! its own cursor back. Events may then come twice, and none is left out.
//!
//! A cursor is tagged by an admin's key together with the event that it stands on: whoever can write the file can put an
//! older one back, after which events come twice, or remove it, but cannot have events left out.

use super::{
    error::{Error, Result},
    open::Store,
    tx::Tx,
    view::View,
};
use crate::vault::Capabilities;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

/// The table.
pub(super) const SCHEMA: &str = "
CREATE TABLE stream_cursors (place BLOB PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// A cursor as stored, checked.
pub(super) struct Cursor {
    place: Vec<u8>,
    seq: i64,
}

impl View<'_> {
    /// The last event that a place has confirmed; 0 for one that is new.
    ///
    /// # Errors
    /// `RowTampered` when somebody else wrote it.
    pub fn stream_cursor(&self, place: &str) -> Result<u64> {
        let place = name(&self.meta.vault_id, place);
        let found = self.cursors()?.into_iter().find(|cursor| cursor.place == place);
        Ok(found.and_then(|cursor| u64::try_from(cursor.seq).ok()).unwrap_or(0))
    }

    /// All of them: there are as many as there are places.
    pub(super) fn cursors(&self) -> Result<Vec<Cursor>> {
        let mut statement = self.connection.prepare_cached("SELECT place, seq, tag FROM stream_cursors")?;
        let rows = statement
            .query_map([], |row| Ok((Cursor { place: row.get(0)?, seq: row.get(1)? }, row.get(2)?)))?
            .collect::<rusqlite::Result<Vec<(Cursor, Option<Vec<u8>>)>>>()?;
        let checked = rows.into_iter().map(|(cursor, found)| {
            // A support slot cannot tell, and nobody tagged them before.
            let expected = if self.counts_everything() { cursor.tag(self.connection, self.caps)? } else { None };
            if expected.is_some_and(|expected| found.as_deref() != Some(&expected)) {
                let id = super::audit::hex(cursor.place.get(..8).unwrap_or_default());
                return Err(Error::RowTampered { table: "stream_cursors", id });
            }
            Ok(cursor)
        });
        checked.collect()
    }
}

impl Tx<'_> {
    /// Tags cursors under the keys of this transaction.
    pub(super) fn tag_cursors(&mut self, cursors: &[Cursor]) -> Result<()> {
        cursors.iter().try_for_each(|cursor| cursor.put(self.connection, self.caps))
    }
}

impl Store {
    /// Remembers the last event that a place has confirmed.
    ///
    /// # Errors
    /// Those of a write.
    pub fn put_stream_cursor(&self, place: &str, seq: u64) -> Result<()> {
        let place = name(&self.meta.vault_id, place);
        Cursor { place, seq: i64::try_from(seq).map_err(|_| Error::Full)? }.put(&self.connection, &self.caps)
    }
}

impl Cursor {
    fn put(&self, connection: &Connection, caps: &Capabilities) -> Result<()> {
        let tag = self.tag(connection, caps)?.ok_or(Error::SupportSlot)?;
        connection
            .prepare_cached(
                "INSERT INTO stream_cursors (place, seq, tag) VALUES (?1, ?2, ?3)
                 ON CONFLICT (place) DO UPDATE SET seq = ?2, tag = ?3",
            )?
            .execute((&self.place, self.seq, tag.as_slice()))?;
        Ok(())
    }

    /// Over the event that it stands on, too: after a restore, a cursor of what was replaced is none.
    fn tag(&self, connection: &Connection, caps: &Capabilities) -> Result<Option<[u8; 32]>> {
        let event: Option<Vec<u8>> = connection
            .prepare_cached(
                "SELECT hash FROM audit WHERE seq = ?1
                 UNION ALL SELECT hash FROM tree WHERE level = 0 AND place = ?1 - 1",
            )?
            .query_row((self.seq,), |row| row.get(0))
            .optional()?;
        Ok(caps.row_tag(&[b"stream cursor", &self.place, &self.seq.to_le_bytes(), &event.unwrap_or_default()]))
    }
}

/// A place may hold a credential: only its hash is kept.
fn name(vault_id: &str, place: &str) -> Vec<u8> {
    Sha256::new().chain_update(vault_id).chain_update([0]).chain_update(place).finalize().to_vec()
}
