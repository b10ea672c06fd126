//! Changing a key's metadata, scopes, limits and policy; never its expiry.

use super::{
    Change, Done,
    case::{self, Method, Route, UseCase},
    changes_json,
    context::Context,
    entitlement,
    error::{Error, Result},
    free_text, lookup, policy,
    view::{KeyView, RateLimitView},
};
use crate::{
    domain::{
        Action, Allowlist, Environment, Feature, Key, KeyRef, Permission, RateLimit, Scope, SelfService, serde_text,
        text::same, time::format_time,
    },
    store::{Tx, View},
    vault::Capabilities,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is to change on a key; what is `None` or empty stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(example = json!({"owner": "billing@example.com", "add_scopes": ["invoices:write"], "rate_limit": null})))]
pub struct Update {
    /// The id of the key, its name, or a prefix of its id.
    #[cfg_attr(test, schema(value_type = String))]
    pub key: KeyRef,
    /// The environment, where keys of several have the name.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// The new name.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "serde_text::optional_name")]
    #[cfg_attr(test, schema(value_type = Option<crate::domain::ObjectName>))]
    pub name: Option<String>,
    /// The new owner; `Some(None)` clears it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::change")]
    pub owner: Option<Option<String>>,
    /// The new description; `Some(None)` clears it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::change")]
    pub description: Option<Option<String>>,
    /// Scopes to add.
    #[serde(default)]
    pub add_scopes: Vec<Scope>,
    /// Scopes to take away.
    #[serde(default)]
    pub remove_scopes: Vec<Scope>,
    /// The new rate limit; `Some(None)` is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::change_limit")]
    #[cfg_attr(test, schema(value_type = Option<crate::domain::SaidLimit>))]
    pub rate_limit: Option<Option<RateLimit>>,
    /// Customers to narrow the key to, besides those it is narrowed to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add_customers: Vec<String>,
    /// Customers that the key is to reach no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove_customers: Vec<String>,
    /// The key is to reach every customer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_customers: bool,
    /// Ranges to add to the allowlist.
    #[serde(default)]
    pub add_ips: Allowlist,
    /// Ranges to take off the allowlist.
    #[serde(default)]
    pub remove_ips: Allowlist,
    /// Labels to set.
    #[serde(default)]
    #[cfg_attr(test, schema(value_type = Vec<[String; 2]>))]
    pub set_labels: Vec<(String, String)>,
    /// Labels to take off.
    #[serde(default)]
    pub unset_labels: Vec<String>,
    /// The new rotation period; `Some(None)` ends the policy.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::change_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub rotate_every: Option<Option<TimeDelta>>,
    /// The new overlap; `Some(None)` returns to the default.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::change_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub overlap: Option<Option<TimeDelta>>,
    /// Whether a rotation starts the key's lifetime again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_on_rotation: Option<bool>,
    /// What the holder of the key may do with it, with its secret alone; `Some(None)` leaves it to the workspace.
    #[serde(default, rename = "self", skip_serializing_if = "Option::is_none", with = "serde_text::change")]
    #[cfg_attr(test, schema(value_type = Option<SelfService>))]
    pub self_service: Option<Option<SelfService>>,
}

impl Update {
    /// An update that changes nothing yet.
    #[must_use]
    pub fn of(key: KeyRef) -> Self {
        Self {
            key,
            environment: None,
            name: None,
            owner: None,
            description: None,
            add_scopes: Vec::new(),
            remove_scopes: Vec::new(),
            rate_limit: None,
            add_customers: Vec::new(),
            remove_customers: Vec::new(),
            all_customers: false,
            add_ips: Allowlist::default(),
            remove_ips: Allowlist::default(),
            set_labels: Vec::new(),
            unset_labels: Vec::new(),
            rotate_every: None,
            overlap: None,
            renew_on_rotation: None,
            self_service: None,
        }
    }
}

