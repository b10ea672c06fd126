//! What makes a single row as trustworthy as a whole scan: a key that is read alone is known to be the current one, and
//! a key that is not found is known not to be there.
//!
//! Rows are cut into [buckets](super::buckets): by the first two random characters of their id, names by the first bits of
//! their blind index, look-ups by their first two characters, expiries and due dates by the day. The [sum](super::sum) of
//! each bucket stands in a sealed page of 64, the digest of each page in the signed head. A reader checks the page against
//! the head, adds up the bucket's rows (about 260 among a million, of an index alone), and compares: so no index can hide
//! a row, nor lead to another one. A writer changes the sums it touches in memory and seals each touched page once a
//! commit.
//!
//! A support slot holds none of these keys: for it the trail alone says how old a row may be, and it trusts no index of
//! times.

use super::{
    buckets::{BUCKETS, Bucket, PAGES_BEFORE, Timed, first_beside, last_beside},
    error::{Error, Result},
    head::Table,
    records::KeyColumns,
    sum::{self, Sum},
    tx::Tx,
    view::View,
};
use crate::vault::{Capabilities, seal_framed};
use rusqlite::OptionalExtension;
use std::collections::{BTreeMap, BTreeSet};

const DIGEST_BYTES: usize = 16;

type Digest = [u8; DIGEST_BYTES];

/// The sums of the buckets of a page.
#[derive(Clone, PartialEq, Eq)]
struct Page([Sum; BUCKETS as usize]);

impl Page {
    fn empty() -> Self {
        Self([Sum::default(); BUCKETS as usize])
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let mut page = Self::empty();
        let (sums, rest) = bytes.as_chunks::<{ Sum::BYTES }>();
        if sums.len() != usize::from(BUCKETS) || !rest.is_empty() {
            return None;
        }
        for (sum, bytes) in page.0.iter_mut().zip(sums) {
            *sum = Sum::of_bytes(bytes);
        }
        Some(page)
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|sum| sum.to_bytes()).collect()
    }
}

/// The digests of the pages that were ever written, as the head signs them.
#[derive(Clone, Default)]
pub(super) struct PageDigests {
    digests: BTreeMap<u32, Digest>,
    /// Whether look-ups and times are counted, too: in a head of before they are not.
    whole: bool,
}

impl PageDigests {
    const ENTRY: usize = size_of::<u32>() + DIGEST_BYTES;
    /// The digests of a head of before, in the order of the pages.
    const BEFORE: usize = PAGES_BEFORE as usize * DIGEST_BYTES;

    /// Those of a keystore without a row.
    pub(super) fn none() -> Self {
        Self { digests: BTreeMap::new(), whole: true }
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        for (number, digest) in &self.digests {
            bytes.extend_from_slice(&number.to_le_bytes());
            bytes.extend_from_slice(digest);
        }
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        // No list of entries has that length.
        const { assert!(!PageDigests::BEFORE.is_multiple_of(PageDigests::ENTRY)) };
        if bytes.len() == Self::BEFORE {
            let (digests, _) = bytes.as_chunks::<DIGEST_BYTES>();
            let written = (0..).zip(digests.iter().copied()).filter(|(_, digest)| *digest != [0; DIGEST_BYTES]);
            return Some(Self { digests: written.collect(), whole: false });
        }
        let (entries, rest) = bytes.as_chunks::<{ Self::ENTRY }>();
        let entry = |entry: &[u8; Self::ENTRY]| {
            let (number, digest) = entry.split_first_chunk()?;
            Some((u32::from_le_bytes(*number), digest.try_into().ok()?))
        };
        let digests = entries.iter().map(entry).collect::<Option<_>>()?;
        rest.is_empty().then_some(Self { digests, whole: true })
    }
}

/// The pages of a transaction: read and checked when they are first needed.
#[derive(Clone)]
pub(super) struct Pages {
    digests: PageDigests,
    opened: BTreeMap<u32, Page>,
    changed: BTreeSet<u32>,
    /// Buckets of names that were added up in this transaction: what it writes itself keeps them right.
    checked_names: BTreeSet<Bucket>,
}

