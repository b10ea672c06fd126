//! Reading the audit trail: who did what, when and why.

use super::{context::Context, entitlement, error::Result};
use crate::{
    domain::{Action, Feature, Outcome, Recorded, Time},
    store::View,
};

/// Which events to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Events about this target, such as a key id; survives the deletion of the key.
    pub target: Option<String>,
    /// Events of this actor.
    pub actor: Option<String>,
    /// Events of these actions; empty means all.
    pub actions: Vec<Action>,
    /// Events with this outcome.
    pub outcome: Option<Outcome>,
    /// Events at or after this time.
    pub since: Option<Time>,
    /// Events before this time.
    pub until: Option<Time>,
    /// At most so many, the newest ones.
    pub limit: Option<usize>,
}

/// What came of listing events.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditList {
    /// The events, oldest first.
    pub items: Vec<Recorded>,
    /// How many matched before the limit.
    pub total: usize,
}

impl AuditFilter {
    fn matches(&self, recorded: &Recorded) -> bool {
        let event = &recorded.event;
        self.target.as_ref().is_none_or(|target| *target == event.target)
            && self.actor.as_ref().is_none_or(|actor| *actor == event.actor)
            && (self.actions.is_empty() || self.actions.contains(&event.action))
            && self.outcome.is_none_or(|outcome| outcome == event.outcome)
            && self.since.is_none_or(|since| recorded.at >= since)
            && self.until.is_none_or(|until| recorded.at < until)
    }
}

/// Lists events.
///
/// # Errors
/// `Forbidden` when the plan has no audit view; `Integrity` when an event does not open.
pub fn list(tx: &View<'_>, cx: &Context, filter: &AuditFilter) -> Result<AuditList> {
    entitlement::require(&entitlement::plan_of(tx, &cx.workspace)?, Feature::AuditView)?;
    select(tx, filter)
}

/// The events of an export.
///
/// # Errors
/// `Forbidden` when the plan has no audit export; `Integrity` when an event does not open.
pub fn export(tx: &View<'_>, cx: &Context, filter: &AuditFilter) -> Result<AuditList> {
    entitlement::require(&entitlement::plan_of(tx, &cx.workspace)?, Feature::AuditExport)?;
    select(tx, filter)
}

fn select(tx: &View<'_>, filter: &AuditFilter) -> Result<AuditList> {
    let mut items: Vec<Recorded> = tx.events()?.into_iter().filter(|recorded| filter.matches(recorded)).collect();
    let total = items.len();
    if let Some(limit) = filter.limit {
        items.drain(..total.saturating_sub(limit));
    }
    Ok(AuditList { items, total })
}
