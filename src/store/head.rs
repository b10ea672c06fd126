//! The head: what the keystore holds after a commit, signed with Ed25519.
//!
//! Sealing notices a changed row, not a missing or an older one. The head therefore counts the rows of each table, holds
//! their [digest as a set](super::sum), and the digests of the [pages](super::pages) by which a single key is checked.

use super::{
    audit::hex,
    error::{Error, Result},
    open::Meta,
    pages::PageDigests,
    sum::Sum,
    tree,
};
use crate::{
    domain::merkle::CompactRange,
    vault::{Capabilities, Pin, seal_framed},
};
use minicbor::{Decode, Encode};
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;

/// The tables whose rows are digested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Keys,
    Objects,
    Slots,
    Idempotency,
    Retired,
}

pub(super) const TABLES: usize = 5;

impl Table {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Objects => "objects",
            Self::Slots => "slots",
            Self::Idempotency => "idempotency",
            Self::Retired => "retired",
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
    pub(super) counts: [u64; TABLES],
    #[n(6)]
    pub(super) at: i64,
    #[n(7)]
    pub(super) generation: u32,
    #[cbor(n(8), with = "minicbor::bytes")]
    pub(super) sealed_digests: Vec<u8>,
    /// The right edge of the tree over the trail, and so its root.
    #[cbor(n(9), with = "tree::edge")]
    pub(super) tree: CompactRange,
    /// So many of the oldest events were moved to archives.
    #[n(10)]
    pub(super) archived: u64,
    /// What the vault says of itself in the clear: the brand of its tokens, and when it was made. Heads of before have none.
    #[n(11)]
    pub(super) made: Option<(String, i64)>,
}

/// What is sealed in the head: the sums of the tables, and the digests of the pages.
#[derive(Clone)]
pub(super) struct Digests {
    pub(super) tables: [Sum; TABLES],
    pub(super) pages: PageDigests,
}

impl Digests {
    pub(super) fn none() -> Self {
        Self { tables: [Sum::default(); TABLES], pages: PageDigests::none() }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.tables.iter().flat_map(|sum| sum.to_bytes()).collect();
        self.pages.write(&mut bytes);
        bytes
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (sums, pages) = bytes.split_at_checked(TABLES * Sum::BYTES)?;
        let mut digests = Self::none();
        for (sum, bytes) in digests.tables.iter_mut().zip(sums.as_chunks::<{ Sum::BYTES }>().0) {
            *sum = Sum::of_bytes(bytes);
        }
        digests.pages = PageDigests::of_bytes(pages)?;
        Some(digests)
    }
}

impl Head {
    /// Reads the head and checks its signature and that the trail ends where it says; also what to remember of it.
    pub(super) fn read(connection: &Connection, caps: &Capabilities) -> Result<(Self, Pin)> {
        let (head, pin) = Self::of_any_generation(connection, caps)?;
        match head.generation.cmp(&caps.generation) {
            Ordering::Equal => Ok((head, pin)),
            Ordering::Greater => Err(Error::Rekeyed),
            Ordering::Less => Err(Error::HeadForged),
        }
    }

