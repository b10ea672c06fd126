//! How far the trail was streamed to each place outside: durable, in the keystore, so that a backup that is restored brings
//! its own cursor back. Events may then come twice, and none is left out.
//!
//! In the clear and outside the signed head: whoever can write the file can have events left out of a stream. What was sent
//! shows it by the gap in its numbers, and a checkpoint does in any case.

use super::{error::Result, open::Store, view::View};
use rusqlite::OptionalExtension;
use sha2::{Digest, Sha256};

/// The table.
pub(super) const SCHEMA: &str = "
CREATE TABLE stream_cursors (place BLOB PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

impl View<'_> {
    /// The last event that a place has confirmed; 0 for one that is new, and never more than there are.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn stream_cursor(&self, place: &str) -> Result<u64> {
        let found = self
            .connection
            .prepare_cached("SELECT seq FROM stream_cursors WHERE place = ?1")?
            .query_row((name(&self.meta.vault_id, place),), |row| row.get::<_, i64>(0))
            .optional()?;
        Ok(found.and_then(|seq| u64::try_from(seq).ok()).unwrap_or(0).min(self.trail_size()))
    }
}

impl Store {
    /// Remembers the last event that a place has confirmed.
    ///
    /// # Errors
    /// Those of a write.
    pub fn put_stream_cursor(&self, place: &str, seq: u64) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO stream_cursors (place, seq) VALUES (?1, ?2) ON CONFLICT (place) DO UPDATE SET seq = ?2",
            )?
            .execute((name(&self.meta.vault_id, place), i64::try_from(seq).unwrap_or(i64::MAX)))?;
        Ok(())
    }
}

/// A place may hold a credential: only its hash is kept.
fn name(vault_id: &str, place: &str) -> Vec<u8> {
    Sha256::new().chain_update(vault_id).chain_update([0]).chain_update(place).finalize().to_vec()
}
