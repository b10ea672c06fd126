//! What makes a single row as trustworthy as a whole scan: a key that is read alone is known to be the current one, and
//! a key that is not found is known not to be there.
//!
//! Rows are cut into buckets by the first two random characters of their id, names by the first bits of their blind
//! index. The [sum](super::sum) of each bucket stands in a sealed page of 64, the digest of each page in the signed head.
//! A reader checks the page against the head, adds up the bucket's rows (about 260 among a million, of an index alone),
//! and compares. A writer changes the sums it touches in memory and seals each touched page once a commit.
//!
//! A support slot holds none of these keys: for it the trail alone says how old a row may be, and a list by an index is
//! complete only as far as the index is.

use super::{
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

const BUCKETS: usize = 64;
/// Pages of buckets of ids, then as many of names.
const PAGES_OF_EACH: u8 = 64;
const PAGES: usize = 2 * PAGES_OF_EACH as usize;
const DIGEST_BYTES: usize = 16;

type Digest = [u8; DIGEST_BYTES];

/// A bucket: its page and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bucket {
    page: u8,
    place: u8,
}

impl Bucket {
    /// The bucket of an id, or of at least the first two random characters of one.
    fn of_id(id: &str) -> Option<Self> {
        let [first, second] = id.strip_prefix("key_")?.as_bytes().first_chunk::<2>()?;
        Some(Self { page: base62(*first)?, place: base62(*second)? })
    }

    fn of_name(index: &[u8]) -> Option<Self> {
        let [first, second] = index.first_chunk::<2>()?;
        Some(Self { page: PAGES_OF_EACH + (first >> 2), place: (first & 3) << 4 | second >> 4 })
    }
}

fn base62(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'A'..=b'Z' => Some(character - b'A' + 10),
        b'a'..=b'z' => Some(character - b'a' + 36),
        _ => None,
    }
}

/// The sums of the buckets of a page.
#[derive(Clone, PartialEq, Eq)]
struct Page([Sum; BUCKETS]);

