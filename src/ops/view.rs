//! A key as every door shows it: the frozen JSON of the command line contract, with the status derived at a time.

use crate::domain::{Key, RateLimit, SecretState, SelfService, Status, Time, Usage, time::format_time};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// A key's public facts; never its secret. The order of the fields is the order in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Key))]
pub struct KeyView {
    /// Its id, such as `key_EI80Ykea8W5vq5d3`: it never changes.
    pub id: String,
    /// Its name: the one system that uses the key.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The workspace that it belongs to.
    pub workspace: String,
    /// Where it works, and nowhere else.
    #[cfg_attr(test, schema(value_type = crate::domain::Environment))]
    pub environment: String,
    /// `workspace`: it reaches every project; `project`: it reaches one.
    pub level: Cow<'static, str>,
    /// The one project that it reaches.
    pub project: Option<String>,
    /// The customers that it is narrowed to; none: it reaches every customer.
    pub customers: Vec<String>,
    /// What it may do, such as `invoices:read`.
    pub scopes: Vec<String>,
    /// How many requests it may make; null: as many as it likes.
    pub rate_limit: Option<RateLimitView>,
    /// The addresses and ranges that it works from; none: from anywhere.
    pub allow_ips: Vec<String>,
    /// Labels that were put on it.
    pub labels: BTreeMap<String, String>,
    /// Active, inactive, expired or revoked.
    #[cfg_attr(test, schema(value_type = crate::domain::Status))]
    pub status: Cow<'static, str>,
    /// Whether it is active.
    pub active: bool,
    /// When it was made.
    pub created_at: String,
    /// Who made it, as the trail names them.
    pub created_by: String,
    /// When it ends; null: never.
    pub expires_at: Option<String>,
    /// When a request with it was last let in.
    pub last_used_at: Option<String>,
    /// From which address that was.
    pub last_used_ip: Option<String>,
    /// How many requests with it were let in.
    pub uses: u64,
    /// Whether none ever was.
    pub never_used: bool,
    /// The user agent of the last one.
    pub last_user_agent: Option<String>,
    /// How many requests with it were refused.
    pub denied: u64,
    /// When the last one was.
    pub last_denied_at: Option<String>,
    /// The last characters of its newest secret.
    pub hint: Option<String>,
    /// How its secret is rotated, and where that stands.
    pub rotation: RotationView,
    /// What its holder may do with it, with its secret alone; null leaves it to the workspace, else show and revoke.
    #[serde(default, rename = "self")]
    pub self_service: Option<SelfService>,
    /// The versions of its secret, oldest first.
    pub secrets: Vec<SecretView>,
    /// It counts the changes of the key; `If-Match` names it.
    pub version: u64,
    /// A secret that was issued elsewhere still works.
    #[serde(default)]
    pub imported: bool,
    /// Why requests were refused, in a list of keys that were; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denials: Option<Vec<DenialView>>,
}

/// Refusals of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = DenialOfKey))]
pub struct DenialView {
    /// Why, by the code of the verdict.
    pub code: Cow<'static, str>,
    /// How many there were.
    pub count: u64,
    /// When the last one was.
    pub last_at: String,
    /// Of the last one.
    pub detail: Option<String>,
}

/// A rate limit: so many requests in a window of so many seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = RateLimitOfKey))]
pub struct RateLimitView {
    /// So many requests.
    pub limit: u32,
    /// In so many seconds.
    pub window_seconds: u32,
}

/// The rotation policy and where the key stands in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = RotationOfKey))]
pub struct RotationView {
    /// How often the secret is to be rotated; null: nothing is planned.
    pub every_seconds: Option<i64>,
    /// How long an old secret goes on working after a rotation; null: as the workspace has it.
    pub overlap_seconds: Option<i64>,
    /// When the next rotation is due.
    pub due_at: Option<String>,
    /// When the current secret ends unless the key is rotated before.
    #[serde(default)]
    pub ends_at: Option<String>,
    /// Whether a rotation starts the key's lifetime again; null leaves it to the workspace.
    #[serde(default)]
    pub renew: Option<bool>,
    /// Whether it should have been rotated already.
    pub overdue: bool,
    /// `idle`, `overlap` while an old secret still works, or what a running rotation does.
    pub state: Cow<'static, str>,
    /// The rotation that runs.
    pub id: Option<String>,
    /// Whether it waits for a decision.
    pub parked: bool,
}

