//! The trail: one gapless chain a vault.
//!
//! An entry is the stored bytes of a small JSON body with a fixed order of fields. `SHA-256(0x00 || body)`, the leaf
//! hash of RFC 6962, is the next entry's `prev`. What is private (actor, reason, what changed) is sealed; the body holds
//! only its hash, salted inside, so that the chain verifies without any key and a detail can be redacted.

use super::{
    error::{Error, Result},
    tx::Tx,
    view::View,
};
use crate::{
    domain::{
        Action, Event, Recorded,
        merkle::Hash,
        time::{format_time, parse_time},
    },
    vault::{Capabilities, seal_framed},
};
use rand::Rng;
use rusqlite::{OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The columns of an entry, in the order that [`StoredEvent`] reads.
pub(super) const COLUMNS: &str = "seq, epoch, target, done, body, hash, detail, generation";

/// What events on the trail itself name as their target.
pub(super) const TRAIL: &str = "trail";

/// The bytes of what vouches for an entry.
const TAG: usize = 32;

/// The public part of an entry; its bytes are hashed as stored, never encoded again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    pub(super) chain: Cow<'a, str>,
    pub(super) seq: u64,
    #[serde(borrow)]
    pub(super) prev: Cow<'a, str>,
    pub(super) epoch: u64,
    #[serde(borrow)]
    pub(super) at: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) action: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) target: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) outcome: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) detail_hash: Cow<'a, str>,
}

/// The sealed part of an entry.
#[derive(Deserialize)]
struct Detail {
    target: String,
    actor: String,
    source: String,
    reason: Option<String>,
    ticket: Option<String>,
    #[serde(default)]
    workspace: Option<String>,
    changes: Value,
}

/// The same of an event that is recorded, with the salt that hides what its hash is of.
#[derive(Serialize)]
struct Detailed<'a> {
    salt: &'a str,
    target: &'a str,
    actor: &'a str,
    source: &'a str,
    reason: Option<&'a str>,
    ticket: Option<&'a str>,
    workspace: Option<&'a str>,
    changes: &'a Value,
}

/// An entry as stored.
pub(super) struct StoredEvent {
    pub(super) seq: i64,
    pub(super) epoch: i64,
    pub(super) target: String,
    pub(super) done: bool,
    pub(super) body: Vec<u8>,
    pub(super) hash: Vec<u8>,
    pub(super) detail: Vec<u8>,
    pub(super) generation: i64,
}

pub(super) use crate::domain::merkle::leaf_hash as leaf;

impl StoredEvent {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            epoch: row.get(1)?,
            target: row.get(2)?,
            done: row.get(3)?,
            body: row.get(4)?,
            hash: row.get(5)?,
            detail: row.get(6)?,
            generation: row.get(7)?,
        })
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.extend([byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])));
    }
    text
}

/// The private part of an entry, opened, and what it is sealed by.
pub(super) struct Private {
    seq: u64,
    of_key: bool,
    leaf: Hash,
    detail: Zeroizing<Vec<u8>>,
}

/// Whether an entry belongs to the history of a key, which support may read.
pub(super) fn is_of_key(body: &Body<'_>) -> bool {
    body.target.starts_with("key_") || body.action.parse().is_ok_and(Action::is_of_key)
}

/// What vouches for an entry whose detail support can seal as well: it is made with a key that support does not hold.
fn vouched(caps: &Capabilities, seq: u64, leaf: &Hash) -> Option<[u8; TAG]> {
    caps.row_tag(&[b"audit-history", &seq.to_le_bytes(), leaf])
}

/// Seals the private part of an entry under the keys that it is to be read with.
fn seal(caps: &Capabilities, private: &Private) -> Result<Vec<u8>> {
    let (rng, bound) = (&mut rand::rng(), bound(caps, private.seq, caps.generation));
    if !private.of_key {
        return Ok(caps.seal_detail(rng, &bound, &private.detail)?);
    }
    let tag = vouched(caps, private.seq, &private.leaf).ok_or(Error::SupportSlot)?;
    let tagged = Zeroizing::new([private.detail.as_slice(), &tag].concat());
    Ok(caps.seal_history(rng, &bound, &tagged)?)
}

fn bound(caps: &Capabilities, seq: u64, generation: u32) -> Vec<u8> {
    seal_framed(&[caps.vault_id.as_bytes(), b"audit", &seq.to_le_bytes(), &generation.to_le_bytes()])
}

/// Random ids stand in the clear, so that a key's story can be found by an index; names do not.
pub(super) fn public_target<'a>(caps: &Capabilities, target: &'a str) -> Cow<'a, str> {
    let random_id = ["key_", "slot_", "vault_", "op_"].iter().any(|prefix| {
        target.strip_prefix(prefix).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    });
    // The trail itself is no secret either, and its reviews must be found whatever the keys are.
    if random_id || target == TRAIL {
        target.into()
    } else {
        format!("hidden_{}", hex(&caps.blind_index("audit-target", target))).into()
    }
}