impl Page {
    fn empty() -> Self {
        Self([Sum::default(); BUCKETS])
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let mut page = Self::empty();
        let (sums, rest) = bytes.as_chunks::<{ Sum::BYTES }>();
        if sums.len() != BUCKETS || !rest.is_empty() {
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

/// The digests of all pages, as the head signs them; zero where no page was ever written.
#[derive(Clone, Copy)]
pub(super) struct PageDigests([Digest; PAGES]);

impl PageDigests {
    pub(super) const BYTES: usize = PAGES * DIGEST_BYTES;

    pub(super) fn none() -> Self {
        Self([[0; DIGEST_BYTES]; PAGES])
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_flattened()
    }

    pub(super) fn as_bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_flattened_mut()
    }
}

/// The pages of a transaction: read and checked when they are first needed.
pub(super) struct Pages {
    digests: PageDigests,
    opened: BTreeMap<u8, Page>,
    changed: BTreeSet<u8>,
    /// Buckets of names that were added up in this transaction: what it writes itself keeps them right.
    checked_names: BTreeSet<Bucket>,
}

impl Pages {
    pub(super) fn of(digests: PageDigests) -> Self {
        Self { digests, opened: BTreeMap::new(), changed: BTreeSet::new(), checked_names: BTreeSet::new() }
    }

    fn page(&mut self, view: &View<'_>, number: u8) -> Result<&mut Page> {
        use std::collections::btree_map::Entry;
        match self.opened.entry(number) {
            Entry::Occupied(page) => Ok(page.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(read(view, number, &self.digests.0[usize::from(number)])?)),
        }
    }

    fn sum(&mut self, view: &View<'_>, bucket: Bucket) -> Result<&mut Sum> {
        Ok(&mut self.page(view, bucket.page)?.0[usize::from(bucket.place)])
    }
}

fn damaged() -> Error {
    Error::SetMismatch("pages")
}

fn bound(caps: &Capabilities, number: u8) -> Vec<u8> {
    seal_framed(&[caps.vault_id.as_bytes(), b"page", &[number], &caps.generation.to_le_bytes()])
}

fn digest(caps: &Capabilities, number: u8, sealed: &[u8]) -> Option<Digest> {
    caps.row_tag(&[b"page", &[number], sealed])?.first_chunk().copied()
}

fn read(view: &View<'_>, number: u8, expected: &Digest) -> Result<Page> {
    if *expected == [0; DIGEST_BYTES] {
        return Ok(Page::empty());
    }
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
        let (first, last) = names_of(bucket);
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

    /// Adds up every bucket: no page says anything that the rows, whose tags were checked, do not.
    pub(super) fn check_every_page(&self) -> Result<()> {
        let Some(pages) = &self.pages else { return Ok(()) };
        let mut pages = pages.borrow_mut();
        let mut found = vec![Page::empty(); PAGES];
        let mut add = |bucket: Option<Bucket>, element: Option<Sum>| -> Result<()> {
            let bucket = bucket.ok_or(Error::SetMismatch("keys"))?;
            found[usize::from(bucket.page)].0[usize::from(bucket.place)].add(element.ok_or(Error::SupportSlot)?);
            Ok(())
        };
        let mut statement = self.connection.prepare("SELECT id, tag, name_index FROM keys")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let (id, tag, name): (String, Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            add(Bucket::of_id(&id), sum::of_row(self.caps, Table::Keys, id.as_bytes(), &tag))?;
            add(Bucket::of_name(&name), sum::of_name(self.caps, &name))?;
        }
        for (number, found) in (0..).zip(found) {
            if *pages.page(self, number)? != found {
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

/// The first and the last blind index of a bucket.
fn names_of(bucket: Bucket) -> ([u8; 16], [u8; 16]) {
    let head = [(bucket.page - PAGES_OF_EACH) << 2 | bucket.place >> 4, bucket.place << 4];
    let (mut first, mut last) = ([0u8; 16], [0xffu8; 16]);
    first[..2].copy_from_slice(&head);
    last[..2].copy_from_slice(&[head[0], head[1] | 0x0f]);
    (first, last)
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
        let view = &self.view;
        let mut pages = view.pages.as_ref().ok_or(Error::SupportSlot)?.borrow_mut();
        let row = sum::of_row(view.caps, Table::Keys, columns.id.as_bytes(), tag).ok_or(Error::SupportSlot)?;
        let name = sum::of_name(view.caps, &columns.name_index).ok_or(Error::SupportSlot)?;
        for (bucket, element) in [(Bucket::of_id(&columns.id), row), (Bucket::of_name(&columns.name_index), name)] {
            let bucket = bucket.ok_or(Error::Damaged(None))?;
            change(pages.sum(view, bucket)?, element);
            pages.changed.insert(bucket.page);
        }
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
            pages.digests.0[usize::from(number)] = digest;
        }
        Ok(pages.digests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::KeyId;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_is_between_the_first_and_the_last_of_its_bucket(index in any::<[u8; 16]>()) {
            let bucket = Bucket::of_name(&index).unwrap();
            let (first, last) = names_of(bucket);
            prop_assert!(first <= index && index <= last);
            prop_assert_eq!((Bucket::of_name(&first), Bucket::of_name(&last)), (Some(bucket), Some(bucket)));
        }

        #[test]
        fn a_page_is_read_as_it_was_written(sums in proptest::collection::vec(any::<[u8; 32]>(), BUCKETS)) {
            let bytes = sums.as_flattened();
            prop_assert_eq!(Page::of_bytes(bytes).unwrap().to_bytes(), bytes);
            prop_assert!(Page::of_bytes(&bytes[1..]).is_none());
        }
    }

    #[test]
    fn every_id_has_a_bucket_among_the_pages_of_ids() {
        let rng = &mut rand::rng();
        for _ in 0..500 {
            let bucket = Bucket::of_id(KeyId::generate(rng).as_str()).unwrap();
            assert!(bucket.page < 62 && bucket.place < 62);
        }
        assert_eq!(Bucket::of_id("key_z"), None);
        assert_eq!(Bucket::of_id("other_zz"), None);
    }
}
