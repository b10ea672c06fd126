//! The answer of a verdict in a word, and what is true of each: who decides it, which door says it, what it costs.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The answer in a word. The order is the order in which reasons are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// It may.
    Valid,
    /// Not a token, or a damaged one.
    Malformed,
    /// No key has this secret.
    Unknown,
    /// The key is switched off.
    Inactive,
    /// The key's time is over.
    Expired,
    /// The key was cut off.
    Revoked,
    /// The key works, and this secret of it stopped: a rotation replaced it.
    Superseded,
    /// The key belongs to another environment.
    WrongEnvironment,
    /// A workspace-level key must name the project.
    ProjectRequired,
    /// A scope is missing.
    InsufficientScope,
    /// The address is not on the allowlist.
    IpNotAllowed,
    /// The key belongs to another project.
    WrongProject,
    /// The key is narrowed to other customers.
    WrongCustomer,
    /// The workspace's plan has no API access.
    PlanForbidden,
    /// No route of the table fits the request.
    NoRoute,
    /// The request leaves out what it has to name: a customer that the route needs, or, in strict mode, what the key is
    /// bound to.
    NotAsked,
    /// The key's limit, or the limit of the caller's address, is used up.
    RateLimited,
}

impl Code {
    /// All of them, in the order in which reasons are named.
    pub const ALL: [Self; 17] = [
        Self::Valid,
        Self::Malformed,
        Self::Unknown,
        Self::Inactive,
        Self::Expired,
        Self::Revoked,
        Self::Superseded,
        Self::WrongEnvironment,
        Self::ProjectRequired,
        Self::InsufficientScope,
        Self::IpNotAllowed,
        Self::WrongProject,
        Self::WrongCustomer,
        Self::PlanForbidden,
        Self::NoRoute,
        Self::NotAsked,
        Self::RateLimited,
    ];

    /// The word for it, as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::Malformed => "MALFORMED",
            Self::Unknown => "UNKNOWN",
            Self::Inactive => "INACTIVE",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
            Self::Superseded => "SUPERSEDED",
            Self::WrongEnvironment => "WRONG_ENVIRONMENT",
            Self::ProjectRequired => "PROJECT_REQUIRED",
            Self::InsufficientScope => "INSUFFICIENT_SCOPE",
            Self::IpNotAllowed => "IP_NOT_ALLOWED",
            Self::WrongProject => "WRONG_PROJECT",
            Self::WrongCustomer => "WRONG_CUSTOMER",
            Self::PlanForbidden => "PLAN_FORBIDDEN",
            Self::NoRoute => "NO_ROUTE",
            Self::NotAsked => "NOT_ASKED",
            Self::RateLimited => "RATE_LIMITED",
        }
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self {
            Self::Valid => 200,
            Self::ProjectRequired => 400,
            Self::Malformed
            | Self::Unknown
            | Self::Inactive
            | Self::Expired
            | Self::Revoked
            | Self::Superseded
            | Self::WrongEnvironment => 401,
            Self::InsufficientScope
            | Self::IpNotAllowed
            | Self::WrongProject
            | Self::WrongCustomer
            | Self::PlanForbidden
            | Self::NoRoute
            | Self::NotAsked => 403,
            Self::RateLimited => 429,
        }
    }

    /// Who decides it, and when it is the answer.
    #[must_use]
    pub fn about(self) -> (&'static str, &'static str) {
        match self {
            Self::Valid => ("every check", "the key may"),
            Self::Malformed => ("the credential", "not a token, or a damaged one"),
            Self::Unknown => ("the credential", "no key has this secret"),
            Self::Inactive => ("the key", "switched off"),
            Self::Expired => ("the key", "its time is over"),
            Self::Revoked => ("the key", "cut off"),
            Self::Superseded => ("the key", "it works, and this secret of it was replaced by a rotation"),
            Self::WrongEnvironment => ("the server, the route or the request", "the key is for another environment"),
            Self::ProjectRequired => {
                ("the request", "a workspace-level key, several projects in its workspace, and none was named")
            }
            Self::InsufficientScope => ("the route or the request", "a scope is missing"),
            Self::IpNotAllowed => ("the key", "the address is not on its allowlist, or not known"),
            Self::WrongProject => ("the request", "the project is another one, or its workspace has none of this name"),
            Self::WrongCustomer => (
                "the request",
                "the key is narrowed to other customers, or its workspace has customers, and none of this name",
            ),
            Self::PlanForbidden => ("the plan", "the plan of the workspace has no API access"),
            Self::NoRoute => ("the route table", "no route fits the method and the path"),
            Self::NotAsked => (
                "the route, or strict mode",
                "the route needs a customer, or the service left out what the key is bound to",
            ),
            Self::RateLimited => ("the limit", "the limit of the key, or of the address, is used up"),
        }
    }

    /// Whether a door can answer so.
    #[must_use]
    pub fn is_said_at(self, door: Door) -> bool {
        match self {
            Self::ProjectRequired | Self::InsufficientScope | Self::WrongProject | Self::WrongCustomer => {
                door != Door::Holder
            }
            Self::NoRoute => door == Door::Authz,
            Self::NotAsked => matches!(door, Door::Authz | Door::Verify),
            Self::RateLimited => door != Door::Explain,
            _ => true,
        }
    }

    /// What the key's limit pays for it: a refusal is free.
    #[must_use]
    pub fn takes(self) -> &'static str {
        if self == Self::Valid { "the cost" } else { "nothing" }
    }

    /// As what `logs`, `usage` and `show` count it.
    #[must_use]
    pub fn counts_as(self) -> &'static str {
        if self == Self::Valid { "a use" } else { "denied" }
    }
}

/// Where a verdict is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `/v1/authz`, by a gateway.
    Authz,
    /// `/v1/validate` and `/v1/projects`, by whoever holds the key.
    Holder,
    /// `/v1/verify`, by a service.
    Verify,
    /// `keyward verify`, and `/v1/verify` with `explain`: by a person. Takes nothing, and is a use only when recorded.
    Explain,
}

impl Door {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Authz, Self::Holder, Self::Verify, Self::Explain];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authz => "authz",
            Self::Holder => "validate",
            Self::Verify => "verify",
            Self::Explain => "explain",
        }
    }
}

impl FromStr for Code {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|code| code.as_str() == text)
            .ok_or_else(|| format!("expected one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}