/// What came of an [`Update`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// The key afterwards.
    pub key: KeyView,
    /// What changed; empty when everything was so already.
    pub changes: Vec<Change>,
    /// What the caller should know, such as a scope declared by its first use.
    pub notes: Vec<String>,
}

impl UseCase for Update {
    type Outcome = Updated;
    const PERMISSION: Permission = Permission::UpdateKeys;
    const ROUTE: Route = Route {
        query: &["environment"],
        if_match: true,
        summary: "Change a key, never its expiry",
        description: "What is absent stays; null clears.",
        answers: &[(200, "The key, and what changed.")],
        ..Route::new(Method::Patch, "/v1/keys/{key}", "update_key", "keys")
    };

    fn target(&self) -> String {
        self.key.to_string()
    }
}

impl case::Change for Update {
    const ACTION: Action = Action::KeyUpdate;

    fn environment(&self) -> Option<Environment> {
        self.environment
    }

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<Updated>> {
        update(tx, cx, self)
    }
}

/// Updates a key. A change of owner is an event of its own.
///
/// # Errors
/// `NotFound`, `Conflict` for a taken name, `Usage` when something is both to be added and removed or the allowlist would
/// silently come to mean "anywhere", or no customers all of them; `Forbidden` by the plan.
pub fn update(tx: &mut Tx<'_>, cx: &Context, mut request: Update) -> Result<Done<Updated>> {
    write_down(&mut request)?;
    let before = lookup::key(tx, &cx.workspace, &request.key, request.environment)?;
    cx.expects(&before)?;
    refuse_contradictions(&request)?;
    let mut key = before.clone();
    let mut notes = Vec::new();
    let mut catalogue = tx.catalogue(&cx.workspace)?;
    cx.authority.may_grant(&catalogue, &request.add_scopes)?;
    let mut events = super::scopes::declare_missing(tx, cx, &mut catalogue, &request.add_scopes, &mut notes)?;
    rename(tx, &mut key, request.name)?;
    if let Some(owner) = request.owner {
        key.owner = owner;
    }
    if let Some(description) = request.description {
        key.description = description;
    }
    change_scopes(&mut key, request.add_scopes, &request.remove_scopes, &mut notes);
    if let Some(rate_limit) = request.rate_limit {
        entitlement::require(&entitlement::plan_of(tx, &key.workspace)?, Feature::RateLimit(rate_limit))?;
        key.rate_limit = rate_limit;
    }
    lookup::customers_to_name(tx, &key.workspace, &request.add_customers)?;
    change_customers(&mut key, request.add_customers, &request.remove_customers, request.all_customers, &mut notes)?;
    change_allowlist(&mut key, request.add_ips, &request.remove_ips, &mut notes)?;
    for label in request.unset_labels {
        let before = key.labels.len();
        key.labels.retain(|own, _| !same(own, &label));
        if key.labels.len() == before {
            notes.push(format!("the key has no label '{label}'"));
        }
    }
    for (label, value) in request.set_labels {
        key.labels.retain(|own, _| *own == label || !same(own, &label));
        key.labels.insert(label, value);
    }
    key.rotation.renew = request.renew_on_rotation.or(key.rotation.renew);
    change_policy(&mut key, cx, request.rotate_every, request.overlap)?;
    if let Some(wanted) = request.self_service {
        let workspace = entitlement::workspace(tx, &key.workspace)?;
        policy::within(&workspace.policy, wanted.as_ref(), &workspace.name)?;
        key.self_service = wanted;
    }
    if key.rotation != before.rotation {
        let workspace = entitlement::workspace(tx, &key.workspace)?;
        notes.extend(policy::what_ends_it(&key, &workspace.policy));
    }

    let usage = tx.usage(&key.id)?;
    let changes = differences(&before, &key);
    if changes.is_empty() {
        return Ok(Done::unchanged(Updated { key: KeyView::new(&key, &usage, cx.now), changes, notes }));
    }
    policy::demanded_of_change(&entitlement::workspace(tx, &key.workspace)?.policy, cx, &before, &key)?;
    if let (Some(from), true) = (&before.owner, before.owner != key.owner) {
        let name = shell_words::quote(&key.name);
        notes.push(format!(
            "{from} may still have the secret; `keyward rotate {name} --env {}` gives the key a new one",
            key.environment
        ));
    }
    tx.put_key(&key)?;
    key.version += 1;
    let (handover, rest): (Vec<Change>, Vec<Change>) =
        changes.iter().cloned().partition(|change| change.field == "owner");
    for (action, part) in [(Action::KeyUpdate, rest), (Action::KeyHandover, handover)] {
        if !part.is_empty() {
            events.push(cx.event(action, key.id.to_string(), changes_json(&part)));
        }
    }
    Ok(Done { outcome: Updated { key: KeyView::new(&key, &usage, cx.now), changes, notes }, events })
}

