//! Sessions that were ended before their time: a copy of their file opens nothing any more.

use super::{
    error::Result,
    objects::{Kind, ObjectRecord},
    tx::Tx,
    view::View,
};
use crate::domain::Time;

impl View<'_> {
    /// Whether a session was ended.
    ///
    /// # Errors
    /// `RowTampered` when the row was changed.
    pub fn is_session_ended(&self, id: &str) -> Result<bool> {
        Ok(self.object(Kind::EndedSession, "", id)?.is_some())
    }
}

impl Tx<'_> {
    /// Remembers that a session was ended, until it would have ended by itself; forgets those that have.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn end_session(&mut self, id: &str, until: Time) -> Result<()> {
        let now = self.now.timestamp();
        let over = |record: &ObjectRecord| record.until.is_none_or(|until| until <= now);
        for record in self.objects(Kind::EndedSession, "")?.into_iter().filter(over) {
            self.delete_object(Kind::EndedSession, "", &record.name)?;
        }
        let record = ObjectRecord { name: id.to_owned(), until: Some(until.timestamp()), ..ObjectRecord::default() };
        self.put_object(Kind::EndedSession as i64, &record)
    }
}
