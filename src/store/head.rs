//! The head: what the keystore holds after a commit, signed with Ed25519.
//!
//! Sealing notices a changed row, not a missing one. The head therefore counts the rows of each table and digests them
//! as a set: the sum modulo 2^256 of a keyed tag a row (MSet-Add-Hash: Clarke, Devadas, van Dijk, Gassend and Suh,
//! "Incremental Multiset Hash Functions", ASIACRYPT 2003). The sums are sealed, for whoever sees many of them could
//! combine old rows into the same sum.

use super::error::{Error, Result};
use crate::vault::{Capabilities, Pin, seal_framed};
use minicbor::{Decode, Encode};
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

/// The tables whose rows are digested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Keys,
    Objects,
    Slots,
}

impl Table {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Objects => "objects",
            Self::Slots => "slots",
        }
    }
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Head {
    #[n(0)]
    pub(super) vault_id: String,
    #[n(1)]
    pub(super) incarnation: u64,
    #[n(2)]
    pub(super) epoch: u64,
    #[n(3)]
    pub(super) size: u64,
    #[cbor(n(4), with = "minicbor::bytes")]
    pub(super) last_hash: [u8; 32],
    #[n(5)]
    pub(super) counts: [u64; 3],
    #[n(6)]
    pub(super) at: i64,
    #[n(7)]
    pub(super) generation: u32,
    #[cbor(n(8), with = "minicbor::bytes")]
    pub(super) sealed_sums: Vec<u8>,
}

/// The digests of the tables, as little-endian numbers modulo 2^256.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums([[u8; 32]; 3]);

impl Sums {
    pub(super) fn add(&mut self, table: Table, tag: &[u8; 32]) {
        let mut carry = 0u16;
        for (digit, other) in self.0[table as usize].iter_mut().zip(tag) {
            let sum = u16::from(*digit) + u16::from(*other) + carry;
            *digit = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
    }

    pub(super) fn subtract(&mut self, table: Table, tag: &[u8; 32]) {
        let mut negated = [0u8; 32];
        let mut carry = 1u16;
        for (digit, other) in negated.iter_mut().zip(tag) {
            let sum = u16::from(!*other) + carry;
            *digit = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
        self.add(table, &negated);
    }

    pub(super) fn of(&self, table: Table) -> &[u8; 32] {
        &self.0[table as usize]
    }
}

impl Head {
    /// Reads the head and checks its signature and that the trail ends where it says.
    pub(super) fn read(connection: &Connection, caps: &Capabilities) -> Result<Self> {
        let row: Option<(Vec<u8>, Vec<u8>)> = connection
            .prepare_cached("SELECT body, signature FROM head WHERE one = 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (body, signature) = row.ok_or(Error::HeadForged)?;
        let signature: [u8; 64] = signature.try_into().map_err(|_| Error::HeadForged)?;
        if !caps.check_signature(&body, &signature) {
            return Err(Error::HeadForged);
        }
        let head: Self = minicbor::decode(&body).map_err(|_| Error::HeadForged)?;
        if head.vault_id != caps.vault_id || head.generation != caps.generation {
            return Err(Error::HeadForged);
        }
        let last: Option<(i64, Vec<u8>)> = connection
            .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if last != Some((i64::try_from(head.size).map_err(|_| Error::HeadForged)?, head.last_hash.to_vec())) {
            return Err(Error::TrailCut);
        }
        Ok(head)
    }

    /// Signs and stores the head; answers with what is to be remembered outside.
    pub(super) fn write(&mut self, connection: &Connection, caps: &Capabilities, sums: &Sums) -> Result<Pin> {
        self.sealed_sums = caps.seal_detail(&mut rand::rng(), &self.bound(), sums.0.as_flattened())?;
        let body = minicbor::to_vec(&*self).map_err(|_| Error::HeadForged)?;
        let signature = caps.sign(&body).ok_or(Error::SupportSlot)?;
        connection
            .prepare_cached(
                "INSERT INTO head (one, body, signature) VALUES (1, ?1, ?2)
                             ON CONFLICT (one) DO UPDATE SET body = ?1, signature = ?2",
            )?
            .execute((&body, signature.as_slice()))?;
        let head = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Pin { epoch: self.epoch, incarnation: self.incarnation, head })
    }

    /// The digests; `None` for a support slot, which cannot open them.
    pub(super) fn sums(&self, caps: &Capabilities) -> Result<Option<Sums>> {
        if caps.admin.is_none() {
            return Ok(None);
        }
        let bytes = caps.open_detail(&self.bound(), &self.sealed_sums).map_err(|_| Error::HeadForged)?;
        let mut sums = Sums::default();
        if bytes.len() != sums.0.as_flattened().len() {
            return Err(Error::HeadForged);
        }
        sums.0.as_flattened_mut().copy_from_slice(&bytes);
        Ok(Some(sums))
    }

    fn bound(&self) -> Vec<u8> {
        seal_framed(&[b"head", self.vault_id.as_bytes(), &self.incarnation.to_le_bytes(), &self.epoch.to_le_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sum_forgets_what_is_subtracted(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
            let mut sums = Sums::default();
            sums.add(Table::Keys, &a);
            let only_a = sums;
            sums.add(Table::Keys, &b);
            sums.subtract(Table::Keys, &b);
            prop_assert_eq!(sums, only_a);
            sums.subtract(Table::Keys, &a);
            prop_assert_eq!(sums, Sums::default());
        }
    }
}
