//! Creating a key: judged by what stands in the store, made, and kept.

use super::{
    Done,
    context::Context,
    entitlement,
    error::{Error, Result},
    existing::{self, existing},
    free_text, lookup, policy,
    rotation_view::{RotationView, refused},
    view::KeyView,
};
use crate::{
    domain::{
        Action, Allowlist, Begin, Brand, Catalogue, Environment, Event, Expiry, Feature, Imported, Key, KeyId,
        KeyPolicy, Overlap, PlainToken, Plan, RateLimit, RotationId, RotationPolicy, Scope, Secret, SecretState, Time,
        Usage, serde_text,
    },
    store::{SealedKey, Sealer, Tx, View},
    vault::Capabilities,
};
use chrono::TimeDelta;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// A key to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(example = json!({"name": "billing-sync-prod", "environment": "production", "scopes": ["invoices:read"], "expiry": {"in": 7_776_000}})))]
pub struct Create {
    /// Names the one system that uses the key; unique per workspace and environment.
    #[serde(deserialize_with = "serde_text::name")]
    #[cfg_attr(test, schema(value_type = crate::domain::ObjectName))]
    pub name: String,
    /// Where the key works, and nowhere else.
    #[serde(default)]
    pub environment: Environment,
    /// Who answers for the key.
    #[serde(default)]
    pub owner: Option<String>,
    /// Free text.
    #[serde(default)]
    pub description: Option<String>,
    /// The one project of a project-level key.
    #[serde(default)]
    pub project: Option<String>,
    /// The customers the key is narrowed to.
    #[serde(default)]
    pub customers: Vec<String>,
    /// What the key may do.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// Requests a window; `Some(None)`, which must be spelled out, is no limit, and `None` is the usual one: 100 an hour, or
    /// less where the plan allows no more.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::change_limit")]
    #[cfg_attr(test, schema(value_type = Option<crate::domain::SaidLimit>))]
    pub rate_limit: Option<Option<RateLimit>>,
    /// Where the key may be used from; empty means anywhere.
    #[serde(default)]
    pub allow_ips: Allowlist,
    /// Free labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// When the key ends, never edited afterwards. When not given: 90 days, or less where the workspace says so; never for a key
    /// that is to be rotated, whose secrets end instead unless they are, and as late as the workspace allows where it says.
    #[serde(default)]
    pub expiry: Option<Expiry>,
    /// The same said otherwise: so many days, or a duration such as `90d`. Only one of the two.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::lifetime")]
    #[cfg_attr(test, schema(value_type = Option<serde_text::lifetime::Lifetime>))]
    pub expires_in: Option<TimeDelta>,
    /// How often the secret is to be rotated; `Some(None)` is never, `None` leaves it to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::change_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub rotate_every: Option<Option<TimeDelta>>,
    /// How long the old secret goes on working after a rotation.
    #[serde(default, with = "serde_text::optional_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub overlap: Option<TimeDelta>,
    /// Whether a rotation starts the key's lifetime again; null leaves it to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_on_rotation: Option<bool>,
    /// An existing key of that name is an answer, not a conflict.
    #[serde(default)]
    pub if_not_exists: bool,
    /// The same idempotency key within 24 hours names the same key.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// The secret it has already; one is drawn when not given.
    #[serde(skip)]
    pub imported: Option<Imported>,
    /// The id a preview gave it; drawn when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<String>, pattern = "^key_[0-9A-Za-z]{16}$"))]
    pub id: Option<KeyId>,
    /// Where its secret goes: then the key is there in earnest only with the commit of its first rotation.
    #[serde(default)]
    pub sinks: Vec<String>,
    /// The hand-over follows at once: the intent is recorded with the creation.
    #[serde(default)]
    pub intend: bool,
    /// It is declared without a secret: it lets nobody in before its first rotation gives it one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_secret: bool,
    /// A file declares it whole: what it leaves out is meant to be nothing.
    #[serde(skip)]
    pub declared: bool,
}

/// What came of a [`Create`].
pub struct Created {
    /// The key.
    pub key: KeyView,
    /// Its secret, the only time it is seen; absent when the key existed and in a dry run.
    pub secret: Option<PlainToken>,
    /// The delivery of the secret to its sinks, which is still to be done and committed.
    pub rotation: Option<RotationView>,
    /// The key was there before.
    pub existed: bool,
    /// What the caller should know, such as a scope declared by its first use.
    pub notes: Vec<String>,
}

