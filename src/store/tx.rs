//! A changing transaction. Dropped, it leaves nothing; [`Tx::commit_all`] is the only way to keep anything.

use super::{
    error::{Error, Result},
    head::{Digests, TABLES, Table},
    open::Store,
    shape,
    sum::{self, Sum},
    view::View,
};
use crate::{
    domain::{Event, Time},
    vault::Pins,
};
use rusqlite::{Transaction, TransactionBehavior};
use std::{cell::RefCell, ops::Deref};

/// A transaction that holds the only right to write.
#[must_use = "a transaction that is dropped changes nothing"]
pub struct Tx<'s> {
    pub(super) view: View<'s>,
    transaction: Transaction<'s>,
    pins: &'s Pins,
    pub(super) sums: [Sum; TABLES],
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
        store.pins.before_change().map_err(Error::Unremembered)?;
        let transaction = Transaction::new_unchecked(&store.connection, TransactionBehavior::Immediate)?;
        shape::check(&store.connection)?;
        let view = View::of(store, now)?;
        let sums = view.sums.ok_or(Error::SupportSlot)?;
        // Before anything is changed: afterwards the rows are no longer those of the head that was read.
        view.check_small_tables()?;
        let mut tx = Self { view, transaction, pins: &store.pins, sums, forgot_idempotency: false };
        if tx.is_of_before() {
            tx.seal_as_now()?;
        }
        Ok(tx)
    }

    /// A transaction on a keystore that has no head yet, or whose keys are being replaced.
    pub(super) fn on(view: View<'s>, transaction: Transaction<'s>, pins: &'s Pins) -> Self {
        Self { view, transaction, pins, sums: [Sum::default(); TABLES], forgot_idempotency: false }
    }

    /// Appends the events, signs the new head and commits; then remembers the head outside the keystore.
    ///
    /// # Errors
    /// `Unrecorded` without an event. Nothing is changed when this fails.
    pub fn commit_all(self, events: Vec<Event>) -> Result<u64> {
        if events.is_empty() {
            return Err(Error::Unrecorded);
        }
        self.commit_with(events)
    }

    /// The same for what only seals anew what was there, which is no action of anybody.
    pub(super) fn commit_with(mut self, events: Vec<Event>) -> Result<u64> {
        self.view.head.epoch += 1;
        self.view.head.at = self.view.now.timestamp();
        for event in &events {
            self.append(event)?;
        }
        let digests = Digests { tables: self.sums, pages: self.store_pages()? };
        let pin = self.view.head.write(self.view.connection, self.view.caps, &digests)?;
        let vault_id = self.view.caps.vault_id.clone();
        let seq = self.view.head.size;
        self.transaction.commit()?;
        // The change is committed: failing now would lose a secret that is minted. An older pin is only less watchful,
        // and the next commit renews it.
        self.pins.changed(&vault_id, &pin);
        Ok(seq)
    }

    /// Does a part of the transaction, or nothing of it when it fails.
    ///
    /// # Errors
    /// What the part fails with; those of the store.
    pub fn part<T, E: From<Error>>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let run = |tx: &Self, sql: &str| tx.view.connection.execute_batch(sql).map_err(|error| E::from(error.into()));
        // What the transaction has read so far goes on being right, for the rows are again those that were read.
        let (head, sums, forgot) = (self.view.head.clone(), self.sums, self.forgot_idempotency);
        let checked = self.view.small_tables_checked.get();
        let pages = self.view.pages.as_ref().map(|pages| pages.borrow().clone());
        run(self, "SAVEPOINT part")?;
        let done = work(self);
        if done.is_err() && self.view.connection.is_autocommit() {
            // What fails for want of room may take the whole transaction with it: why is what the part failed with.
            return done;
        }
        if done.is_err() {
            run(self, "ROLLBACK TO part")?;
            (self.view.head, self.sums, self.forgot_idempotency) = (head, sums, forgot);
            self.view.pages = pages.map(RefCell::new);
            self.view.small_tables_checked.set(checked);
        }
        run(self, "RELEASE part")?;
        done
    }

    /// The epoch this transaction will commit.
    pub(super) fn next_epoch(&self) -> i64 {
        // An epoch counts commits: it fits.
        i64::try_from(self.view.head.epoch + 1).unwrap_or(i64::MAX)
    }

    pub(super) fn row_added(&mut self, table: Table, id: &[u8], tag: &[u8; 32]) -> Result<()> {
        self.sums[table as usize].add(sum::of_row(self.view.caps, table, id, tag).ok_or(Error::SupportSlot)?);
        self.view.head.counts[table as usize] += 1;
        Ok(())
    }

    /// The tag is one that was made of the row as it was found: what is stored beside it may have been bent.
    pub(super) fn row_removed(&mut self, table: Table, id: &[u8], tag: &[u8; 32]) -> Result<()> {
        self.sums[table as usize].subtract(sum::of_row(self.view.caps, table, id, tag).ok_or(Error::SupportSlot)?);
        let count = &mut self.view.head.counts[table as usize];
        *count = count.checked_sub(1).ok_or(Error::SetMismatch(table.name()))?;
        Ok(())
    }
}
