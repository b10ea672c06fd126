//! The columns of the tables: which fields a person sees first.

#[cfg(feature = "server")]
mod held;
mod reports;
mod trusts;

#[cfg(feature = "server")]
pub(super) use held::{SELF, SELF_REVOKED};
pub(super) use reports::{COUNTS, EXPIRING, OWNERS, ROTATED, STALE};
pub(super) use trusts::TRUSTS;

use crate::output::{
    Column,
    ColumnKind::{
        Deliveries, Duration, Environment, Expiry, List, LiveSecrets, Number, RateLimit, Reasons, Summary, Text, Time,
    },
};

/// A list of keys.
pub(super) const KEYS: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("id", "id", Text).wide(),
    Column::new("environment", "env", Environment),
    Column::new("status", "status", Text),
    Column::new("scopes", "scopes", Summary).late(),
    Column::new("expires_at", "expires", Expiry),
    Column::new("last_used_at", "last used", Time),
    Column::new("hint", "hint", Text).late(),
    Column::new("owner", "owner", Text),
    Column::new("project", "project", Text).wide(),
    Column::new("customers", "customers", List).wide(),
    Column::new("rate_limit", "rate limit", RateLimit).wide(),
    Column::new("allow_ips", "allowed from", List).wide(),
    Column::new("labels", "labels", List).wide(),
    Column::new("uses", "uses", Number).wide(),
    Column::new("denied", "denied", Number).wide(),
    Column::new("last_used_ip", "last used from", Text).wide(),
    Column::new("created_at", "created", Time).wide(),
    Column::new("created_by", "created by", Text).wide(),
    Column::new("rotation.due_at", "rotation due", Time).wide(),
    Column::new("imported", "imported", Text).wide(),
];

/// Keys of which requests were refused.
pub(super) const DENIED_KEYS: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("id", "id", Text).wide(),
    Column::new("environment", "env", Environment),
    Column::new("status", "status", Text),
    Column::new("last_denied_at", "last denied", Time),
    Column::new("denials", "why", Reasons),
    Column::new("owner", "owner", Text),
    Column::new("denied", "denied ever", Number).wide(),
    Column::new("last_used_at", "last used", Time).wide(),
    Column::new("expires_at", "expires", Time).wide(),
];

/// Groups of keys.
pub(super) const KEY_GROUPS: &[Column] = &[Column::new("group", "group", Text), Column::new("keys", "keys", Number)];

/// One key.
pub(super) const KEY: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("id", "id", Text),
    Column::new("status", "status", Text),
    Column::new("environment", "environment", Text),
    Column::new("workspace", "workspace", Text),
    Column::new("level", "level", Text),
    Column::new("project", "project", Text),
    Column::new("customers", "customers", List),
    Column::new("owner", "owner", Text),
    Column::new("description", "description", Text),
    Column::new("scopes", "scopes", List),
    Column::new("rate_limit", "rate limit", RateLimit),
    Column::new("allow_ips", "allowed from", List),
    Column::new("labels", "labels", List),
    Column::new("created_at", "created", Time),
    Column::new("created_by", "created by", Text),
    Column::new("expires_at", "expires", Time),
    Column::new("last_used_at", "last used", Time),
    Column::new("last_used_ip", "last used from", Text),
    Column::new("last_user_agent", "last used by", Text),
    Column::new("uses", "uses", Number),
    Column::new("denied", "denied", Number),
    Column::new("last_denied_at", "last denied", Time),
    Column::new("hint", "hint", Text),
    Column::new("secrets", "secrets", LiveSecrets),
    Column::new("rotation.state", "rotation", Text),
    Column::new("rotation.every_seconds", "rotate every", Duration),
    Column::new("rotation.overlap_seconds", "overlap", Duration),
    Column::new("rotation.due_at", "rotation due", Time),
    Column::new("rotation.ends_at", "ends unless rotated", Time),
    Column::new("rotation.renew", "renews", Text),
    Column::new("rotation.overdue", "overdue", Text),
    Column::new("self", "holder may", List),
    Column::new("imported", "imported", Text),
];

/// One key beside its fresh secret: what somebody has to see at that moment, the rest in `-o wide`.
pub(super) fn minted() -> Vec<Column> {
    const SEEN: [&str; 5] = ["name", "id", "environment", "scopes", "expires_at"];
    KEY.iter().map(|column| if SEEN.contains(&column.path) { *column } else { column.wide() }).collect()
}

/// Operators.
pub(super) const OPERATORS: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("id", "id", Text),
    Column::new("role", "role", Text),
    Column::new("workspace", "workspace", Text),
    Column::new("status", "status", Text),
    Column::new("expires_at", "expires", Time),
    Column::new("hint", "hint", Text),
    Column::new("ceiling", "ceiling", List).wide(),
    Column::new("allow_ips", "allowed from", List).wide(),
    Column::new("created_at", "created", Time).wide(),
    Column::new("created_by", "created by", Text).wide(),
];

