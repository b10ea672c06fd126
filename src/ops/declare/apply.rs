//! Making a workspace like a file, in one transaction: all of it, or nothing.

use super::{
    Declared,
    plan::{Plan, PlanStep, Verb, update_of},
    plan_in, rules, settled,
};
use crate::{
    domain::{Action, KeyId, KeyRef, Permission, text::composed},
    ops::{
        Context, Create, Created, Done, EntryError, EntryErrors, Error, Kind, Result, Switch, SwitchKey,
        case::{Ask, Method, Route, UseCase},
        create_many::create_many,
        lifecycle, lookup, update,
    },
    store::{Tx, View},
    vault::Capabilities,
};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{borrow::Cow, collections::HashMap};

/// So many wrong keys are told.
const TOLD: usize = 20;

/// What a workspace is to be like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Apply {
    /// The declared keys. New ones go to the sinks that stand with them.
    pub keys: Vec<Declared>,
    /// Switch off keys that have all these labels and are not declared.
    #[cfg_attr(test, schema(value_type = Option<Vec<Vec<String>>>))]
    pub prune: Option<Vec<(String, String)>>,
    /// The plan that was agreed to: with any other one, nothing is done.
    pub expected: Option<Plan>,
    /// The keystore that the declarations are carried from: then the trail says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carried_from: Option<String>,
    /// Keys to be revoked, by their ids: they are in the keystore that the declarations are carried from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schema(value_type = Vec<String>))]
    pub revoke: Vec<KeyId>,
}

/// The question what an [`Apply`] would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Apply))]
pub struct PlanKeys(pub Apply);

/// A file of 100,000 keys.
const FILE: usize = 64 * 1024 * 1024;

impl UseCase for PlanKeys {
    type Outcome = Plan;
    const PERMISSION: Permission = Permission::ReadKeys;
    const ROUTE: Route = Route {
        optional_body: true,
        most_bytes: FILE,
        long: true,
        summary: "What would have to be done to make the workspace like a file?",
        answers: &[(200, "The plan.")],
        ..Route::new(Method::Post, "/v1/keys/plan", "plan_keys", "keys")
    };

    fn size(&self) -> usize {
        self.0.keys.len()
    }
}

impl Ask for PlanKeys {
    fn ask(&self, view: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<Plan> {
        plan_in(view, cx, &self.0)
    }
}

impl UseCase for Apply {
    type Outcome = Applied;
    const PERMISSION: Permission = Permission::ReadKeys;
    // Whoever makes a workspace like a file must be allowed all that a file may change.
    const AND: &'static [Permission] =
        &[Permission::CreateKeys, Permission::UpdateKeys, Permission::ActivateKeys, Permission::StopKeys];
    const ROUTE: Route = Route {
        optional_body: true,
        most_bytes: FILE,
        long: true,
        summary: "Make the workspace like a file, all of it or nothing",
        description: "The answer is the only one that ever holds the secrets of new keys. With `expected`, nothing is done by \
            any other plan.",
        answers: &[(200, "What was done.")],
        ..Route::new(Method::Post, "/v1/keys/apply", "apply_keys", "keys")
    };

