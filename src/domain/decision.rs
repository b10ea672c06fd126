//! The verdict on a presented credential: one pure function, the same for every door.

use super::{
    allowlist::Allowlist,
    environment::Environment,
    ids::KeyId,
    key::{Key, Secret, SecretState},
    rate_limit::RateLimit,
    scope::{Catalogue, Scope},
    tenancy::{Feature, Plan},
    time::{Time, format_time},
    token::TokenError,
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, net::IpAddr, str::FromStr};

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
    /// The key was cut off, or this secret was replaced.
    Revoked,
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
    /// The key's limit, or the limit of the caller's address, is used up.
    RateLimited,
}

impl Code {
    /// All of them, in the order in which reasons are named.
    pub const ALL: [Self; 14] = [
        Self::Valid,
        Self::Malformed,
        Self::Unknown,
        Self::Inactive,
        Self::Expired,
        Self::Revoked,
        Self::WrongEnvironment,
        Self::ProjectRequired,
        Self::InsufficientScope,
        Self::IpNotAllowed,
        Self::WrongProject,
        Self::WrongCustomer,
        Self::PlanForbidden,
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
            Self::WrongEnvironment => "WRONG_ENVIRONMENT",
            Self::ProjectRequired => "PROJECT_REQUIRED",
            Self::InsufficientScope => "INSUFFICIENT_SCOPE",
            Self::IpNotAllowed => "IP_NOT_ALLOWED",
            Self::WrongProject => "WRONG_PROJECT",
            Self::WrongCustomer => "WRONG_CUSTOMER",
            Self::PlanForbidden => "PLAN_FORBIDDEN",
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
            | Self::WrongEnvironment => 401,
            Self::InsufficientScope
            | Self::IpNotAllowed
            | Self::WrongProject
            | Self::WrongCustomer
            | Self::PlanForbidden => 403,
            Self::RateLimited => 429,
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

/// What is asked of a credential; what is `None` or empty is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The environment of the service that asks.
    pub environment: Option<Environment>,
    /// The scopes needed, all of them.
    pub scopes: Vec<Scope>,
    /// The project the request is about.
    pub project: Option<String>,
    /// The customer the request is about.
    pub customer: Option<String>,
    /// The address it came from.
    pub ip: Option<IpAddr>,
    /// A workspace-level key must name a project.
    pub needs_project: bool,
    /// A key with an allowlist is refused where the address is not known.
    pub needs_address: bool,
}

/// What was presented, as far as it could be found.
pub enum Presented<'a> {
    /// Not a token.
    Malformed(TokenError),
    /// A token that no key has, or whose secret is wrong.
    Unknown,
    /// A secret of a key; its verifier matched.
    Known {
        /// The key.
        key: Facts<'a>,
        /// The public id of the version of its secret that was presented.
        lookup: &'a str,
        /// Where that version stands.
        state: SecretState,
        /// The plan of its workspace.
        plan: &'a Plan,
    },
}

/// What a verdict needs of a key, borrowed from wherever the key is kept.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its stable id.
    pub id: &'a KeyId,
    /// The reversible switch.
    pub active: bool,
    /// When it ends.
    pub expires_at: Option<Time>,
    /// When access was cut off for good.
    pub revoked_at: Option<Time>,
    /// Where it works.
    pub environment: Environment,
    /// The one project it reaches.
    pub project: Option<&'a str>,
    /// The customers it is narrowed to.
    pub customers: &'a [String],
    /// What it may do.
    pub scopes: &'a [Scope],
    /// Where it may be used from.
    pub allow_ips: &'a Allowlist,
    /// How often it may be used.
    pub rate_limit: Option<RateLimit>,
}

impl<'a> Facts<'a> {
    /// The facts of a key.
    #[must_use]
    pub fn of(key: &'a Key) -> Self {
        Self {
            id: &key.id,
            active: key.active,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            environment: key.environment,
            project: key.project.as_deref(),
            customers: &key.customers,
            scopes: &key.scopes,
            allow_ips: &key.allow_ips,
            rate_limit: key.rate_limit,
        }
    }
}

