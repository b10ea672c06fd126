//! Trusts: which jobs may use a server by the token that their host gives them, as what, and within which bounds. Nobody
//! keeps a credential for them.

use super::{
    allowlist::Allowlist,
    jwt::Claims,
    operator::Operator,
    role::Role,
    scan,
    scope::Scope,
    text::{composed, hides},
    time::Time,
};
use chrono::TimeDelta;
use glob::{MatchOptions, Pattern};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// The one claim that may be given as a pattern.
pub const REF: &str = "ref";
/// What the name of a job begins with in the trail.
pub const ACTOR: &str = "oidc:";
/// A longer subject is cut in the trail, in characters.
const LONGEST_SUBJECT: usize = 200;

/// What kind of host an issuer is of: each says in words of its own who a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IssuerKind {
    /// GitHub Actions, of github.com or of a GitHub Enterprise.
    GitHub,
    /// GitLab CI, of gitlab.com or of a GitLab of one's own.
    GitLab,
    /// The service accounts of a Kubernetes cluster.
    Kubernetes,
    /// Any other.
    Other,
}

impl IssuerKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::GitHub, Self::GitLab, Self::Kubernetes, Self::Other];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Kubernetes => "kubernetes",
            Self::Other => "other",
        }
    }

    /// The kind of an issuer that is known by its address.
    #[must_use]
    pub fn of_issuer(issuer: &str) -> Option<Self> {
        let host = host_of(issuer);
        let is_github = host == "token.actions.githubusercontent.com"
            || (host.starts_with("token.actions.") && host.ends_with(".ghe.com"))
            || issuer.ends_with("/_services/token");
        let is_cluster = host == "kubernetes.default.svc"
            || host.starts_with("kubernetes.default.svc.")
            || host.starts_with("oidc.eks.")
            || host == "container.googleapis.com";
        match () {
            () if is_github => Some(Self::GitHub),
            () if host == "gitlab.com" || host.starts_with("gitlab.") => Some(Self::GitLab),
            () if is_cluster => Some(Self::Kubernetes),
            () => None,
        }
    }

    /// The kind that the names of claims tell of: a code host under an address that nobody knows is one all the same.
    #[must_use]
    pub fn of_claims(claims: &BTreeMap<String, String>) -> Option<Self> {
        let names = |names: &[&str]| names.iter().any(|name| claims.contains_key(*name));
        let subject = claims.get("sub").map(String::as_str).unwrap_or_default();
        match () {
            () if names(&["repository", "repository_id", "repository_owner"]) || subject.starts_with("repo:") => {
                Some(Self::GitHub)
            }
            () if names(&["project_id", "project_path", "namespace_id", "namespace_path"])
                || subject.starts_with("project_path:") =>
            {
                Some(Self::GitLab)
            }
            () if subject.starts_with("system:serviceaccount:") => Some(Self::Kubernetes),
            () => None,
        }
    }

    /// The claim with the id of a repository, which nobody else gets when its name is given up.
    #[must_use]
    pub fn repository_id(self) -> Option<&'static str> {
        match self {
            Self::GitHub => Some("repository_id"),
            Self::GitLab => Some("project_id"),
            Self::Kubernetes | Self::Other => None,
        }
    }

    /// What claims stand for besides themselves at a code host: whoever can push any branch chooses its name, and at GitLab
    /// also the environment, unless these are protected.
    #[must_use]
    pub fn implied(self, claims: &BTreeMap<String, String>) -> Vec<&'static str> {
        let mut implied = Vec::new();
        if self.repository_id().is_some() && claims.contains_key(REF) {
            implied.push("ref_protected");
        }
        if self == Self::GitLab && claims.contains_key("environment") {
            implied.push("environment_protected");
        }
        implied
    }
}

fn host_of(issuer: &str) -> &str {
    let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or_default()
}

impl FromStr for IssuerKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str);
            format!("expected one of {}", names.join(", "))
        })
    }
}

