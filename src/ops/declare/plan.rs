//! The difference between the keys that are there and those that a file declares; a pure function.

use super::Declared;
use crate::{
    domain::{
        Catalogue, Environment, Expiry, Key, KeyId, KeyPolicy, SecretState, SelfService, Status, Time,
        filter::has_labels,
        text::{composed, same},
        time::{format_duration, format_time},
    },
    ops::{Change, Create, Error, Update, policy, scopes, update},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

/// What would have to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Plan {
    /// In the order of the file; what is pruned comes last.
    pub steps: Vec<PlanStep>,
    /// How many declared keys are as they are declared.
    pub unchanged: usize,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct PlanStep {
    /// What is to be done.
    pub action: Verb,
    /// Null for a key that is not there yet.
    pub key_id: Option<String>,
    /// The name of the key.
    pub name: String,
    /// Its environment.
    pub environment: String,
    /// What changes.
    pub changes: Vec<Change>,
    /// Why it cannot be done, or is to be done although nothing was changed.
    pub why: Option<String>,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub enum Verb {
    /// The key is made, and its secret delivered.
    Create,
    /// The secret of a key whose creation was interrupted is delivered.
    Deliver,
    /// Its metadata, scopes, limits or policy change.
    Update,
    /// It is switched on.
    Activate,
    /// It is switched off.
    Deactivate,
    /// It is cut off for good, as it is in the keystore that the declarations are carried from.
    Revoke,
    /// A difference that cannot be applied.
    Blocked,
    /// Both sides have changed it, and somebody has to decide; only where declarations are carried between keystores.
    Conflict,
}

impl Verb {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Deliver => "deliver",
            Self::Update => "update",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Revoke => "revoke",
            Self::Blocked => "blocked",
            Self::Conflict => "conflict",
        }
    }
}

impl Verb {
    /// Whether a secret goes to its place.
    #[must_use]
    pub fn delivers(self) -> bool {
        matches!(self, Self::Create | Self::Deliver)
    }
}

impl PlanStep {
    /// Whether it would be the creation of a key with an id of its own.
    pub(super) fn creates(&self) -> bool {
        self.key_id.is_none() && matches!(self.action, Verb::Create | Verb::Blocked)
    }

    /// Whether it would be the creation of a key, and something speaks against it.
    pub(super) fn is_refused_creation(&self) -> bool {
        self.action == Verb::Blocked && self.key_id.is_none()
    }
}

impl Plan {
    /// Whether there is no difference at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How many steps of a kind there are.
    #[must_use]
    pub fn count(&self, verb: Verb) -> usize {
        self.steps.iter().filter(|step| step.action == verb).count()
    }

    /// Whether a key is declared that cannot be made; then nothing is done at all.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.steps.iter().any(PlanStep::is_refused_creation)
    }

    /// How many steps can be done.
    #[must_use]
    pub fn feasible(&self) -> usize {
        self.steps.len() - self.count(Verb::Blocked) - self.count(Verb::Conflict)
    }
}

/// What a workspace prescribes for its keys.
#[derive(Debug, Default)]
pub struct Rules {
    /// Lifetimes and rotation.
    pub policy: KeyPolicy,
    /// The scopes there are.
    pub catalogue: Catalogue,
    /// Its name.
    pub workspace: String,
}

impl Rules {
    /// What speaks against a key as it is declared, beside those there are.
    pub(super) fn refusal(&self, key: Option<&Key>, declared: &Declared, now: Time) -> Option<Error> {
        let wanted = &declared.key;
        let demanded = policy::demanded_of_declared(&self.policy, &self.workspace, key, wanted).err();
        let wider = || policy::within(&self.policy, wanted.self_service.as_ref(), &self.workspace).err();
        let Some(key) = key else {
            let every = wanted.rotate_every.unwrap_or(self.policy.rotate_every);
            return demanded
                .or_else(|| policy::expires_at(wanted.expiry(), &self.policy, every, now).err())
                .or_else(|| policy::shorter(wanted.overlap, every).err())
                .or_else(wider)
                .or_else(|| scopes::outside(&self.catalogue, &wanted.scopes));
        };
        let new = wanted.scopes.iter().filter(|scope| !key.scopes.contains(scope));
        let wider = || if wanted.self_service == key.self_service { None } else { wider() };
        demanded.or_else(wider).or_else(|| scopes::outside(&self.catalogue, new))
    }
}

