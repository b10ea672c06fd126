//! The digest of a set: the sum modulo 2^256 of a keyed element a row (MSet-Add-Hash: Clarke, Devadas, van Dijk,
//! Gassend and Suh, "Incremental Multiset Hash Functions", ASIACRYPT 2003). A row is added or taken out at the same cost,
//! whatever else is in the set. Elements and sums leave the process sealed only: whoever sees enough of them can look
//! for other rows with the same sum.

use super::{buckets::Timed, head::Table};
use crate::vault::Capabilities;

/// A sum, its least significant part first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum([u64; 4]);

impl Sum {
    pub(super) const BYTES: usize = 32;

    pub(super) fn add(&mut self, other: Self) {
        let mut carry = false;
        for (digit, other) in self.0.iter_mut().zip(other.0) {
            let (sum, over) = digit.overflowing_add(other);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            (*digit, carry) = (sum, over || again);
        }
    }

    pub(super) fn subtract(&mut self, other: Self) {
        let mut borrow = false;
        for (digit, other) in self.0.iter_mut().zip(other.0) {
            let (rest, under) = digit.overflowing_sub(other);
            let (rest, again) = rest.overflowing_sub(u64::from(borrow));
            (*digit, borrow) = (rest, under || again);
        }
    }

    pub(super) fn of_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut digits = [0u64; 4];
        for (digit, part) in digits.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *digit = u64::from_le_bytes(*part);
        }
        Self(digits)
    }

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0u8; Self::BYTES];
        for (part, digit) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *part = digit.to_le_bytes();
        }
        bytes
    }
}

/// What a row adds to the digest of its table: bound to its id and to all that its tag covers. `None` for a support slot.
pub(super) fn of_row(caps: &Capabilities, table: Table, id: &[u8], tag: &[u8]) -> Option<Sum> {
    // One block of the hash for a key's row: a byte, 20 of its id, 32 of its tag.
    caps.set_element(&[&[table as u8], id, tag]).map(|element| Sum::of_bytes(&element))
}

/// What a key's name adds to the digest of the names.
pub(super) fn of_name(caps: &Capabilities, name_index: &[u8]) -> Option<Sum> {
    const NAME: u8 = 0xff;
    caps.set_element(&[&[NAME], name_index]).map(|element| Sum::of_bytes(&element))
}

/// What a version of a secret adds: the look-up and the key that it leads to. Both are of fixed length.
pub(super) fn of_lookup(caps: &Capabilities, lookup: &str, key: &str) -> Option<Sum> {
    const LOOKUP: u8 = 0xfe;
    caps.set_element(&[&[LOOKUP], lookup.as_bytes(), key.as_bytes()]).map(|element| Sum::of_bytes(&element))
}

/// What a time of a key adds.
pub(super) fn of_time(caps: &Capabilities, timed: Timed, time: i64, key: &str) -> Option<Sum> {
    const TIMED: u8 = 0xf0;
    caps.set_element(&[&[TIMED + timed as u8], &time.to_le_bytes(), key.as_bytes()])
        .map(|element| Sum::of_bytes(&element))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sum_forgets_what_is_subtracted(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
            let (a, b) = (Sum::of_bytes(&a), Sum::of_bytes(&b));
            let mut sum = a;
            sum.add(b);
            sum.subtract(b);
            prop_assert_eq!(sum, a);
            sum.subtract(b);
            sum.add(b);
            prop_assert_eq!(Sum::of_bytes(&sum.to_bytes()), a);
            sum.subtract(a);
            prop_assert_eq!(sum, Sum::default());
        }
    }

    #[test]
    fn a_sum_carries_and_borrows_over_all_its_digits() {
        let mut one = [0; 32];
        one[0] = 1;
        let (one, most) = (Sum::of_bytes(&one), Sum::of_bytes(&[0xff; 32]));
        let mut sum = most;
        sum.add(one);
        assert_eq!(sum, Sum::default());
        sum.subtract(one);
        assert_eq!(sum, most);
    }
}