impl<'a> Presented<'a> {
    /// A version of a key's secret, its verifier matched.
    #[must_use]
    pub fn known(key: &'a Key, secret: &'a Secret, plan: &'a Plan) -> Self {
        Self::Known { key: Facts::of(key), lookup: secret.lookup.as_str(), state: secret.state, plan }
    }
}

/// One check and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked.
    pub check: Cow<'static, str>,
    /// How it went; null when it was not asked or could not be reached.
    pub ok: Option<bool>,
    /// What was found.
    pub detail: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether it may.
    pub valid: bool,
    /// Why not.
    pub code: Code,
    /// The HTTP status of the answer.
    pub http_status: u16,
    /// The key, when it is known.
    pub key_id: Option<String>,
    /// Every check with its own verdict.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// What whoever asks should know although no check failed, such as a project that nobody knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Judges a credential. Every check is made, so that an operator sees all that is wrong; the code names the first.
#[must_use]
pub fn decide(presented: &Presented<'_>, request: &Request, catalogue: &Catalogue, now: Time) -> Verdict {
    let mut judge = Judge { checks: Some(Vec::with_capacity(12)), code: None };
    judge.judge(presented, request, catalogue, now);
    let key_id = match presented {
        Presented::Known { key, .. } => Some(key.id.to_string()),
        Presented::Malformed(_) | Presented::Unknown => None,
    };
    let code = judge.code.unwrap_or(Code::Valid);
    let checks = judge.checks.unwrap_or_default();
    Verdict { valid: code == Code::Valid, code, http_status: code.http_status(), key_id, checks, notes: Vec::new() }
}

/// The code of [`decide`] alone, without a word of explanation: for the path of every request.
#[must_use]
pub fn decide_code(presented: &Presented<'_>, request: &Request, catalogue: &Catalogue, now: Time) -> Code {
    let mut judge = Judge { checks: None, code: None };
    judge.judge(presented, request, catalogue, now);
    judge.code.unwrap_or(Code::Valid)
}

/// Is the credential itself any good?
fn credential(judge: &mut Judge, key: &Facts<'_>, state: SecretState, now: Time) {
    // What was cut off or is over says so, whichever way its switch stands.
    let over = key.revoked_at.is_some() || key.expires_at.is_some_and(|at| at <= now);
    judge.check("active", Code::Inactive, key.active || over, || match key.active {
        true => "the key is switched on".to_owned(),
        false => "the key is switched off".to_owned(),
    });
    judge.check("expiry", Code::Expired, key.expires_at.is_none_or(|at| at > now), || match key.expires_at {
        None => "never expires".to_owned(),
        Some(at) if at <= now => format!("expired {}", format_time(at)),
        Some(at) => format!("expires {}", format_time(at)),
    });
    judge.check("revocation", Code::Revoked, key.revoked_at.is_none(), || match key.revoked_at {
        Some(at) => format!("revoked {}", format_time(at)),
        None => "not revoked".to_owned(),
    });
    judge.check("secret", Code::Revoked, state.works_at(now), || match state {
        SecretState::Staged => "staged by a rotation".to_owned(),
        SecretState::Current => "current".to_owned(),
        SecretState::Retiring { until } if now < until => {
            format!("replaced by a rotation, works until {}", format_time(until))
        }
        SecretState::Retiring { until: since } | SecretState::Dead { since } => {
            format!("this secret stopped at {}; the key has a newer one", format_time(since))
        }
    });
}

