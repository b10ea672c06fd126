//! Reviews of the trail: who looked at it, up to where, and what has happened since.

use super::{
    Done,
    audit::{self, AuditFilter, may_view},
    authority::Authority,
    case::{Ask, Change, Method, Route, UseCase},
    context::{Context, goes_by},
    entitlement,
    error::{Error, Kind, Result},
    free_text,
};
use crate::{
    domain::{Action, Permission, Recorded, Time, text::same, time::format_duration},
    store::{Tx, View},
    vault::Capabilities,
};
use chrono::TimeDelta;
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
    /// Whose reviews count, as the workspace says; anybody's when empty.
    pub reviewers: Vec<String>,
    /// How long the trail may go without one, as the workspace says.
    pub every: Option<TimeDelta>,
    /// Of a review that was just recorded: whether it counts.
    pub counts: bool,
}

impl ReviewState {
    /// What the workspace says of its reviews, as the end of a sentence; nothing where it says nothing.
    #[must_use]
    pub fn demanded(&self) -> String {
        let who = self.reviewers.join(", ");
        match (self.every.map(format_duration), who.is_empty()) {
            (None, true) => String::new(),
            (None, false) => format!("; the review is up to {who}"),
            (Some(every), true) => format!("; a review is due every {every}"),
            (Some(every), false) => format!("; a review by {who} is due every {every}"),
        }
    }
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

/// Whether to tell what has happened since the last review.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ShowReview {
    /// Also tell what has happened since, by actor, action and outcome.
    #[serde(default)]
    pub summary: bool,
}

/// What came of a [`ShowReview`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    /// How far the trail is reviewed.
    pub state: ReviewState,
    /// What has happened since, where that was asked for.
    pub since: Vec<Tally>,
}

/// That somebody has looked at the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RecordReview {
    /// Up to which event.
    pub upto: u64,
    /// What was looked at, and what came of it.
    pub note: String,
}

impl UseCase for ShowReview {
    type Outcome = Reviewed;
    const PERMISSION: Permission = Permission::ReadAudit;
    const ROUTE: Route = Route {
        query: &["summary"],
        summary: "How far the trail is reviewed",
        answers: &[(200, "The last review.")],
        ..Route::new(Method::Get, "/v1/audit/review", "show_review", "audit")
    };

    fn target(&self) -> String {
        TRAIL.to_owned()
    }
}

impl Ask for ShowReview {
    fn ask(&self, view: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<Reviewed> {
        if self.summary { summary(view, cx) } else { Ok(Reviewed { state: state(view, cx)?, since: Vec::new() }) }
    }
}

impl UseCase for RecordReview {
    type Outcome = ReviewState;
    const PERMISSION: Permission = Permission::ReadAudit;
    const ROUTE: Route = Route {
        summary: "Record that somebody has looked at the trail",
        answers: &[(200, "How far it is reviewed now.")],
        ..Route::new(Method::Post, "/v1/audit/review", "review_trail", "audit")
    };
    const OF_ALL: Option<&'static str> = Some("reviews");

    fn target(&self) -> String {
        TRAIL.to_owned()
    }
}

impl Change for RecordReview {
    const ACTION: Action = Action::AuditReview;

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<ReviewState>> {
        review(tx, cx, self.upto, &self.note)
    }
}

/// Refuses a reviewer whose review would never count: an operator that cannot review the trail of this workspace, and a name
/// that nobody has. The user of another machine is spelled with the machine, as the trail names it, so that a slip is no
/// silent yes.
///
/// # Errors
/// `Usage`, naming the reason.
pub(super) fn may_be_named(tx: &View<'_>, cx: &Context, workspace: &str, name: &str) -> Result<()> {
    if !matches!(cx.authority, Authority::Operator(_)) && cx.goes_by(name) {
        return Ok(());
    }
    let operators = tx.operators()?;
    let mut named: Vec<_> = operators.iter().filter(|operator| same(&operator.name, name)).collect();
    named.sort_by_key(|operator| operator.active_at(cx.now));
    let cannot = |why: String| Error::new(Kind::Usage, "reviewer", format!("'{name}' cannot review the trail: {why}"));
    let Some(operator) = named.pop() else {
        if name.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()) {
            return Ok(());
        }
        return Err(cannot("no operator has this name".to_owned())
            .hint(format!("keyward operators create {} --role auditor --bind {workspace}", shell_words::quote(name)))
            .hint("or a user of a machine, as the trail names it: USER@HOST"));
    };
    if !operator.active_at(cx.now) {
        return Err(cannot(format!("the operator is {}", operator.status_at(cx.now)))
            .hint("keyward operators list  (who works)"));
    }
    if !operator.role.may(Permission::ReadAudit) {
        return Err(cannot(format!("its role is {}", operator.role)).hint(Permission::ReadAudit.who_may()));
    }
    if !operator.reaches(workspace) {
        let bound = operator.workspace.as_deref().unwrap_or_default();
        return Err(cannot(format!("it is bound to the workspace '{bound}'"))
            .hint("an operator that is bound to this workspace, or to none"));
    }
    Ok(())
}

/// How far the trail is reviewed, by those whose reviews count for the workspace.
///
/// # Errors
/// `Forbidden` when the plan has no audit view.
pub fn state(tx: &View<'_>, cx: &Context) -> Result<ReviewState> {
    may_view(tx, cx)?;
    let review = entitlement::workspace(tx, &cx.workspace)?.review;
    let counts = |recorded: &Recorded| {
        let event = &recorded.event;
        let by_operator = event.source.starts_with("server");
        review.reviewers.is_empty() || review.reviewers.iter().any(|name| goes_by(&event.actor, by_operator, name))
    };
    let last: Option<Recorded> = tx.newest_on(TRAIL, &counts)?;
    let upto = last.as_ref().and_then(|review| review.event.changes["upto"].as_u64()).unwrap_or_default();
    Ok(ReviewState {
        upto,
        at: last.as_ref().map(|review| review.at),
        note: last.as_ref().and_then(|review| review.event.changes["note"].as_str()).map(str::to_owned),
        by: last.map(|review| review.event.actor),
        unreviewed: tx.trail_size().saturating_sub(upto),
        reviewers: review.reviewers,
        every: review.every,
        counts: true,
    })
}

/// What has happened since the last review, by actor, action and outcome.
///
/// # Errors
/// `Forbidden` when the plan has no audit view; `Integrity` when an event does not open.
fn summary(tx: &View<'_>, cx: &Context) -> Result<Reviewed> {
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
    Ok(Reviewed { state, since: tallies.into_values().collect() })
}

/// Records that somebody has looked at everything up to an event. Where the workspace names its reviewers, the review of
/// anybody else is kept and changes nothing: the answer says so.
///
/// # Errors
/// `Usage` for an event that is not there or a note that is empty; `Conflict` when it was reviewed before.
fn review(tx: &Tx<'_>, cx: &Context, upto: u64, note: &str) -> Result<Done<ReviewState>> {
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
    let outcome = if before.reviewers.is_empty() || before.reviewers.iter().any(|name| cx.goes_by(name)) {
        let unreviewed = size + 1 - upto;
        ReviewState { upto, at: Some(cx.now), by: Some(cx.actor.clone()), note: Some(note), unreviewed, ..before }
    } else {
        ReviewState { unreviewed: before.unreviewed + 1, counts: false, ..before }
    };
    Ok(Done { outcome, events: vec![cx.event(Action::AuditReview, TRAIL, changes)] })
}
