//! The verdict on a presented credential: one pure function, the same for every door.

use super::{
    environment::Environment,
    key::{Key, Secret, SecretState, Status},
    scope::{Catalogue, Scope},
    tenancy::{Feature, Plan},
    time::{Time, format_time},
    token::TokenError,
};
use serde::Serialize;
use std::net::IpAddr;

/// The answer in a word. The order is the order in which reasons are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
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
}

impl Code {
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
        }
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
        key: &'a Key,
        /// The version of its secret that was presented.
        secret: &'a Secret,
        /// The plan of its workspace.
        plan: &'a Plan,
    },
}

/// One check and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub check: &'static str,
    /// How it went; null when it was not asked or could not be reached.
    pub ok: Option<bool>,
    /// What was found.
    pub detail: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    pub checks: Vec<Check>,
}

/// Judges a credential. Every check is made, so that an operator sees all that is wrong; the code names the first.
#[must_use]
pub fn decide(presented: &Presented<'_>, request: &Request, catalogue: &Catalogue, now: Time) -> Verdict {
    let mut judge = Judge::default();
    let key_id = match presented {
        Presented::Malformed(error) => {
            judge.fail("format", Code::Malformed, error.to_string());
            None
        }
        Presented::Unknown => {
            judge.pass("format", "shape and checksum fit");
            judge.fail("known", Code::Unknown, "no key has this secret".to_owned());
            None
        }
        Presented::Known { key, secret, plan } => {
            judge.pass("format", "shape and checksum fit");
            judge.pass("known", format!("key {}, secret {}", key.id, secret.lookup));
            credential(&mut judge, key, secret, now);
            permissions(&mut judge, key, plan, request, catalogue);
            Some(key.id.to_string())
        }
    };
    let code = judge.code.unwrap_or(Code::Valid);
    Verdict { valid: code == Code::Valid, code, http_status: code.http_status(), key_id, checks: judge.checks }
}

/// Is the credential itself any good?
fn credential(judge: &mut Judge, key: &Key, secret: &Secret, now: Time) {
    judge.check(
        "active",
        Code::Inactive,
        key.active || key.status_at(now) != Status::Inactive,
        if key.active { "the key is switched on" } else { "the key is switched off" },
    );
    match key.expires_at {
        None => judge.pass("expiry", "never expires"),
        Some(at) if at <= now => judge.fail("expiry", Code::Expired, format!("expired {}", format_time(at))),
        Some(at) => judge.pass("expiry", format!("expires {}", format_time(at))),
    }
    match key.revoked_at {
        Some(at) => judge.fail("revocation", Code::Revoked, format!("revoked {}", format_time(at))),
        None => judge.pass("revocation", "not revoked"),
    }
    match secret.state {
        SecretState::Staged => judge.pass("secret", "staged by a rotation"),
        SecretState::Current => judge.pass("secret", "current"),
        SecretState::Retiring { until } if now < until => {
            judge.pass("secret", format!("replaced by a rotation, works until {}", format_time(until)));
        }
        SecretState::Retiring { until: since } | SecretState::Dead { since } => {
            judge.fail(
                "secret",
                Code::Revoked,
                format!("this secret stopped at {}; the key has a newer one", format_time(since)),
            );
        }
    }
}

/// Is this request allowed with it?
fn permissions(judge: &mut Judge, key: &Key, plan: &Plan, request: &Request, catalogue: &Catalogue) {
    judge.asked("environment", request.environment, |judge, wanted| {
        judge.check(
            "environment",
            Code::WrongEnvironment,
            wanted == key.environment,
            format!("the key is for {}", key.environment),
        );
    });
    if request.needs_project && key.project.is_none() && request.project.is_none() {
        judge.fail("project", Code::ProjectRequired, "a workspace-level key must name the project".to_owned());
    }
    if request.scopes.is_empty() {
        judge.skip("scopes");
    }
    for scope in &request.scopes {
        let granted = catalogue.grants(&key.scopes, scope);
        let detail = if granted { format!("'{scope}' is granted") } else { format!("'{scope}' is missing") };
        judge.check("scopes", Code::InsufficientScope, granted, detail);
    }
    judge.asked("address", request.ip, |judge, address| {
        let ranges =
            if key.allow_ips.is_empty() { "anywhere".to_owned() } else { key.allow_ips.to_strings().join(", ") };
        judge.check(
            "address",
            Code::IpNotAllowed,
            key.allow_ips.permits(address),
            format!("{address}; allowed: {ranges}"),
        );
    });
    judge.asked("project", request.project.as_ref(), |judge, project| match &key.project {
        Some(own) => {
            judge.check("project", Code::WrongProject, own == project, format!("the key is for project '{own}'"))
        }
        None => judge.pass("project", "a workspace-level key reaches every project"),
    });
    judge.asked("customer", request.customer.as_ref(), |judge, customer| {
        let fits = key.customers.is_empty() || key.customers.contains(customer);
        let own = if key.customers.is_empty() { "every customer".to_owned() } else { key.customers.join(", ") };
        judge.check("customer", Code::WrongCustomer, fits, format!("the key is for {own}"));
    });
    let api = plan.permits(Feature::ApiAccess);
    judge.check("plan", Code::PlanForbidden, api.is_ok(), format!("plan '{}'", plan.name));
}

/// Collects checks; the first failure is the answer.
#[derive(Default)]
struct Judge {
    checks: Vec<Check>,
    code: Option<Code>,
}

impl Judge {
    fn check(&mut self, check: &'static str, code: Code, ok: bool, detail: impl Into<String>) {
        if ok { self.pass(check, detail) } else { self.fail(check, code, detail.into()) }
    }

    fn pass(&mut self, check: &'static str, detail: impl Into<String>) {
        self.checks.push(Check { check, ok: Some(true), detail: detail.into() });
    }

    fn fail(&mut self, check: &'static str, code: Code, detail: String) {
        self.code.get_or_insert(code);
        self.checks.push(Check { check, ok: Some(false), detail });
    }

    fn skip(&mut self, check: &'static str) {
        self.checks.push(Check { check, ok: None, detail: "not asked".to_owned() });
    }

    fn asked<T>(&mut self, check: &'static str, asked: Option<T>, judge: impl FnOnce(&mut Self, T)) {
        match asked {
            Some(value) => judge(self, value),
            None => self.skip(check),
        }
    }
}
