//! Whole scans: rows are read in order by one thread and opened by all, a chunk at a time, so that neither the sealed rows
//! nor the keys that nobody asked for are ever in memory together.

use super::{
    buckets::Timed,
    error::{Error, Result},
    head::Table,
    keys::{self, StoredKey},
    records::{KeyRecord, decode, environment_number},
    sum::{self, Sum},
    view::View,
};
use crate::{
    domain::{Environment, Key, KeyId, text::same},
    vault::{Capabilities, Opened},
};
use minicbor::{Decoder, data::Type};
use rusqlite::Params;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// Rows handed to a thread at once; so many are opened where they are read first, for threads cost more to start.
const CHUNK: usize = 1_024;
/// Rows read at once where they are opened: few, so that the next ones find their memory again.
const PIECE: usize = 32;
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

/// Makes of a key what is to be kept of it, on whichever thread opened it; it holds only once all rows are checked.
pub(super) type Take<'a, T> = &'a (dyn Fn(Key) -> Option<T> + Sync);

/// What came of some rows.
struct Sifted<T> {
    taken: Vec<T>,
    rows: usize,
    sum: Sum,
    /// What the times of the rows add up to, where that was asked for.
    times: Sum,
}

impl<T> Sifted<T> {
    fn none() -> Self {
        Self { taken: Vec::new(), rows: 0, sum: Sum::default(), times: Sum::default() }
    }

    fn add(&mut self, other: Self) {
        self.taken.extend(other.taken);
        self.rows += other.rows;
        self.sum.add(other.sum);
        self.times.add(other.times);
    }
}

/// What is looked for, by which keys, and what becomes of it: of a key, and of its tag as far as this slot can make it.
struct Search<'a, T> {
    caps: &'a Capabilities,
    workspace_index: Option<[u8; 16]>,
    sieve: Sieve<'a>,
    /// What of the rows is added up beside them.
    timed: Option<Timed>,
    take: &'a (dyn Fn(Key, Option<[u8; 32]>) -> Option<T> + Sync),
}

