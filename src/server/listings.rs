//! Lists that are being read page by page: which keys, in which order. What each page says of them is read anew.
//!
//! The first page of a list looks at every key; the others find here where they are. A list that is forgotten, because
//! nobody asked for it lately or others need the room, is made again.

use crate::{
    domain::{KeyId, Status, ids::random_base62},
    ops::{Error, Result},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long nobody may ask for a list until it is forgotten.
const KEPT_FOR: Duration = Duration::from_secs(120);
/// How many keys all of them have together, at 20 bytes each; the newest list is kept whatever it has.
const MOST_KEYS: usize = 2_000_000;
const MOST_LISTS: usize = 64;

/// A list.
pub(super) struct Listing {
    name: String,
    /// Whose it is and what was asked for: to anybody else it is none.
    asked: String,
    pub(super) keys: Vec<KeyId>,
    /// How many keys the default statuses hide, by status.
    pub(super) hidden: BTreeMap<Status, usize>,
}

/// The lists that are being read, the one that was asked for longest ago first.
#[derive(Default)]
pub(super) struct Listings(Mutex<VecDeque<(Arc<Listing>, Instant)>>);

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    listing: String,
    offset: usize,
    /// The last key of the page before.
    last: KeyId,
    /// What was asked for, as a checksum: a place in one list is none in another.
    asked: u32,
}

impl Listings {
    /// Keeps a list for the pages to come.
    pub(super) fn keep(&self, asked: String, keys: Vec<KeyId>, hidden: BTreeMap<Status, usize>) -> Arc<Listing> {
        let name = random_base62(&mut rand::rng(), 16);
        let listing = Arc::new(Listing { name, asked, keys, hidden });
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_back((Arc::clone(&listing), Instant::now()));
        let mut held: usize = all.iter().map(|(listing, _)| listing.keys.len()).sum();
        while all.len() > MOST_LISTS || (held > MOST_KEYS && all.len() > 1) {
            held -= all.pop_front().map_or(0, |(gone, _)| gone.keys.len());
        }
        listing
    }

    /// The list of a cursor, as long as it is kept, and for whoever asked for it.
    pub(super) fn of(&self, cursor: &Cursor, asked: &str) -> Option<Arc<Listing>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, at)| at.elapsed() < KEPT_FOR);
        let place = all.iter().position(|(listing, _)| listing.name == cursor.listing && listing.asked == asked)?;
        let (listing, _) = all.remove(place)?;
        all.push_back((Arc::clone(&listing), Instant::now()));
        Some(listing)
    }
}

impl Listing {
    /// Where a page begins: after the last key of the page before, or, where that is not in this list, where it was.
    pub(super) fn place(&self, cursor: &Cursor) -> usize {
        let just_there = cursor.offset.checked_sub(1).filter(|before| self.keys.get(*before) == Some(&cursor.last));
        let before = just_there.or_else(|| self.keys.iter().position(|key| *key == cursor.last));
        before.map_or(cursor.offset.saturating_sub(1), |before| before + 1)
    }

    /// The cursor of the page after `end` keys; `None` at the end of the list.
    pub(super) fn cursor(&self, end: usize) -> Option<String> {
        let last = end.checked_sub(1).and_then(|last| self.keys.get(last));
        let asked = crc32fast::hash(self.asked.as_bytes());
        last.filter(|_| end < self.keys.len()).map(|last| format!("{end}.{last}.{}.{asked}", self.name))
    }
}

impl Cursor {
    /// Reads what [`Listing::cursor`] wrote.
    ///
    /// # Errors
    /// `Usage` for anything else, and for the cursor of a list that was asked for in another way.
    pub(super) fn parse(text: &str, asked: &str) -> Result<Self> {
        let foreign = || Error::usage("the cursor is none of ours");
        let parts: Vec<&str> = text.split('.').collect();
        let [offset, last, listing, of] = parts[..] else { return Err(foreign()) };
        let cursor = Self {
            listing: listing.to_owned(),
            offset: offset.parse().map_err(|_| foreign())?,
            last: last.parse().map_err(|_| foreign())?,
            asked: of.parse().map_err(|_| foreign())?,
        };
        if cursor.asked == crc32fast::hash(asked.as_bytes()) {
            return Ok(cursor);
        }
        Err(Error::usage("the cursor is of another list")
            .hint("a page is asked for with the filters of the page before, and by whom it was told"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<KeyId> {
        (0..count).map(|_| KeyId::generate(&mut rand::rng())).collect()
    }

    #[test]
    fn a_cursor_finds_its_place_in_its_list_and_in_one_that_was_made_again() {
        let listings = Listings::default();
        let keys = ids(5);
        let listing = listings.keep("all".to_owned(), keys.clone(), BTreeMap::new());
        let cursor = Cursor::parse(&listing.cursor(2).unwrap(), "all").unwrap();
        assert_eq!(listings.of(&cursor, "all").unwrap().place(&cursor), 2);
        assert!(listings.of(&cursor, "another question").is_none());
        assert!(Cursor::parse(&listing.cursor(2).unwrap(), "another question").is_err());
        assert_eq!(listing.cursor(5), None);

        let mut shifted = ids(1);
        shifted.extend(keys.clone());
        assert_eq!(listings.keep("all".to_owned(), shifted, BTreeMap::new()).place(&cursor), 3, "after the same key");
        let without: Vec<KeyId> = keys.into_iter().filter(|key| *key != cursor.last).collect();
        assert_eq!(
            listings.keep("all".to_owned(), without, BTreeMap::new()).place(&cursor),
            1,
            "where the key was that is gone"
        );
    }

    #[test]
    fn lists_are_bounded() {
        let listings = Listings::default();
        let first = listings.keep("all".to_owned(), ids(2), BTreeMap::new());
        let cursor = Cursor::parse(&first.cursor(1).unwrap(), "all").unwrap();
        for _ in 0..MOST_LISTS {
            assert!(listings.of(&cursor, "all").is_some(), "one that is read is kept");
            listings.keep("all".to_owned(), Vec::new(), BTreeMap::new());
        }
        let big = vec![cursor.last.clone(); MOST_KEYS + 1];
        listings.keep("all".to_owned(), big, BTreeMap::new());
        assert!(listings.of(&cursor, "all").is_none());
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in
            ["", "1", "1.key_0000000000000000", "x.key_0000000000000000.a.1", "1.nobody.a.1", "1.2.3.4", "1.2.3.4.5"]
        {
            assert!(Cursor::parse(text, "all").is_err(), "{text}");
        }
    }
}