impl fmt::Display for IssuerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whom a server lets in by the tokens of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Its stable id: `tr_` and 16 base62 characters.
    pub id: String,
    /// Its unique name.
    pub name: String,
    /// Whose tokens, exactly as they say it.
    pub issuer: String,
    /// What kind of host that is.
    pub kind: IssuerKind,
    /// For whom a token must be, and for nobody else.
    pub audience: String,
    /// What a token must say, exactly; of the ref, a pattern.
    pub claims: BTreeMap<String, String>,
    /// What whoever shows such a token may do.
    pub role: Role,
    /// The one workspace it is bound to; `None` is the whole platform.
    pub workspace: Option<String>,
    /// The most that a key it makes or rotates may be allowed; no bound when `None`.
    pub ceiling: Option<Vec<Scope>>,
    /// From where.
    pub allow_ips: Allowlist,
    /// When this ends.
    pub expires_at: Option<Time>,
    /// The longest life of a token.
    pub token_life: TimeDelta,
    /// The keys of the issuer, where they were given (a JSON Web Key Set); else the issuer is asked for them.
    pub keys: Option<String>,
    /// The issuer is asked on the public internet alone: whoever added this is bound to a workspace.
    pub public_only: bool,
    /// When it was added.
    pub created_at: Time,
    /// Who added it.
    pub created_by: String,
}

impl Trust {
    /// Whether it still holds at a time.
    #[must_use]
    pub fn holds_at(&self, now: Time) -> bool {
        self.expires_at.is_none_or(|at| at > now)
    }

    /// The word for what it is at a time.
    #[must_use]
    pub fn status_at(&self, now: Time) -> &'static str {
        if self.holds_at(now) { "active" } else { "expired" }
    }

    /// Whether a token says all that is demanded.
    #[must_use]
    pub fn fits(&self, claims: &Claims) -> bool {
        let says = |(name, wanted): (&String, &String)| {
            let said = claims.text(name);
            said.is_some_and(|said| if name == REF { matches(wanted, &said) } else { said == wanted.as_str() })
        };
        self.claims.iter().all(says) && !self.is_of_a_pull_request(claims)
    }

    /// At GitHub a job of a pull request may run on a protected ref or in an environment, with the code of whoever opened it
    /// (`pull_request_target`): it is meant only where the event is named.
    fn is_of_a_pull_request(&self, claims: &Claims) -> bool {
        let event = claims.text("event_name").unwrap_or_default();
        self.kind == IssuerKind::GitHub && !self.claims.contains_key("event_name") && event.starts_with("pull_request")
    }

    /// Whether one token could fit this and another one: then nobody could say as what it comes.
    #[must_use]
    pub fn may_meet(&self, other: &Self) -> bool {
        let apart =
            |(name, own): (&String, &String)| other.claims.get(name).is_some_and(|theirs| differ(name, own, theirs));
        self.issuer == other.issuer && self.audience == other.audience && !self.claims.iter().any(apart)
    }

    /// The operator that a token stands for, until it ends.
    #[must_use]
    pub fn operator(&self, claims: &Claims) -> Operator {
        let ends = [self.expires_at, claims.expires_at()].into_iter().flatten().min();
        Operator {
            id: self.id.clone(),
            name: actor(claims),
            role: self.role,
            workspace: self.workspace.clone(),
            ceiling: self.ceiling.clone(),
            allow_ips: self.allow_ips.clone(),
            expires_at: ends,
            revoked_at: None,
            created_at: self.created_at,
            created_by: self.created_by.clone(),
            secrets: Vec::new(),
        }
    }

    /// Where the job can be looked at: the address of its run at a code host, the name of its pod in a cluster.
    #[must_use]
    pub fn run(&self, claims: &Claims) -> Option<String> {
        let said = |name: &str| claims.text(name).map(|text| shown(&text));
        match self.kind {
            IssuerKind::GitHub => {
                let attempt = said("run_attempt").filter(|attempt| attempt != "1");
                let attempt = attempt.map(|attempt| format!("/attempts/{attempt}")).unwrap_or_default();
                Some(format!("{}/{}/actions/runs/{}{attempt}", self.web(), said("repository")?, said("run_id")?))
            }
            IssuerKind::GitLab => Some(format!("{}/{}/-/jobs/{}", self.web(), said("project_path")?, said("job_id")?)),
            IssuerKind::Kubernetes => {
                Some(format!("pod {}/{}", said("/kubernetes.io/namespace")?, said("/kubernetes.io/pod/name")?))
            }
            IssuerKind::Other => None,
        }
    }

    /// The address of a code host for people.
    fn web(&self) -> String {
        let host = host_of(&self.issuer);
        if host == "token.actions.githubusercontent.com" {
            return "https://github.com".to_owned();
        }
        match (host.strip_prefix("token.actions."), self.issuer.strip_suffix("/_services/token")) {
            (Some(host), _) => format!("https://{host}"),
            (_, Some(server)) => server.to_owned(),
            (None, None) => self.issuer.trim_end_matches('/').to_owned(),
        }
    }
}

