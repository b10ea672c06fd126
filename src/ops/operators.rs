//! Operators: created, rotated and revoked; never with more than whoever does it may.

use super::{
    Done,
    authority::{Authority, HandedOn},
    case::{Ask, Change, Method, Route, UseCase},
    context::Context,
    error::{Error, Result},
    holder,
    new_key::mint,
};
use crate::{
    domain::{
        Action, Allowlist, Brand, Environment, Expiry, Operator, Overlap, Permission, PlainToken, Role, Scope,
        SecretState, Time, closest,
        ids::random_base62,
        serde_text,
        text::same,
        time::{self, format_time},
        trust,
    },
    store::{Tx, View},
    vault::Capabilities,
};
use chrono::TimeDelta;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// An operator to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(example = json!({"name": "ci-rotator", "role": "rotator", "workspace": "default", "expiry": {"in": 2_592_000}})))]
pub struct CreateOperator {
    /// Its unique name.
    #[serde(deserialize_with = "serde_text::name")]
    #[cfg_attr(test, schema(value_type = crate::domain::ObjectName))]
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The one workspace it is bound to: that of the call when absent, none but the whole platform for null. A platform-admin
    /// is bound to none.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::change")]
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub workspace: Option<Option<String>>,
    /// The most that a key it makes or rotates may be allowed.
    #[serde(default)]
    pub ceiling: Option<Vec<Scope>>,
    /// Where its credential works.
    #[serde(default)]
    pub allow_ips: Allowlist,
    /// When its credential ends; when not given, after 90 days, and with the credential of whoever makes it at the latest.
    #[serde(default)]
    pub expiry: Option<Expiry>,
}

impl CreateOperator {
    /// How long a credential works when nothing is said.
    const LIFE: TimeDelta = TimeDelta::days(90);

    fn expires_at(&self, cx: &Context) -> Result<Option<Time>> {
        let Some(expiry) = self.expiry else {
            let usual = cx.now + Self::LIFE;
            return Ok(Some(cx.authority.ends_at().map_or(usual, |end| end.min(usual))));
        };
        expiry.resolve(cx.now).map_err(Error::usage)
    }
}

/// The operators that the caller manages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ListOperators {}

/// A new credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = RotateCredential))]
pub struct RotateOperator {
    /// Its name or id.
    pub name: String,
    /// How long the old one goes on working; it stops at once unless told.
    #[serde(default = "at_once")]
    pub overlap: Overlap,
}

fn at_once() -> Overlap {
    Overlap::Now
}

/// An operator to be cut off for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RevokeOperator {
    /// Its name or id.
    pub name: String,
}

/// An operator with its credential, the only time it is seen; absent in a dry run.
pub struct Appointed {
    /// The operator.
    pub operator: OperatorView,
    /// Its credential.
    pub secret: Option<PlainToken>,
}

/// An operator's public facts; never its credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Operator))]
pub struct OperatorView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: String,
    /// The workspace that it is bound to; null: it acts in every one.
    pub workspace: Option<String>,
    /// The scopes that it can give at most; null: any.
    pub ceiling: Option<Vec<String>>,
    /// The addresses and ranges that it acts from; none: from anywhere.
    pub allow_ips: Vec<String>,
    /// `active`, `expired` or `revoked`.
    pub status: String,
    /// When its credential ends; null: never.
    pub expires_at: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// Who made it, as the trail names them.
    pub created_by: String,
    /// The last characters of its credential.
    pub hint: Option<String>,
}

impl OperatorView {
    /// The view of an operator at the time of a call.
    #[must_use]
    pub fn new(operator: &Operator, cx: &Context) -> Self {
        Self {
            id: operator.id.clone(),
            name: operator.name.clone(),
            role: operator.role.to_string(),
            workspace: operator.workspace.clone(),
            ceiling: operator.ceiling.as_ref().map(|scopes| scopes.iter().map(ToString::to_string).collect()),
            allow_ips: operator.allow_ips.to_strings(),
            status: operator.status_at(cx.now).to_owned(),
            expires_at: operator.expires_at.map(format_time),
            created_at: format_time(operator.created_at),
            created_by: operator.created_by.clone(),
            hint: operator.secrets.last().map(|secret| secret.hint.clone()),
        }
    }
}

impl UseCase for ListOperators {
    type Outcome = Vec<OperatorView>;
    const PERMISSION: Permission = Permission::ManageOperators;
    const ROUTE: Route = Route {
        summary: "The operators that the caller manages",
        answers: &[(200, "The operators, by name.")],
        ..Route::new(Method::Get, "/v1/operators", "list_operators", "operators")
    };
}

impl Ask for ListOperators {
    fn ask(&self, view: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<Vec<OperatorView>> {
        let mut all = managed(view, cx)?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all.iter().map(|operator| OperatorView::new(operator, cx)).collect())
    }
}

