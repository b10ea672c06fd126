//! Whole scans: rows are read in order by one thread and opened by all, a chunk at a time, so that neither the sealed rows
//! nor the keys that nobody asked for are ever in memory together.

use super::{
    error::Result,
    head::Table,
    keys::{self, StoredKey},
    records::{KeyRecord, decode, environment_number},
    sum::{self, Sum},
    view::View,
};
use crate::{
    domain::{Environment, Key},
    vault::Capabilities,
};
use minicbor::{Decoder, data::Type};
use rusqlite::Params;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// Rows handed to a thread at once; fewer are opened where they are read.
const CHUNK: usize = 1_024;
/// So many chunks may wait for a thread; then the reader opens one itself.
const WAITING: usize = 16;

/// What a key must have to be built at all: a coarse sieve before whatever filter the caller has. Every row is checked,
/// whether or not it is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sieve<'a> {
    /// Only keys of an environment.
    pub environment: Option<Environment>,
    /// Only keys of an owner.
    pub owner: Option<&'a str>,
    /// Only keys of a project.
    pub project: Option<&'a str>,
}

/// A row that was opened, with its tag as far as this slot can make it.
pub(super) type Opened = (Key, Option<[u8; 32]>);

/// What came of some rows.
#[derive(Default)]
struct Sifted {
    opened: Vec<Opened>,
    rows: usize,
    sum: Sum,
}

/// What is looked for, and by which keys.
#[derive(Clone, Copy)]
struct Search<'a> {
    caps: &'a Capabilities,
    workspace_index: Option<&'a [u8]>,
    sieve: Sieve<'a>,
    /// Takes every key as it is opened; they are kept when there is nobody.
    taker: Option<Taker<'a>>,
}

/// Takes keys, on whichever thread opened them.
pub(super) type Taker<'a> = &'a (dyn Fn(Key) + Sync);

impl Search<'_> {
    fn sift(&self, chunk: Vec<StoredKey>) -> Result<Sifted> {
        let mut sifted = Sifted { rows: chunk.len(), ..Sifted::default() };
        for row in chunk {
            let bound = keys::bound(self.caps, &row.columns);
            let tag = row.checked_tag(self.caps, &bound)?;
            if let Some(element) =
                tag.and_then(|tag| sum::of_row(self.caps, Table::Keys, row.columns.id.as_bytes(), &tag))
            {
                sifted.sum.add(element);
            }
            if let Some(key) = self.open(&row, &bound)? {
                match self.taker {
                    Some(take) => take(key),
                    None => sifted.opened.push((key, tag)),
                }
            }
        }
        Ok(sifted)
    }

    fn open(&self, row: &StoredKey, bound: &[u8]) -> Result<Option<Key>> {
        let elsewhere = self.workspace_index.is_some_and(|index| row.columns.workspace_index != index);
        let environment = self.sieve.environment.map(environment_number);
        if elsewhere || environment.is_some_and(|wanted| row.columns.environment != wanted) {
            return Ok(None);
        }
        let plain = self.caps.open_record(bound, &row.sealed).map_err(|_| row.tampered())?;
        if self.fits(&plain) { Ok(Some(decode::<KeyRecord>(&plain)?.into_key(&row.columns)?)) } else { Ok(None) }
    }

    /// Looks at the first facts of a record without building any of it. One that it cannot read is for the decoder.
    fn fits(&self, plain: &[u8]) -> bool {
        if self.sieve.owner.is_none() && self.sieve.project.is_none() {
            return true;
        }
        let Some((owner, project)) = owner_and_project(plain) else { return true };
        let fits = |wanted: Option<&str>, found: Option<&str>| wanted.is_none() || wanted == found;
        fits(self.sieve.owner, owner) && fits(self.sieve.project, project)
    }
}

/// Fields 3 and 4 of [`KeyRecord`], after the workspace, the name and the description.
fn owner_and_project(plain: &[u8]) -> Option<(Option<&str>, Option<&str>)> {
    let mut decoder = Decoder::new(plain);
    decoder.array().ok()?;
    for _ in 0..3 {
        decoder.skip().ok()?;
    }
    Some((optional(&mut decoder)?, optional(&mut decoder)?))
}

fn optional<'b>(decoder: &mut Decoder<'b>) -> Option<Option<&'b str>> {
    match decoder.datatype().ok()? {
        Type::Null => decoder.null().ok().map(|()| None),
        _ => decoder.str().ok().map(Some),
    }
}

