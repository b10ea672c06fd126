//! Trusts: the jobs of an issuer of tokens are let in, as operators without a stored credential; never with more than whoever
//! lets them in may.
//!
//! What a trust demands of a token is checked when it is added (`binding`).

use super::{
    Done,
    authority::Authority,
    binding,
    case::{Ask, Change, Method, Route, UseCase},
    context::Context,
    error::{Error, Result},
    operators,
};
use crate::{
    domain::{
        Action, Allowlist, Expiry, IssuerKind, KeySet, Permission, Role, Scope, Trust, closest, ids::random_base62,
        serde_text, text::same, time::format_time,
    },
    store::{Tx, View},
    vault::Capabilities,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How long a token lives at most when nothing is said.
const TOKEN_LIFE: TimeDelta = TimeDelta::hours(1);
/// No token is taken that lives longer, whatever is said.
const LONGEST_TOKEN_LIFE: TimeDelta = TimeDelta::hours(24);
/// Jobs to be let in by the tokens of their host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(example = json!({
    "name": "ci", "issuer": "https://token.actions.githubusercontent.com", "audience": "https://keys.example.com",
    "claims": {"repository_id": "1296269", "environment": "production"}, "role": "rotator", "workspace": "default",
})))]
pub struct AddTrust {
    /// Its unique name.
    #[serde(deserialize_with = "serde_text::name")]
    #[cfg_attr(test, schema(value_type = crate::domain::ObjectName))]
    pub name: String,
    /// Whose tokens: the claim `iss`, exactly.
    pub issuer: String,
    /// What kind of host the issuer is of, where neither its address nor the claims tell.
    #[serde(default)]
    pub kind: Option<IssuerKind>,
    /// For whom a token must be, and for nobody else: the claim `aud`, which is best the address of the server.
    pub audience: String,
    /// What a token must say, by the name of the claim or, after a slash, a pointer into nested ones; exactly, but for `ref`,
    /// which may be a pattern.
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
    /// What whoever shows such a token may do.
    pub role: Role,
    /// The one workspace it is bound to: that of the call when absent, none but the whole platform for null.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::change")]
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub workspace: Option<Option<String>>,
    /// The most that a key it makes or rotates may be allowed.
    #[serde(default)]
    pub ceiling: Option<Vec<Scope>>,
    /// From where.
    #[serde(default)]
    pub allow_ips: Allowlist,
    /// When the trust ends; when not given, with the credential of whoever adds it, and else never.
    #[serde(default)]
    pub expiry: Option<Expiry>,
    /// The longest life of a token in seconds: an hour when not given, a day at most.
    #[serde(default, with = "serde_text::optional_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>))]
    pub token_life: Option<TimeDelta>,
    /// The keys of the issuer, a JSON Web Key Set, where the server cannot ask the issuer for them.
    #[serde(default)]
    #[cfg_attr(test, schema(value_type = Option<std::collections::BTreeMap<String, Value>>))]
    pub jwks: Option<Value>,
}

/// The trusts that the caller manages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ListTrusts {}

/// A trust to be ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RemoveTrust {
    /// Its name or id.
    pub name: String,
}

/// What a trust says. The order of the fields is the order in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Trust))]
pub struct TrustView {
    /// `tr_` and 16 characters.
    pub id: String,
    /// Its unique name.
    pub name: String,
    /// Whose tokens: the claim `iss`.
    pub issuer: String,
    /// What kind of host that is: `github`, `gitlab`, `kubernetes` or `other`.
    pub kind: String,
    /// For whom a token must be: the claim `aud`.
    pub audience: String,
    /// What a token must say; of `ref`, a pattern.
    pub claims: BTreeMap<String, String>,
    /// What whoever shows such a token may do.
    pub role: String,
    /// The one workspace it is bound to; null for the whole platform.
    pub workspace: Option<String>,
    /// The most that a key it makes or rotates may be allowed.
    pub ceiling: Option<Vec<String>>,
    /// From where.
    pub allow_ips: Vec<String>,
    /// `active` or `expired`.
    pub status: String,
    /// When it ends.
    pub expires_at: Option<String>,
    /// The longest life of a token, in seconds.
    pub token_life: i64,
    /// Where the keys of the issuer come from: `discovery` or `given`.
    pub keys: String,
    /// When it was added.
    pub created_at: String,
    /// Who added it.
    pub created_by: String,
}