/// One operator.
pub(super) const OPERATOR: &[Column] = OPERATORS;
/// Webhooks.
#[cfg(feature = "server")]
pub(super) const WEBHOOKS: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("id", "id", Text),
    Column::new("url", "url", Text),
    Column::new("events", "events", List).wide(),
    Column::new("delivered", "delivered", Number),
    Column::new("pending", "pending", Number),
    Column::new("dead", "dead", Number),
    Column::new("last_delivered_at", "last delivered", Time),
    Column::new("failures.0.error", "last failure", Text),
    Column::new("workspace", "workspace", Text).wide(),
    Column::new("created_at", "created", Time).wide(),
    Column::new("created_by", "created by", Text).wide(),
];

/// A message on trial.
#[cfg(feature = "server")]
pub(super) const WEBHOOK_TEST: &[Column] =
    &[Column::new("webhook", "webhook", Text), Column::new("message", "message", Text)];

/// Rotations.
pub(super) const ROTATIONS: &[Column] = &[
    Column::new("id", "id", Text),
    Column::new("key_name", "key", Text),
    Column::new("environment", "env", Text),
    Column::new("state", "state", Text),
    Column::new("started_at", "began", Time),
    Column::new("actor", "actor", Text),
    Column::new("deliveries", "sinks", Deliveries).wide(),
    Column::new("key_id", "key id", Text).wide(),
    Column::new("finished_at", "ended", Time).wide(),
];

/// The results of a run over many keys.
pub(super) const ROTATION_RESULTS: &[Column] = &[
    Column::new("name", "key", Text),
    Column::new("environment", "env", Text),
    Column::new("outcome", "outcome", Text),
    Column::new("next_due_at", "next due", Text),
    Column::new("old_valid_until", "old works until", Text),
    Column::new("why", "why", Text),
    Column::new("sinks", "sinks", List).wide(),
    Column::new("rotation", "rotation", Text).wide(),
    Column::new("key_id", "key id", Text).wide(),
];

/// One rotation.
pub(super) const ROTATION: &[Column] = &[
    Column::new("id", "id", Text),
    Column::new("key_name", "key", Text),
    Column::new("key_id", "key id", Text),
    Column::new("environment", "environment", Text),
    Column::new("state", "state", Text),
    Column::new("parked", "parked", Text),
    Column::new("actor", "actor", Text),
    Column::new("started_at", "began", Time),
    Column::new("finished_at", "ended", Time),
    Column::new("lease_until", "lease until", Time),
    Column::new("overlap_seconds", "overlap", Duration),
    Column::new("secret.lookup", "new secret", Text),
    Column::new("secret.state", "its state", Text),
    Column::new("in_doubt.lookup", "in doubt", Text),
    Column::new("deliveries", "sinks", Deliveries),
];

/// Who acts, and where.
#[cfg(feature = "server")]
pub(super) const WHOAMI: &[Column] = &[
    Column::new("actor", "actor", Text),
    Column::new("role", "role", Text),
    Column::new("server", "server", Text),
    Column::new("profile", "profile", Text),
    Column::new("vault", "vault", Text),
    Column::new("workspace", "workspace", Text),
    Column::new("address", "seen from", Text),
    Column::new("expires_at", "credential ends", Time),
    Column::new("permissions", "may", List),
];

/// Servers that somebody has logged in to.
#[cfg(feature = "server")]
pub(super) const PROFILES: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("server", "server", Text),
    Column::new("operator", "operator", Text),
    Column::new("role", "role", Text),
    Column::new("workspace", "workspace", Text),
    Column::new("expires_at", "credential ends", Time),
    Column::new("in_use", "in use", Text),
];

/// Settings and where they come from.
#[cfg(feature = "server")]
pub(super) const SETTINGS: &[Column] = &[
    Column::new("setting", "setting", Text),
    Column::new("value", "value", Text),
    Column::new("source", "source", Text),
];

/// The catalogue of scopes.
pub(super) const SCOPES: &[Column] = &[
    Column::new("name", "scope", Text),
    Column::new("keys", "keys", Number),
    Column::new("implies", "implies", List),
    Column::new("description", "description", Text),
];

/// The scopes of new keys that are given none.
pub(super) const DEFAULT_SCOPES: &[Column] = &[Column::new("name", "scope", Text)];