/// Creates one key.
///
/// # Errors
/// `Conflict` when the name is taken, `Forbidden` when the plan does not allow it, `NotFound` for an unknown
/// project or customer, `Usage` for an expiry in the past.
pub fn create(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    mut request: Create,
) -> Result<Done<Created>> {
    free_text::of_key(&mut request)?;
    let mut workspace = Standing::of(tx, cx)?;
    create_in(tx, caps, rng, cx, &mut workspace, request)
}

/// What is the same for every key of a workspace, read once for a whole file of them.
pub(super) struct Standing {
    plan: Plan,
    pub(super) policy: KeyPolicy,
    catalogue: Catalogue,
    brand: Brand,
}

impl Standing {
    pub(super) fn of(tx: &View<'_>, cx: &Context) -> Result<Self> {
        let workspace = entitlement::workspace(tx, &cx.workspace)?;
        Ok(Self {
            plan: entitlement::plan(tx, &workspace.plan)?,
            policy: workspace.policy,
            catalogue: tx.catalogue(&cx.workspace)?,
            brand: tx.meta().brand.clone(),
        })
    }
}

fn create_in(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    workspace: &mut Standing,
    request: Create,
) -> Result<Done<Created>> {
    if let Some(existing) = existing(tx, cx, &request)? {
        return Ok(Done::unchanged(existing));
    }
    let accepted = accept(tx, cx, workspace, request, 0)?;
    let made = make(caps, rng, cx, workspace, &tx.sealer(), accepted)?;
    keep(tx, made)
}

/// A request that nothing speaks against.
pub(super) struct Accepted {
    request: Create,
    /// What holds where the request says nothing.
    rate_limit: Option<RateLimit>,
    scopes: Vec<Scope>,
    notes: Vec<String>,
    events: Vec<Event>,
}

/// A key that is made and sealed, and stands nowhere yet.
pub(super) struct Made {
    id: KeyId,
    sealed: SealedKey,
    /// Its idempotency key, and the digest of its request.
    once: Option<(String, String)>,
    done: Done<Created>,
}

/// Judges a request by what stands in the store, beside `waiting` more keys that are to be written before its own.
pub(super) fn accept(
    tx: &mut Tx<'_>,
    cx: &Context,
    workspace: &mut Standing,
    request: Create,
    waiting: usize,
) -> Result<Accepted> {
    let plan = &workspace.plan;
    entitlement::require(plan, Feature::ApiAccess)?;
    if let Some(id) = &request.id
        && (tx.key(id)?.is_some() || tx.newest_on(id.as_str(), &|_| true)?.is_some())
    {
        return Err(Error::conflict("exists", format!("{id} is or was the id of a key")).hint("leave the id out"));
    }
    if plan.max_keys.is_some() {
        let before = u32::try_from(waiting).unwrap_or(u32::MAX).saturating_add(tx.count_keys(&cx.workspace)?);
        entitlement::require(plan, Feature::Keys { count: before.saturating_add(1) })?;
    }
    if request.without_secret && (!request.sinks.is_empty() || request.imported.is_some()) {
        return Err(Error::usage("a key without a secret has none to deliver").hint("leave one of them out"));
    }
    if request.expires_in.is_some() && request.expiry.is_some() {
        return Err(Error::usage("expiry and expires_in say the same twice").hint("leave one of them out"));
    }
    policy::demanded_of_new(&workspace.policy, cx, &request)?;
    let mut notes = Vec::new();
    let rate_limit = request.rate_limit.unwrap_or_else(|| Some(usual_limit(plan, &mut notes)));
    entitlement::require(plan, Feature::RateLimit(rate_limit))?;
    refuse_known(tx, &request)?;
    lookup::project_to_name(tx, &cx.workspace, request.project.as_deref())?;
    lookup::customers_to_name(tx, &cx.workspace, &request.customers)?;
    let scopes = scopes_of(&request, &workspace.policy, &mut notes);
    cx.authority.may_grant(&workspace.catalogue, &scopes)?;
    let events = super::scopes::declare_missing(tx, cx, &mut workspace.catalogue, &scopes, &mut notes)?;
    Ok(Accepted { request, rate_limit, scopes, notes, events })
}

