//! Checking everything: chain, hashes, seals, sets, and that the rows are what the trail says.

use super::{
    audit::{Body, hex, leaf},
    error::{Error, Result},
    open::Store,
    view::View,
};
use crate::domain::{Key, Time};
use std::collections::HashMap;

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyReport {
    /// Events in the trail.
    pub events: u64,
    /// Keys that agree with it.
    pub keys: u64,
    /// The epoch of the head.
    pub epoch: u64,
}

impl Store {
    /// Checks the whole keystore.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn verify_all(&self, now: Time) -> Result<VerifyReport> {
        let damaged: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if damaged != "ok" {
            return Err(Error::Damaged(None));
        }
        self.read(now)?.verify()
    }
}

impl View<'_> {
    pub(super) fn verify(&self) -> Result<VerifyReport> {
        let last_epochs = self.verify_trail()?;
        let keys = self.scan()?;
        self.check_objects()?;
        self.check_slots()?;
        self.all_remembered()?;
        self.check_every_page()?;
        self.verify_rows(&last_epochs)?;
        self.verify_lookups(&keys)?;
        Ok(VerifyReport { events: self.head.size, keys: keys.len() as u64, epoch: self.head.epoch })
    }

    /// Walks the chain; answers with the epoch of the last commit on each target.
    fn verify_trail(&self) -> Result<HashMap<String, i64>> {
        let (mut prev, mut size, mut epoch) = ([0u8; 32], 0u64, 0u64);
        let mut last_epochs = HashMap::new();
        for stored in self.stored_events()? {
            let seq = size + 1;
            let bad = |what| Error::Trail { seq, what };
            if u64::try_from(stored.seq) != Ok(seq) {
                return Err(bad("it is missing, or another one stands in its place"));
            }
            let body: Body = serde_json::from_slice(&stored.body).map_err(|_| bad("its body does not parse"))?;
            if leaf(&stored.body).as_slice() != stored.hash {
                return Err(bad("its body does not have its hash"));
            }
            if body.seq != seq || body.chain != self.head.vault_id || body.prev != hex(&prev) {
                return Err(bad("it does not follow the one before it"));
            }
            let columns_agree = i64::try_from(body.epoch) == Ok(stored.epoch)
                && body.target == stored.target
                && (body.outcome == "ok") == stored.done;
            if !columns_agree || body.epoch < epoch {
                return Err(bad("its columns are not those of its body"));
            }
            if self.caps.admin.is_some() {
                self.open_detail_of(&stored, &body)?;
            }
            if stored.done {
                last_epochs.insert(stored.target, stored.epoch);
            }
            (prev, size, epoch) = (leaf(&stored.body), seq, body.epoch);
        }
        if size != self.head.size || prev != self.head.last_hash {
            return Err(Error::TrailCut);
        }
        Ok(last_epochs)
    }

    /// Each version of each secret is found under its key, and nothing else is found.
    fn verify_lookups(&self, keys: &[Key]) -> Result<()> {
        let mut statement = self.connection.prepare("SELECT lookup, key_id FROM lookups")?;
        let found = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
            .collect::<rusqlite::Result<HashMap<_, _>>>()?;
        let mut secrets = 0;
        for key in keys {
            for secret in &key.secrets {
                secrets += 1;
                if found.get(secret.lookup.as_str()).map(String::as_str) != Some(key.id.as_str()) {
                    return Err(Error::SetMismatch("lookups"));
                }
            }
        }
        if found.len() == secrets { Ok(()) } else { Err(Error::SetMismatch("lookups")) }
    }

    /// Every key must be as its last event left it: that alone finds a change that was made without an event.
    fn verify_rows(&self, last_epochs: &HashMap<String, i64>) -> Result<()> {
        let mut statement = self.connection.prepare("SELECT id, epoch FROM keys")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        for row in rows {
            let (id, epoch) = row?;
            if last_epochs.get(&id) != Some(&epoch) {
                return Err(Error::RowRolledBack { table: "keys", id });
            }
        }
        Ok(())
    }
}