/// Brings what is said of the key into the form that is kept.
fn write_down(request: &mut Update) -> Result<()> {
    if let Some(Some(owner)) = &mut request.owner {
        free_text::one_line("owner", owner)?;
    }
    if let Some(Some(description)) = &mut request.description {
        free_text::lines("description", description)?;
    }
    request.add_customers.iter_mut().try_for_each(|customer| free_text::one_line("customer", customer))?;
    request.set_labels = free_text::labels(std::mem::take(&mut request.set_labels))?;
    Ok(())
}

fn rename(tx: &View<'_>, key: &mut Key, name: Option<String>) -> Result<()> {
    let Some(name) = name.filter(|name| *name != key.name) else { return Ok(()) };
    if let Some(other) = tx.key_named(&key.workspace, key.environment, &name)?.filter(|other| other.id != key.id) {
        return Err(Error::conflict(
            "exists",
            format!("a key named '{name}' exists in {}: {}", key.environment, other.id),
        ));
    }
    key.name = name;
    Ok(())
}

/// Refuses a request that asks for two things at once: whichever won, the other would be lost unsaid.
fn refuse_contradictions(request: &Update) -> Result<()> {
    let both = |what: &str| Err(Error::usage(format!("{what} is both to be added and to be removed")));
    if let Some(scope) = request.add_scopes.iter().find(|scope| request.remove_scopes.contains(scope)) {
        return both(&format!("the scope '{scope}'"));
    }
    if let Some(customer) = request.add_customers.iter().find(|one| request.remove_customers.contains(one)) {
        return both(&format!("the customer '{customer}'"));
    }
    if request.all_customers && !(request.add_customers.is_empty() && request.remove_customers.is_empty()) {
        return Err(Error::usage("the key is both to reach every customer and to be narrowed"));
    }
    let added = request.add_ips.to_strings();
    if let Some(range) = request.remove_ips.to_strings().iter().find(|range| added.contains(range)) {
        return both(range);
    }
    for (at, (label, value)) in request.set_labels.iter().enumerate() {
        if request.unset_labels.contains(label) {
            return both(&format!("the label '{label}'"));
        }
        if request.set_labels[..at].iter().any(|(other, told)| other == label && told != value) {
            return Err(Error::usage(format!("the label '{label}' is given more than one value")));
        }
    }
    Ok(())
}

fn change_scopes(key: &mut Key, add: Vec<Scope>, remove: &[Scope], notes: &mut Vec<String>) {
    for scope in remove {
        match key.scopes.iter().position(|held| held == scope) {
            Some(position) => drop(key.scopes.remove(position)),
            None => {
                let held: Vec<String> = key.scopes.iter().map(ToString::to_string).collect();
                let held = if held.is_empty() { "none".to_owned() } else { held.join(", ") };
                notes.push(format!("the key does not hold the scope '{scope}'; it holds: {held}"));
            }
        }
    }
    key.scopes.extend(add);
    key.scopes.sort();
    key.scopes.dedup();
}

