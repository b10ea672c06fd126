//! The columns of trusts.

use crate::output::{
    Column,
    ColumnKind::{List, Number, Text, Time},
};

/// Trusts.
pub(in crate::cli) const TRUSTS: &[Column] = &[
    Column::new("name", "name", Text),
    Column::new("id", "id", Text),
    Column::new("issuer", "issuer", Text),
    Column::new("claims", "claims", List),
    Column::new("role", "role", Text),
    Column::new("workspace", "workspace", Text),
    Column::new("status", "status", Text),
    Column::new("expires_at", "expires", Time),
    Column::new("audience", "audience", Text).wide(),
    Column::new("kind", "kind", Text).wide(),
    Column::new("ceiling", "ceiling", List).wide(),
    Column::new("allow_ips", "allowed from", List).wide(),
    Column::new("token_life", "token life", Number).wide(),
    Column::new("keys", "keys", Text).wide(),
    Column::new("created_at", "created", Time).wide(),
    Column::new("created_by", "created by", Text).wide(),
];
