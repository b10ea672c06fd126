//! The verdict on a presented credential: one pure function, the same for every door.

use super::{
    allowlist::Allowlist,
    around::why_malformed,
    code::Code,
    environment::Environment,
    ids::KeyId,
    key::{Key, Secret, SecretState},
    rate_limit::RateLimit,
    scope::{Catalogue, Scope},
    tenancy::{Feature, Plan},
    text::same,
    time::{Time, format_time},
    token::TokenError,
};
use serde::{Deserialize, Serialize, Serializer};
use std::{borrow::Cow, net::IpAddr};

/// So many projects are named to whoever is to name one.
const NAMED: usize = 5;

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
    /// A workspace-level key must name a project, where its workspace has several.
    pub needs_project: bool,
    /// The request must name a customer.
    pub needs_customer: bool,
    /// A key with an allowlist is refused where the address is not known.
    pub needs_address: bool,
    /// What the key is bound to must be asked: nothing is passed unjudged.
    pub strict: bool,
    /// Why no route of the door's table fits the request.
    pub no_route: Option<&'static str>,
}

/// What a key is bound to and a request did not name: it was passed without being judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotAsked {
    environment: bool,
    ip: bool,
    customer: bool,
    project: bool,
}

impl NotAsked {
    /// What of this key the request did not ask.
    #[must_use]
    pub fn of(key: &Facts<'_>, request: &Request) -> Self {
        Self {
            environment: request.environment.is_none(),
            ip: !key.allow_ips.is_empty() && request.ip.is_none(),
            customer: !key.customers.is_empty() && request.customer.is_none(),
            project: key.project.is_some() && request.project.is_none(),
        }
    }

    /// Whether everything was asked.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The words for it.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.environment, "environment"),
            (self.ip, "ip"),
            (self.customer, "customer"),
            (self.project, "project"),
        ];
        all.into_iter().filter_map(|(is, word)| is.then_some(word))
    }
}

impl Serialize for NotAsked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.words())
    }
}

/// What was presented, as far as it could be found.
pub enum Presented<'a> {
    /// Not a token, for this reason; and what came instead.
    Malformed(TokenError, &'a str),
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
        /// What its workspace has.
        known: Named<'a>,
    },
}

/// What a workspace has that a request can name; both sorted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    /// Its projects.
    pub projects: &'a [String],
    /// Its customers.
    pub customers: &'a [String],
}

impl Named<'_> {
    /// Whether one of these names is meant.
    fn has(names: &[String], named: &String) -> bool {
        let in_another_form = || !named.is_ascii() && names.iter().any(|own| same(own, named));
        names.binary_search(named).is_ok() || in_another_form()
    }
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

    /// The project that a request means: the key's own, the one it names, or the only one there is.
    #[must_use]
    pub fn project_meant(&self, request: &'a Request, projects: &'a [String]) -> Option<&'a str> {
        match (self.project, request.project.as_deref(), projects) {
            (Some(own), ..) => Some(own),
            (None, Some(named), _) => Some(named),
            (None, None, [only]) => Some(only),
            (None, None, _) => None,
        }
    }
}

