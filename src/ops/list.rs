//! Finding keys: the filtered list, and single keys by reference.

use super::{
    case::{Ask, Method, Route, UseCase},
    context::Context,
    entitlement,
    error::{Error, Result},
    lookup,
    view::{DenialView, KeyView},
};
use crate::{
    domain::{
        Catalogue, Environment, Key, KeyFilter, KeyId, KeyRef, Permission, Status, Time, Usage, time::format_time,
    },
    store::{ClearFilter, Sieve, VerdictFilter, View},
    vault::Capabilities,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Which keys to list.
#[derive(Debug, Clone)]
pub struct List {
    /// The filter, the order and the limit.
    pub filter: KeyFilter,
}

/// What came of a [`List`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The keys, in order.
    pub items: Vec<KeyView>,
    /// How many matched before the limit.
    pub total: usize,
    /// How many keys the default statuses hide, by status.
    pub hidden: BTreeMap<Status, usize>,
}

/// What a key is called: all that a count or a list of names asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyName {
    /// The key's id.
    pub id: String,
    /// The key's name.
    pub name: String,
}

/// What came of a [`List`] of which only the names were wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedNames {
    /// The keys' names, in order.
    pub items: Vec<KeyName>,
    /// How many matched before the limit.
    pub total: usize,
    /// How many keys the default statuses hide, by status.
    pub hidden: BTreeMap<Status, usize>,
}

impl From<Listed> for ListedNames {
    fn from(Listed { items, total, hidden }: Listed) -> Self {
        let items = items.into_iter().map(|key| KeyName { id: key.id, name: key.name }).collect();
        Self { items, total, hidden }
    }
}

/// Lists keys.
///
/// # Errors
/// `NotFound` for an unknown workspace, project or customer, for a slip is likelier than one without keys; `Usage` for
/// expired keys of another status; `Integrity` when
/// a row, or the set of rows, is not what the head signs.
pub fn list(tx: &View<'_>, cx: &Context, request: &List) -> Result<Listed> {
    let Found { matching, total, hidden } = find(tx, cx, &request.filter)?;
    let denials = denials_of(tx, cx, request)?;
    Ok(Listed { items: views(matching.into_iter().map(|found| *found), denials, cx.now), total, hidden })
}

/// Lists keys up to the limit, and says which ones there are beyond it, in order.
///
/// # Errors
/// As [`list`].
pub fn list_in_order(tx: &View<'_>, cx: &Context, request: &List) -> Result<(Listed, Vec<KeyId>)> {
    let mut filter = request.filter.clone();
    let limit = filter.limit.take().unwrap_or(usize::MAX);
    let Found { mut matching, total, hidden } = find(tx, cx, &filter)?;
    let keys = matching.iter().map(|found| found.0.id.clone()).collect();
    matching.truncate(limit);
    let denials = denials_of(tx, cx, request)?;
    Ok((Listed { items: views(matching.into_iter().map(|found| *found), denials, cx.now), total, hidden }, keys))
}

/// Some keys of a list that is known, as they are by now; those that are gone, or that the filter lets through no more,
/// are left out.
///
/// # Errors
/// `Integrity` when a row is not what the head signs.
pub fn list_again(tx: &View<'_>, cx: &Context, request: &List, keys: &[KeyId]) -> Result<Vec<KeyView>> {
    let catalogue = tx.catalogue(&cx.workspace)?;
    let mut matching = Vec::with_capacity(keys.len());
    for id in keys {
        let Some(key) = tx.key(id)?.filter(|key| key.workspace == cx.workspace) else { continue };
        let usage = tx.usage(id)?;
        if lets_through(&request.filter, &key, &usage, &catalogue, cx) {
            matching.push((key, usage));
        }
    }
    let denials = denials_of(tx, cx, request)?;
    Ok(views(matching, denials, cx.now))
}

type Denials = Option<HashMap<KeyId, Vec<DenialView>>>;

fn denials_of(tx: &View<'_>, cx: &Context, request: &List) -> Result<Denials> {
    let period = request.filter.denied_since;
    period.map(|period| denials(tx, cx.now.checked_sub_signed(period))).transpose()
}

fn views(keys: impl IntoIterator<Item = (Key, Usage)>, mut denials: Denials, now: Time) -> Vec<KeyView> {
    let view = |(key, usage): (Key, Usage)| {
        let denials = denials.as_mut().map(|denials| denials.remove(&key.id).unwrap_or_default());
        KeyView { denials, ..KeyView::of(key, &usage, now) }
    };
    keys.into_iter().map(view).collect()
}

/// Why requests were refused since a time, by key; the kind of the newest refusal first. Verdicts that are kept no
/// more are missing.
fn denials(tx: &View<'_>, since: Option<Time>) -> Result<HashMap<KeyId, Vec<DenialView>>> {
    let filter = VerdictFilter { denied: true, since, ..VerdictFilter::default() };
    let mut all: HashMap<KeyId, Vec<DenialView>> = HashMap::new();
    // Newest first, so that the first of a kind has the words of the last.
    for record in tx.recent_verdicts(&filter)?.into_iter().rev().map(|verdict| verdict.record) {
        let Some(key) = record.key else { continue };
        let kinds = all.entry(key).or_default();
        match kinds.iter_mut().find(|kind| kind.code == record.code.as_str()) {
            Some(kind) => kind.count += record.count,
            None => kinds.push(DenialView {
                code: record.code.as_str().into(),
                count: record.count,
                last_at: format_time(record.at),
                detail: record.detail,
            }),
        }
    }
    Ok(all)
}

