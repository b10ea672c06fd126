//! Cutting the oldest events off the trail once they are in a file of their own: their leaf hashes stay, and with them
//! every root, every proof across the cut, and every checkpoint that was ever made.
//!
//! A few events stay whole whatever their age: the last one on each key that still exists, for that is what its row is
//! compared with, and the last review.

use super::{
    audit::{Body, TRAIL, check_detail, leaf, public_target, recorded},
    error::{Error, Result},
    select::{Entry, PublicFacts, Selection},
    tx::Tx,
    view::View,
};
use crate::{
    domain::{
        Recorded, Time,
        merkle::{Hash, Node},
    },
    vault::seal_framed,
};

/// An event on its way to or from an archive: its exact body, and its detail under the vault's archive key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedEvent {
    /// Its number.
    pub seq: u64,
    /// The public part, exactly as it was hashed.
    pub body: Vec<u8>,
    /// The private part, sealed.
    pub sealed: Vec<u8>,
}

fn bound(vault_id: &str, seq: u64) -> Vec<u8> {
    seal_framed(&[vault_id.as_bytes(), b"audit-archive", &seq.to_le_bytes()])
}

impl View<'_> {
    /// The last event of the unbroken row of old ones at the beginning of the trail; `None` when there is none. The
    /// newest event is never one of them: the head stands on it.
    ///
    /// # Errors
    /// As [`View::each_entry`].
    pub fn last_before(&self, before: Time) -> Result<Option<u64>> {
        let (first, size) = (self.first_event(), self.trail_size());
        let mut last = first - 1;
        // What is newer is not wanted, and leaves a gap that nothing behind it can close.
        let wanted = |facts: &PublicFacts| facts.at < before;
        let walked = self.each_entry(
            Selection { targets: None, first, last: size.saturating_sub(1), wanted: &wanted },
            |entry| {
                if entry.recorded.seq != last + 1 {
                    return Err(None);
                }
                last += 1;
                Ok(())
            },
        );
        match walked {
            Err(Some(error)) => Err(error),
            _ => Ok((last >= first).then_some(last)),
        }
    }

    /// Hands over the events up to one, sealed for an archive.
    ///
    /// # Errors
    /// As [`View::each_entry`]; those of `take`.
    pub fn for_archive<E: From<Error>>(
        &self,
        last: u64,
        mut take: impl FnMut(ArchivedEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        let everything = Selection { targets: None, first: self.first_event(), last, wanted: &|_| true };
        self.each_entry(everything, |entry: Entry| {
            let seq = entry.recorded.seq;
            let bound = bound(&self.caps.vault_id, seq);
            let sealed = self.caps.seal_archived(&mut rand::rng(), &bound, &entry.detail).map_err(Error::from)?;
            take(ArchivedEvent { seq, body: entry.body, sealed })
        })
    }

    /// Opens the event of an archive.
    ///
    /// # Errors
    /// `Trail` when it is not the event that was recorded; `SupportSlot`.
    pub fn open_archived(&self, event: &ArchivedEvent) -> Result<Recorded> {
        if self.caps.admin.is_none() {
            return Err(Error::SupportSlot);
        }
        let bad = |what| Error::Trail { seq: event.seq, what };
        if event.seq == 0 || self.leaves(event.seq - 1, 1).ok().as_deref() != Some(&[leaf(&event.body)][..]) {
            return Err(bad("in the archive it is not the one that was recorded"));
        }
        let body: Body<'_> = serde_json::from_slice(&event.body).map_err(|_| bad("its body does not parse"))?;
        let bound = bound(&self.caps.vault_id, event.seq);
        let detail = match self.caps.open_archived(&bound, &event.sealed) {
            Ok(detail) => detail,
            // It may be older than the keys.
            Err(_) => {
                let former = self.former_keys()?;
                let opened = former.iter().find_map(|former| former.keys.open_archived(&bound, &event.sealed).ok());
                opened.ok_or_else(|| bad("its detail does not open"))?
            }
        };
        check_detail(&body, &detail)?;
        recorded(&body, &detail)
    }
}

impl Tx<'_> {
    /// Cuts the trail off after an event. Only what is in a durable file by now may be cut.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn cut_trail(&mut self, last: u64) -> Result<()> {
        let first = self.first_event();
        let number = |seq: u64| i64::try_from(seq).map_err(|_| Error::Full);
        let review = public_target(self.caps, TRAIL);
        let connection = self.view.connection;
        connection.execute("INSERT INTO archives (first, last) VALUES (?1, ?2)", (number(first)?, number(last)?))?;
        let gone: Vec<(i64, Hash)> = connection
            .prepare(
                "SELECT seq, hash FROM audit WHERE seq <= ?1
                 AND seq NOT IN (SELECT max(seq) FROM audit WHERE done = 1 AND target IN (SELECT id FROM keys) GROUP BY target)
                 AND seq NOT IN (SELECT max(seq) FROM audit WHERE done = 1 AND target = ?2 HAVING max(seq) IS NOT NULL)",
            )?
            .query_map((number(last)?, review), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let mut delete = connection.prepare("DELETE FROM audit WHERE seq = ?1")?;
        for (seq, leaf) in gone {
            let index = u64::try_from(seq).unwrap_or_default().saturating_sub(1);
            self.put_node(Node { level: 0, index }, &leaf)?;
            delete.execute((seq,))?;
        }
        self.view.head.archived = last;
        Ok(())
    }
}