impl<'a> Presented<'a> {
    /// A version of a key's secret, its verifier matched.
    #[must_use]
    pub fn known(key: &'a Key, secret: &'a Secret, plan: &'a Plan, known: Named<'a>) -> Self {
        Self::Known { key: Facts::of(key), lookup: secret.lookup.as_str(), state: secret.state, plan, known }
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
    /// What the key is bound to and was not asked: `environment`, `ip`, `customer`, `project`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_asked: Vec<Cow<'static, str>>,
}

/// Judges a credential. Every check is made, so that an operator sees all that is wrong; the code names the first.
#[must_use]
pub fn decide(presented: &Presented<'_>, request: &Request, catalogue: &Catalogue, now: Time) -> Verdict {
    let mut judge = Judge { checks: Some(Vec::with_capacity(12)), code: None };
    judge.judge(presented, request, catalogue, now);
    let (key_id, not_asked) = match presented {
        Presented::Known { key, .. } => (Some(key.id.to_string()), NotAsked::of(key, request)),
        Presented::Malformed(..) | Presented::Unknown => (None, NotAsked::default()),
    };
    let code = judge.code.unwrap_or(Code::Valid);
    Verdict {
        valid: code == Code::Valid,
        code,
        http_status: code.http_status(),
        key_id,
        checks: judge.checks.unwrap_or_default(),
        notes: Vec::new(),
        not_asked: not_asked.words().map(Cow::Borrowed).collect(),
    }
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
    let stopped = if matches!(state, SecretState::Current { .. }) { Code::Expired } else { Code::Superseded };
    judge.check("secret", stopped, state.works_at(now), || match state {
        SecretState::Staged => "staged by a rotation".to_owned(),
        SecretState::Current { until: None } => "current".to_owned(),
        SecretState::Current { until: Some(until) } if now < until => {
            format!("current, works until {} unless the key is rotated before", format_time(until))
        }
        SecretState::Current { until: Some(since) } => {
            format!("this secret ended {}: the key was to be rotated before, and was not", format_time(since))
        }
        SecretState::Retiring { until } if now < until => {
            format!("replaced by a rotation, works until {}", format_time(until))
        }
        SecretState::Dead { since } if key.revoked_at.is_some_and(|at| at <= since) => {
            format!("this secret stopped at {}, with the key", format_time(since))
        }
        SecretState::Retiring { until: since } | SecretState::Dead { since } => {
            format!("superseded: this secret stopped at {}; the key has a newer one", format_time(since))
        }
    });
}

/// Is this request allowed with it?
fn permissions(
    judge: &mut Judge,
    key: &Facts<'_>,
    plan: &Plan,
    known: Named<'_>,
    request: &Request,
    catalogue: &Catalogue,
) {
    let projects = known.projects;
    judge.asked("environment", request.environment, |judge, wanted| {
        judge.check("environment", Code::WrongEnvironment, wanted == key.environment, || {
            format!("the key is for {}", key.environment)
        });
    });
    let project_missing = request.needs_project && projects.len() > 1 && key.project_meant(request, projects).is_none();
    if project_missing {
        judge.fail("project", Code::ProjectRequired, || {
            let count = projects.len();
            format!(
                "a workspace-level key, and the workspace has {count} projects: X-Project-ID must name one: {}",
                some_of(projects)
            )
        });
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
    if !project_missing {
        project(judge, key, projects, request);
    }
    judge.asked("customer", request.customer.as_ref(), |judge, customer| {
        let every = key.customers.is_empty();
        // A workspace that declares its customers has no others. Where it declares none, its services alone know them.
        let unknown = every && !known.customers.is_empty() && !Named::has(known.customers, customer);
        let fits = !unknown && (every || key.customers.iter().any(|own| same(own, customer)));
        judge.check("customer", Code::WrongCustomer, fits, || match (unknown, every) {
            (true, _) => format!("no customer '{customer}' is known in the workspace of the key"),
            (false, true) => "the key is for every customer".to_owned(),
            (false, false) => format!("the key is for {}", key.customers.join(", ")),
        });
    });
    let api = plan.permits(Feature::ApiAccess).is_ok();
    judge.check("plan", Code::PlanForbidden, api, || format!("plan '{}'", plan.name));
    judge.note("limit", None, || match key.rate_limit {
        Some(limit) => format!("{limit}, which a server counts; a judgement by itself takes nothing from it"),
        None => "none".to_owned(),
    });
    if let Some(why) = request.no_route {
        judge.fail("route", Code::NoRoute, || why.to_owned());
    }
    if request.needs_customer && request.customer.is_none() {
        judge.fail("customer", Code::NotAsked, || "the route needs a customer, and none was named".to_owned());
    }
    let unasked = NotAsked::of(key, request);
    if request.strict && !unasked.is_empty() {
        judge.fail("strict", Code::NotAsked, || {
            format!("the key is bound to what was not asked: {}", unasked.words().collect::<Vec<_>>().join(", "))
        });
    }
}

/// The first few projects, for whoever is to name one.
fn some_of(projects: &[String]) -> String {
    let some = projects.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if projects.len() > NAMED { format!("{some}, …") } else { some }
}

/// Is it the project of the key, or one that its workspace has?
fn project(judge: &mut Judge, key: &Facts<'_>, projects: &[String], request: &Request) {
    match (key.project, request.project.as_ref(), projects) {
        (Some(own), Some(named), _) => {
            judge.check("project", Code::WrongProject, same(own, named), || format!("the key is for project '{own}'"));
        }
        (None, Some(named), _) => {
            let known = Named::has(projects, named);
            judge.check("project", Code::WrongProject, known, || {
                if known {
                    "a workspace-level key reaches every project of its workspace".to_owned()
                } else {
                    format!("no project '{named}' is known in the workspace of the key")
                }
            });
        }
        (None, None, [only]) => {
            judge.pass("project", || format!("the only project '{only}' is meant"));
        }
        (Some(own), None, _) => judge.note("project", None, || format!("not asked; the key is for project '{own}'")),
        (None, None, []) => judge.note("project", None, || "not asked; its workspace has no projects".to_owned()),
        (None, None, several) => judge.note("project", None, || {
            format!("not asked; a gateway asks for one in X-Project-ID: {}", some_of(several))
        }),
    }
}

/// Collects checks where they are asked for; the first failure is the answer.
struct Judge {
    checks: Option<Vec<Check>>,
    code: Option<Code>,
}

impl Judge {
    fn judge(&mut self, presented: &Presented<'_>, request: &Request, catalogue: &Catalogue, now: Time) {
        if let Presented::Malformed(error, text) = presented {
            return self.fail("format", Code::Malformed, || why_malformed(*error, text));
        }
        self.pass("format", || "shape and checksum fit".to_owned());
        match presented {
            Presented::Known { key, lookup, state, plan, known } => {
                self.pass("known", || format!("key {}, secret {lookup}", key.id));
                credential(self, key, *state, now);
                permissions(self, key, plan, *known, request, catalogue);
            }
            Presented::Malformed(..) | Presented::Unknown => {
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
