//! What stays of signing seeds that were replaced: the public keys of their checkpoints, up to which event those may be
//! believed, and what opens the archives of that time.

use super::{
    audit::hex,
    error::{Error, Result},
    objects::{Kind, ObjectRecord},
    tx::Tx,
    view::View,
};
use crate::vault::{Capabilities, LeftBehind, seal_framed};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct FormerRecord {
    #[cbor(n(0), with = "minicbor::bytes")]
    checkpoint: [u8; 32],
    #[n(1)]
    events: u64,
    /// Sealed once more, by the key that only an admin holds.
    #[cbor(n(2), with = "minicbor::bytes")]
    archive: Vec<u8>,
}

/// A signing seed that was replaced.
pub struct Former {
    /// What is kept of it.
    pub keys: LeftBehind,
    /// How many events the trail had then: a checkpoint of more was signed by somebody who kept the seed.
    pub events: u64,
}

fn bound(caps: &Capabilities, checkpoint: &[u8; 32]) -> Vec<u8> {
    seal_framed(&[caps.vault_id.as_bytes(), b"former keys", checkpoint])
}

impl FormerRecord {
    fn open(&self, caps: &Capabilities) -> Result<Former> {
        if caps.admin.is_none() {
            return Err(Error::SupportSlot);
        }
        let tampered = || Error::RowTampered { table: "objects", id: format!("keys {}", hex(&self.checkpoint)) };
        let archive = caps.open_detail(&bound(caps, &self.checkpoint), &self.archive).map_err(|_| tampered())?;
        let archive = Zeroizing::new(archive.as_slice().try_into().map_err(|_| tampered())?);
        Ok(Former { keys: LeftBehind { checkpoint: self.checkpoint, archive }, events: self.events })
    }

    fn of(former: &Former, caps: &Capabilities) -> Result<Self> {
        let checkpoint = former.keys.checkpoint;
        let sealed = caps.seal_detail(&mut rand::rng(), &bound(caps, &checkpoint), former.keys.archive.as_slice())?;
        Ok(Self { checkpoint, events: former.events, archive: sealed })
    }

    /// Seals it again, for the keys that are to come.
    pub(super) fn reseal(&mut self, old: &Capabilities, fresh: &Capabilities) -> Result<()> {
        *self = Self::of(&self.open(old)?, fresh)?;
        Ok(())
    }
}

impl View<'_> {
    /// The signing seeds that were replaced, as far as they are kept.
    ///
    /// # Errors
    /// `SupportSlot`; `RowTampered` when a row was changed.
    pub fn former_keys(&self) -> Result<Vec<Former>> {
        let records = self.objects(Kind::FormerKeys, "")?.into_iter();
        records.map(|record| record.former.ok_or(Error::Damaged(None))?.open(self.caps)).collect()
    }
}

impl Tx<'_> {
    /// Keeps what must stay of a seed that is replaced.
    pub(super) fn put_former(&mut self, former: &Former) -> Result<()> {
        let record = ObjectRecord {
            name: hex(&former.keys.checkpoint),
            former: Some(FormerRecord::of(former, self.caps)?),
            ..ObjectRecord::default()
        };
        self.put_object(Kind::FormerKeys as i64, &record)
    }
}