/// One version of a key's secret, by its public look-up id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = SecretOfKey))]
pub struct SecretView {
    /// The public part that a secret begins with after its prefix: it finds the key.
    pub lookup: String,
    /// `staged`, `current`, `retiring` or `dead`.
    pub state: Cow<'static, str>,
    /// The last characters of the secret.
    pub hint: String,
    /// When it was made.
    pub created_at: String,
    /// Until when it works, or since when it does not; null: no end is set.
    pub valid_until: Option<String>,
    /// It was issued elsewhere; said of no other.
    #[serde(default, skip_serializing_if = "is_native")]
    pub imported: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_native(imported: &bool) -> bool {
    !imported
}

impl From<RateLimit> for RateLimitView {
    fn from(rate: RateLimit) -> Self {
        Self { limit: rate.limit, window_seconds: rate.window_seconds }
    }
}

impl KeyView {
    /// A view with everything that one may have, an element in every list: what fields there are.
    #[must_use]
    pub fn specimen_of_all() -> Self {
        let (lookup, hint, created_at, state) = (String::new(), String::new(), String::new(), "".into());
        let secret = SecretView { lookup, state, hint, created_at, valid_until: None, imported: true };
        let denial = DenialView { code: "".into(), count: 0, last_at: String::new(), detail: None };
        Self {
            customers: vec![String::new()],
            scopes: vec![String::new()],
            allow_ips: vec![String::new()],
            secrets: vec![secret],
            denials: Some(vec![denial]),
            ..Self::default()
        }
    }

    /// The view of a key at a time.
    #[must_use]
    pub fn new(key: &Key, usage: &Usage, now: Time) -> Self {
        Self::of(key.clone(), usage, now)
    }

    /// The view of a key that nobody needs any more, whose texts it takes over.
    #[must_use]
    pub fn of(key: Key, usage: &Usage, now: Time) -> Self {
        let (status, rotation) = (key.status_at(now), RotationView::of(&key, now));
        let hint = key.secrets.last().map(|secret| secret.hint.clone()).filter(|hint| !hint.is_empty());
        let imported = key.secrets.iter().any(|secret| secret.imported && secret.works_at(now));
        Self {
            id: key.id.to_string(),
            name: key.name,
            description: key.description,
            owner: key.owner,
            workspace: key.workspace,
            environment: key.environment.to_string(),
            level: if key.project.is_some() { "project" } else { "workspace" }.into(),
            project: key.project,
            customers: key.customers,
            scopes: key.scopes.iter().map(ToString::to_string).collect(),
            rate_limit: key.rate_limit.map(Into::into),
            allow_ips: key.allow_ips.to_strings(),
            labels: key.labels,
            status: status.as_str().into(),
            active: status == Status::Active,
            created_at: format_time(key.created_at),
            created_by: key.created_by,
            expires_at: key.expires_at.map(format_time),
            last_used_at: usage.last_used_at.map(format_time),
            last_used_ip: usage.last_used_ip.map(|ip| ip.to_string()),
            uses: usage.uses,
            never_used: usage.last_used_at.is_none(),
            last_user_agent: usage.last_user_agent.clone(),
            denied: usage.denied,
            last_denied_at: usage.last_denied_at.map(format_time),
            hint,
            rotation,
            self_service: key.self_service,
            secrets: key.secrets.iter().map(|secret| secret_view(secret, now)).collect(),
            version: key.version,
            imported,
            denials: None,
        }
    }
}

impl RotationView {
    fn of(key: &Key, now: Time) -> Self {
        Self {
            every_seconds: key.rotation.every.map(|every| every.num_seconds()),
            overlap_seconds: key.rotation.overlap.map(|overlap| overlap.num_seconds()),
            due_at: key.rotation.due_at.map(format_time),
            ends_at: key.secret_ends_at().map(format_time),
            renew: key.rotation.renew,
            overdue: key.is_overdue(now),
            state: rotation_state(key, now).into(),
            id: key.running().map(|run| run.id.to_string()),
            parked: key.running().is_some_and(|run| run.parked),
        }
    }
}

/// A retiring secret whose time has passed is shown as what it is: dead.
pub(super) fn secret_view(secret: &crate::domain::Secret, now: Time) -> SecretView {
    let (state, valid_until) = match secret.state {
        SecretState::Staged => ("staged", None),
        SecretState::Current { until } => ("current", until),
        SecretState::Retiring { until } if until > now => ("retiring", Some(until)),
        SecretState::Retiring { until } => ("dead", Some(until)),
        SecretState::Dead { since } => ("dead", Some(since)),
    };
    SecretView {
        lookup: secret.lookup.to_string(),
        state: state.into(),
        hint: secret.hint.clone(),
        created_at: format_time(secret.created_at),
        valid_until: valid_until.map(format_time),
        imported: secret.imported,
    }
}

fn rotation_state(key: &Key, now: Time) -> &'static str {
    if let Some(run) = key.running() {
        return run.phase.as_str();
    }
    let overlapping =
        key.secrets.iter().any(|secret| matches!(secret.state, SecretState::Retiring { until } if until > now));
    if overlapping { "overlap" } else { "idle" }
}