/// Who a token is of, as the trail names it.
#[must_use]
pub fn actor(claims: &Claims) -> String {
    format!("{ACTOR}{}", shown(claims.subject().unwrap_or_default()))
}

/// What somebody else wrote, as it is kept and shown: one form, nothing that hides, no secret, and no flood.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut kept: String = composed(&scan::masked(text))
        .chars()
        .take(LONGEST_SUBJECT + 1)
        .map(|c| if hides(c) { '\u{fffd}' } else { c })
        .collect();
    if let Some((cut, _)) = kept.char_indices().nth(LONGEST_SUBJECT) {
        kept.truncate(cut);
        kept.push('…');
    }
    kept
}

/// Whether a ref is one that a pattern stands for: `*` is within a part of its path, `**` are parts.
fn matches(pattern: &str, name: &str) -> bool {
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    if !is_pattern(pattern) {
        return pattern == name;
    }
    Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_with(name, options))
}

/// Whether what is said of a ref stands for more than one.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether no value can be both.
fn differ(name: &str, a: &str, b: &str) -> bool {
    match (name == REF && is_pattern(a), name == REF && is_pattern(b)) {
        (false, false) => a != b,
        (true, false) => !matches(a, b),
        (false, true) => !matches(b, a),
        (true, true) => {
            let literal = |text: &str| text.split(['*', '?', '[']).next().unwrap_or_default().to_owned();
            let (a, b) = (literal(a), literal(b));
            !a.starts_with(&b) && !b.starts_with(&a)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::jwt::Jwt;
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    fn claims(said: &Value) -> Claims {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}.", part(&json!({ "alg": "RS256", "kid": "a" })), part(said));
        Jwt::parse(&text).map(|jwt| jwt.claims).unwrap_or_else(|why| panic!("{why}"))
    }

    fn trust(issuer: &str, demanded: &[(&str, &str)]) -> Trust {
        let claims: BTreeMap<String, String> =
            demanded.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Trust {
            id: "tr_1".to_owned(),
            name: "ci".to_owned(),
            issuer: issuer.to_owned(),
            kind: IssuerKind::of_issuer(issuer).unwrap_or(IssuerKind::Other),
            audience: "keyward:a".to_owned(),
            claims,
            role: Role::Rotator,
            workspace: None,
            ceiling: None,
            allow_ips: Allowlist::default(),
            expires_at: None,
            token_life: TimeDelta::hours(1),
            keys: None,
            public_only: false,
            created_at: Time::UNIX_EPOCH,
            created_by: "alice".to_owned(),
        }
    }

    const GITHUB: &str = "https://token.actions.githubusercontent.com";

    #[test]
    fn issuers_and_claims_tell_what_kind_of_host_it_is() {
        for (issuer, kind) in [
            (GITHUB, Some(IssuerKind::GitHub)),
            ("https://token.actions.githubusercontent.com/acme", Some(IssuerKind::GitHub)),
            ("https://token.actions.acme.ghe.com", Some(IssuerKind::GitHub)),
            ("https://git.acme.example/_services/token", Some(IssuerKind::GitHub)),
            ("https://gitlab.com", Some(IssuerKind::GitLab)),
            ("https://gitlab.acme.example:8443", Some(IssuerKind::GitLab)),
            ("https://kubernetes.default.svc.cluster.local", Some(IssuerKind::Kubernetes)),
            ("https://id.acme.example", None),
            ("https://evil.example/token.actions.githubusercontent.com", None),
        ] {
            assert_eq!(IssuerKind::of_issuer(issuer), kind, "{issuer}");
        }
        let of = |name: &str, value: &str| IssuerKind::of_claims(&[(name.to_owned(), value.to_owned())].into());
        assert_eq!(of("sub", "repo:acme/web:ref:refs/heads/main"), Some(IssuerKind::GitHub));
        assert_eq!(of("project_path", "acme/web"), Some(IssuerKind::GitLab));
        assert_eq!(of("sub", "system:serviceaccount:shop:job"), Some(IssuerKind::Kubernetes));
        assert_eq!(of("sub", "somebody"), None);
    }

    #[test]
    fn every_claim_is_compared_and_the_ref_alone_by_a_pattern() {
        let main = claims(&json!({ "repository_id": "7", "ref": "refs/heads/main", "run": 1 }));
        let fits = |demanded: &[(&str, &str)]| trust(GITHUB, demanded).fits(&main);
        assert!(fits(&[("repository_id", "7"), ("ref", "refs/heads/main")]));
        assert!(fits(&[("ref", "refs/heads/*")]) && fits(&[("ref", "**")]) && fits(&[("run", "1")]));
        for wrong in [
            ("repository_id", "70"),
            ("repository_id", "*"),
            ("ref", "refs/*"),
            ("ref", "refs/heads/mai"),
            ("none", ""),
        ] {
            assert!(!fits(&[wrong]), "{wrong:?}");
        }
    }

    #[test]
    fn a_job_of_a_pull_request_is_meant_only_where_its_event_is_named() {
        let of = |event: &str| claims(&json!({ "repository_id": "7", "event_name": event }));
        let own = trust(GITHUB, &[("repository_id", "7")]);
        assert!(own.fits(&of("push")) && own.fits(&of("schedule")));
        assert!(!own.fits(&of("pull_request")) && !own.fits(&of("pull_request_target")));
        let named = trust(GITHUB, &[("repository_id", "7"), ("event_name", "pull_request_target")]);
        assert!(named.fits(&of("pull_request_target")) && !named.fits(&of("push")));
    }

    #[test]
    fn two_trusts_that_one_token_could_fit_are_known() {
        let meet = |a: &[(&str, &str)], b: &[(&str, &str)]| trust(GITHUB, a).may_meet(&trust(GITHUB, b));
        assert!(meet(&[("a", "1")], &[("b", "1")]) && meet(&[("a", "1")], &[("a", "1"), ("b", "2")]));
        assert!(!meet(&[("a", "1"), ("b", "1")], &[("a", "1"), ("b", "2")]));
        assert!(meet(&[("ref", "refs/heads/*")], &[("ref", "refs/heads/main")]));
        assert!(meet(&[("ref", "refs/*/main")], &[("ref", "refs/heads/*")]));
        assert!(!meet(&[("ref", "refs/tags/*")], &[("ref", "refs/heads/main")]));
        assert!(!meet(&[("ref", "refs/tags/*")], &[("ref", "refs/heads/*")]));
        assert!(!meet(&[("ref", "refs/heads/a")], &[("ref", "refs/heads/b")]));
        let other = Trust { audience: "keyward:b".to_owned(), ..trust(GITHUB, &[]) };
        assert!(
            !other.may_meet(&trust(GITHUB, &[])) && !trust("https://gitlab.com", &[]).may_meet(&trust(GITHUB, &[]))
        );
    }

    #[test]
    fn the_trail_names_the_job_and_its_run_and_nothing_that_hides() {
        let said = claims(&json!({ "sub": "repo:acme/web:environment:prod", "repository": "acme/web", "run_id": "9",
            "run_attempt": "2", "exp": 100, "iat": 1 }));
        let own = trust(GITHUB, &[]);
        assert_eq!(own.operator(&said).name, "oidc:repo:acme/web:environment:prod");
        assert_eq!(own.operator(&said).expires_at, Time::from_timestamp(100, 0));
        assert_eq!(own.run(&said).as_deref(), Some("https://github.com/acme/web/actions/runs/9/attempts/2"));
        let lab = claims(&json!({ "sub": "x", "project_path": "acme/web", "job_id": 4 }));
        assert_eq!(trust("https://gitlab.com", &[]).run(&lab).as_deref(), Some("https://gitlab.com/acme/web/-/jobs/4"));
        let pod = claims(&json!({ "kubernetes.io": { "namespace": "shop", "pod": { "name": "job-1" } } }));
        let cluster = trust("https://kubernetes.default.svc", &[]);
        assert_eq!(cluster.run(&pod).as_deref(), Some("pod shop/job-1"));
        let hostile = claims(&json!({ "sub": format!("a\n\u{202e}b{}", "x".repeat(300)) }));
        let name = actor(&hostile);
        assert!(name.starts_with("oidc:a\u{fffd}\u{fffd}bx") && name.ends_with("x…"), "{name}");
        assert_eq!(name.chars().count(), LONGEST_SUBJECT + 6);
    }
}
