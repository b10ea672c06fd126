//! Workspaces, projects, customers, and the plans that say what a workspace is entitled to.

use super::{rate_limit::RateLimit, scope::Scope, self_service::SelfService};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workspace {
    /// Its unique name.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// The name of its plan.
    pub plan: String,
    /// What holds for its keys where they say nothing themselves.
    pub policy: KeyPolicy,
    /// By whom, and how often, the trail is reviewed for it.
    pub review: ReviewPolicy,
}

/// By whom, and how often, the trail is reviewed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewPolicy {
    /// How long it may go without a review.
    pub every: Option<TimeDelta>,
    /// Whose reviews count; anybody's when empty.
    pub reviewers: Vec<String>,
}

/// What a workspace can demand of whoever makes or changes a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Demand {
    /// Every new key has somebody who answers for it, and goes on having one.
    Owner,
    /// Every new key says what it is for, and goes on saying so.
    Description,
    /// Whoever makes, changes or switches on a key says why.
    Reason,
    /// Whoever makes, changes or switches on a key names the ticket that asks for it.
    Ticket,
}

impl Demand {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Description, Self::Reason, Self::Ticket];

    /// The word for it, which is the option that gives it, too.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Description => "description",
            Self::Reason => "reason",
            Self::Ticket => "ticket",
        }
    }
}

impl FromStr for Demand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|demand| demand.as_str() == text);
        found.ok_or_else(|| "expected owner, description, reason or ticket".to_owned())
    }
}

/// What holds for the keys of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPolicy {
    /// How often the secret of a new key is rotated.
    pub rotate_every: Option<TimeDelta>,
    /// How long an old secret goes on working after a rotation.
    pub overlap: Option<TimeDelta>,
    /// The longest a key may live from its creation or renewal.
    pub max_lifetime: Option<TimeDelta>,
    /// Whether a rotation starts the lifetime of a key again that does not say so itself.
    pub renew_on_rotation: Option<bool>,
    /// What a new key may do that says nothing of it.
    pub scopes: Vec<Scope>,
    /// What nobody makes or changes a key without; sorted, each once.
    pub required: Vec<Demand>,
    /// What the holders of its keys may do with them, and the most that a key can say; keys say it alone where it does not.
    pub self_service: Option<SelfService>,
}

/// A project of a workspace; a project-level key reaches exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its workspace.
    pub workspace: String,
    /// Its name, unique in the workspace.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
}

/// A customer of a workspace; a key can be narrowed to some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Its workspace.
    pub workspace: String,
    /// Its name, unique in the workspace.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
}

/// What a workspace is entitled to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its unique name.
    pub name: String,
    /// Keys may be made and used.
    pub api_access: bool,
    /// The most keys a workspace may have; `None` is no cap.
    pub max_keys: Option<u32>,
    /// The highest rate limit of a key; `None` is no cap.
    pub max_rate_limit: Option<RateLimit>,
    /// The audit trail may be read.
    pub audit_view: bool,
    /// The audit trail may be exported.
    pub audit_export: bool,
    /// It came with the vault and cannot be changed.
    pub builtin: bool,
}

/// Something a plan may or may not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Making and using keys.
    ApiAccess,
    /// Having so many keys.
    Keys {
        /// The number with the one asked for.
        count: u32,
    },
    /// A key with this rate limit; `None` is no limit.
    RateLimit(Option<RateLimit>),
    /// Reading the audit trail.
    AuditView,
    /// Exporting the audit trail.
    AuditExport,
}

/// A plan's no, naming the plan and the feature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plan '{plan}' does not allow {feature}")]
pub struct PlanRefusal {
    /// The plan.
    pub plan: String,
    /// What it does not allow, in words.
    pub feature: String,
}

impl Plan {
    /// The limit of a key that says nothing of one: 100 requests an hour, or less where the plan allows no more.
    #[must_use]
    pub fn usual_limit(&self) -> RateLimit {
        let usual = RateLimit::default();
        self.max_rate_limit.filter(|most| !usual.within(*most)).unwrap_or(usual)
    }

    /// A plan that allows everything.
    pub fn unrestricted(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            api_access: true,
            max_keys: None,
            max_rate_limit: None,
            audit_view: true,
            audit_export: true,
            builtin: false,
        }
    }

    /// The plans of a fresh vault.
    #[must_use]
    pub fn builtin() -> [Self; 4] {
        let all = |name| Self { builtin: true, ..Self::unrestricted(name) };
        let free = Self { api_access: false, max_keys: Some(0), audit_view: false, audit_export: false, ..all("free") };
        let premium = Self {
            max_keys: Some(100),
            max_rate_limit: Some(RateLimit { limit: 10_000, window_seconds: 3_600 }),
            ..all("premium")
        };
        [all("unlimited"), free, premium, all("enterprise")]
    }

    /// Whether the plan allows a feature.
    ///
    /// # Errors
    /// The refusal, when it does not.
    pub fn permits(&self, feature: Feature) -> Result<(), PlanRefusal> {
        let allowed = match feature {
            Feature::ApiAccess => self.api_access,
            Feature::Keys { count } => self.max_keys.is_none_or(|most| count <= most),
            Feature::RateLimit(wanted) => match (self.max_rate_limit, wanted) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(most), Some(wanted)) => wanted.within(most),
            },
            Feature::AuditView => self.audit_view,
            Feature::AuditExport => self.audit_export,
        };
        if allowed { Ok(()) } else { Err(PlanRefusal { plan: self.name.clone(), feature: self.describe(feature) }) }
    }

    fn describe(&self, feature: Feature) -> String {
        let most = |cap: Option<&dyn fmt::Display>| cap.map(|cap| format!(" (at most {cap})")).unwrap_or_default();
        match feature {
            Feature::ApiAccess => "API access".to_owned(),
            Feature::Keys { count } => {
                format!(
                    "{}{}",
                    super::counted(count, "key"),
                    most(self.max_keys.as_ref().map(|cap| cap as &dyn fmt::Display))
                )
            }
            Feature::RateLimit(wanted) => {
                let cap = most(self.max_rate_limit.as_ref().map(|cap| cap as &dyn fmt::Display));
                wanted.map_or_else(
                    || format!("an unlimited rate{cap}"),
                    |wanted| format!("a rate limit of {wanted}{cap}"),
                )
            }
            Feature::AuditView => "the audit view".to_owned(),
            Feature::AuditExport => "the audit export".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_plan_and_the_feature() {
        let [_, free, premium, _] = Plan::builtin();
        let refusal = free.permits(Feature::ApiAccess).unwrap_err().to_string();
        assert_eq!(refusal, "the plan 'free' does not allow API access");
        let refusal = premium.permits(Feature::RateLimit(None)).unwrap_err().to_string();
        assert_eq!(refusal, "the plan 'premium' does not allow an unlimited rate (at most 10000/h)");
        assert!(premium.permits(Feature::Keys { count: 100 }).is_ok());
        assert!(premium.permits(Feature::Keys { count: 101 }).is_err());
    }
}
