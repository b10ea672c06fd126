//! Bringing what is sealed to this version: the schema is brought up by whoever opens the file ([`super::schema`]), and what
//! needs the keys of an admin by the first admin who does, in one transaction.
//!
//! Until then the keystore is read by the rules that it was written by: no index of times is trusted, and no message is
//! sent. Which rules hold is told by the signed head, so that nobody with the file can choose the older ones.

use super::{
    error::Result,
    keys::{COLUMNS, StoredKey},
    open::Store,
    sum::Sum,
    tx::Tx,
    view::View,
};
use crate::domain::Time;

impl Store {
    /// Seals what was written by an earlier version as this one does, unless somebody was faster.
    ///
    /// # Errors
    /// As [`Store::begin`]; `SetMismatch` when the rows are not those that the head signs.
    pub(super) fn bring_up(&self, now: Time) -> Result<()> {
        let is_done = !self.read(now)?.is_of_before();
        if is_done { Ok(()) } else { self.begin(now)?.commit_with(Vec::new()).map(drop) }
    }
}

impl View<'_> {
    /// Whether the head was signed by a version that counted neither look-ups nor times.
    pub(super) fn is_of_before(&self) -> bool {
        self.pages.is_some() && !self.counts_everything()
    }
}

impl Tx<'_> {
    /// Takes over what was trusted before, once all that can be checked of it is.
    pub(super) fn seal_as_now(&mut self) -> Result<()> {
        self.verify_lookups(&self.facts_of_all_keys()?)?;
        self.check_every_page()?;
        let (messages, told, cursors) = (self.messages_of_before()?, self.told()?, self.cursors()?);
        self.count_everything()?;
        self.count_lookups()?;
        let sql = format!("SELECT {COLUMNS} FROM keys");
        let mut statement = self.connection.prepare(&sql)?;
        for row in statement.query_map((), StoredKey::read)? {
            self.in_times(&row?.columns, Sum::add)?;
        }
        drop(statement);
        self.reseal_messages(&messages)?;
        self.tag_told(&told)?;
        self.tag_cursors(&cursors)?;
        self.tag_used()?;
        let meta = self.view.meta;
        self.view.head.made = Some((meta.brand.as_str().to_owned(), meta.created_at.timestamp()));
        Ok(())
    }

    /// Counts every look-up that there is.
    pub(super) fn count_lookups(&self) -> Result<()> {
        self.each_lookup(|lookup, key| self.in_lookups(lookup, key, Sum::add))
    }
}
