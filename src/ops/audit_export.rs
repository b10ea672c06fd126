//! Exports of the trail, such that an outsider can check each line, and that none is missing.
//!
//! The export is itself an event, committed before the first byte is handed out, and its last line. That event says how
//! many lines come before it and what their leaves hash to. Each line has the exact bytes that were hashed; where lines
//! are left out, each also has its proof of inclusion in the tree of that size.

use super::{
    audit::{self, AuditFilter, may_export},
    audit_format::event_json,
    context::Context,
    error::{Error, Kind, Result},
};
use crate::{
    domain::{Action, Event, Recorded, merkle::Hash},
    store::{Entry, View},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// One event of an export.
pub struct Exported {
    /// The event.
    pub recorded: Recorded,
    /// The public part, exactly as it was hashed.
    pub body: String,
    /// The private part with its salt, exactly as it was hashed.
    pub detail: String,
    /// The leaf hash.
    pub leaf: Hash,
    /// In an export that leaves lines out: the size of the tree, and the proof that the leaf is in it.
    pub proof: Option<(u64, Vec<Hash>)>,
}

/// What an export is going to hand out.
pub struct Plan {
    /// How many events.
    pub events: usize,
    /// How many of the first that match are left out by the limit.
    skipped: usize,
    /// The newest event that there was.
    last: u64,
    /// Whether it is the trail from its first event on.
    whole: bool,
    leaves: Hash,
}

pub(super) fn digest(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    leaves.into_iter().fold(Sha256::new(), |hasher, leaf| hasher.chain_update(leaf)).finalize().into()
}

/// Selects what to export.
///
/// # Errors
/// `Forbidden` when the plan has no audit export; `Integrity` when an event does not open.
pub fn plan(tx: &View<'_>, cx: &Context, filter: &AuditFilter) -> Result<Plan> {
    may_export(tx, cx)?;
    let last = tx.trail_size();
    let mut leaves = Vec::new();
    audit::select(tx, cx, filter, (tx.first_event(), last), &mut |entry: Entry| {
        leaves.push(entry.leaf);
        Ok(())
    })?;
    let skipped = leaves.len().saturating_sub(filter.limit.unwrap_or(usize::MAX));
    let whole = filter.is_whole() && cx.authority.bound_to().is_none() && skipped == 0 && tx.first_event() == 1;
    let events = leaves.len() - skipped;
    Ok(Plan { events, skipped, last, whole, leaves: digest(leaves.into_iter().skip(skipped)) })
}

impl Plan {
    /// The event that records it.
    #[must_use]
    pub fn event(&self, cx: &Context, format: &str) -> Event {
        let leaves: String = self.leaves.iter().map(|byte| format!("{byte:02x}")).collect();
        let changes = json!({ "format": format, "events": self.events, "whole": self.whole, "leaves": leaves });
        cx.event(Action::AuditExport, &cx.workspace, changes)
    }

    /// The size of the trail that ends with the export's own event.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.last + 1
    }

    /// Hands the lines out; the export's own event must be committed by now, and is the last of them.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn hand_out(
        &self,
        view: &View<'_>,
        cx: &Context,
        filter: &AuditFilter,
        take: &mut dyn FnMut(&Exported) -> Result<()>,
    ) -> Result<()> {
        let own = self.size();
        let mut skip = self.skipped;
        let mut hand = |entry: Entry| {
            if skip > 0 {
                skip -= 1;
                return Ok(());
            }
            take(&self.exported(view, entry, own)?)
        };
        audit::select(view, cx, filter, (view.first_event(), self.last), &mut hand)?;
        let everything = AuditFilter::default();
        audit::select(view, cx, &everything, (own, own), &mut |entry| take(&self.exported(view, entry, own)?))
    }

    fn exported(&self, view: &View<'_>, entry: Entry, size: u64) -> Result<Exported> {
        let seq = entry.recorded.seq;
        let proof = if self.whole { None } else { view.prove(seq, size)?.map(|found| (size, found.proof)) };
        Exported::of(entry, proof)
    }
}

impl Exported {
    /// An event that was read, and its proof where it needs one.
    pub(super) fn of(entry: Entry, proof: Option<(u64, Vec<Hash>)>) -> Result<Self> {
        let seq = entry.recorded.seq;
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .map_err(|_| Error::new(Kind::Integrity, "trail_tampered", format!("event {seq} is no text")))
        };
        Ok(Self {
            body: text(&entry.body)?,
            detail: text(&entry.detail)?,
            leaf: entry.leaf,
            recorded: entry.recorded,
            proof,
        })
    }

    /// The vault whose event it is, as its hashed bytes say.
    #[must_use]
    pub fn vault_id(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["chain"].as_str().unwrap_or_default().to_owned()
    }

    /// The event with all that an outsider needs to check it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut line = event_json(&self.recorded);
        line["leaf"] = json!(STANDARD.encode(self.leaf));
        line["body"] = json!(self.body);
        line["detail"] = json!(self.detail);
        if let Some((size, proof)) = &self.proof {
            line["tree_size"] = json!(size);
            line["proof"] = json!(proof.iter().map(|hash| STANDARD.encode(hash)).collect::<Vec<_>>());
        }
        line
    }
}