    /// The same of a copy of the vault that may have other keys for its rows: what signs is the same in all of them.
    pub(super) fn of_any_generation(connection: &Connection, caps: &Capabilities) -> Result<(Self, Pin)> {
        let row: Option<(Vec<u8>, Vec<u8>)> = connection
            .prepare_cached("SELECT body, signature FROM head WHERE one = 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (body, signature) = row.ok_or(Error::HeadForged)?;
        let signature: [u8; 64] = signature.try_into().map_err(|_| Error::HeadForged)?;
        if !caps.check_signature(&body, &signature) {
            // What signs may have been replaced: whoever opens the vault again by its slots is told whether that is true.
            let newer = |head: Self| head.vault_id == caps.vault_id && head.generation > caps.generation;
            let rekeyed = minicbor::decode(&body).is_ok_and(newer);
            return Err(if rekeyed { Error::Rekeyed } else { Error::HeadForged });
        }
        let head: Self = minicbor::decode(&body).map_err(|_| Error::HeadForged)?;
        if head.vault_id != caps.vault_id {
            return Err(Error::HeadForged);
        }
        let last: Option<(i64, Vec<u8>)> = connection
            .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (size, hash) = last.unwrap_or_default();
        let found = u64::try_from(size).map_err(|_| Error::HeadForged)?;
        if found != head.size || hash != head.last_hash || head.tree.size() != head.size {
            return Err(Error::TrailCut { signed: head.size, found });
        }
        let pin = head.pin(&body);
        Ok((head, pin))
    }

    /// Compares what the vault says of itself in the clear with what was signed.
    pub(super) fn check_made(&self, meta: &Meta) -> Result<()> {
        let made = self.made.as_ref();
        let agrees = made.is_none_or(|(brand, at)| *brand == meta.brand.as_str() && *at == meta.created_at.timestamp());
        if agrees && self.vault_id == meta.vault_id {
            Ok(())
        } else {
            Err(Error::RowTampered { table: "vault", id: meta.vault_id.clone() })
        }
    }

    /// Compares the head with what was last seen: it is neither an older one nor one of a copy that went its own way.
    pub(super) fn check_against(&self, own: &Pin, seen: &Pin, connection: &Connection) -> Result<()> {
        if seen.is_after(own) {
            return Err(Error::RolledBack { seen: seen.epoch, found: own.epoch });
        }
        if own == seen || own.incarnation != seen.incarnation {
            return Ok(());
        }
        if own.is_after(seen) && has_event(connection, seen)? {
            Ok(())
        } else {
            Err(Error::Forked { seen: seen.epoch })
        }
    }

    /// Signs and stores the head; answers with what is to be remembered outside.
    pub(super) fn write(&mut self, connection: &Connection, caps: &Capabilities, digests: &Digests) -> Result<Pin> {
        self.sealed_digests = caps.seal_detail(&mut rand::rng(), &self.bound(), &digests.to_bytes())?;
        let body = minicbor::to_vec(&*self).map_err(|_| Error::HeadForged)?;
        let signature = caps.sign(&body).ok_or(Error::SupportSlot)?;
        connection
            .prepare_cached(
                "INSERT INTO head (one, body, signature) VALUES (1, ?1, ?2)
                             ON CONFLICT (one) DO UPDATE SET body = ?1, signature = ?2",
            )?
            .execute((&body, signature.as_slice()))?;
        Ok(self.pin(&body))
    }

    /// The digests; `None` for a support slot, which cannot open them.
    pub(super) fn digests(&self, caps: &Capabilities) -> Result<Option<Digests>> {
        if caps.admin.is_none() {
            return Ok(None);
        }
        let bytes = caps.open_detail(&self.bound(), &self.sealed_digests).map_err(|_| Error::HeadForged)?;
        Digests::of_bytes(&bytes).map(Some).ok_or(Error::HeadForged)
    }

    fn pin(&self, body: &[u8]) -> Pin {
        Pin {
            epoch: self.epoch,
            incarnation: self.incarnation,
            head: hex(&Sha256::digest(body)),
            events: self.size,
            last_event: hex(&self.last_hash),
        }
    }

    fn bound(&self) -> Vec<u8> {
        seal_framed(&[b"head", self.vault_id.as_bytes(), &self.incarnation.to_le_bytes(), &self.epoch.to_le_bytes()])
    }
}

/// Whether the trail has the last event of a commit in its place: then it has everything before it, too.
pub(super) fn has_event(connection: &Connection, commit: &Pin) -> Result<bool> {
    let hash: Option<Vec<u8>> = connection
        .prepare_cached(
            "SELECT hash FROM audit WHERE seq = ?1
             UNION ALL SELECT hash FROM tree WHERE level = 0 AND place = ?1 - 1",
        )?
        .query_row((i64::try_from(commit.events).map_err(|_| Error::HeadForged)?,), |row| row.get(0))
        .optional()?;
    Ok(hash.is_some_and(|hash| hex(&hash) == commit.last_event))
}