impl Pages {
    pub(super) fn of(digests: PageDigests) -> Self {
        Self { digests, opened: BTreeMap::new(), changed: BTreeSet::new(), checked_names: BTreeSet::new() }
    }

    fn page(&mut self, view: &View<'_>, number: u32) -> Result<&mut Page> {
        use std::collections::btree_map::Entry;
        match self.opened.entry(number) {
            Entry::Occupied(page) => Ok(page.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(read(view, number, self.digests.digests.get(&number))?)),
        }
    }

    fn sum(&mut self, view: &View<'_>, bucket: Bucket) -> Result<&mut Sum> {
        Ok(&mut self.page(view, bucket.page)?.0[usize::from(bucket.place)])
    }
}

fn damaged() -> Error {
    Error::SetMismatch("pages")
}

/// A page's number as it is bound: the pages of before had numbers of one byte.
fn name_of(number: u32) -> Vec<u8> {
    u8::try_from(number).map_or_else(|_| number.to_le_bytes().to_vec(), |short| vec![short])
}

fn bound(caps: &Capabilities, number: u32) -> Vec<u8> {
    seal_framed(&[caps.vault_id.as_bytes(), b"page", &name_of(number), &caps.generation.to_le_bytes()])
}

fn digest(caps: &Capabilities, number: u32, sealed: &[u8]) -> Option<Digest> {
    caps.row_tag(&[b"page", &name_of(number), sealed])?.first_chunk().copied()
}

fn read(view: &View<'_>, number: u32, expected: Option<&Digest>) -> Result<Page> {
    let Some(expected) = expected else { return Ok(Page::empty()) };
    let sealed: Option<Vec<u8>> = view
        .connection
        .prepare_cached("SELECT sealed FROM pages WHERE number = ?1")?
        .query_row((number,), |row| row.get(0))
        .optional()?;
    let sealed = sealed.ok_or_else(damaged)?;
    if digest(view.caps, number, &sealed).as_ref() != Some(expected) {
        return Err(damaged());
    }
    let bytes = view.caps.open_detail(&bound(view.caps, number), &sealed).map_err(|_| damaged())?;
    Page::of_bytes(&bytes).ok_or_else(damaged)
}