impl Tx<'_> {
    pub(super) fn append(&mut self, event: &Event) -> Result<()> {
        let mut salt = [0u8; 32];
        rand::rng().fill_bytes(&mut salt);
        let detail = serde_json::to_vec(&Detailed {
            salt: &hex(&salt),
            target: &event.target,
            actor: &event.actor,
            source: &event.source,
            reason: event.reason.as_deref(),
            ticket: event.ticket.as_deref(),
            workspace: event.workspace.as_deref(),
            changes: &event.changes,
        })
        .map_err(|_| Error::Damaged(None))?;
        let caps = self.view.caps;
        let head = &mut self.view.head;
        let body = Body {
            chain: Cow::Borrowed(&head.vault_id),
            seq: head.size + 1,
            prev: hex(&head.last_hash).into(),
            epoch: head.epoch,
            at: format_time(self.view.now).into(),
            action: event.action.as_str().into(),
            target: public_target(caps, &event.target),
            outcome: event.outcome.to_string().into(),
            detail_hash: hex(&Sha256::digest(&detail)).into(),
        };
        let bytes = serde_json::to_vec(&body).map_err(|_| Error::Damaged(None))?;
        let hash = leaf(&bytes);
        let private = Private { seq: body.seq, of_key: is_of_key(&body), leaf: hash, detail: Zeroizing::new(detail) };
        let sealed = seal(caps, &private)?;
        self.view
            .connection
            .prepare_cached(
                "INSERT INTO audit (seq, epoch, target, done, body, hash, detail, generation)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                i64::try_from(body.seq).map_err(|_| Error::Full)?,
                i64::try_from(body.epoch).map_err(|_| Error::Full)?,
                &*body.target,
                event.action.wrote_target(event.outcome),
                bytes,
                hash.as_slice(),
                sealed,
                i64::from(caps.generation),
            ))?;
        head.size += 1;
        head.last_hash = hash;
        self.grow(hash)
    }

    /// Seals an entry's detail under the keys of this transaction.
    pub(super) fn reseal_detail(&mut self, private: &Private) -> Result<()> {
        let caps = self.view.caps;
        self.view.connection.prepare_cached("UPDATE audit SET detail = ?2, generation = ?3 WHERE seq = ?1")?.execute(
            (i64::try_from(private.seq).map_err(|_| Error::Full)?, seal(caps, private)?, i64::from(caps.generation)),
        )?;
        Ok(())
    }

    /// Lets support read the histories of keys that an earlier version recorded, for admins alone. Whatever was recorded
    /// since is sealed for support as well: the first such entry ends the search.
    ///
    /// # Errors
    /// `Trail` for an entry that does not open.
    pub fn open_histories(&mut self) -> Result<()> {
        let (connection, mut of_before) = (self.view.connection, Vec::new());
        let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM audit ORDER BY seq"))?;
        for stored in statement.query_map([], StoredEvent::read)? {
            let stored = stored?;
            let private = self.private_of(&stored)?;
            if private.of_key && opened_as_history(self.caps, &stored, private.seq)?.is_some() {
                break;
            }
            of_before.extend(private.of_key.then_some(private));
        }
        drop(statement);
        of_before.iter().try_for_each(|private| self.reseal_detail(private))
    }
}

