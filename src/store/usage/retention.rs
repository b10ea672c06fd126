//! For how long facts of use are kept: a setting of the vault, covered by the signed head as every object is.

use crate::{
    domain::Retention,
    store::{
        error::{Error, Result},
        objects::{Kind, ObjectRecord},
        tx::Tx,
        view::View,
    },
};
use chrono::TimeDelta;

impl View<'_> {
    /// The settings.
    ///
    /// # Errors
    /// See [`View::workspace`].
    pub fn retention(&self) -> Result<Retention> {
        let Some(kept) = self.object(Kind::Retention, "", "")?.and_then(|record| record.retention) else {
            return Ok(Retention::default());
        };
        let (counts, verdicts, verdicts_per_key, addresses_per_key) = kept;
        let seconds = |count| TimeDelta::try_seconds(count).ok_or(Error::Damaged(None));
        Ok(Retention { counts: seconds(counts)?, verdicts: seconds(verdicts)?, verdicts_per_key, addresses_per_key })
    }
}

impl Tx<'_> {
    /// Replaces the settings; what is too old by them goes with the next batches.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn put_retention(&mut self, retention: &Retention) -> Result<()> {
        let kept = (
            retention.counts.num_seconds(),
            retention.verdicts.num_seconds(),
            retention.verdicts_per_key,
            retention.addresses_per_key,
        );
        self.put_object(Kind::Retention as i64, &ObjectRecord::kept(kept))
    }
}
