//! The columns of `report`.

use crate::output::{
    Column,
    ColumnKind::{Duration, Number, Text, Time},
};

/// Working keys that nobody uses.
pub(in crate::cli) const STALE: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("id", "id", Text),
    Column::new("environment", "env", Text),
    Column::new("last_used_at", "last used", Time),
    Column::new("idle_seconds", "idle", Duration),
    Column::new("created_at", "created", Time),
    Column::new("expires_at", "expires", Time),
    Column::new("owner", "owner", Text),
    Column::new("project", "project", Text).wide(),
    Column::new("uses", "uses", Number).wide(),
];

/// Keys that will expire.
pub(in crate::cli) const EXPIRING: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("id", "id", Text),
    Column::new("environment", "env", Text),
    Column::new("status", "status", Text),
    Column::new("expires_at", "expires", Time),
    Column::new("last_used_at", "last used", Time),
    Column::new("owner", "owner", Text),
    Column::new("project", "project", Text).wide(),
    Column::new("left_seconds", "left", Duration).wide(),
];

/// Keys that are rotated.
pub(in crate::cli) const ROTATED: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("id", "id", Text),
    Column::new("environment", "env", Text),
    Column::new("status", "status", Text),
    Column::new("due_at", "due", Time),
    Column::new("overdue", "overdue", Text),
    Column::new("every_seconds", "every", Duration),
    Column::new("state", "state", Text),
    Column::new("owner", "owner", Text),
    Column::new("secret_created_at", "secret made", Time).wide(),
    Column::new("expires_at", "expires", Time).wide(),
    Column::new("ends_at", "ends unless rotated", Time).wide(),
    Column::new("project", "project", Text).wide(),
];

/// What keys add up to.
pub(in crate::cli) const COUNTS: &[Column] = &[
    Column::new("keys", "keys", Number),
    Column::new("active", "active", Number),
    Column::new("inactive", "inactive", Number),
    Column::new("expired", "expired", Number),
    Column::new("revoked", "revoked", Number),
    Column::new("expiring", "expire in 30 days", Number),
    Column::new("stale", "unused for 90 days", Number),
    Column::new("never_used", "never used", Number),
    Column::new("no_expiry", "never expire", Number),
    Column::new("overdue", "overdue for rotation", Number),
    Column::new("last_used_at", "last used", Time),
];

/// What the keys of each owner add up to.
pub(in crate::cli) const OWNERS: &[Column] = &[
    Column::new("owner", "owner", Text),
    Column::new("keys", "keys", Number),
    Column::new("active", "active", Number),
    Column::new("expiring", "expiring", Number),
    Column::new("stale", "stale", Number),
    Column::new("overdue", "overdue", Number),
    Column::new("no_expiry", "no expiry", Number),
    Column::new("last_used_at", "last used", Time),
    Column::new("inactive", "inactive", Number).wide(),
    Column::new("expired", "expired", Number).wide(),
    Column::new("revoked", "revoked", Number).wide(),
    Column::new("never_used", "never used", Number).wide(),
];