impl TrustView {
    fn new(trust: &Trust, cx: &Context) -> Self {
        Self {
            id: trust.id.clone(),
            name: trust.name.clone(),
            issuer: trust.issuer.clone(),
            kind: trust.kind.to_string(),
            audience: trust.audience.clone(),
            claims: trust.claims.clone(),
            role: trust.role.to_string(),
            workspace: trust.workspace.clone(),
            ceiling: trust.ceiling.as_ref().map(|scopes| scopes.iter().map(ToString::to_string).collect()),
            allow_ips: trust.allow_ips.to_strings(),
            status: trust.status_at(cx.now).to_owned(),
            expires_at: trust.expires_at.map(format_time),
            token_life: trust.token_life.num_seconds(),
            keys: if trust.keys.is_some() { "given" } else { "discovery" }.to_owned(),
            created_at: format_time(trust.created_at),
            created_by: trust.created_by.clone(),
        }
    }
}

impl UseCase for ListTrusts {
    type Outcome = Vec<TrustView>;
    const PERMISSION: Permission = Permission::ManageOperators;
    const ROUTE: Route = Route {
        summary: "The trusts that the caller manages",
        description: "By whose tokens jobs are let in as operators, without a stored credential.",
        answers: &[(200, "The trusts, by name.")],
        ..Route::new(Method::Get, "/v1/trusts", "list_trusts", "operators")
    };

    fn target(&self) -> String {
        "trusts".to_owned()
    }
}

impl Ask for ListTrusts {
    fn ask(&self, view: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<Vec<TrustView>> {
        let mut all = managed(view, cx)?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all.iter().map(|trust| TrustView::new(trust, cx)).collect())
    }
}

impl UseCase for AddTrust {
    type Outcome = TrustView;
    const PERMISSION: Permission = Permission::ManageOperators;
    const ROUTE: Route = Route {
        summary: "Let jobs in by the tokens of their host",
        description: "A job shows its token as its credential: `Authorization: Bearer eyJ…`. Never with more than whoever adds it \
                      may; at a code host with the id of the repository, and an environment or a protected ref.",
        answers: &[(201, "The trust.")],
        ..Route::new(Method::Post, "/v1/trusts", "add_trust", "operators")
    };

    fn target(&self) -> String {
        self.name.clone()
    }
}

impl Change for AddTrust {
    const ACTION: Action = Action::OperatorTrust;

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<TrustView>> {
        add(tx, cx, self)
    }
}

impl UseCase for RemoveTrust {
    type Outcome = TrustView;
    const PERMISSION: Permission = Permission::ManageOperators;
    const ROUTE: Route = Route {
        summary: "Let jobs in no more",
        description: "Their tokens are refused from then on, also those that they have already.",
        answers: &[(200, "The trust as it was.")],
        ..Route::new(Method::Delete, "/v1/trusts/{name}", "remove_trust", "operators")
    };

    fn target(&self) -> String {
        self.name.clone()
    }
}

impl Change for RemoveTrust {
    const ACTION: Action = Action::OperatorDistrust;

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<TrustView>> {
        let trust = find(tx, cx, &self.name)?;
        tx.delete_trust(&trust)?;
        let view = TrustView::new(&trust, cx);
        let events = vec![cx.event(Action::OperatorDistrust, trust.id, json!({ "trust": view }))];
        Ok(Done { outcome: view, events })
    }
}