impl<T> Search<'_, T> {
    fn sift(&self, chunk: &[StoredKey]) -> Result<Sifted<T>> {
        let mut sifted = Sifted { rows: chunk.len(), ..Sifted::none() };
        let mut opened = Opened::default();
        for row in chunk {
            let bound = keys::bound(self.caps, &row.columns);
            let tag = row.checked_tag(self.caps, &bound)?;
            if let Some(element) =
                tag.and_then(|tag| sum::of_row(self.caps, Table::Keys, row.columns.id.as_bytes(), &tag))
            {
                sifted.sum.add(element);
            }
            let time = self.timed.and_then(|timed| Some((timed, timed.of(&row.columns)?)));
            if let Some((timed, time)) = time {
                let element = sum::of_time(self.caps, timed, time, &row.columns.id);
                sifted.times.add(element.ok_or(Error::SupportSlot)?);
            }
            if let Some(key) = self.open(row, &bound, &mut opened)? {
                sifted.taken.extend((self.take)(key, tag));
            }
        }
        Ok(sifted)
    }

    fn open(&self, row: &StoredKey, bound: &[u8], opened: &mut Opened) -> Result<Option<Key>> {
        let elsewhere = self.workspace_index.is_some_and(|index| row.columns.workspace_index != index);
        let environment = self.sieve.environment.map(environment_number);
        if elsewhere || environment.is_some_and(|wanted| row.columns.environment != wanted) {
            return Ok(None);
        }
        let plain = self.caps.open_record_in(opened, bound, &row.sealed).map_err(|_| row.tampered())?;
        if self.fits(plain) { Ok(Some(decode::<KeyRecord<'_>>(plain)?.into_key(&row.columns)?)) } else { Ok(None) }
    }

    /// Looks at the first facts of a record without building any of it. One that it cannot read is for the decoder.
    fn fits(&self, plain: &[u8]) -> bool {
        if self.sieve.owner.is_none() && self.sieve.project.is_none() {
            return true;
        }
        let Some((owner, project)) = owner_and_project(plain) else { return true };
        let fits = |wanted: Option<&str>, found: Option<&str>| {
            wanted.is_none_or(|wanted| found.is_some_and(|found| same(wanted, found)))
        };
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
    /// What is taken of every key that passes the sieve, in the order of the table; all rows are checked as a set against
    /// the head.
    pub(super) fn scan_for<T: Send>(
        &self,
        workspace: Option<&str>,
        sieve: Sieve<'_>,
        take: Take<'_, T>,
    ) -> Result<Vec<T>> {
        let sql = format!("SELECT {} FROM keys", keys::COLUMNS);
        let sifted = self.sift(&sql, (), workspace, sieve, None, &|key, _| take(key))?;
        self.check_set(Table::Keys, sifted.rows, sifted.sum)?;
        Ok(sifted.taken)
    }

    /// Hands over every key of every workspace as it is read, in any order; what was handed over holds only once all
    /// rows are found to be the set that the head signs, and this returns.
    pub(super) fn scan_into(&self, taker: &(dyn Fn(Key) + Sync)) -> Result<()> {
        let nothing = |key: Key| -> Option<()> {
            taker(key);
            None
        };
        self.scan_for(None, Sieve::default(), &nothing).map(drop)
    }

    /// What is taken of the keys among these rows that pass the sieve, of one workspace or of all; each row is checked to be
    /// the current one.
    pub(super) fn open_current_of<T: Send>(
        &self,
        sql: &str,
        parameters: impl Params,
        workspace: Option<&str>,
        sieve: Sieve<'_>,
        take: Take<'_, T>,
    ) -> Result<Vec<T>> {
        self.open_current_timed(sql, parameters, workspace, sieve, None, take).map(|(taken, _)| taken)
    }

    /// The same, with what the times of all the rows add up to.
    pub(super) fn open_current_timed<T: Send>(
        &self,
        sql: &str,
        parameters: impl Params,
        workspace: Option<&str>,
        sieve: Sieve<'_>,
        timed: Option<Timed>,
        take: Take<'_, T>,
    ) -> Result<(Vec<T>, Sum)> {
        let with_its_tag = |key: Key, tag| Some((key.id.clone(), tag, take(key)));
        let Sifted { taken: opened, times, .. } = self.sift(sql, parameters, workspace, sieve, timed, &with_its_tag)?;
        self.check_all_current(opened.iter().map(|(id, tag, _)| (id, *tag)))?;
        Ok((opened.into_iter().filter_map(|(.., taken)| taken).collect(), times))
    }

    fn sift<T: Send>(
        &self,
        sql: &str,
        parameters: impl Params,
        workspace: Option<&str>,
        sieve: Sieve<'_>,
        timed: Option<Timed>,
        take: &(dyn Fn(Key, Option<[u8; 32]>) -> Option<T> + Sync),
    ) -> Result<Sifted<T>> {
        let workspace_index = workspace.map(|workspace| keys::workspace_index(self.caps, workspace));
        let search = Search { caps: self.caps, workspace_index, sieve, timed, take };
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut read = |chunk: &mut Vec<StoredKey>, count: usize| -> Result<bool> {
            chunk.clear();
            while chunk.len() < count {
                let Some(row) = rows.next()? else { return Ok(true) };
                let stored = StoredKey::read(row)?;
                // A support slot has no sum to compare a row with, but the trail says how old it may be.
                if self.caps.admin.is_none() {
                    self.check_current(&stored.columns.id, stored.columns.epoch, None)?;
                }
                chunk.push(stored);
            }
            Ok(false)
        };
        let (mut all, mut piece) = (Sifted::none(), Vec::with_capacity(PIECE));
        while all.rows < CHUNK {
            let last = read(&mut piece, PIECE)?;
            all.add(search.sift(&piece)?);
            if last {
                return Ok(all);
            }
        }
        let done: Mutex<Vec<(usize, Result<Sifted<T>>)>> = Mutex::default();
        let waiting = AtomicUsize::new(0);
        let finish = |number, sifted| done.lock().unwrap_or_else(PoisonError::into_inner).push((number, sifted));
        rayon::in_place_scope(|scope| -> Result<()> {
            for number in 0.. {
                let mut chunk = Vec::with_capacity(CHUNK);
                let last = read(&mut chunk, CHUNK)?;
                if waiting.load(Ordering::Relaxed) >= WAITING {
                    finish(number, search.sift(&chunk));
                } else {
                    waiting.fetch_add(1, Ordering::Relaxed);
                    let (finish, waiting, search) = (&finish, &waiting, &search);
                    scope.spawn(move |_| {
                        finish(number, search.sift(&chunk));
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
        parts.into_iter().try_for_each(|(_, part)| part.map(|part| all.add(part)))?;
        Ok(all)
    }

    fn check_all_current<'o>(&self, opened: impl Iterator<Item = (&'o KeyId, Option<[u8; 32]>)>) -> Result<()> {
        if self.caps.admin.is_none() {
            return Ok(());
        }
        let mut by_bucket: Vec<(&str, [u8; 32])> = opened.filter_map(|(id, tag)| Some((id.as_str(), tag?))).collect();
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