impl View<'_> {
    /// The epoch of the last commit that changed a key.
    pub(super) fn last_epoch_of(&self, id: &str) -> Result<Option<i64>> {
        Ok(self
            .connection
            .prepare_cached("SELECT max(epoch) FROM audit WHERE target = ?1 AND done = 1")?
            .query_row((id,), |row| row.get(0))?)
    }

    /// Checks in the trail that a key without a row is one that was never made, or was deleted.
    pub(super) fn check_absent_in_trail(&self, id: &str) -> Result<()> {
        let last: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT body FROM audit WHERE target = ?1 AND done = 1 ORDER BY seq DESC LIMIT 1")?
            .query_row((id,), |row| row.get(0))
            .optional()?;
        let Some(bytes) = last else { return Ok(()) };
        let gone = |body: Body<'_>| body.action == Action::KeyDelete.as_str();
        if serde_json::from_slice(&bytes).is_ok_and(gone) { Ok(()) } else { Err(Error::SetMismatch("keys")) }
    }

    /// Every stored entry, in batches, oldest first.
    pub(super) fn each_batch(&self, size: usize, mut take: impl FnMut(Vec<StoredEvent>) -> Result<()>) -> Result<()> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM audit ORDER BY seq"))?;
        let mut rows = statement.query_map([], StoredEvent::read)?;
        loop {
            let batch = rows.by_ref().take(size).collect::<rusqlite::Result<Vec<_>>>()?;
            if batch.is_empty() {
                return Ok(());
            }
            take(batch)?;
        }
    }

    /// Every stored entry.
    pub(super) fn stored_events(&self) -> Result<Vec<StoredEvent>> {
        let mut all = Vec::new();
        self.each_batch(usize::MAX, |batch| {
            all.extend(batch);
            Ok(())
        })?;
        Ok(all)
    }

    /// The public part of an entry that is not archived, as it was hashed.
    pub(super) fn body_of(&self, seq: u64) -> Result<Option<Vec<u8>>> {
        let Ok(seq) = i64::try_from(seq) else { return Ok(None) };
        Ok(self
            .connection
            .prepare_cached("SELECT body FROM audit WHERE seq = ?1")?
            .query_row((seq,), |row| row.get(0))
            .optional()?)
    }

    /// The opened private part of an entry.
    pub(super) fn private_of(&self, stored: &StoredEvent) -> Result<Private> {
        let seq = u64::try_from(stored.seq).unwrap_or_default();
        let body =
            serde_json::from_slice(&stored.body).map_err(|_| Error::Trail { seq, what: "its body does not parse" })?;
        let detail = open_detail(self.caps, stored, &body)?;
        Ok(Private { seq, of_key: is_of_key(&body), leaf: leaf(&stored.body), detail })
    }

    pub(super) fn open_event(&self, stored: &StoredEvent) -> Result<Recorded> {
        let seq = u64::try_from(stored.seq).unwrap_or_default();
        let body: Body<'_> =
            serde_json::from_slice(&stored.body).map_err(|_| Error::Trail { seq, what: "its body does not parse" })?;
        recorded(&body, &open_detail(self.caps, stored, &body)?)
    }
}

/// Opens the sealed part and checks it against the hash in the body.
pub(super) fn open_detail(caps: &Capabilities, stored: &StoredEvent, body: &Body<'_>) -> Result<Zeroizing<Vec<u8>>> {
    let bad = |what| Error::Trail { seq: body.seq, what };
    let history = if is_of_key(body) { opened_as_history(caps, stored, body.seq)? } else { None };
    let detail = match history {
        Some(detail) => detail,
        None => caps
            .open_detail(&bound_of(caps, stored, body.seq)?, &stored.detail)
            .map_err(|_| bad("its detail does not open"))?,
    };
    check_detail(body, &detail)?;
    Ok(detail)
}

fn bound_of(caps: &Capabilities, stored: &StoredEvent, seq: u64) -> Result<Vec<u8>> {
    let out_of_range = |_| Error::Trail { seq, what: "its generation is out of range" };
    Ok(bound(caps, seq, u32::try_from(stored.generation).map_err(out_of_range)?))
}

/// Opens the sealed part of an entry that support may read, and checks who sealed it; `None` where an earlier version sealed
/// it for admins alone.
fn opened_as_history(caps: &Capabilities, stored: &StoredEvent, seq: u64) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let forged = || Error::Trail { seq, what: "its detail was sealed with a key that records nothing" };
    let Ok(mut opened) = caps.open_history(&bound_of(caps, stored, seq)?, &stored.detail) else { return Ok(None) };
    let length = opened.len().checked_sub(TAG).ok_or_else(forged)?;
    // A support slot cannot tell: it asks the signed tree.
    let right = vouched(caps, seq, &leaf(&stored.body)).is_none_or(|tag| opened[length..].ct_eq(&tag).into());
    opened.truncate(length);
    if right { Ok(Some(opened)) } else { Err(forged()) }
}

/// Compares an opened detail with the hash in the body.
pub(super) fn check_detail(body: &Body<'_>, detail: &[u8]) -> Result<()> {
    if hex(&Sha256::digest(detail)) == body.detail_hash {
        Ok(())
    } else {
        Err(Error::Trail { seq: body.seq, what: "its detail is not the one it was recorded with" })
    }
}

/// The event of a body and its opened detail.
pub(super) fn recorded(body: &Body<'_>, detail: &[u8]) -> Result<Recorded> {
    let bad = |what| Error::Trail { seq: body.seq, what };
    let detail: Detail = serde_json::from_slice(detail).map_err(|_| bad("its detail does not parse"))?;
    Ok(Recorded {
        seq: body.seq,
        at: parse_time(&body.at).map_err(|_| bad("its time does not parse"))?,
        event: Event {
            action: body.action.parse().map_err(|_| bad("its action is unknown"))?,
            target: detail.target,
            outcome: body.outcome.parse().map_err(|_| bad("its outcome is unknown"))?,
            actor: detail.actor,
            source: detail.source,
            reason: detail.reason,
            ticket: detail.ticket,
            workspace: detail.workspace,
            changes: detail.changes,
        },
    })
}