/// The audit trail.
pub(super) const AUDIT: &[Column] = &[
    Column::new("seq", "seq", Number),
    Column::new("at", "at", Time),
    Column::new("actor", "actor", Text),
    Column::new("action", "action", Text),
    Column::new("target", "target", Text),
    Column::new("outcome", "outcome", Text),
    Column::new("reason", "reason", Text),
    Column::new("ticket", "ticket", Text).wide(),
    Column::new("source", "source", Text).wide(),
    Column::new("changes", "changes", List).wide(),
];

/// One event of the trail; what it changed follows as a diff.
pub(super) const AUDIT_EVENT: &[Column] = &[
    Column::new("seq", "seq", Number),
    Column::new("at", "at", Time),
    Column::new("actor", "actor", Text),
    Column::new("source", "source", Text),
    Column::new("action", "action", Text),
    Column::new("target", "target", Text),
    Column::new("outcome", "outcome", Text),
    Column::new("reason", "reason", Text),
    Column::new("ticket", "ticket", Text),
];

/// A review of the trail.
pub(super) const REVIEW: &[Column] = &[
    Column::new("upto", "up to", Number),
    Column::new("at", "at", Time),
    Column::new("by", "by", Text),
    Column::new("note", "note", Text),
    Column::new("unreviewed", "unreviewed", Number),
    Column::new("counts", "counts", Text).wide(),
    Column::new("reviewers", "reviewers", List).wide(),
    Column::new("every_seconds", "every", Duration).wide(),
];

/// What has happened since the last review.
pub(super) const REVIEW_SUMMARY: &[Column] = &[
    Column::new("actor", "actor", Text),
    Column::new("action", "action", Text),
    Column::new("outcome", "outcome", Text),
    Column::new("events", "events", Number),
    Column::new("first_seq", "first", Number),
    Column::new("last_seq", "last", Number),
];

/// The keys behind secrets.
pub(super) const IDENTIFIED: &[Column] = &[
    Column::new("key_id", "key", Text),
    Column::new("name", "name", Text),
    Column::new("environment", "env", Text),
    Column::new("status", "status", Text),
    Column::new("secret_state", "secret", Text),
    Column::new("genuine", "genuine", Text),
    Column::new("works", "works", Text),
    Column::new("scopes", "scopes", List),
    Column::new("owner", "owner", Text),
    Column::new("last_used_at", "last used", Time),
    Column::new("lookup", "lookup", Text).wide(),
    Column::new("project", "project", Text).wide(),
    Column::new("customers", "customers", List).wide(),
    Column::new("revoke", "stop it with", Text).wide(),
    Column::new("kind", "what", Text),
];

/// What is wrong with keys.
pub(super) const FINDINGS: &[Column] = &[
    Column::new("severity", "severity", Text),
    Column::new("rule", "rule", Text),
    Column::new("name", "key", Text),
    Column::new("environment", "env", Text),
    Column::new("message", "what", Text),
    Column::new("owner", "owner", Text).wide(),
    Column::new("key_id", "key id", Text).wide(),
    Column::new("fix", "mend it with", Text).wide(),
    Column::new("excepted.until", "accepted until", Time).wide(),
    Column::new("excepted.reason", "because", Text).wide(),
];

/// What every rule says of a key.
pub(super) const RULE_ANSWERS: &[Column] = &[
    Column::new("rule", "rule", Text),
    Column::new("severity", "severity", Text),
    Column::new("ok", "ok", Text),
    Column::new("detail", "detail", Text),
    Column::new("fix", "mend it with", Text),
    Column::new("excepted.until", "accepted until", Time).wide(),
    Column::new("excepted.reason", "because", Text).wide(),
];

/// A plan: what would make the keys as a file declares them.
pub(super) const PLAN: &[Column] = &[
    Column::new("action", "action", Text),
    Column::new("name", "key", Text),
    Column::new("environment", "env", Text),
    Column::new("what", "what", Text),
    Column::new("key_id", "key id", Text).wide(),
];

/// The keys behind secrets in files.
pub(super) const FOUND: &[Column] = &[
    Column::new("file", "file", Text),
    Column::new("line", "line", Number),
    Column::new("column", "column", Number),
    Column::new("key_id", "key", Text),
    Column::new("name", "name", Text),
    Column::new("environment", "env", Text),
    Column::new("status", "status", Text),
    Column::new("works", "works", Text),
    Column::new("owner", "owner", Text),
    Column::new("secret_state", "secret", Text).wide(),
    Column::new("genuine", "genuine", Text).wide(),
    Column::new("scopes", "scopes", List).wide(),
    Column::new("last_used_at", "last used", Time).wide(),
    Column::new("lookup", "lookup", Text).wide(),
    Column::new("revoke", "stop it with", Text).wide(),
    Column::new("kind", "what", Text),
];