/// The steps from the keys that are there to those that are declared. With `prune`, keys that are on, are not declared and
/// have all these labels are switched off; no others are.
#[must_use]
pub fn plan(keys: &[Key], declared: &[Declared], prune: Option<&[(String, String)]>, rules: &Rules, now: Time) -> Plan {
    let there: HashMap<(Environment, Cow<'_, str>), &Key> =
        keys.iter().map(|key| ((key.environment, composed(&key.name)), key)).collect();
    let by_id: HashMap<&KeyId, &Key> = keys.iter().map(|key| (&key.id, key)).collect();
    let mut plan = Plan::default();
    for one in declared {
        let before = plan.steps.len();
        let named = there.get(&(one.key.environment, composed(&one.key.name))).copied();
        let own = one.key.id.as_ref().map(|id| by_id.get(id).copied());
        match (own, named) {
            (Some(Some(key)), Some(other)) if other.id != key.id => plan.steps.push(taken(one, Some(key), other)),
            (Some(Some(key)), _) | (None, Some(key)) => differences(&mut plan.steps, key, one, rules, now),
            (Some(None), Some(other)) => plan.steps.push(taken(one, None, other)),
            (_, None) => plan.steps.push(creation(one, rules, now)),
        }
        plan.unchanged += usize::from(plan.steps.len() == before);
    }
    if let Some(selector) = prune {
        let selector: Vec<_> = selector.iter().map(|(label, value)| (label.clone(), Some(value.clone()))).collect();
        let declared: HashSet<_> = declared.iter().map(|one| (one.key.environment, composed(&one.key.name))).collect();
        let chosen = |key: &&Key| {
            key.status_at(now) == Status::Active
                && !declared.contains(&(key.environment, composed(&key.name)))
                && has_labels(&key.labels, &selector)
        };
        let mut pruned: Vec<&Key> = keys.iter().filter(chosen).collect();
        pruned.sort_by_key(|key| (key.environment, &key.name));
        plan.steps.extend(pruned.into_iter().map(|key| PlanStep {
            why: Some("the file does not declare it".to_owned()),
            ..step(Verb::Deactivate, key)
        }));
    }
    plan
}

/// A key with an id of its own, whose name another one has.
fn taken(declared: &Declared, key: Option<&Key>, other: &Key) -> PlanStep {
    PlanStep {
        action: Verb::Blocked,
        key_id: key.map(|key| key.id.to_string()),
        name: declared.key.name.clone(),
        environment: declared.key.environment.to_string(),
        changes: Vec::new(),
        why: Some(format!("the name is that of {}", other.id)),
    }
}

/// The update that makes a key as it is declared, as far as an update can.
pub(super) fn update_of(key: &Key, declared: &Declared) -> Update {
    let after = after(key, declared);
    let changed = |is: bool| is.then_some(());
    let gone = |label: &&String| !after.labels.contains_key(*label);
    let mut remove_ips = key.allow_ips.clone();
    for range in after.allow_ips.iter() {
        remove_ips.remove(range);
    }
    let new_labels = after.labels.iter().filter(|(label, value)| key.labels.get(*label) != Some(value));
    Update {
        name: changed(key.name != after.name).map(|()| after.name.clone()),
        owner: changed(key.owner != after.owner).map(|()| after.owner.clone()),
        description: changed(key.description != after.description).map(|()| after.description.clone()),
        add_scopes: after.scopes.iter().filter(|scope| !key.scopes.contains(scope)).cloned().collect(),
        remove_scopes: key.scopes.iter().filter(|scope| !after.scopes.contains(scope)).cloned().collect(),
        add_customers: after.customers.iter().filter(|one| !key.customers.contains(one)).cloned().collect(),
        remove_customers: key.customers.iter().filter(|one| !after.customers.contains(one)).cloned().collect(),
        rate_limit: changed(key.rate_limit != after.rate_limit).map(|()| after.rate_limit),
        add_ips: after.allow_ips.clone(),
        remove_ips,
        set_labels: new_labels.map(|(label, value)| (label.clone(), value.clone())).collect(),
        unset_labels: key.labels.keys().filter(gone).cloned().collect(),
        rotate_every: changed(key.rotation.every != after.rotation.every).map(|()| after.rotation.every),
        overlap: changed(key.rotation.overlap != after.rotation.overlap).map(|()| after.rotation.overlap),
        renew_on_rotation: changed(key.rotation.renew != after.rotation.renew).and(after.rotation.renew),
        self_service: changed(key.self_service != after.self_service).map(|()| after.self_service.clone()),
        ..Update::of(crate::domain::KeyRef::Id(key.id.clone()))
    }
}

/// The key as it is declared, where an update can make it so.
fn after(key: &Key, declared: &Declared) -> Key {
    let wanted = &declared.key;
    let mut after = key.clone();
    // What differs only in the form of its characters is no difference.
    let told = |own: &Option<String>, wanted: &Option<String>| match (own, wanted) {
        (Some(own), Some(wanted)) if same(own, wanted) => Some(own.clone()),
        _ => wanted.clone(),
    };
    if !same(&key.name, &wanted.name) {
        after.name.clone_from(&wanted.name);
    }
    after.owner = told(&key.owner, &wanted.owner);
    after.description = told(&key.description, &wanted.description);
    after.scopes = sorted(&wanted.scopes);
    if let Some(limit) = wanted.rate_limit {
        after.rate_limit = limit;
    }
    after.labels = wanted
        .labels
        .iter()
        .map(|(label, value)| {
            let own = key.labels.iter().find(|(own, held)| same(own, label) && same(held, value));
            own.map_or_else(|| (label.clone(), value.clone()), |(own, held)| (own.clone(), held.clone()))
        })
        .collect();
    if !widens(key, wanted) {
        let own = |wanted: &String| key.customers.iter().find(|own| same(own, wanted)).unwrap_or(wanted).clone();
        after.customers = sorted(&wanted.customers.iter().map(own).collect::<Vec<_>>());
    }
    if !opens(key, wanted) {
        after.allow_ips = wanted.allow_ips.clone();
    }
    if let Some(every) = wanted.rotate_every {
        after.rotation.every = every;
    }
    after.rotation.overlap = wanted.overlap;
    after.rotation.renew = wanted.renew_on_rotation.or(key.rotation.renew);
    after.self_service.clone_from(&wanted.self_service);
    after
}

/// A file that leaves the customers out would let the key reach all of them: that has to be said.
fn widens(key: &Key, wanted: &Create) -> bool {
    !key.customers.is_empty() && wanted.customers.is_empty()
}

/// A file that leaves the allowlist out would let the key be used from anywhere: that has to be said.
fn opens(key: &Key, wanted: &Create) -> bool {
    !key.allow_ips.is_empty() && wanted.allow_ips.is_empty()
}

fn differences(steps: &mut Vec<PlanStep>, key: &Key, declared: &Declared, rules: &Rules, now: Time) {
    let wanted = &declared.key;
    let status = key.status_at(now);
    if let Status::Revoked | Status::Expired = status {
        let why = match (status, key.revoked_at, key.ends_at()) {
            (Status::Revoked, Some(at), _) => {
                format!(
                    "it was revoked {}: keyward rotate {} --reinstate --reason WHY  (gives it a new secret)",
                    format_time(at),
                    key.id
                )
            }
            (_, _, Some(at)) => format!("it expired {}: keyward rotate {} --renew", format_time(at), key.id),
            _ => "it no longer works".to_owned(),
        };
        steps.push(PlanStep { why: Some(why), ..step(Verb::Blocked, key) });
        return;
    }
    // The order of scopes and customers is no difference.
    let before = Key { scopes: sorted(&key.scopes), customers: sorted(&key.customers), ..key.clone() };
    let changes = update::differences(&before, &after(&before, declared));
    if !changes.is_empty() {
        let refusal = rules.refusal(Some(key), declared, now);
        let verb = if refusal.is_some() { Verb::Blocked } else { Verb::Update };
        steps.push(PlanStep { changes, why: refusal.map(|error| error.message), ..step(verb, key) });
    }
    if key.active != declared.active {
        let verb = if declared.active { Verb::Activate } else { Verb::Deactivate };
        steps.push(step(verb, key));
    }
    if is_unfinished(key) {
        let why = "its creation was interrupted before its secret had arrived".to_owned();
        steps.push(PlanStep { why: Some(why), ..step(Verb::Deliver, key) });
    }
    for (change, why) in fixed(key, wanted) {
        steps.push(PlanStep { changes: vec![change], why: Some(why.to_owned()), ..step(Verb::Blocked, key) });
    }
}

/// Differences in what is set at creation and never changed.
fn fixed(key: &Key, wanted: &Create) -> Vec<(Change, &'static str)> {
    let mut found = Vec::new();
    let mut differs = |field: &'static str, from: Value, to: Value, why: &'static str| {
        if from != to {
            found.push((Change { field: field.into(), from, to }, why));
        }
    };
    let why = "the environment is set at creation";
    differs("environment", json!(key.environment), json!(wanted.environment), why);
    let moved = match (&key.project, &wanted.project) {
        (Some(own), Some(wanted)) => !same(own, wanted),
        (own, wanted) => own != wanted,
    };
    if moved {
        differs("project", json!(key.project), json!(wanted.project), "the project is set at creation");
    }
    if widens(key, wanted) {
        let why = "the key would reach every customer: update it with --all-customers, if that is meant";
        differs("customers", json!(sorted(&key.customers)), json!([]), why);
    }
    if opens(key, wanted) {
        let why = "the key would be usable from anywhere: say allow_ips = [\"0.0.0.0/0\", \"::/0\"] if that is meant";
        differs("allow_ips", json!(key.allow_ips), json!([]), why);
    }
    let ends_alike = match wanted.expiry() {
        None => true,
        Some(Expiry::Never) => key.expires_at.is_none(),
        Some(Expiry::At(at)) => key.expires_at == Some(at),
        Some(Expiry::In(lifetime)) => key.lifetime == Some(lifetime),
    };
    if !ends_alike {
        let why = "expiry is set at creation and never changed: create a successor, or rotate with --renew";
        differs("expires_at", json!(key.expires_at.map(format_time)), expiry(wanted.expiry()), why);
    }
    found
}

fn expiry(wanted: Option<Expiry>) -> Value {
    match wanted {
        None | Some(Expiry::Never) => Value::Null,
        Some(Expiry::At(at)) => json!(format_time(at)),
        Some(Expiry::In(lifetime)) => json!(format!("{} after creation", format_duration(lifetime))),
    }
}

/// Whether its first secret never arrived.
pub(super) fn is_unfinished(key: &Key) -> bool {
    let never_had_one = key
        .secrets
        .iter()
        .all(|secret| !matches!(secret.state, SecretState::Current { .. } | SecretState::Retiring { .. }));
    never_had_one && key.running().is_some_and(|run| !run.parked)
}

/// What a new key will be. That it never ends or has no limit, and when it ends although nothing is said, are told: they
/// are what a reader of the plan would want to know first.
fn creation(declared: &Declared, rules: &Rules, now: Time) -> PlanStep {
    let key = &declared.key;
    let ends = match key.expiry() {
        None => match policy::default_expiry(&rules.policy, key.rotate_every.unwrap_or(rules.policy.rotate_every)) {
            Expiry::In(lifetime) => json!(format!("{} (default)", format_duration(lifetime))),
            _ => json!("never (default of keys that are rotated)"),
        },
        Some(Expiry::Never) => json!("never"),
        said => expiry(said),
    };
    let seconds = |duration: Option<chrono::TimeDelta>| duration.map(|duration| duration.num_seconds());
    let facts: [(&'static str, Value); 13] = [
        ("owner", json!(key.owner)),
        ("description", json!(key.description)),
        ("project", json!(key.project)),
        ("customers", json!(sorted(&key.customers))),
        ("scopes", json!(sorted(&key.scopes))),
        ("rate_limit", key.rate_limit.flatten().map_or_else(|| json!("none"), |limit| json!(limit))),
        ("allow_ips", json!(key.allow_ips)),
        ("labels", json!(key.labels)),
        ("expires_at", ends),
        ("rotation.every_seconds", json!(seconds(key.rotate_every.flatten()))),
        ("rotation.overlap_seconds", json!(seconds(key.overlap))),
        ("rotation.renew", json!(key.renew_on_rotation)),
        ("self", json!(key.self_service.as_ref().map(SelfService::words))),
    ];
    let said = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    let mut changes: Vec<Change> = facts
        .into_iter()
        .filter(|(_, value)| said(value))
        .map(|(field, to)| Change { field: field.into(), from: Value::Null, to })
        .collect();
    if !declared.active {
        changes.push(Change { field: Cow::Borrowed("active"), from: Value::Null, to: json!(false) });
    }
    let refusal = rules.refusal(None, declared, now);
    PlanStep {
        action: if refusal.is_some() { Verb::Blocked } else { Verb::Create },
        key_id: None,
        name: key.name.clone(),
        environment: key.environment.to_string(),
        changes,
        why: refusal.map(|error| error.message),
    }
}

pub(super) fn step(action: Verb, key: &Key) -> PlanStep {
    PlanStep {
        action,
        key_id: Some(key.id.to_string()),
        name: key.name.clone(),
        environment: key.environment.to_string(),
        changes: Vec::new(),
        why: None,
    }
}

fn sorted<T: Ord + Clone>(values: &[T]) -> Vec<T> {
    let mut values = values.to_vec();
    values.sort();
    values.dedup();
    values
}
