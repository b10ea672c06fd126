//! Replacing the vault's keys: every row sealed again under a new root, in one transaction, proven before it commits.

use super::{
    error::{Error, Result},
    former::Former,
    head::TABLES,
    open::Store,
    trail::Walk,
    tx::Tx,
    view::View,
};
use crate::{
    domain::{Event, Time},
    vault::{Capabilities, Slot},
};
use rusqlite::{Transaction, TransactionBehavior};

impl Store {
    /// Seals everything again under `fresh`, opens every row under the new keys as a proof, and commits. Until then the file
    /// is what it was. `decide` says which slots are kept, already wrapped, and with which event: by what it sees while
    /// nobody else can change anything, for a slot or a webhook that came in between would be lost.
    ///
    /// # Errors
    /// When anything does not open under the old keys, or not under the new ones; those of `decide`.
    pub fn rekey<E: From<Error>>(
        &self,
        fresh: &Capabilities,
        now: Time,
        decide: impl FnOnce(&View<'_>) -> Result<(Vec<Slot>, Event), E>,
    ) -> Result<(), E> {
        self.pins.before_change().map_err(Error::Unremembered)?;
        let begun = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate);
        let transaction = begun.map_err(Error::from)?;
        let old = View::of(self, now)?;
        old.verify(Walk::quick())?;
        let (slots, event) = decide(&old)?;
        Ok(self.sealed_again(fresh, now, transaction, old, &slots, event)?)
    }

    fn sealed_again<'s>(
        &'s self,
        fresh: &'s Capabilities,
        now: Time,
        transaction: Transaction<'s>,
        old: View<'s>,
        slots: &[Slot],
        event: Event,
    ) -> Result<()> {
        let keys = old.scan()?;
        let columns = old.stored_columns()?;
        let objects: Vec<_> = old
            .stored_objects()?
            .into_iter()
            .map(|row| row.open(&self.caps).map(|(record, _)| (row.kind, record)))
            .collect::<Result<_>>()?;
        let details: Vec<_> =
            old.stored_events()?.iter().map(|stored| old.private_of(stored)).collect::<Result<_>>()?;
        let (remembered, retired) = (old.all_remembered()?, old.all_retired()?);
        let (facts, messages) = (old.open_facts()?, old.open_messages()?);
        let (told, cursors) = (old.told()?, old.cursors()?);

        let replaced = self.caps.left_behind().filter(|left| Some(left.checkpoint) != fresh.checkpoint_key());
        let replaced = replaced.map(|keys| Former { keys, events: old.head.size });

        let mut head = old.head;
        head.generation = fresh.generation;
        head.counts = [0; TABLES];
        let view = View::on(&self.connection, fresh, &self.meta, now, head);
        let mut tx = Tx::on(view, transaction, &self.pins);
        for (key, columns) in keys.iter().zip(columns) {
            tx.reseal_key(columns, key)?;
        }
        tx.reseal_facts(&facts)?;
        tx.reseal_messages(&messages)?;
        tx.tag_told(&told)?;
        tx.tag_cursors(&cursors)?;
        tx.count_lookups()?;
        self.connection
            .execute_batch("DELETE FROM pages; DELETE FROM idempotency; DELETE FROM retired; DELETE FROM objects;")?;
        for (remembered, at) in &remembered {
            tx.put_remembered(remembered, *at)?;
        }
        for (key_id, secret) in &retired {
            tx.reseal_retired(key_id, secret)?;
        }
        for (kind, mut record) in objects {
            if let Some(profile) = &mut record.profile {
                profile.reseal(&record.name, &self.caps, fresh)?;
            }
            if let Some(former) = &mut record.former {
                former.reseal(&self.caps, fresh)?;
            }
            tx.put_object(kind, &record)?;
        }
        if let Some(replaced) = &replaced {
            tx.put_former(replaced)?;
        }
        for private in &details {
            tx.reseal_detail(private)?;
        }
        self.connection.execute("DELETE FROM slots", [])?;
        for slot in slots {
            tx.put_slot(slot)?;
        }
        tx.prove()?;
        tx.commit_all(vec![event])?;
        self.truncate_log()
    }
}

impl Tx<'_> {
    /// Opens every row again as it now stands, under the keys of this transaction.
    fn prove(&mut self) -> Result<()> {
        self.store_pages()?;
        self.view.sums = Some(self.sums);
        self.view.verify(Walk::quick()).map(drop)
    }
}