impl UseCase for CreateOperator {
    type Outcome = Appointed;
    const PERMISSION: Permission = Permission::ManageOperators;
    const ROUTE: Route = Route {
        summary: "Appoint an operator",
        description: "Never with more than whoever does it may. The answer is the only one that ever holds the credential.",
        answers: &[(201, "The operator with its credential.")],
        ..Route::new(Method::Post, "/v1/operators", "create_operator", "operators")
    };

    fn target(&self) -> String {
        self.name.clone()
    }
}

impl Change for CreateOperator {
    const ACTION: Action = Action::OperatorCreate;

    fn change(self, tx: &mut Tx<'_>, caps: &Capabilities, cx: &Context) -> Result<Done<Appointed>> {
        create(tx, caps, &mut rand::rng(), cx, self)
    }
}

impl UseCase for RotateOperator {
    type Outcome = Appointed;
    const PERMISSION: Permission = Permission::ManageOperators;
    const ROUTE: Route = Route {
        summary: "Replace an operator's credential",
        answers: &[(200, "The operator with its new credential.")],
        ..Route::new(Method::Post, "/v1/operators/{name}/rotate", "rotate_operator", "operators")
    };

    fn target(&self) -> String {
        self.name.clone()
    }
}

impl Change for RotateOperator {
    const ACTION: Action = Action::OperatorRotate;

    fn change(self, tx: &mut Tx<'_>, caps: &Capabilities, cx: &Context) -> Result<Done<Appointed>> {
        rotate(tx, caps, &mut rand::rng(), cx, &self)
    }
}

impl UseCase for RevokeOperator {
    type Outcome = OperatorView;
    const PERMISSION: Permission = Permission::ManageOperators;
    const ROUTE: Route = Route {
        summary: "Cut an operator off",
        answers: &[(200, "The operator.")],
        ..Route::new(Method::Post, "/v1/operators/{name}/revoke", "revoke_operator", "operators")
    };

    fn target(&self) -> String {
        self.name.clone()
    }
}

impl Change for RevokeOperator {
    const ACTION: Action = Action::OperatorRevoke;

    /// Says so again without an error when it is cut off already.
    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<OperatorView>> {
        revoke(tx, cx, &self.name)
    }
}

/// Creates an operator.
///
/// # Errors
/// `Conflict` when the name is taken, `Forbidden` when it would be wider than the caller, `NotFound` for an unknown
/// workspace, `Usage` for a workspace admin without a workspace or an expiry in the past.
fn create(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    request: CreateOperator,
) -> Result<Done<Appointed>> {
    if request.name.starts_with(trust::ACTOR) {
        return Err(Error::usage(format!("the trail calls jobs {}…, and so no operator", trust::ACTOR))
            .hint("choose another name"));
    }
    if request.name.starts_with(holder::PREFIX) {
        return Err(Error::usage(format!("the trail calls holders of keys {}…, and so no operator", holder::PREFIX))
            .hint("choose another name"));
    }
    let workspace = bound(tx, cx, request.role, request.workspace.clone(), request.ceiling.is_some())?;
    let expires_at = request.expires_at(cx)?;
    let handed_on = HandedOn {
        role: request.role,
        workspace: workspace.as_deref(),
        ceiling: request.ceiling.as_deref(),
        allow_ips: &request.allow_ips,
        expires_at,
    };
    cx.authority.may_hand_on(tx, &handed_on)?;
    if let Some(taken) = tx.operators()?.iter().find(|operator| same(&operator.name, &request.name)) {
        if !managed(tx, cx)?.contains(taken) {
            return Err(Error::conflict("exists", format!("the name '{}' is taken", taken.name)).hint("choose another"));
        }
        match taken.status_at(cx.now) {
            // Its row makes room; what it did and how it ended stays in the trail.
            "revoked" => {}
            status => return Err(exists(taken, status)),
        }
    }
    let (token, secret) = credential(caps, rng, cx)?;
    let operator = Operator {
        id: format!("op_{}", random_base62(rng, 16)),
        name: request.name,
        role: request.role,
        workspace,
        ceiling: request.ceiling,
        allow_ips: request.allow_ips,
        expires_at,
        revoked_at: None,
        created_at: cx.now,
        created_by: cx.actor.clone(),
        secrets: vec![secret],
    };
    tx.put_operator(&operator)?;
    let view = OperatorView::new(&operator, cx);
    let events = vec![cx.event(Action::OperatorCreate, operator.id, json!({ "operator": view }))];
    Ok(Done { outcome: Appointed { operator: view, secret: (!cx.dry_run).then_some(token) }, events })
}

/// The one workspace that somebody of a role is to be bound to, `None` for the whole platform: that which was said, else that of
/// the call.
///
/// # Errors
/// `Usage` for a workspace admin without a workspace, and a platform admin with any bound; `NotFound` for an unknown workspace.
pub(super) fn bound(
    tx: &View<'_>,
    cx: &Context,
    role: Role,
    said: Option<Option<String>>,
    has_ceiling: bool,
) -> Result<Option<String>> {
    let workspace = said.unwrap_or_else(|| (role != Role::PlatformAdmin).then(|| cx.workspace.clone()));
    if role == Role::WorkspaceAdmin && workspace.is_none() {
        return Err(Error::usage("a workspace-admin is bound to a workspace").hint("--bind WORKSPACE"));
    }
    if role == Role::PlatformAdmin && (workspace.is_some() || has_ceiling) {
        return Err(Error::usage("a platform-admin is bound to nothing")
            .hint("--role workspace-admin --bind WORKSPACE, for one workspace"));
    }
    if let Some(workspace) = &workspace {
        super::entitlement::plan_of(tx, workspace)?;
    }
    Ok(workspace)
}

