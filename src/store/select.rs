//! Reading events of the trail: what stands in the clear decides first, so that only candidates are opened.

use super::{
    audit::{Body, COLUMNS, StoredEvent, is_of_key, leaf, open_detail, public_target, recorded},
    error::{Error, Result},
    view::View,
};
use crate::domain::{Action, Outcome, Recorded, Time, merkle::Hash, time::parse_time};
use rayon::prelude::*;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

const BATCH: usize = 2048;

/// What of an event anybody may see.
#[derive(Debug, Clone, Copy)]
pub struct PublicFacts {
    /// When.
    pub at: Time,
    /// What.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// It belongs to the history of a key, which support may read.
    pub of_key: bool,
}

/// An opened event with the bytes it was recorded as.
pub struct Entry {
    /// The event.
    pub recorded: Recorded,
    /// The public part, exactly.
    pub body: Vec<u8>,
    /// The private part with its salt, exactly.
    pub detail: Zeroizing<Vec<u8>>,
    /// The leaf hash.
    pub leaf: Hash,
}

/// Which events to read.
#[derive(Clone, Copy)]
pub struct Selection<'a> {
    /// Of these targets; of all when `None`.
    pub targets: Option<&'a [String]>,
    /// From this event on.
    pub first: u64,
    /// Up to this event.
    pub last: u64,
    /// Whose public facts are these.
    pub wanted: &'a (dyn Fn(&PublicFacts) -> bool + Sync),
}

impl View<'_> {
    /// Opens the events of a selection, oldest first, until `take` has enough.
    ///
    /// # Errors
    /// `SupportSlot` for a slot that cannot read one of them; `Trail` for an entry that does not open; those of `take`.
    pub fn each_entry<E: From<Error>>(
        &self,
        selection: Selection<'_>,
        mut take: impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        let caps = self.caps;
        if !caps.serves_desk() {
            return Err(Error::SupportSlotOfBefore.into());
        }
        let mut batches = |batch: Vec<StoredEvent>| -> Result<(), E> {
            let open = |stored: &StoredEvent| -> Option<Result<Entry>> { open_wanted(caps, stored, selection.wanted) };
            let opened: Vec<Result<Entry>> = batch.par_iter().filter_map(open).collect();
            opened.into_iter().try_for_each(|entry| take(entry?))
        };
        let number = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
        let (first, last) = (number(selection.first), number(selection.last));
        let Some(targets) = selection.targets else {
            let sql = format!("SELECT {COLUMNS} FROM audit WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq");
            let mut statement = self.connection.prepare_cached(&sql).map_err(Error::from)?;
            let mut rows = statement.query_map((first, last), StoredEvent::read).map_err(Error::from)?;
            loop {
                let batch = rows.by_ref().take(BATCH).collect::<rusqlite::Result<Vec<_>>>().map_err(Error::from)?;
                if batch.is_empty() {
                    return Ok(());
                }
                batches(batch)?;
            }
        };
        let mut found = Vec::new();
        for target in targets.iter().map(|target| public_target(caps, target)).collect::<BTreeSet<_>>() {
            let sql = format!("SELECT {COLUMNS} FROM audit WHERE target = ?1 AND seq >= ?2 AND seq <= ?3");
            let mut statement = self.connection.prepare_cached(&sql).map_err(Error::from)?;
            let rows = statement.query_map((target, first, last), StoredEvent::read).map_err(Error::from)?;
            found.extend(rows.collect::<rusqlite::Result<Vec<_>>>().map_err(Error::from)?);
        }
        found.sort_by_key(|stored| stored.seq);
        batches(found)
    }

    /// Compares an event that is about to be shown with the signed tree, where the slot cannot tell who sealed it: whoever
    /// holds a support slot can seal the detail of another one.
    ///
    /// # Errors
    /// `TreeDamaged` when it is not the one that was recorded.
    pub fn vouch_for(&self, entry: &Entry) -> Result<()> {
        if self.caps.admin.is_some() {
            return Ok(());
        }
        match self.prove(entry.recorded.seq, self.head.size)? {
            Some(proven) if proven.leaf == entry.leaf => Ok(()),
            _ => Err(Error::TreeDamaged),
        }
    }

    /// The targets that begin with a prefix of a random id, also those that are deleted.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn targets_with_prefix(&self, prefix: &str) -> Result<Vec<String>> {
        let mut statement =
            self.connection.prepare_cached("SELECT DISTINCT target FROM audit WHERE target >= ?1 AND target < ?2")?;
        let rows = statement.query_map((prefix, format!("{prefix}~")), |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The oldest event that is not archived.
    #[must_use]
    pub fn first_event(&self) -> u64 {
        self.head.archived + 1
    }

    /// The newest successful event on a target that is wanted, opened.
    ///
    /// # Errors
    /// As [`View::each_entry`].
    pub fn newest_on(&self, target: &str, wanted: &dyn Fn(&Recorded) -> bool) -> Result<Option<Recorded>> {
        if self.caps.admin.is_none() {
            return Err(Error::SupportSlot);
        }
        let sql = format!("SELECT {COLUMNS} FROM audit WHERE target = ?1 AND done = 1 ORDER BY epoch DESC, seq DESC");
        let mut statement = self.connection.prepare_cached(&sql)?;
        for stored in statement.query_map((public_target(self.caps, target),), StoredEvent::read)? {
            let recorded = self.open_event(&stored?)?;
            if wanted(&recorded) {
                return Ok(Some(recorded));
            }
        }
        Ok(None)
    }
}

fn open_wanted(
    caps: &crate::vault::Capabilities,
    stored: &StoredEvent,
    wanted: &(dyn Fn(&PublicFacts) -> bool + Sync),
) -> Option<Result<Entry>> {
    let seq = u64::try_from(stored.seq).unwrap_or_default();
    let bad = |what| Error::Trail { seq, what };
    let open = || -> Result<Option<Entry>> {
        let body: Body<'_> = serde_json::from_slice(&stored.body).map_err(|_| bad("its body does not parse"))?;
        let facts = PublicFacts {
            at: parse_time(&body.at).map_err(|_| bad("its time does not parse"))?,
            action: body.action.parse().map_err(|_| bad("its action is unknown"))?,
            outcome: body.outcome.parse().map_err(|_| bad("its outcome is unknown"))?,
            of_key: is_of_key(&body),
        };
        if !wanted(&facts) {
            return Ok(None);
        }
        if caps.admin.is_none() && !facts.of_key {
            return Err(Error::SupportSlot);
        }
        let detail = open_detail(caps, stored, &body)?;
        Ok(Some(Entry {
            recorded: recorded(&body, &detail)?,
            body: stored.body.clone(),
            leaf: leaf(&stored.body),
            detail,
        }))
    };
    open().transpose()
}