impl View<'_> {
    /// Every key that passes the sieve, in the order of the table; all rows are checked as a set against the head.
    pub(super) fn scan_for(&self, workspace: Option<&str>, sieve: Sieve<'_>) -> Result<Vec<Key>> {
        let sifted = self.sift(&format!("SELECT {} FROM keys", keys::COLUMNS), (), workspace, sieve, None)?;
        self.check_set(Table::Keys, sifted.rows, sifted.sum)?;
        Ok(sifted.opened.into_iter().map(|(key, _)| key).collect())
    }

    /// Hands over every key of every workspace as it is read, in any order; what was handed over holds only once all
    /// rows are found to be the set that the head signs, and this returns.
    pub(super) fn scan_into(&self, taker: Taker<'_>) -> Result<()> {
        let sql = format!("SELECT {} FROM keys", keys::COLUMNS);
        let sifted = self.sift(&sql, (), None, Sieve::default(), Some(taker))?;
        self.check_set(Table::Keys, sifted.rows, sifted.sum)
    }

    /// The keys among these rows that pass the sieve; each row is checked to be the current one.
    pub(super) fn open_current(
        &self,
        sql: &str,
        parameters: impl Params,
        workspace: &str,
        sieve: Sieve<'_>,
    ) -> Result<Vec<Key>> {
        let opened = self.sift(sql, parameters, Some(workspace), sieve, None)?.opened;
        self.check_all_current(&opened)?;
        Ok(opened.into_iter().map(|(key, _)| key).collect())
    }

    fn sift(
        &self,
        sql: &str,
        parameters: impl Params,
        workspace: Option<&str>,
        sieve: Sieve<'_>,
        taker: Option<Taker<'_>>,
    ) -> Result<Sifted> {
        let workspace_index = workspace.map(|workspace| keys::workspace_index(self.caps, workspace));
        let search = Search { caps: self.caps, workspace_index: workspace_index.as_deref(), sieve, taker };
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        let done: Mutex<Vec<(usize, Result<Sifted>)>> = Mutex::default();
        let waiting = AtomicUsize::new(0);
        let finish = |number, sifted| done.lock().unwrap_or_else(PoisonError::into_inner).push((number, sifted));
        let mut chunk = || -> Result<Vec<StoredKey>> {
            let mut chunk = Vec::with_capacity(CHUNK);
            while chunk.len() < CHUNK
                && let Some(row) = rows.next()?
            {
                chunk.push(StoredKey::read(row)?);
            }
            Ok(chunk)
        };
        let first = chunk()?;
        if first.len() < CHUNK {
            // Threads cost more to start than this.
            return search.sift(first);
        }
        let mut first = Some(first);
        rayon::in_place_scope(|scope| -> Result<()> {
            for number in 0.. {
                let chunk = first.take().map_or_else(&mut chunk, Ok)?;
                let last = chunk.len() < CHUNK;
                if waiting.load(Ordering::Relaxed) >= WAITING {
                    finish(number, search.sift(chunk));
                } else {
                    waiting.fetch_add(1, Ordering::Relaxed);
                    let (finish, waiting) = (&finish, &waiting);
                    scope.spawn(move |_| {
                        finish(number, search.sift(chunk));
                        waiting.fetch_sub(1, Ordering::Relaxed);
                    });
                }
                if last {
                    break;
                }
            }
            Ok(())
        })?;
        let mut parts = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        parts.sort_by_key(|(number, _)| *number);
        let mut all = Sifted::default();
        for (_, part) in parts {
            let part = part?;
            all.rows += part.rows;
            all.sum.add(part.sum);
            all.opened.extend(part.opened);
        }
        Ok(all)
    }

    fn check_all_current(&self, opened: &[Opened]) -> Result<()> {
        if self.caps.admin.is_none() {
            return Ok(());
        }
        let mut by_bucket: Vec<(&str, [u8; 32])> =
            opened.iter().filter_map(|(key, tag)| Some((key.id.as_str(), (*tag)?))).collect();
        by_bucket.sort_unstable();
        for rows in by_bucket.chunk_by(|(one, _), (other, _)| one.get(..6) == other.get(..6)) {
            self.check_current_of_bucket(rows)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::records::encode;

    #[test]
    fn the_sieve_reads_the_fields_that_the_record_writes() {
        for (owner, project) in [(None, None), (Some("ana"), None), (None, Some("web")), (Some("ana"), Some("web"))] {
            let mut key = crate::store::tests::key(1);
            (key.owner, key.project) = (owner.map(str::to_owned), project.map(str::to_owned));
            key.description = Some("of some length".to_owned());
            let plain = encode(&KeyRecord::of(&key)).unwrap();
            assert_eq!(owner_and_project(&plain), Some((owner, project)));
        }
        assert_eq!(owner_and_project(b"\x01"), None);
    }
}