impl View<'_> {
    /// Whether a key's row is the current one: for an admin by the sum of its bucket, for a support slot by the trail.
    pub(super) fn check_current(&self, id: &str, epoch: i64, tag: Option<[u8; 32]>) -> Result<()> {
        let outdated = || Error::RowRolledBack { table: "keys", id: id.to_owned() };
        let Some(tag) = tag else {
            return if self.last_epoch_of(id)? == Some(epoch) { Ok(()) } else { Err(outdated()) };
        };
        match self.check_current_of_bucket(&[(id, tag)]) {
            Err(Error::SetMismatch("keys")) => {}
            checked => return checked,
        }
        Err(if self.last_epoch_of(id)? == Some(epoch) { Error::SetMismatch("keys") } else { outdated() })
    }

    /// Whether rows that share a bucket are current ones, by id and tag, in the order of their ids.
    pub(super) fn check_current_of_bucket(&self, rows: &[(&str, [u8; 32])]) -> Result<()> {
        let Some((first, _)) = rows.first() else { return Ok(()) };
        let mut rest = rows.iter().peekable();
        self.add_up_ids(first, |id, tag| {
            rest.next_if(|(wanted, current)| *wanted == id && current == tag);
        })?;
        if rest.peek().is_none() { Ok(()) } else { Err(Error::SetMismatch("keys")) }
    }

    /// Checks that a key without a row is one that was never made, or was deleted.
    pub(super) fn check_absent(&self, id: &str) -> Result<()> {
        if self.caps.admin.is_none() {
            return self.check_absent_in_trail(id);
        }
        let mut there = false;
        self.add_up_ids(id, |other, _| there |= other == id)?;
        if there { Err(Error::SetMismatch("keys")) } else { Ok(()) }
    }

    /// Checks that all rows whose id begins so are there.
    pub(super) fn check_prefix(&self, prefix: &str) -> Result<()> {
        if self.caps.admin.is_some() { self.add_up_ids(prefix, |_, _| {}) } else { Ok(()) }
    }

    /// Checks that no key has this name.
    pub(super) fn check_name_absent(&self, index: &[u8]) -> Result<()> {
        let Some(pages) = &self.pages else { return Ok(()) };
        let mut pages = pages.borrow_mut();
        let bucket = Bucket::of_name(index).ok_or(Error::Damaged(None))?;
        if pages.checked_names.contains(&bucket) {
            return Ok(());
        }
        let (first, last) = bucket.names();
        let mut statement =
            self.connection.prepare_cached("SELECT name_index FROM keys WHERE name_index BETWEEN ?1 AND ?2")?;
        let mut rows = statement.query((first, last))?;
        let mut sum = Sum::default();
        while let Some(row) = rows.next()? {
            let found = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            sum.add(sum::of_name(self.caps, found).ok_or(Error::SupportSlot)?);
            if found == index {
                return Err(Error::SetMismatch("keys"));
            }
        }
        if sum != *pages.sum(self, bucket)? {
            return Err(Error::SetMismatch("keys"));
        }
        pages.checked_names.insert(bucket);
        Ok(())
    }

    /// Whether look-ups and times are counted under the signed head, and this slot can tell.
    pub(super) fn counts_everything(&self) -> bool {
        self.pages.as_ref().is_some_and(|pages| pages.borrow().digests.whole)
    }

    /// Checks that no key has, or ever had, this version of a secret.
    pub(super) fn check_lookup_absent(&self, lookup: &str) -> Result<()> {
        let (Some(pages), true) = (&self.pages, self.counts_everything()) else { return Ok(()) };
        let missing = || Error::SetMismatch("lookups");
        let bucket = Bucket::of_lookup(lookup).ok_or(Error::Damaged(None))?;
        let first: String = lookup.chars().take(2).collect();
        let mut statement =
            self.connection.prepare_cached("SELECT lookup, key_id FROM lookups WHERE lookup BETWEEN ?1 AND ?2")?;
        let mut rows = statement.query((&first, format!("{first}~")))?;
        let mut sum = Sum::default();
        while let Some(row) = rows.next()? {
            let found = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            let key = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            sum.add(sum::of_lookup(self.caps, found, key).ok_or(Error::SupportSlot)?);
            if found == lookup {
                return Err(missing());
            }
        }
        if sum == *pages.borrow_mut().sum(self, bucket)? { Ok(()) } else { Err(missing()) }
    }

    /// What the keys add up to whose time is in a bucket with one after `after` and up to `by`.
    pub(super) fn signed_times(&self, timed: Timed, after: i64, by: i64) -> Result<Sum> {
        let mut pages = self.pages.as_ref().ok_or(Error::SupportSlot)?.borrow_mut();
        let (first, last) = (timed.bucket(first_beside(after)), timed.bucket(last_beside(by)));
        let numbers: Vec<u32> =
            pages.digests.digests.range(first.page..=last.page).map(|(number, _)| *number).collect();
        let changed: Vec<u32> = pages.changed.range(first.page..=last.page).copied().collect();
        let mut sum = Sum::default();
        for number in numbers.into_iter().chain(changed).collect::<BTreeSet<_>>() {
            let page = pages.page(self, number)?;
            for place in 0..BUCKETS {
                if (first..=last).contains(&Bucket { page: number, place }) {
                    sum.add(page.0[usize::from(place)]);
                }
            }
        }
        Ok(sum)
    }

    /// Adds up every bucket: no page says anything that the rows, whose tags were checked, do not.
    pub(super) fn check_every_page(&self) -> Result<()> {
        let Some(pages) = &self.pages else { return Ok(()) };
        let whole = self.counts_everything();
        let mut found: BTreeMap<u32, Page> = BTreeMap::new();
        let mut add = |bucket: Option<Bucket>, element: Option<Sum>| -> Result<()> {
            let bucket = bucket.ok_or(Error::SetMismatch("keys"))?;
            let page = found.entry(bucket.page).or_insert_with(Page::empty);
            page.0[usize::from(bucket.place)].add(element.ok_or(Error::SupportSlot)?);
            Ok(())
        };
        let sql = "SELECT id, tag, name_index, expires_at, due_at, rotating FROM keys";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let (id, tag, name): (String, Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            add(Bucket::of_id(&id), sum::of_row(self.caps, Table::Keys, id.as_bytes(), &tag))?;
            add(Bucket::of_name(&name), sum::of_name(self.caps, &name))?;
            let (expires_at, due_at, rotating) = (row.get(3)?, row.get(4)?, row.get(5)?);
            for timed in Timed::ALL.into_iter().filter(|_| whole) {
                if let Some(time) = timed.of_facts(expires_at, due_at, rotating) {
                    add(Some(timed.bucket(time)), sum::of_time(self.caps, timed, time, &id))?;
                }
            }
        }
        if whole {
            self.each_lookup(|lookup, key| add(Bucket::of_lookup(lookup), sum::of_lookup(self.caps, lookup, key)))?;
        }
        let mut pages = pages.borrow_mut();
        let written: Vec<u32> = pages.digests.digests.keys().copied().collect();
        let stored: i64 = self.connection.query_row("SELECT count(*) FROM pages", (), |row| row.get(0))?;
        if usize::try_from(stored) != Ok(written.len()) {
            return Err(damaged());
        }
        let numbers: BTreeSet<u32> = written.into_iter().chain(found.keys().copied()).collect();
        for number in numbers {
            if *pages.page(self, number)? != *found.get(&number).unwrap_or(&Page::empty()) {
                return Err(damaged());
            }
        }
        Ok(())
    }

    /// Adds up the rows that share a bucket with an id. `each` hears of their ids and tags, in order; they are those that
    /// the head signs only when this succeeds.
    fn add_up_ids(&self, id: &str, mut each: impl FnMut(&str, &[u8])) -> Result<()> {
        let pages = self.pages.as_ref().ok_or(Error::SupportSlot)?;
        // An id that fits no bucket is in none: no such key was ever written.
        let Some(bucket) = Bucket::of_id(id) else { return Ok(()) };
        let first: String = id.chars().take(6).collect();
        let mut statement =
            self.connection.prepare_cached("SELECT id, tag FROM keys WHERE id BETWEEN ?1 AND ?2 ORDER BY id")?;
        let mut rows = statement.query((&first, format!("{first}~")))?;
        let mut sum = Sum::default();
        while let Some(row) = rows.next()? {
            let id = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            let tag = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            sum.add(sum::of_row(self.caps, Table::Keys, id.as_bytes(), tag).ok_or(Error::SupportSlot)?);
            each(id, tag);
        }
        if sum == *pages.borrow_mut().sum(self, bucket)? { Ok(()) } else { Err(Error::SetMismatch("keys")) }
    }
}