/// The usual limit, and a word where a plan makes it less.
fn usual_limit(plan: &Plan, notes: &mut Vec<String>) -> RateLimit {
    let limit = plan.usual_limit();
    if limit != RateLimit::default() {
        notes.push(format!("the rate limit is {limit}: the plan '{}' allows no more", plan.name));
    }
    limit
}

/// The scopes of a new key, and a word where nobody said any.
fn scopes_of(request: &Create, policy: &KeyPolicy, notes: &mut Vec<String>) -> Vec<Scope> {
    if !request.scopes.is_empty() {
        return request.scopes.clone();
    }
    if policy.scopes.is_empty() || request.declared {
        if !request.declared {
            notes.push(
                "no scope was given: such a key passes only where none is asked for (--scope RESOURCE:LEVEL; for every new \
                 key: keyward scopes default RESOURCE:LEVEL)"
                    .to_owned(),
            );
        }
        return Vec::new();
    }
    let names: Vec<&str> = policy.scopes.iter().map(Scope::as_str).collect();
    notes.push(format!("scopes by default of the workspace: {}", names.join(" ")));
    policy.scopes.clone()
}

/// Draws the key and its secret and seals them; asks nothing of the store, so that many can be made at once.
pub(super) fn make(
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    workspace: &Standing,
    sealer: &Sealer<'_>,
    Accepted { request, rate_limit, scopes, mut notes, mut events }: Accepted,
) -> Result<Made> {
    let state = match (request.without_secret, request.sinks.is_empty()) {
        (true, _) => SecretState::Dead { since: cx.now },
        (false, true) => SecretState::Current { until: None },
        (false, false) => SecretState::Staged,
    };
    let (token, secret) = match request.imported.clone() {
        Some(imported) => (None, as_secret(imported, state, cx.now)),
        None => {
            let (token, secret) = mint(&workspace.brand, caps, rng, request.environment, state, cx.now)?;
            (Some(token), secret)
        }
    };
    let action = if secret.imported { Action::KeyImport } else { Action::KeyCreate };
    let (token, secret) = match request.without_secret {
        // It was drawn for nobody, and is forgotten here.
        true => (None, Secret { hint: String::new(), ..secret }),
        false => (token, secret),
    };
    let once = match &request.idempotency_key {
        Some(key) => Some((existing::named(&cx.workspace, key), existing::digest_of(&request)?)),
        None => None,
    };
    let begin = begin(rng, cx, &request);
    let intended = if request.intend { request.sinks.clone() } else { Vec::new() };
    let mut key = Key { rate_limit, scopes, ..new_key(rng, cx, &workspace.policy, request)? };
    match begin {
        None => {
            key.secrets.push(secret);
            key.end_current_secret();
        }
        Some(begin) => {
            key.stage(secret, begin, cx.now, false).map_err(|illegal| refused(illegal, &key))?;
            for sink in &intended {
                key.intend(sink, cx.now).map_err(|illegal| refused(illegal, &key))?;
            }
        }
    }
    let sealed = sealer.seal(&key)?;
    key.version += 1;
    let rotation = RotationView::of(&key, cx.now);
    if rotation.is_some() {
        key = super::stage::projected(&key, cx.now)?.0;
    }
    let id = key.id.clone();
    notes.extend(policy::what_ends_it(&key, &workspace.policy));
    let view = KeyView::of(key, &Usage::default(), cx.now);
    events.push(cx.event(action, id.to_string(), json!({ "key": creation_facts(&view) })));
    let secret = token.filter(|_| !cx.dry_run);
    let done = Done { outcome: Created { key: view, secret, rotation, existed: false, notes }, events };
    Ok(Made { id, sealed, once, done })
}

pub(super) fn keep(tx: &mut Tx<'_>, made: Made) -> Result<Done<Created>> {
    tx.put_sealed(&made.sealed)?;
    if let Some((idempotency_key, digest)) = made.once {
        tx.remember_idempotency(&idempotency_key, &made.id, &digest)?;
    }
    Ok(made.done)
}

