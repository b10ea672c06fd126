//! The columns of `self`.

use crate::output::{
    Column,
    ColumnKind::{List, RateLimit, Text, Time},
};

/// A key, as its holder is told of it.
pub(in crate::cli) const SELF: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("key_id", "id", Text),
    Column::new("status", "status", Text),
    Column::new("environment", "environment", Text),
    Column::new("workspace", "workspace", Text),
    Column::new("project", "project", Text),
    Column::new("customers", "customers", List),
    Column::new("scopes", "scopes", List),
    Column::new("rate_limit", "rate limit", RateLimit),
    Column::new("allow_ips", "allowed from", List),
    Column::new("created_at", "created", Time),
    Column::new("expires_at", "expires", Time),
    Column::new("last_used_at", "last used", Time),
    Column::new("due_at", "rotation due", Time),
    Column::new("version.state", "this secret is", Text),
    Column::new("version.created_at", "this secret since", Time),
    Column::new("version.works_until", "this secret until", Time),
    Column::new("may", "its holder may", List),
];

/// What a holder has ended.
pub(in crate::cli) const SELF_REVOKED: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("key_id", "id", Text),
    Column::new("lookup", "secret", Text),
    Column::new("key_revoked", "key revoked", Text),
];