fn exists(taken: &Operator, status: &str) -> Error {
    let name = &taken.name;
    let error = Error::conflict("exists", format!("an operator named '{name}' exists, and is {status}: {}", taken.id));
    match status {
        "active" => error.hint(format!("keyward operators rotate {name}  (a new credential for the same operator)")),
        _ => with_successor(error, taken, status),
    }
}

/// The way to a new operator of the name.
fn with_successor(error: Error, operator: &Operator, status: &str) -> Error {
    let (name, role) = (&operator.name, operator.role);
    let error = match status {
        "revoked" => error,
        _ => error.hint(format!("keyward operators revoke {name} --yes  (its name is free then)")),
    };
    error.hint(format!("keyward operators create {name} --role {role}  (a new operator of that name)"))
}

/// Gives an operator a new credential.
///
/// # Errors
/// `NotFound`; `Conflict` for a revoked or expired one; `Forbidden` when it is wider than the caller.
fn rotate(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    request: &RotateOperator,
) -> Result<Done<Appointed>> {
    let mut operator = find(tx, cx, &request.name)?;
    cx.authority.may_replace(tx, &operator)?;
    if !operator.active_at(cx.now) {
        let status = operator.status_at(cx.now);
        let error = Error::conflict("illegal_state", format!("the operator '{}' is {status}", operator.name));
        return Err(with_successor(error, &operator, status));
    }
    let (token, secret) = credential(caps, rng, cx)?;
    let until = match request.overlap {
        Overlap::Now => cx.now,
        Overlap::For(duration) => time::later(cx.now, duration).unwrap_or(time::LAST),
    };
    let until = operator.expires_at.map_or(until, |at| until.min(at));
    for old in &mut operator.secrets {
        old.state = match old.state {
            SecretState::Current { .. } if until > cx.now => SecretState::Retiring { until },
            // At most two credentials work: what was retiring before stops.
            _ => SecretState::Dead { since: cx.now },
        };
    }
    operator.secrets.push(secret);
    // Dead versions of an operator's credential open nothing and are asked for by nobody.
    operator.secrets.retain(|secret| secret.works_at(cx.now));
    tx.put_operator(&operator)?;
    let changes = json!({ "old_valid_until": (until > cx.now).then(|| format_time(until)) });
    let view = OperatorView::new(&operator, cx);
    let events = vec![cx.event(Action::OperatorRotate, operator.id, changes)];
    Ok(Done { outcome: Appointed { operator: view, secret: (!cx.dry_run).then_some(token) }, events })
}

/// Cuts an operator off for good; says so again without an error.
///
/// # Errors
/// `NotFound`; `Forbidden` when it is wider than the caller.
fn revoke(tx: &mut Tx<'_>, cx: &Context, name: &str) -> Result<Done<OperatorView>> {
    let mut operator = find(tx, cx, name)?;
    if operator.revoked_at.is_some() {
        return Ok(Done::unchanged(OperatorView::new(&operator, cx)));
    }
    operator.revoked_at = Some(cx.now);
    for secret in &mut operator.secrets {
        secret.state = SecretState::Dead { since: cx.now };
    }
    tx.put_operator(&operator)?;
    let view = OperatorView::new(&operator, cx);
    let events = vec![cx.event(Action::OperatorRevoke, operator.id, json!({ "name": operator.name }))];
    Ok(Done { outcome: view, events })
}

fn credential(
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
) -> Result<(PlainToken, crate::domain::Secret)> {
    let brand = Brand::of_operators();
    mint(&brand, caps, rng, Environment::Production, SecretState::Current { until: None }, cx.now)
}

/// The operators that the caller may manage: all of them, or those of its own workspace.
fn managed(tx: &View<'_>, cx: &Context) -> Result<Vec<Operator>> {
    let mut all = tx.operators()?;
    if let Authority::Operator(caller) = &cx.authority
        && let Some(own) = &caller.workspace
    {
        all.retain(|operator| operator.workspace.as_ref() == Some(own));
    }
    Ok(all)
}

fn find(tx: &View<'_>, cx: &Context, name: &str) -> Result<Operator> {
    let all = managed(tx, cx)?;
    let found = all.iter().find(|operator| same(&operator.name, name) || operator.id == name).cloned();
    let Some(operator) = found else {
        let names: Vec<&str> = all.iter().map(|operator| operator.name.as_str()).collect();
        return Err(Error::not_found(format!("no operator '{name}'"))
            .suggest(&closest(name, &names))
            .hint("keyward operators list"));
    };
    cx.authority.may_manage(tx, &operator)?;
    Ok(operator)
}
