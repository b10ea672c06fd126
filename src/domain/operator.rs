//! Operators: who may use a server, with a credential of their own, a role, and bounds.

use super::{allowlist::Allowlist, key::Secret, role::Role, scope::Scope, time::Time};

/// What the credential of an operator begins with.
pub const OPERATOR_BRAND: &str = "kwop";

/// Somebody, or something, that may use a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Its stable id: `op_` and 16 base62 characters.
    pub id: String,
    /// Its unique name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The one workspace it is bound to; `None` is the whole platform.
    pub workspace: Option<String>,
    /// The most that a key it makes or rotates may be allowed; no bound when `None`.
    pub ceiling: Option<Vec<Scope>>,
    /// Where its credential works.
    pub allow_ips: Allowlist,
    /// When its credential ends.
    pub expires_at: Option<Time>,
    /// When it was cut off for good.
    pub revoked_at: Option<Time>,
    /// When it was made.
    pub created_at: Time,
    /// Who made it.
    pub created_by: String,
    /// The versions of its credential, oldest first.
    pub secrets: Vec<Secret>,
}

impl Operator {
    /// Whether it may use the server at a time, with a version of its credential that works.
    #[must_use]
    pub fn active_at(&self, now: Time) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > now)
    }

    /// The word for what it is at a time.
    #[must_use]
    pub fn status_at(&self, now: Time) -> &'static str {
        match (self.revoked_at, self.active_at(now)) {
            (Some(_), _) => "revoked",
            (None, true) => "active",
            (None, false) => "expired",
        }
    }

    /// Whether it may work in a workspace.
    #[must_use]
    pub fn reaches(&self, workspace: &str) -> bool {
        self.workspace.as_deref().is_none_or(|own| own == workspace)
    }
}
