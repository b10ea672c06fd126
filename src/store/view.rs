//! A consistent view of the keystore: one read transaction with its checked head.

use super::{
    error::{Error, Result},
    head::{Digests, Head, TABLES, Table},
    open::{Meta, Store},
    pages::Pages,
    records::time,
    schema,
    sum::Sum,
};
use crate::{
    domain::Time,
    vault::{Capabilities, Pin},
};
use rusqlite::{Connection, Transaction};
use std::cell::{Cell, RefCell};
use std::ops::Deref;

/// Reads of one moment. Both a [`Snapshot`] and a [`super::Tx`] are one.
pub struct View<'s> {
    pub(super) connection: &'s Connection,
    pub(super) caps: &'s Capabilities,
    pub(super) meta: &'s Meta,
    pub(super) now: Time,
    pub(super) head: Head,
    /// The sums of the tables as they were signed; `None` for a support slot.
    pub(super) sums: Option<[Sum; TABLES]>,
    /// By which single keys are checked; `None` for a support slot.
    pub(super) pages: Option<RefCell<Pages>>,
    /// What this machine has not seen before of the vault, or not in this place.
    pub(super) unseen: Option<Pin>,
    /// Whether objects and slots were checked as sets in this transaction.
    pub(super) small_tables_checked: Cell<bool>,
}

impl<'s> View<'s> {
    /// Reads and checks the head inside the transaction that has just begun.
    pub(super) fn of(store: &'s Store, now: Time) -> Result<Self> {
        // A process that stays, as a server does, may find that a newer keyward has meanwhile brought the keystore up to its own
        // format: rules that this one does not know would be left out of its verdicts.
        schema::check_still_known(&store.connection)?;
        // First the pin, then the head: read the other way round, a commit in between would look like a rollback.
        let pin = store.pins.load(&store.meta.vault_id)?;
        let (head, own) = Head::read(&store.connection, &store.caps)?;
        if let Some(seen) = &pin {
            head.check_against(&own, &seen.pin, &store.connection)?;
        }
        let unseen = pin.is_none_or(|seen| own.is_after(&seen.pin) || store.pins.moved(&seen)).then_some(own);
        head.check_made(&store.meta)?;
        let digests = head.digests(&store.caps)?;
        let mut view = Self::on(&store.connection, &store.caps, &store.meta, now, head);
        view.sums = digests.as_ref().map(|digests| digests.tables);
        view.pages = digests.map(|digests| RefCell::new(Pages::of(digests.pages)));
        view.small_tables_checked = Cell::new(false);
        view.unseen = unseen;
        Ok(view)
    }

    /// A view of tables that are empty, or are about to be written anew.
    pub(super) fn on(
        connection: &'s Connection,
        caps: &'s Capabilities,
        meta: &'s Meta,
        now: Time,
        head: Head,
    ) -> Self {
        let Digests { tables, pages } = Digests::none();
        let pages = Some(RefCell::new(Pages::of(pages)));
        let small_tables_checked = Cell::new(true);
        Self { connection, caps, meta, now, head, sums: Some(tables), pages, unseen: None, small_tables_checked }
    }

    /// Compares what a table was found to hold with what the head says.
    pub(super) fn check_set(&self, table: Table, count: usize, found: Sum) -> Result<()> {
        let intact = self.sums.is_none_or(|signed| signed[table as usize] == found);
        if intact && count as u64 == self.head.counts[table as usize] {
            Ok(())
        } else {
            Err(Error::SetMismatch(table.name()))
        }
    }

    /// Checks workspaces, plans, scopes and slots as sets, once a transaction: they decide what a key may do, and a row
    /// that was put back or removed opens like any other. There are few of them, so that every command can afford it.
    pub(super) fn check_small_tables(&self) -> Result<()> {
        if !self.small_tables_checked.get() {
            self.check_object_tags()?;
            self.check_slots()?;
            self.small_tables_checked.set(true);
        }
        Ok(())
    }

    /// What the keystore says of itself.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        self.meta
    }

    /// What opened it.
    #[must_use]
    pub fn capabilities(&self) -> &'s Capabilities {
        self.caps
    }

    /// When the last commit was made.
    ///
    /// # Errors
    /// `Damaged` for a time that is none.
    pub fn last_commit_at(&self) -> Result<Time> {
        time(self.head.at)
    }

    /// The number of commits so far.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.head.epoch
    }

    /// Which life of the vault this is: counts how often it was put back from a backup.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.head.incarnation
    }

    /// The number of events in the trail.
    #[must_use]
    pub fn trail_size(&self) -> u64 {
        self.head.size
    }
}

/// A view for reading alone.
pub struct Snapshot<'s> {
    view: View<'s>,
    _transaction: Transaction<'s>,
}

impl<'s> Snapshot<'s> {
    pub(super) fn new(view: View<'s>, transaction: Transaction<'s>) -> Self {
        Self { view, _transaction: transaction }
    }
}

impl<'s> Deref for Snapshot<'s> {
    type Target = View<'s>;

    fn deref(&self) -> &Self::Target {
        &self.view
    }
}