/// Recent verdicts.
pub(super) const LOGS: &[Column] = &[
    Column::new("at", "at", Time),
    Column::new("code", "code", Text),
    Column::new("name", "name", Text),
    Column::new("environment", "env", Environment).late(),
    Column::new("address", "address", Text).late(),
    Column::new("detail", "detail", Text).late(),
    Column::new("count", "count", Number).late(),
    Column::new("key_id", "key", Text).wide(),
    Column::new("lookup", "secret", Text).wide(),
    Column::new("user_agent", "user agent", Text).wide(),
    Column::new("method", "method", Text),
    Column::new("path", "path", Text),
    Column::new("status", "status", Number),
    Column::new("request_id", "request", Text).wide(),
    Column::new("duration_us", "µs", Number).wide(),
    Column::new("operator", "operator", Text).wide(),
];

/// Requests of operators.
pub(super) const OPERATOR_LOGS: &[Column] = &[
    Column::new("at", "at", Time),
    Column::new("code", "code", Text),
    Column::new("operator", "operator", Text),
    Column::new("method", "method", Text),
    Column::new("path", "path", Text),
    Column::new("status", "status", Number),
    Column::new("address", "address", Text),
    Column::new("request_id", "request", Text).wide(),
    Column::new("duration_us", "µs", Number).wide(),
    Column::new("user_agent", "user agent", Text).wide(),
];

/// How one key was used.
pub(super) const USAGE_OF_KEY: &[Column] = &[
    Column::new("key_id", "key", Text),
    Column::new("uses", "uses", Number),
    Column::new("last_used_at", "last used", Time),
    Column::new("last_used_ip", "last used from", Text),
    Column::new("last_user_agent", "last used by", Text),
    Column::new("denied", "denied", Number),
    Column::new("last_denied_at", "last denied", Time),
];

/// How each secret of a key was used.
pub(super) const SECRET_USAGE: &[Column] = &[
    Column::new("lookup", "secret", Text),
    Column::new("state", "state", Text),
    Column::new("valid_until", "until", Time),
    Column::new("uses", "uses", Number),
    Column::new("last_used_at", "last used", Time),
    Column::new("denied", "denied", Number),
    Column::new("last_denied_at", "last denied", Time),
    Column::new("last_ip", "from", Text),
];

/// The slots of the vault.
pub(super) const SLOTS: &[Column] = &[
    Column::new("id", "id", Text),
    Column::new("kind", "kind", Text),
    Column::new("role", "role", Text),
    Column::new("label", "label", Text),
    Column::new("created_at", "created", Time),
];

/// The checks of a verdict.
pub(super) const CHECKS: &[Column] =
    &[Column::new("check", "check", Text), Column::new("ok", "ok", Text), Column::new("detail", "detail", Text)];

/// The exit codes.
pub(super) const EXIT_CODES: &[Column] =
    &[Column::new("code", "code", Text), Column::new("name", "name", Text), Column::new("meaning", "meaning", Text)];

/// What is true of each verdict.
pub(super) const VERDICT_CODES: &[Column] = &[
    Column::new("code", "code", Text),
    Column::new("http_status", "HTTP", Number),
    Column::new("when", "when", Text),
    Column::new("decided_by", "decided by", Text),
    Column::new("doors", "doors", List),
    Column::new("takes", "takes", Text),
    Column::new("counts_as", "counts as", Text),
];

/// What `doctor` looked at.
pub(super) const DOCTOR: &[Column] =
    &[Column::new("check", "check", Text), Column::new("ok", "ok", Text), Column::new("detail", "detail", Text)];

/// Workspaces.
pub(super) const WORKSPACES: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("plan", "plan", Text),
    Column::new("rotate_every_seconds", "rotate every", Duration).wide(),
    Column::new("overlap_seconds", "overlap", Duration).wide(),
    Column::new("max_lifetime_seconds", "longest lifetime", Duration).wide(),
    Column::new("renew_on_rotation", "renew on rotation", Text).wide(),
    Column::new("self", "holders may", List).wide(),
    Column::new("default_scopes", "default scopes", List).wide(),
    Column::new("required", "required", List).wide(),
    Column::new("review_every_seconds", "review every", Duration).wide(),
    Column::new("reviewers", "reviewers", List).wide(),
    Column::new("description", "description", Text),
];

/// Projects and customers.
pub(super) const MEMBERS: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("workspace", "workspace", Text),
    Column::new("description", "description", Text),
];

/// Plans.
pub(super) const PLANS: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("api_access", "api access", Text),
    Column::new("max_keys", "max keys", Number),
    Column::new("max_rate_limit", "max rate limit", RateLimit),
    Column::new("audit_view", "audit view", Text),
    Column::new("audit_export", "audit export", Text),
    Column::new("builtin", "built in", Text),
];
