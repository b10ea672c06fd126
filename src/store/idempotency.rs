//! Remembered idempotency keys: for 24 hours the same one names the same key. They are objects like any other.

use super::{
    error::Result,
    objects::{Kind, ObjectRecord},
    tx::Tx,
    view::View,
};
use crate::domain::KeyId;
use chrono::TimeDelta;

/// How long an idempotency key is remembered.
const REMEMBERED: TimeDelta = TimeDelta::hours(24);

impl View<'_> {
    /// The key that an idempotency key made within the last 24 hours.
    ///
    /// # Errors
    /// See [`View::workspace`].
    pub fn idempotent(&self, idempotency_key: &str) -> Result<Option<KeyId>> {
        let record = self.object(Kind::Idempotency, "", idempotency_key)?.filter(|record| self.is_remembered(record));
        Ok(record.and_then(|record| record.remembered().1.and_then(|id| id.parse().ok())))
    }

    fn is_remembered(&self, record: &ObjectRecord) -> bool {
        record.remembered().0.is_some_and(|at| at > (self.now - REMEMBERED).timestamp())
    }
}

impl Tx<'_> {
    /// Remembers which key an idempotency key made, and forgets those that are over.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn remember_idempotency(&mut self, idempotency_key: &str, id: &KeyId) -> Result<()> {
        if !self.forgot_idempotency {
            self.forget_idempotency()?;
            self.forgot_idempotency = true;
        }
        let record = ObjectRecord::idempotency(idempotency_key, id.to_string(), self.now.timestamp());
        self.put_object(Kind::Idempotency as i64, &record)
    }

    fn forget_idempotency(&mut self) -> Result<()> {
        let kind = Kind::Idempotency as i64;
        for stored in self.stored_objects()?.into_iter().filter(|stored| stored.kind == kind) {
            let (record, _) = stored.open(self.caps)?;
            if !self.is_remembered(&record) {
                self.forget_object(kind, &stored.name_index)?;
            }
        }
        Ok(())
    }
}
