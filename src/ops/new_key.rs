//! A new key: judged by what stands in the store, made, sealed, and kept.

use super::{
    Done,
    context::Context,
    create::{Create, Created},
    entitlement,
    error::{Error, Result},
    existing, lookup, policy,
    rotation_view::{RotationView, refused},
    view::KeyView,
};
use crate::{
    domain::{
        Action, Begin, Brand, Catalogue, Environment, Event, Feature, Imported, Key, KeyId, KeyPolicy, Overlap,
        PlainToken, Plan, RateLimit, RotationId, RotationPolicy, Scope, Secret, SecretState, Time, Usage,
    },
    store::{SealedKey, Sealer, Tx, View},
    vault::Capabilities,
};
use rand::CryptoRng;
use serde_json::json;

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
    policy::within(policy, request.self_service.as_ref(), &cx.workspace)?;
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
        self_service: request.self_service,
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
        "allow_ips": view.allow_ips, "rate_limit": view.rate_limit, "self": view.self_service,
        "lookup": view.secrets.last().map(|secret| &secret.lookup),
    })
}
