//! The ends of overlaps that a schedule began wait for whoever still uses the old secret.

use super::{
    Done,
    case::{Change, Method, Route, UseCase},
    context::Context,
    entitlement,
    error::Result,
    idle::Seen,
    view::KeyView,
};
use crate::{
    domain::{Action, Environment, Permission, Wait, Waited, serde_text, time::format_time},
    store::Tx,
    vault::Capabilities,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Overlaps to be looked at: those of rotations that were begun for a due date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Prolong {
    /// A secret that was not used for so many seconds is idle.
    #[serde(with = "serde_text::seconds")]
    #[cfg_attr(test, schema(value_type = i64, minimum = 1, maximum = 3_162_240_000_i64))]
    pub only_if_idle: TimeDelta,
    /// So many seconds after its planned end an old secret ends, idle or not; as long again as its overlap when absent.
    #[serde(default, with = "serde_text::optional_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub idle_bound: Option<TimeDelta>,
    /// Only keys of this environment.
    #[serde(default)]
    pub environment: Option<Environment>,
}

/// An old secret whose end was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct OverlapWait {
    /// The key afterwards.
    pub key: KeyView,
    /// What came of it.
    pub outcome: WaitOutcome,
    /// The rotation that the old secret is left from.
    pub rotation: String,
    /// The old secret, by its public id.
    pub lookup: String,
    /// Until when the old secret works; null when it has ended.
    pub old_valid_until: Option<String>,
    /// It is prolonged no further.
    pub last: bool,
    /// When the old secret was last used.
    pub last_used_at: Option<String>,
    /// From where.
    pub last_used_ip: Option<String>,
    /// What its client called itself, where that is known.
    pub last_user_agent: Option<String>,
    /// Who is waited for, in words.
    pub waits_for: Option<String>,
}

/// What came of the end of an overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub enum WaitOutcome {
    /// The old secret is in use, and ends later.
    Waiting,
    /// It is in use, and ends all the same: the bound is reached.
    GivenUp,
    /// Its end had waited; it is idle, and has ended.
    Ended,
}

impl UseCase for Prolong {
    type Outcome = Vec<OverlapWait>;
    const PERMISSION: Permission = Permission::RotateKeys;
    const ROUTE: Route = Route {
        long: true,
        summary: "Let the ends of overlaps wait for whoever still uses the old secret",
        description: "Of rotations that were begun for their due date. An old secret in use ends later, up to a bound, and one \
                      whose end had waited ends once it is idle. What no such call prolongs ends when it was to end.",
        answers: &[(200, "The old secrets that something was done about, or that end in use.")],
        ..Route::new(Method::Post, "/v1/overlaps", "prolong_overlaps", "rotations")
    };

    fn target(&self) -> String {
        "overlaps".to_owned()
    }
}

impl Change for Prolong {
    const ACTION: Action = Action::KeyProlong;

    fn looks_at_use(&self) -> bool {
        true
    }

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<Vec<OverlapWait>>> {
        prolong(tx, cx, &self)
    }
}

/// Looks at every such overlap of a workspace.
fn prolong(tx: &mut Tx<'_>, cx: &Context, request: &Prolong) -> Result<Done<Vec<OverlapWait>>> {
    entitlement::workspace(tx, &cx.workspace)?;
    let wait = Wait { idle: request.only_if_idle, bound: request.idle_bound };
    let mut keys = tx.all_keys(&cx.workspace)?;
    keys.retain(|key| request.environment.is_none_or(|environment| environment == key.environment));
    let mut done = Done::unchanged(Vec::new());
    for mut key in keys {
        let Some(lookup) = key.old_secret_of_schedule(cx.now).cloned() else { continue };
        // As with a rotation, of no key beyond the caller's ceiling.
        if cx.authority.may_grant(&tx.catalogue(&key.workspace)?, &key.scopes).is_err() {
            continue;
        }
        let seen = Seen::of_secret(tx, &key, &lookup)?;
        let Some(waited) = key.wait_for_idle(seen.as_ref().map(|seen| seen.at), wait, cx.now) else { continue };
        let rotation = key.run.as_ref().map(|run| run.id.to_string()).unwrap_or_default();
        let facts = json!({
            "name": key.name, "rotation": rotation, "lookup": lookup.as_str(),
            "last_used_at": seen.as_ref().map(|seen| format_time(seen.at)),
            "last_used_ip": seen.as_ref().and_then(|seen| seen.address),
            "last_user_agent": seen.as_ref().and_then(|seen| seen.user_agent.clone()),
        });
        let mut changed = |action, from, until, last: bool| {
            let mut changes = facts.clone();
            changes["old_valid_until"] = json!({ "from": format_time(from), "to": format_time(until) });
            changes["last"] = json!(last);
            done.events.push(cx.event(action, key.id.to_string(), changes));
        };
        let (outcome, until, last) = match waited {
            Waited::Prolonged { from, until, last } => {
                changed(Action::KeyProlong, from, until, last);
                (WaitOutcome::Waiting, Some(until), last)
            }
            Waited::Ended { from } => {
                changed(Action::KeyRetire, from, cx.now, true);
                (WaitOutcome::Ended, None, true)
            }
            Waited::GivenUp { until } => (WaitOutcome::GivenUp, Some(until), true),
        };
        if outcome != WaitOutcome::GivenUp {
            tx.put_key(&key)?;
            key.version += 1;
        }
        let usage = tx.usage(&key.id)?;
        done.outcome.push(OverlapWait {
            outcome,
            rotation,
            lookup: lookup.to_string(),
            old_valid_until: until.map(format_time),
            last,
            waits_for: seen.as_ref().filter(|_| outcome != WaitOutcome::Ended).map(Seen::whom),
            last_used_at: seen.as_ref().map(|seen| format_time(seen.at)),
            last_used_ip: seen.as_ref().and_then(|seen| seen.address).map(|address| address.to_string()),
            last_user_agent: seen.and_then(|seen| seen.user_agent),
            key: KeyView::of(key, &usage, cx.now),
        });
    }
    Ok(done)
}