/// Lists the names of keys.
///
/// # Errors
/// As [`list`].
pub fn list_names(tx: &View<'_>, cx: &Context, request: &List) -> Result<ListedNames> {
    let Found { matching, total, hidden } = find(tx, cx, &request.filter)?;
    let name = |found: Box<(Key, Usage)>| KeyName { id: found.0.id.to_string(), name: found.0.name };
    let items = matching.into_iter().map(name).collect();
    Ok(ListedNames { items, total, hidden })
}

/// What is kept of a key that was looked at.
enum Looked {
    /// It is one of those that were asked for.
    Matching(Box<(Key, Usage)>),
    /// It would be, if the default did not leave its status out.
    Hidden(Status),
}

/// The keys that a filter lets through, in order.
struct Found {
    #[allow(clippy::vec_box, reason = "sorting moves pointers, not keys of half a kilobyte each")]
    matching: Vec<Box<(Key, Usage)>>,
    total: usize,
    hidden: BTreeMap<Status, usize>,
}

/// Whether a filter for one's own keys lets this one through.
fn of_whom(cx: &Context, filter: &KeyFilter, key: &Key) -> bool {
    !filter.mine || cx.has(key)
}

/// Whether a list has a key.
pub(super) fn lets_through(filter: &KeyFilter, key: &Key, usage: &Usage, catalogue: &Catalogue, cx: &Context) -> bool {
    of_whom(cx, filter, key) && filter.matches(key, usage, catalogue, cx.now)
}

fn find(tx: &View<'_>, cx: &Context, filter: &KeyFilter) -> Result<Found> {
    if filter.expired && filter.statuses.as_ref().is_some_and(|statuses| !statuses.contains(&Status::Expired)) {
        return Err(Error::usage("keys that have expired are of no other status")
            .hint("ask for expired keys, or for keys of a status"));
    }
    entitlement::workspace(tx, &cx.workspace)?;
    lookup::project_exists(tx, &cx.workspace, filter.project.as_deref())?;
    lookup::customers_exist(tx, &cx.workspace, filter.customer.as_slice())?;
    let catalogue = tx.catalogue(&cx.workspace)?;
    let look = |key: Key, usage: Usage| {
        if !of_whom(cx, filter, &key) {
            return None;
        }
        if filter.matches(&key, &usage, &catalogue, cx.now) {
            return Some(Looked::Matching(Box::new((key, usage))));
        }
        let hidden = filter.hides_only_by_default(&key, &usage, &catalogue, cx.now);
        hidden.then(|| Looked::Hidden(key.status_at(cx.now)))
    };
    let mut hidden = BTreeMap::new();
    let mut matching = Vec::new();
    for looked in tx.keys_sifted(&cx.workspace, clear_filter(filter, cx.now), sieve(filter), &look)? {
        match looked {
            Looked::Matching(key) => matching.push(key),
            Looked::Hidden(status) => *hidden.entry(status).or_default() += 1,
        }
    }
    matching.sort_by(|a, b| filter.compare(a, b, cx.now));
    let total = matching.len();
    matching.truncate(filter.limit.unwrap_or(usize::MAX));
    Ok(Found { matching, total, hidden })
}

/// The part of a filter that an index answers. Expired keys are asked for by time, all others by a whole scan, which
/// also notices rows that are missing.
fn clear_filter(filter: &KeyFilter, now: Time) -> Option<ClearFilter> {
    if filter.expired {
        return Some(ClearFilter::Ended { by: now });
    }
    if let Some(within) = filter.expires_within {
        return Some(ClearFilter::Expiring { after: Some(now), by: now.checked_add_signed(within)? });
    }
    filter.due_within.and_then(|within| Some(ClearFilter::Due { by: now.checked_add_signed(within)? }))
}

/// The part of a filter by which a row is passed over before a key is made of it; never the status, for what the default
/// statuses hide is counted.
fn sieve(filter: &KeyFilter) -> Sieve<'_> {
    let (owner, project) = (filter.owner.as_deref(), filter.project.as_deref());
    Sieve { environment: filter.environment, owner, project }
}

/// Which key to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Show {
    /// The id of the key, its name, or a prefix of its id.
    #[cfg_attr(test, schema(value_type = String))]
    pub key: KeyRef,
    /// The environment, where keys of several have the name.
    #[serde(default)]
    pub environment: Option<Environment>,
}

impl UseCase for Show {
    type Outcome = KeyView;
    const PERMISSION: Permission = Permission::ReadKeys;
    // Whoever rotates a key is told of it anyway.
    const OR: Option<Permission> = Some(Permission::RotateKeys);
    const ROUTE: Route = Route {
        query: &["environment"],
        summary: "One key",
        answers: &[(200, "The key.")],
        ..Route::new(Method::Get, "/v1/keys/{key}", "show_key", "keys")
    };

    fn target(&self) -> String {
        self.key.to_string()
    }
}

impl Ask for Show {
    fn ask(&self, tx: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<KeyView> {
        let key = lookup::key(tx, &cx.workspace, &self.key, self.environment)?;
        let usage = tx.usage(&key.id)?;
        Ok(KeyView::of(key, &usage, cx.now))
    }
}