/// Adds a trust.
///
/// # Errors
/// `Usage` for a binding that would let in others, `Conflict` when the name is taken or a token could fit another trust too,
/// `Forbidden` when it would be wider than the caller, `NotFound` for an unknown workspace.
fn add(tx: &mut Tx<'_>, cx: &Context, request: AddTrust) -> Result<Done<TrustView>> {
    let workspace = operators::bound(tx, cx, request.role, request.workspace.clone(), request.ceiling.is_some())?;
    let trust = trust_of(cx, request, workspace)?;
    cx.authority.may_hand_on(tx, &(&trust).into())?;
    if trust.public_only && trust.keys.is_none() && !trust.issuer.starts_with("https://") {
        return Err(Error::forbidden(
            "private",
            "an issuer on the server's own machine is added by who is bound to no workspace",
        )
        .hint("--jwks FILE"));
    }
    let (all, own) = (tx.trusts()?, managed(tx, cx)?);
    if let Some(taken) = all.iter().find(|other| same(&other.name, &trust.name)) {
        let error = Error::conflict("exists", format!("the name '{}' is taken", taken.name));
        return Err(match own.contains(taken) {
            true => error.hint(format!("keyward operators trust remove {}  (its name is free then)", taken.name)),
            false => error.hint("choose another"),
        });
    }
    if let Some(other) = all.iter().find(|other| other.may_meet(&trust)) {
        // Another workspace's are nobody else's to know.
        let whose = if own.contains(other) { format!("'{}'", other.name) } else { "another trust".to_owned() };
        return Err(Error::conflict(
            "ambiguous",
            format!("a token could fit this trust and {whose}: as what would it come?"),
        )
        .cause("both are for the same issuer and audience, and no claim tells them apart")
        .hint("--audience AUDIENCE, another one for each: a job chooses the one that it asks for"));
    }
    tx.put_trust(&trust)?;
    let view = TrustView::new(&trust, cx);
    let events = vec![cx.event(Action::OperatorTrust, trust.id, json!({ "trust": view }))];
    Ok(Done { outcome: view, events })
}

fn trust_of(cx: &Context, mut request: AddTrust, workspace: Option<String>) -> Result<Trust> {
    binding::legible(&request)?;
    let issuer = binding::issuer(&request.issuer)?;
    let kind = binding::kind(&request)?;
    binding::audience(&request.audience, &issuer, kind)?;
    binding::demands(kind, &mut request.claims)?;
    let token_life = request.token_life.unwrap_or(TOKEN_LIFE);
    if token_life > LONGEST_TOKEN_LIFE {
        return Err(Error::usage("a token is taken for a day at most").hint("--token-life 24h"));
    }
    let keys = request.jwks.map(|jwks| jwks.to_string());
    if let Some(keys) = &keys {
        KeySet::parse(keys).map_err(|why| {
            Error::usage("this is no set of public keys, as an issuer publishes it").cause(why).hint("--jwks FILE")
        })?;
    }
    let expires_at = match request.expiry {
        Some(expiry) => expiry.resolve(cx.now).map_err(Error::usage)?,
        None => cx.authority.ends_at(),
    };
    Ok(Trust {
        id: format!("tr_{}", random_base62(&mut rand::rng(), 16)),
        name: request.name,
        issuer,
        kind,
        audience: request.audience,
        claims: request.claims,
        role: request.role,
        workspace,
        ceiling: request.ceiling,
        allow_ips: request.allow_ips,
        expires_at,
        token_life,
        keys,
        public_only: cx.authority.bound_to().is_some(),
        created_at: cx.now,
        created_by: cx.actor.clone(),
    })
}

/// The trusts that the caller may manage: all of them, or those of its own workspace.
fn managed(view: &View<'_>, cx: &Context) -> Result<Vec<Trust>> {
    let mut all = view.trusts()?;
    if let Authority::Operator(caller) = &cx.authority
        && let Some(own) = &caller.workspace
    {
        all.retain(|trust| trust.workspace.as_ref() == Some(own));
    }
    Ok(all)
}

fn find(view: &View<'_>, cx: &Context, name: &str) -> Result<Trust> {
    let all = managed(view, cx)?;
    let Some(trust) = all.iter().find(|trust| same(&trust.name, name) || trust.id == name) else {
        let names: Vec<&str> = all.iter().map(|trust| trust.name.as_str()).collect();
        return Err(Error::not_found(format!("no trust '{name}'"))
            .suggest(&closest(name, &names))
            .hint("keyward operators trust list"));
    };
    cx.authority.may_manage(view, trust)?;
    Ok(trust.clone())
}