impl Tx<'_> {
    /// Counts a key's row in.
    pub(super) fn key_added(&mut self, columns: &KeyColumns, tag: &[u8; 32]) -> Result<()> {
        self.row_added(Table::Keys, columns.id.as_bytes(), tag)?;
        self.in_buckets(columns, tag, Sum::add)
    }

    /// Counts a key's row out.
    pub(super) fn key_removed(&mut self, columns: &KeyColumns, tag: &[u8; 32]) -> Result<()> {
        self.row_removed(Table::Keys, columns.id.as_bytes(), tag)?;
        self.in_buckets(columns, tag, Sum::subtract)
    }

    fn in_buckets(&self, columns: &KeyColumns, tag: &[u8; 32], change: fn(&mut Sum, Sum)) -> Result<()> {
        let caps = self.view.caps;
        let row = sum::of_row(caps, Table::Keys, columns.id.as_bytes(), tag);
        self.in_bucket(Bucket::of_id(&columns.id), row, change)?;
        self.in_bucket(Bucket::of_name(&columns.name_index), sum::of_name(caps, &columns.name_index), change)?;
        self.in_times(columns, change)
    }

    /// Counts a key in, or out, by its times alone.
    pub(super) fn in_times(&self, columns: &KeyColumns, change: fn(&mut Sum, Sum)) -> Result<()> {
        for timed in Timed::ALL {
            if let Some(time) = timed.of(columns) {
                let element = sum::of_time(self.view.caps, timed, time, &columns.id);
                self.in_bucket(Some(timed.bucket(time)), element, change)?;
            }
        }
        Ok(())
    }

    /// Counts a look-up in, or out.
    pub(super) fn in_lookups(&self, lookup: &str, key: &str, change: fn(&mut Sum, Sum)) -> Result<()> {
        self.in_bucket(Bucket::of_lookup(lookup), sum::of_lookup(self.view.caps, lookup, key), change)
    }

    fn in_bucket(&self, bucket: Option<Bucket>, element: Option<Sum>, change: fn(&mut Sum, Sum)) -> Result<()> {
        let view = &self.view;
        let mut pages = view.pages.as_ref().ok_or(Error::SupportSlot)?.borrow_mut();
        let bucket = bucket.ok_or(Error::Damaged(None))?;
        change(pages.sum(view, bucket)?, element.ok_or(Error::SupportSlot)?);
        pages.changed.insert(bucket.page);
        Ok(())
    }

    /// From now on look-ups and times are counted.
    pub(super) fn count_everything(&self) -> Result<()> {
        self.view.pages.as_ref().ok_or(Error::SupportSlot)?.borrow_mut().digests.whole = true;
        Ok(())
    }

    /// Seals and stores the pages that changed; answers with the digests for the head.
    pub(super) fn store_pages(&mut self) -> Result<PageDigests> {
        let view = &self.view;
        let mut pages = view.pages.as_ref().ok_or(Error::SupportSlot)?.borrow_mut();
        for number in std::mem::take(&mut pages.changed) {
            let bytes = pages.page(view, number)?.to_bytes();
            let sealed = view.caps.seal_detail(&mut rand::rng(), &bound(view.caps, number), &bytes)?;
            let digest = digest(view.caps, number, &sealed).ok_or(Error::SupportSlot)?;
            view.connection
                .prepare_cached("INSERT OR REPLACE INTO pages (number, sealed) VALUES (?1, ?2)")?
                .execute((number, sealed))?;
            pages.digests.digests.insert(number, digest);
        }
        Ok(pages.digests.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_page_is_read_as_it_was_written(sums in proptest::collection::vec(any::<[u8; 32]>(), usize::from(BUCKETS))) {
            let bytes = sums.as_flattened();
            prop_assert_eq!(Page::of_bytes(bytes).unwrap().to_bytes(), bytes);
            prop_assert!(Page::of_bytes(&bytes[1..]).is_none());
        }

        #[test]
        fn digests_are_read_as_they_were_written(digests in proptest::collection::btree_map(any::<u32>(), any::<[u8; 16]>(), 0..9)) {
            let written = PageDigests { digests, whole: true };
            let mut bytes = Vec::new();
            written.write(&mut bytes);
            let read = PageDigests::of_bytes(&bytes).unwrap();
            prop_assert_eq!((read.digests, read.whole), (written.digests, true));
        }
    }

    #[test]
    fn the_digests_of_a_head_of_before_are_known_as_such() {
        let mut bytes = vec![0; PageDigests::BEFORE];
        bytes[DIGEST_BYTES] = 7;
        let read = PageDigests::of_bytes(&bytes).unwrap();
        assert!(!read.whole);
        assert_eq!(read.digests.into_keys().collect::<Vec<_>>(), [1]);
    }
}
