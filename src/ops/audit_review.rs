//! Reviews of the trail: who looked at it, up to where, and what has happened since.

use super::{
    Done,
    audit::{self, AuditFilter, may_view},
    context::Context,
    error::{Error, Result},
    free_text,
};
use crate::{
    domain::{Action, Recorded, Time},
    store::{Tx, View},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// What reviews name as their target, so that the last one is found at once.
pub const TRAIL: &str = "trail";

/// How far the trail is reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewState {
    /// Up to this event; 0 when nobody ever reviewed it.
    pub upto: u64,
    /// When the last review was recorded.
    pub at: Option<Time>,
    /// By whom.
    pub by: Option<String>,
    /// What the reviewer noted.
    pub note: Option<String>,
    /// How many events came after it.
    pub unreviewed: u64,
}

/// Like events, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Tally {
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// How it ended.
    pub outcome: String,
    /// How often.
    pub events: u64,
    /// The first such event.
    pub first_seq: u64,
    /// The last.
    pub last_seq: u64,
}

/// How far the trail is reviewed.
///
/// # Errors
/// `Forbidden` when the plan has no audit view.
pub fn state(tx: &View<'_>, cx: &Context) -> Result<ReviewState> {
    may_view(tx, cx)?;
    let last: Option<Recorded> = tx.newest_on(TRAIL)?;
    let upto = last.as_ref().and_then(|review| review.event.changes["upto"].as_u64()).unwrap_or_default();
    Ok(ReviewState {
        upto,
        at: last.as_ref().map(|review| review.at),
        note: last.as_ref().and_then(|review| review.event.changes["note"].as_str()).map(str::to_owned),
        by: last.map(|review| review.event.actor),
        unreviewed: tx.trail_size().saturating_sub(upto),
    })
}

/// What has happened since the last review, by actor, action and outcome.
///
/// # Errors
/// `Forbidden` when the plan has no audit view; `Integrity` when an event does not open.
pub fn summary(tx: &View<'_>, cx: &Context) -> Result<(ReviewState, Vec<Tally>)> {
    let state = state(tx, cx)?;
    let mut tallies: BTreeMap<(String, String, String), Tally> = BTreeMap::new();
    audit::select(tx, cx, &AuditFilter::default(), (state.upto + 1, tx.trail_size()), &mut |entry| {
        let (seq, event) = (entry.recorded.seq, entry.recorded.event);
        let (action, outcome) = (event.action.to_string(), event.outcome.to_string());
        let tally = tallies.entry((event.actor.clone(), action.clone(), outcome.clone())).or_insert(Tally {
            actor: event.actor,
            action,
            outcome,
            events: 0,
            first_seq: seq,
            last_seq: seq,
        });
        tally.events += 1;
        tally.last_seq = seq;
        Ok(())
    })?;
    Ok((state, tallies.into_values().collect()))
}

/// Records that somebody has looked at everything up to an event.
///
/// # Errors
/// `Usage` for an event that is not there or a note that is empty; `Conflict` when it was reviewed before.
pub fn review(tx: &Tx<'_>, cx: &Context, upto: u64, note: &str) -> Result<Done<ReviewState>> {
    let before = state(tx, cx)?;
    let size = tx.trail_size();
    if upto == 0 || upto > size {
        return Err(Error::usage(format!("there is no event {upto} to review up to: the trail has {size}"))
            .hint("keyward audit list --unreviewed"));
    }
    let mut note = note.to_owned();
    free_text::lines("note", &mut note)?;
    if note.trim().is_empty() {
        return Err(Error::usage("a review needs a note: what was looked at, and what came of it"));
    }
    if upto <= before.upto {
        return Err(Error::conflict(
            "already_reviewed",
            format!("the trail is reviewed up to event {} already", before.upto),
        )
        .hint("keyward audit list --unreviewed"));
    }
    let changes = json!({ "from": before.upto + 1, "upto": upto, "note": note });
    let outcome = ReviewState {
        upto,
        at: Some(cx.now),
        by: Some(cx.actor.clone()),
        note: Some(note),
        unreviewed: size + 1 - upto,
    };
    Ok(Done { outcome, events: vec![cx.event(Action::AuditReview, TRAIL, changes)] })
}