    fn size(&self) -> usize {
        self.keys.len()
    }
}

/// What came of an [`Apply`].
pub struct Applied {
    /// What was done, or could not be.
    pub plan: Plan,
    /// The new keys with their secrets, in the order of the plan.
    pub created: Vec<Created>,
}

/// Carries a plan out.
///
/// # Errors
/// `Conflict` when the plan is no longer the one that was agreed to; whatever speaks against one of its steps.
pub fn apply(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    request: &Apply,
) -> Result<Done<Applied>> {
    let plan = plan_in(tx, cx, request)?;
    let keys = settled(tx, cx, &request.keys)?;
    if request.expected.as_ref().is_some_and(|expected| *expected != plan) {
        return Err(Error::conflict("stale_plan", "the keys have changed since the plan was made")
            .hint("keyward diff -f FILE   and apply again"));
    }
    let declared: HashMap<(String, Cow<'_, str>), &Declared> = keys
        .iter()
        .map(|declared| ((declared.key.environment.to_string(), composed(&declared.key.name)), declared))
        .collect();
    let of_name = |step: &PlanStep| declared.get(&(step.environment.clone(), composed(&step.name))).copied();
    let by_own_id: HashMap<&str, &Declared> =
        keys.iter().filter_map(|declared| declared.key.id.as_ref().map(|id| (id.as_str(), declared))).collect();
    let of = |step: &PlanStep| {
        let by_id = step.key_id.as_deref().and_then(|id| by_own_id.get(id).copied());
        by_id.or_else(|| of_name(step))
    };
    // Those that cannot be made are tried as well, so that all that is wrong is told at once.
    let is_new = |step: &&PlanStep| step.action == Verb::Create || step.is_refused_creation();
    let new: Vec<&Declared> = plan.steps.iter().filter(is_new).filter_map(of).collect();
    let requests: Vec<Create> = new.iter().map(|declared| declared.key.clone()).collect();
    let made = create_many(tx, caps, rng, cx, requests.into(), &mut |_| {}).map_err(|wrong| refused(&new, &wrong))?;
    let (mut created, mut events) = (made.outcome, made.events);
    for (declared, created) in new.iter().zip(&mut created).filter(|(declared, _)| !declared.active) {
        let done = lifecycle::switch(tx, cx, &SwitchKey::of(by_id(&created.key.id)?, Switch::Deactivate))?;
        debug_assert_eq!(done.outcome.key.name, declared.key.name);
        created.key = done.outcome.key;
        events.extend(done.events);
    }
    let rules = rules(tx, cx)?;
    for step in &plan.steps {
        let Some(id) = &step.key_id else { continue };
        let key = by_id(id)?;
        let done = match step.action {
            Verb::Create | Verb::Deliver | Verb::Conflict => continue,
            Verb::Blocked => {
                let Some(declared) = of(step) else { continue };
                let now = match lookup::key(tx, &cx.workspace, &key, None) {
                    Ok(now) => now,
                    // It was deleted: the step says so.
                    Err(error) if error.kind == Kind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                match rules.refusal(Some(&now), declared, cx.now) {
                    None => continue,
                    Some(error) => Err(error),
                }
            }
            Verb::Update => {
                let Some(declared) = of(step) else { continue };
                let now = lookup::key(tx, &cx.workspace, &key, None)?;
                update::update(tx, cx, update_of(&now, declared)).map(|done| done.events)
            }
            Verb::Activate => lifecycle::switch(tx, cx, &SwitchKey::of(key, Switch::Activate)).map(|done| done.events),
            Verb::Revoke => lifecycle::switch(tx, cx, &SwitchKey::of(key, Switch::Revoke)).map(|done| done.events),
            Verb::Deactivate => {
                lifecycle::switch(tx, cx, &SwitchKey::of(key, Switch::Deactivate)).map(|done| done.events)
            }
        };
        events.extend(done.map_err(|error| about(&step.name, &step.environment, error))?);
    }
    if let Some(from) = request.carried_from.as_ref().filter(|_| !events.is_empty()) {
        let changes = json!({ "from": from, "steps": plan.feasible() });
        events.push(cx.event(Action::KeyApply, cx.workspace.clone(), changes));
    }
    Ok(Done { outcome: Applied { plan, created }, events })
}

fn by_id(id: &str) -> Result<KeyRef> {
    Ok(KeyRef::Id(id.parse::<KeyId>().map_err(Error::usage)?))
}

fn about(name: &str, environment: impl std::fmt::Display, error: Error) -> Error {
    Error { message: format!("{name} ({environment}): {}", error.message), ..error }
}

/// The first wrong key is the error; the others are told with it.
fn refused(new: &[&Declared], wrong: &EntryErrors) -> Error {
    let told = |entry: &EntryError| match new.get(entry.index) {
        Some(declared) => about(&declared.key.name, declared.key.environment, entry.error.clone()),
        None => entry.error.clone(),
    };
    let Some((first, others)) = wrong.told.split_first() else { return Error::usage("the keys cannot be created") };
    let error = others.iter().take(TOLD).fold(told(first), |error, other| error.cause(told(other).message));
    match (others.len() + wrong.others.len()).saturating_sub(TOLD) {
        0 => error,
        more => error.cause(format!("and {more} more")),
    }
}
