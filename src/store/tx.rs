//! A changing transaction. Dropped, it leaves nothing; [`Tx::commit_all`] is the only way to keep anything.

use super::{
    error::{Error, Result},
    head::{Sums, Table},
    open::Store,
    view::View,
};
use crate::{
    domain::{Event, Time},
    vault::Pins,
};
use rusqlite::{Transaction, TransactionBehavior};
use std::ops::Deref;

/// A transaction that holds the only right to write.
#[must_use = "a transaction that is dropped changes nothing"]
pub struct Tx<'s> {
    pub(super) view: View<'s>,
    transaction: Transaction<'s>,
    pins: &'s Pins,
    pub(super) sums: Sums,
    /// Whether idempotency keys that are over were forgotten already.
    pub(super) forgot_idempotency: bool,
}

impl<'s> Deref for Tx<'s> {
    type Target = View<'s>;

    fn deref(&self) -> &Self::Target {
        &self.view
    }
}

impl<'s> Tx<'s> {
    /// Begins IMMEDIATE: a deferred transaction would starve among many writers.
    pub(super) fn begin(store: &'s Store, now: Time) -> Result<Self> {
        let transaction = Transaction::new_unchecked(&store.connection, TransactionBehavior::Immediate)?;
        let view = View::of(store, now)?;
        let sums = view.sums.ok_or(Error::SupportSlot)?;
        // Before anything is changed: afterwards the rows are no longer those of the head that was read.
        view.check_small_tables()?;
        Ok(Self { view, transaction, pins: &store.pins, sums, forgot_idempotency: false })
    }

    /// A transaction on a keystore that has no head yet, or whose keys are being replaced.
    pub(super) fn on(view: View<'s>, transaction: Transaction<'s>, pins: &'s Pins) -> Self {
        Self { view, transaction, pins, sums: Sums::default(), forgot_idempotency: false }
    }

    /// Appends the events, signs the new head and commits; then remembers the head outside the keystore.
    ///
    /// # Errors
    /// Nothing is changed when this fails.
    pub fn commit_all(mut self, events: Vec<Event>) -> Result<u64> {
        self.view.head.epoch += 1;
        self.view.head.at = self.view.now.timestamp();
        for event in &events {
            self.append(event)?;
        }
        let sums = self.sums;
        let pin = self.view.head.write(self.view.connection, self.view.caps, &sums)?;
        let vault_id = self.view.caps.vault_id.clone();
        let seq = self.view.head.size;
        self.transaction.commit()?;
        // The change is committed: failing now would lose a secret that is minted. An older pin is only less watchful,
        // and the next commit renews it.
        if let Err(error) = self.pins.advance(&vault_id, &pin) {
            tracing::warn!(%error, "the last commit could not be remembered outside the keystore");
        }
        Ok(seq)
    }

    /// The epoch this transaction will commit.
    pub(super) fn next_epoch(&self) -> i64 {
        // An epoch counts commits: it fits.
        i64::try_from(self.view.head.epoch + 1).unwrap_or(i64::MAX)
    }

    pub(super) fn row_added(&mut self, table: Table, tag: &[u8; 32]) {
        self.sums.add(table, tag);
        self.view.head.counts[table as usize] += 1;
    }

    pub(super) fn row_removed(&mut self, table: Table, tag: &[u8]) -> Result<()> {
        let tag = tag.try_into().map_err(|_| Error::SetMismatch(table.name()))?;
        self.sums.subtract(table, tag);
        let count = &mut self.view.head.counts[table as usize];
        *count = count.checked_sub(1).ok_or(Error::SetMismatch(table.name()))?;
        Ok(())
    }
}
