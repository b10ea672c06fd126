//! Which bucket a row is counted in, by what it is looked for: its id, its name, a version of its secret, or a time.
//!
//! See [`super::pages`] for what the buckets are for. Ids and look-ups are random and names are hashed, so that their
//! buckets fill evenly. Times do not: a day is a bucket, and all that comes after this century is one.

use super::records::KeyColumns;
use crate::domain::Key;

/// Buckets a page.
pub(super) const BUCKETS: u8 = 64;
/// Pages of ids, then as many of names, then as many of look-ups.
const PAGES_OF_EACH: u32 = 64;
/// Pages a keystore had before it counted look-ups and times.
pub(super) const PAGES_BEFORE: u32 = 2 * PAGES_OF_EACH;
/// From where the pages of each kind of time are numbered.
const TIMED_FROM: u32 = 1 << 16;
const DAY: i64 = 86_400;
/// The first day of the year 2100: the last bucket of a kind of time, so that there are never many of them.
const LAST_DAY: u16 = 47_482;

/// A bucket: its page and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket {
    pub(super) page: u32,
    pub(super) place: u8,
}

impl Bucket {
    /// The bucket of an id, or of at least the first two random characters of one.
    pub(super) fn of_id(id: &str) -> Option<Self> {
        Self::of_two(0, id.strip_prefix("key_")?)
    }

    pub(super) fn of_name(index: &[u8]) -> Option<Self> {
        let [first, second] = index.first_chunk::<2>()?;
        let page = PAGES_OF_EACH + u32::from(first >> 2);
        Some(Self { page, place: (first & 3) << 4 | second >> 4 })
    }

    pub(super) fn of_lookup(lookup: &str) -> Option<Self> {
        Self::of_two(2 * PAGES_OF_EACH, lookup)
    }

    fn of_two(from: u32, text: &str) -> Option<Self> {
        let [first, second] = text.as_bytes().first_chunk::<2>()?;
        Some(Self { page: from + u32::from(base62(*first)?), place: base62(*second)? })
    }

    /// The first and the last blind index of a bucket of names.
    pub(super) fn names(self) -> ([u8; 16], [u8; 16]) {
        let page = u8::try_from(self.page % PAGES_OF_EACH).unwrap_or_default();
        let head = [page << 2 | self.place >> 4, self.place << 4];
        let (mut first, mut last) = ([0u8; 16], [0xffu8; 16]);
        first[..2].copy_from_slice(&head);
        last[..2].copy_from_slice(&[head[0], head[1] | 0x0f]);
        (first, last)
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

/// A time of a key that an index answers for. A key that has none is not in that index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timed {
    /// When it expires.
    Expiry,
    /// When its rotation is due.
    Due,
    /// Whether a rotation runs: always at the same time.
    Rotating,
}

impl Timed {
    pub(super) const ALL: [Self; 3] = [Self::Expiry, Self::Due, Self::Rotating];

    /// The time in a key's columns.
    pub(super) fn of(self, columns: &KeyColumns) -> Option<i64> {
        self.of_facts(columns.expires_at, columns.due_at, columns.rotating)
    }

    /// The time of an opened key.
    pub(super) fn of_key(self, key: &Key) -> Option<i64> {
        let seconds = |time: Option<crate::domain::Time>| time.map(|time| time.timestamp());
        self.of_facts(seconds(key.expires_at), seconds(key.rotation.due_at), key.running().is_some())
    }

    /// The same of columns that are read apart from the others.
    pub(super) fn of_facts(self, expires_at: Option<i64>, due_at: Option<i64>, rotating: bool) -> Option<i64> {
        match self {
            Self::Expiry => expires_at,
            Self::Due => due_at,
            Self::Rotating => rotating.then_some(0),
        }
    }

    /// The bucket of a time.
    pub(super) fn bucket(self, time: i64) -> Bucket {
        let day = day_of(time);
        let place = u8::try_from(day % u16::from(BUCKETS)).unwrap_or_default();
        Bucket { page: self.first_page() + u32::from(day / u16::from(BUCKETS)), place }
    }

    /// The number of its first page.
    pub(super) fn first_page(self) -> u32 {
        TIMED_FROM * (1 + self as u32)
    }
}

fn day_of(time: i64) -> u16 {
    u16::try_from(time.div_euclid(DAY).max(0)).unwrap_or(LAST_DAY).min(LAST_DAY)
}

/// The first second that is in one bucket with a time.
pub(super) fn first_beside(time: i64) -> i64 {
    match day_of(time) {
        0 => i64::MIN,
        day => i64::from(day) * DAY,
    }
}

/// The last second that is in one bucket with a time.
pub(super) fn last_beside(time: i64) -> i64 {
    match day_of(time) {
        LAST_DAY => i64::MAX,
        day => i64::from(day) * DAY + DAY - 1,
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
            let (first, last) = bucket.names();
            prop_assert!(first <= index && index <= last);
            prop_assert_eq!((Bucket::of_name(&first), Bucket::of_name(&last)), (Some(bucket), Some(bucket)));
        }

        #[test]
        fn a_time_is_between_the_first_and_the_last_of_its_bucket(time in any::<i64>(), near in 0i64..8_000_000_000) {
            for time in [time, near] {
                let (first, last) = (first_beside(time), last_beside(time));
                prop_assert!(first <= time && time <= last);
                for timed in Timed::ALL {
                    let bucket = timed.bucket(time);
                    prop_assert_eq!((timed.bucket(first), timed.bucket(last)), (bucket, bucket));
                    prop_assert!(first == i64::MIN || timed.bucket(first - 1) != bucket);
                    prop_assert!(last == i64::MAX || timed.bucket(last + 1) != bucket);
                    prop_assert!(bucket.place < BUCKETS && bucket.page - timed.first_page() < TIMED_FROM);
                }
            }
        }
    }

    #[test]
    fn every_id_and_every_look_up_has_a_bucket_of_its_own_kind() {
        let rng = &mut rand::rng();
        for _ in 0..500 {
            let id = KeyId::generate(rng);
            let bucket = Bucket::of_id(id.as_str()).unwrap();
            assert!(bucket.page < 62 && bucket.place < 62);
            let lookup = Bucket::of_lookup(&id.as_str()["key_".len()..]).unwrap();
            assert_eq!((lookup.page, lookup.place), (bucket.page + PAGES_BEFORE, bucket.place));
        }
        assert_eq!(Bucket::of_id("key_z"), None);
        assert_eq!(Bucket::of_id("other_zz"), None);
    }
}
