//! What keys have spent of their rate limits, so that a server that starts again goes on counting.
//!
//! In the clear, as all counters and times are, and outside the signed head: whoever can write the file can give a key its
//! limit back, and nothing else.

use crate::{
    domain::{Spent, Time},
    store::{
        error::{Error, Result},
        records::{decode, encode},
        view::View,
    },
};
use rusqlite::Connection;

/// One row a key: the last request, when all of it is over, and the requests of the last window.
pub(in crate::store) const SCHEMA: &str = "
CREATE TABLE spent_limits (
    key_id TEXT PRIMARY KEY, tick_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, over_ms INTEGER NOT NULL,
    ticks BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

impl View<'_> {
    /// What counts at this time.
    ///
    /// # Errors
    /// `Damaged` for a row that cannot be read.
    pub fn spent_limits(&self) -> Result<Vec<Spent>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT key_id, tick_ms, last_ms, over_ms, ticks FROM spent_limits WHERE over_ms > ?1")?;
        let rows = statement
            .query_map((self.now.timestamp_millis(),), |row| {
                let times = (row.get(1)?, row.get(2)?, row.get(3)?);
                Ok((row.get::<_, String>(0)?, times, row.get::<_, Vec<u8>>(4)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter()
            .map(|(key, (tick_ms, last_ms, over_ms), ticks)| {
                let key = key.parse().map_err(|_| Error::Damaged(None))?;
                Ok(Spent { key, tick_ms, last_ms, over_ms, ticks: decode(&ticks)? })
            })
            .collect()
    }
}

/// Replaces what these keys have spent; of keys that are gone, nothing is kept.
pub(super) fn put(connection: &Connection, spent: &[Spent]) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO spent_limits (key_id, tick_ms, last_ms, over_ms, ticks)
         SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM keys WHERE id = ?1)",
    )?;
    for one in spent {
        let ticks = encode(&one.ticks)?;
        statement.execute((one.key.as_str(), one.tick_ms, one.last_ms, one.over_ms, &ticks[..]))?;
    }
    Ok(())
}

/// Removes what counts no more.
pub(super) fn prune(connection: &Connection, now: Time) -> Result<()> {
    connection.prepare_cached("DELETE FROM spent_limits WHERE over_ms <= ?1")?.execute((now.timestamp_millis(),))?;
    Ok(())
}