fn change_customers(
    key: &mut Key,
    add: Vec<String>,
    remove: &[String],
    all: bool,
    notes: &mut Vec<String>,
) -> Result<()> {
    if all {
        key.customers.clear();
        return Ok(());
    }
    let was_narrowed = !key.customers.is_empty();
    for customer in remove {
        match key.customers.iter().position(|held| same(held, customer)) {
            Some(position) => drop(key.customers.remove(position)),
            None if was_narrowed => {
                notes
                    .push(format!("the key is not for customer '{customer}'; it is for: {}", key.customers.join(", ")));
            }
            None => notes.push(format!("the key is not for customer '{customer}' alone: it reaches every customer")),
        }
    }
    if !add.is_empty() && !was_narrowed {
        notes.push("the key reached every customer before".to_owned());
    }
    let changes = !add.is_empty() || !remove.is_empty();
    key.customers.extend(add);
    if changes {
        key.customers.sort();
        key.customers.dedup();
    }
    if was_narrowed && key.customers.is_empty() {
        return Err(Error::usage("removing the last customer would let the key reach every customer")
            .hint("add --all-customers instead, if that is meant"));
    }
    Ok(())
}

fn change_allowlist(key: &mut Key, add: Allowlist, remove: &Allowlist, notes: &mut Vec<String>) -> Result<()> {
    let was_restricted = !key.allow_ips.is_empty();
    for range in remove.iter() {
        if !key.allow_ips.remove(range) {
            let held = key.allow_ips.to_strings();
            let held = if held.is_empty() { "none".to_owned() } else { held.join(", ") };
            notes.push(format!("the allowlist does not hold {range}; it holds: {held}"));
        }
    }
    key.allow_ips.extend(add);
    if was_restricted && key.allow_ips.is_empty() {
        return Err(Error::usage("removing the last range would let the key be used from anywhere")
            .hint("add --add-ip 0.0.0.0/0 --add-ip ::/0 if that is meant"));
    }
    Ok(())
}

fn change_policy(
    key: &mut Key,
    cx: &Context,
    every: Option<Option<TimeDelta>>,
    overlap: Option<Option<TimeDelta>>,
) -> Result<()> {
    if let Some(every) = every
        && every != key.rotation.every
    {
        key.rotation.every = every;
        key.rotation.due_at = policy::first_due(every, cx.now)?;
        key.end_current_secret();
    }
    if let Some(overlap) = overlap {
        key.rotation.overlap = overlap;
    }
    policy::shorter(key.rotation.overlap, key.rotation.every)
}

pub(super) fn differences(before: &Key, after: &Key) -> Vec<Change> {
    let strings = |scopes: &[Scope]| scopes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let rate = |key: &Key| key.rate_limit.map(RateLimitView::from);
    let seconds = |delta: Option<TimeDelta>| delta.map(|delta| delta.num_seconds());
    [
        change("name", &before.name, &after.name),
        change("owner", &before.owner, &after.owner),
        change("description", &before.description, &after.description),
        change("scopes", strings(&before.scopes), strings(&after.scopes)),
        change("customers", &before.customers, &after.customers),
        change("rate_limit", rate(before), rate(after)),
        change("allow_ips", before.allow_ips.to_strings(), after.allow_ips.to_strings()),
        change("labels", &before.labels, &after.labels),
        change("rotation.every_seconds", seconds(before.rotation.every), seconds(after.rotation.every)),
        change("rotation.overlap_seconds", seconds(before.rotation.overlap), seconds(after.rotation.overlap)),
        change("rotation.renew", before.rotation.renew, after.rotation.renew),
        change("self", &before.self_service, &after.self_service),
        change("rotation.ends_at", before.secret_ends_at().map(format_time), after.secret_ends_at().map(format_time)),
        change("rotation.due_at", before.rotation.due_at.map(format_time), after.rotation.due_at.map(format_time)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn change(field: &'static str, from: impl Serialize, to: impl Serialize) -> Option<Change> {
    let (from, to): (Value, Value) = (json!(from), json!(to));
    (from != to).then_some(Change { field: field.into(), from, to })
}