/// Draws a new secret and the facts that are stored of it.
pub(super) fn mint(
    brand: &Brand,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    environment: Environment,
    state: SecretState,
    now: Time,
) -> Result<(PlainToken, Secret)> {
    let token = PlainToken::generate(rng, brand, environment);
    let verifier = caps.verifier_of(&token).ok_or_else(super::support_refused)?;
    let secret =
        Secret { lookup: token.lookup(), hint: token.hint(), verifier, state, created_at: now, imported: false };
    Ok((token, secret))
}

fn as_secret(imported: Imported, state: SecretState, now: Time) -> Secret {
    let Imported { lookup, verifier, hint } = imported;
    Secret { lookup, hint, verifier, state, created_at: now, imported: true }
}

/// Two keys with one secret would be two answers to one question.
fn refuse_known(tx: &View<'_>, request: &Create) -> Result<()> {
    let Some(imported) = &request.imported else { return Ok(()) };
    match tx.key_by_lookup(&imported.lookup)? {
        None => Ok(()),
        Some(other) => {
            let message =
                format!("its secret was imported before, with {} ({}, {})", other.id, other.name, other.environment);
            Err(Error::conflict("secret_known", message).hint(format!("keyward show {}", other.id)))
        }
    }
}

fn new_key(rng: &mut impl CryptoRng, cx: &Context, policy: &KeyPolicy, request: Create) -> Result<Key> {
    let every = request.rotate_every.unwrap_or(policy.rotate_every);
    let expires_at = policy::expires_at(request.expiry(), policy, every, cx.now)?;
    policy::shorter(request.overlap, every)?;
    let due_at = policy::first_due(every, cx.now)?;
    Ok(Key {
        id: request.id.unwrap_or_else(|| KeyId::generate(rng)),
        workspace: cx.workspace.clone(),
        name: request.name,
        description: request.description,
        owner: request.owner,
        environment: request.environment,
        project: request.project,
        customers: request.customers,
        scopes: Vec::new(),
        rate_limit: None,
        allow_ips: request.allow_ips,
        labels: request.labels,
        active: true,
        revoked_at: None,
        created_at: cx.now,
        created_by: cx.actor.clone(),
        expires_at,
        lifetime: expires_at.map(|at| at - cx.now),
        rotation: RotationPolicy { every, overlap: request.overlap, due_at, renew: request.renew_on_rotation },
        secrets: Vec::new(),
        run: None,
        version: 0,
    })
}

/// The first rotation of a key whose secret is delivered; none of one whose secret is printed.
fn begin(rng: &mut impl CryptoRng, cx: &Context, request: &Create) -> Option<Begin> {
    (!request.sinks.is_empty()).then(|| Begin {
        id: RotationId::generate(rng),
        actor: cx.actor.clone(),
        sinks: request.sinks.clone(),
        lease: cx.lease(rng),
        overlap: Overlap::Now,
        renew: false,
        reinstate: false,
        parked: false,
        for_due: false,
        idempotency_key: None,
        asked: Vec::new(),
        held: Vec::new(),
    })
}

/// What the audit trail keeps of a new key, so that its story can be told after it is deleted.
fn creation_facts(view: &KeyView) -> serde_json::Value {
    json!({
        "name": view.name, "environment": view.environment, "workspace": view.workspace, "owner": view.owner,
        "project": view.project, "customers": view.customers, "scopes": view.scopes, "expires_at": view.expires_at,
        "allow_ips": view.allow_ips, "rate_limit": view.rate_limit,
        "lookup": view.secrets.last().map(|secret| &secret.lookup),
    })
}

impl Create {
    /// A key with the defaults of the command line: development, 90 days, 100 requests an hour, no scope.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            environment: Environment::default(),
            owner: None,
            description: None,
            project: None,
            customers: Vec::new(),
            scopes: Vec::new(),
            rate_limit: None,
            allow_ips: Allowlist::default(),
            labels: BTreeMap::new(),
            expiry: None,
            expires_in: None,
            rotate_every: None,
            overlap: None,
            renew_on_rotation: None,
            if_not_exists: false,
            idempotency_key: None,
            imported: None,
            id: None,
            sinks: Vec::new(),
            intend: false,
            without_secret: false,
            declared: false,
        }
    }

    /// When the key is to end, in whichever way it was said.
    #[must_use]
    pub fn expiry(&self) -> Option<Expiry> {
        self.expiry.or(self.expires_in.map(Expiry::In))
    }
}