/// Is this request allowed with it?
fn permissions(judge: &mut Judge, key: &Facts<'_>, plan: &Plan, request: &Request, catalogue: &Catalogue) {
    judge.asked("environment", request.environment, |judge, wanted| {
        judge.check("environment", Code::WrongEnvironment, wanted == key.environment, || {
            format!("the key is for {}", key.environment)
        });
    });
    if request.needs_project && key.project.is_none() && request.project.is_none() {
        judge.fail("project", Code::ProjectRequired, || "a workspace-level key must name the project".to_owned());
    }
    if request.scopes.is_empty() {
        judge.skip("scopes");
    }
    for scope in &request.scopes {
        let granted = catalogue.grants(key.scopes, scope);
        judge.check("scopes", Code::InsufficientScope, granted, || {
            if granted { format!("'{scope}' is granted") } else { format!("'{scope}' is missing") }
        });
    }
    let ranges =
        || if key.allow_ips.is_empty() { "anywhere".to_owned() } else { key.allow_ips.to_strings().join(", ") };
    match request.ip {
        Some(address) => judge.check("address", Code::IpNotAllowed, key.allow_ips.permits(address), || {
            format!("{address}; allowed: {}", ranges())
        }),
        None if request.needs_address && !key.allow_ips.is_empty() => {
            judge.fail("address", Code::IpNotAllowed, || format!("not known; allowed: {}", ranges()));
        }
        None => judge.skip("address"),
    }
    judge.asked("project", request.project.as_deref(), |judge, project| match key.project {
        Some(own) => {
            judge.check("project", Code::WrongProject, own == project, || format!("the key is for project '{own}'"))
        }
        None => judge.pass("project", || "a workspace-level key reaches every project".to_owned()),
    });
    judge.asked("customer", request.customer.as_ref(), |judge, customer| {
        let fits = key.customers.is_empty() || key.customers.contains(customer);
        judge.check("customer", Code::WrongCustomer, fits, || {
            let own = if key.customers.is_empty() { "every customer".to_owned() } else { key.customers.join(", ") };
            format!("the key is for {own}")
        });
    });
    let api = plan.permits(Feature::ApiAccess).is_ok();
    judge.check("plan", Code::PlanForbidden, api, || format!("plan '{}'", plan.name));
}

/// Collects checks where they are asked for; the first failure is the answer.
struct Judge {
    checks: Option<Vec<Check>>,
    code: Option<Code>,
}

impl Judge {
    fn judge(&mut self, presented: &Presented<'_>, request: &Request, catalogue: &Catalogue, now: Time) {
        if let Presented::Malformed(error) = presented {
            return self.fail("format", Code::Malformed, || error.to_string());
        }
        self.pass("format", || "shape and checksum fit".to_owned());
        match presented {
            Presented::Known { key, lookup, state, plan } => {
                self.pass("known", || format!("key {}, secret {lookup}", key.id));
                credential(self, key, *state, now);
                permissions(self, key, plan, request, catalogue);
            }
            Presented::Malformed(_) | Presented::Unknown => {
                self.fail("known", Code::Unknown, || "no key has this secret".to_owned());
            }
        }
    }

    fn check(&mut self, check: &'static str, code: Code, ok: bool, detail: impl FnOnce() -> String) {
        if ok { self.pass(check, detail) } else { self.fail(check, code, detail) }
    }

    fn pass(&mut self, check: &'static str, detail: impl FnOnce() -> String) {
        self.note(check, Some(true), detail);
    }

    fn fail(&mut self, check: &'static str, code: Code, detail: impl FnOnce() -> String) {
        self.code.get_or_insert(code);
        self.note(check, Some(false), detail);
    }

    fn skip(&mut self, check: &'static str) {
        self.note(check, None, || "not asked".to_owned());
    }

    fn note(&mut self, check: &'static str, ok: Option<bool>, detail: impl FnOnce() -> String) {
        if let Some(checks) = &mut self.checks {
            checks.push(Check { check: check.into(), ok, detail: detail() });
        }
    }

    fn asked<T>(&mut self, check: &'static str, asked: Option<T>, judge: impl FnOnce(&mut Self, T)) {
        match asked {
            Some(value) => judge(self, value),
            None => self.skip(check),
        }
    }
}
