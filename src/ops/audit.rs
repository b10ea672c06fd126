//! Reading the audit trail: who did what, when, from where and why.

use super::{
    case::{Ask, Method, Route, UseCase},
    context::Context,
    entitlement,
    error::{Error, Result},
    lookup,
};
use crate::{
    domain::{Action, Environment, Feature, KeyRef, Outcome, Permission, Recorded, Time, text::same},
    store::{Entry, PublicFacts, Selection, View},
    vault::Capabilities,
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

/// Which events to show. What is not given does not matter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditFilter {
    /// Events about this key, also one that is deleted.
    pub key: Option<KeyRef>,
    /// Decides between keys of one name.
    pub environment: Option<Environment>,
    /// Events of this workspace.
    pub workspace: Option<String>,
    /// Events of this actor.
    pub actor: Option<String>,
    /// Events from addresses in this range.
    pub address: Option<IpNet>,
    /// Events through this door, such as `cli`.
    pub source: Option<String>,
    /// Events of these actions; empty means all.
    pub actions: Vec<Action>,
    /// Events with this outcome.
    pub outcome: Option<Outcome>,
    /// Events with this ticket.
    pub ticket: Option<String>,
    /// Events at or after this time.
    pub since: Option<Time>,
    /// Events before this time.
    pub until: Option<Time>,
    /// Events after this one.
    pub after: u64,
    /// Events up to this one.
    pub upto: Option<u64>,
    /// At most so many, the newest ones.
    pub limit: Option<usize>,
}

/// What came of listing events.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditList {
    /// The events, oldest first.
    pub items: Vec<Recorded>,
    /// How many matched before the limit.
    pub total: usize,
}

impl AuditFilter {
    /// Whether every event passes.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self { limit: self.limit, ..Self::default() }
    }

    fn public(&self, facts: &PublicFacts) -> bool {
        (self.actions.is_empty() || self.actions.contains(&facts.action))
            && self.outcome.is_none_or(|outcome| outcome == facts.outcome)
            && self.since.is_none_or(|since| facts.at >= since)
            && self.until.is_none_or(|until| facts.at < until)
    }

    fn private(&self, recorded: &Recorded) -> bool {
        let event = &recorded.event;
        self.actor.as_ref().is_none_or(|actor| same(actor, &event.actor))
            && self.workspace.as_ref().is_none_or(|workspace| Some(workspace) == event.workspace.as_ref())
            && self.source.as_ref().is_none_or(|source| *source == event.source)
            && self.ticket.as_ref().is_none_or(|ticket| event.ticket.as_ref().is_some_and(|own| same(own, ticket)))
            && self.address.is_none_or(|range| addresses(&event.source).any(|address| range.contains(&address)))
    }
}

/// The addresses in a source, such as `http 203.0.113.9` or `[2001:db8::1]:4711`.
pub fn addresses(source: &str) -> impl Iterator<Item = IpAddr> {
    source.split(|character: char| !(character.is_ascii_hexdigit() || matches!(character, '.' | ':'))).filter_map(
        |word| {
            let trimmed = word.trim_matches(':');
            let without_port = trimmed.rsplit_once(':').map_or(trimmed, |(host, _)| host);
            word.parse().or_else(|_| trimmed.parse()).or_else(|_| without_port.parse()).ok()
        },
    )
}

/// Refuses where the plan has no audit view.
///
/// # Errors
/// `Forbidden`.
pub fn may_view(tx: &View<'_>, cx: &Context) -> Result<()> {
    entitlement::require(&entitlement::plan_of(tx, &cx.workspace)?, Feature::AuditView)
}

/// Refuses where the plan has no audit export, or not even a view: what may not be seen is not handed out either.
///
/// # Errors
/// `Forbidden`.
pub fn may_export(tx: &View<'_>, cx: &Context) -> Result<()> {
    let plan = entitlement::plan_of(tx, &cx.workspace)?;
    entitlement::require(&plan, Feature::AuditView)?;
    entitlement::require(&plan, Feature::AuditExport)
}

/// What a support slot may ask instead of the whole trail.
const OF_A_KEY: &str = "keyward audit list --key KEY  (what happened to a key)";

/// Refuses a support slot, which reads the history of keys alone: what a server lets the role support see.
pub(super) fn whole_trail(tx: &View<'_>, instead: &str) -> Result<()> {
    if tx.capabilities().admin.is_some() {
        return Ok(());
    }
    Err(super::support_refused().hint(instead))
}

/// Lists events.
///
/// # Errors
/// `Forbidden` when the plan has no audit view, and for a support slot that names no key; `NotFound` for a key that neither is
/// nor was; `Conflict` for a name of several keys; `Integrity` when an event does not open.
pub fn list(tx: &View<'_>, cx: &Context, filter: &AuditFilter) -> Result<AuditList> {
    may_view(tx, cx)?;
    if filter.key.is_none() {
        whole_trail(tx, OF_A_KEY)?;
    }
    let last = tx.trail_size();
    let stored = usize::try_from(last + 1 - tx.first_event()).unwrap_or(usize::MAX);
    let mut items = VecDeque::new();
    let mut total = 0;
    let limit = filter.limit.unwrap_or(usize::MAX);
    let mut first = filter.after.saturating_add(1);
    if filter.is_whole() && cx.authority.bound_to().is_none() && limit < stored {
        // Nothing needs to be opened to know how many there are.
        first = last + 1 - limit as u64;
        total = stored - limit;
    }
    let mut keep = |entry: Entry| {
        total += 1;
        items.push_back(entry.recorded);
        if items.len() > limit {
            items.pop_front();
        }
        Ok(())
    };
    select(tx, cx, filter, (first, last), &mut keep)?;
    Ok(AuditList { items: items.into(), total })
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ShowEvent {
    /// Its number.
    pub seq: u64,
}

impl UseCase for ShowEvent {
    type Outcome = Recorded;
    const PERMISSION: Permission = Permission::ReadAudit;
    const ROUTE: Route = Route {
        summary: "One event",
        answers: &[(200, "The event.")],
        ..Route::new(Method::Get, "/v1/audit/{seq}", "show_event", "audit")
    };

    fn target(&self) -> String {
        "trail".to_owned()
    }
}

impl Ask for ShowEvent {
    const TELLS_REFUSAL: bool = true;

    fn ask(&self, view: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<Recorded> {
        show(view, cx, self.seq)
    }
}

/// Shows one event.
///
/// # Errors
/// `NotFound`; `Forbidden` when the plan has no audit view, and for a support slot.
pub(super) fn show(tx: &View<'_>, cx: &Context, seq: u64) -> Result<Recorded> {
    may_view(tx, cx)?;
    whole_trail(tx, OF_A_KEY)?;
    let mut found = None;
    let wanted = |_: &PublicFacts| true;
    tx.each_entry(Selection { targets: None, first: seq, last: seq, wanted: &wanted }, |entry| {
        found = Some(entry.recorded);
        Ok::<_, Error>(())
    })?;
    found.filter(|event: &Recorded| may_see(cx, event)).ok_or_else(|| {
        let why = if seq > 0 && seq < tx.first_event() { "it was archived" } else { "the trail does not reach it" };
        Error::not_found(format!("no event {seq}")).cause(why).hint("keyward audit list --limit 10")
    })
}

/// Hands over the events between two, ends included, that a filter lets through, oldest first.
///
/// # Errors
/// `NotFound` for a key that neither is nor was; `Conflict` for a name of several keys; `Integrity` when an event does not open;
/// those of `take`.
pub fn select(
    tx: &View<'_>,
    cx: &Context,
    filter: &AuditFilter,
    (first, last): (u64, u64),
    take: &mut dyn FnMut(Entry) -> Result<()>,
) -> Result<()> {
    let story = filter.key.as_ref().map(|key| Story::of(tx, cx, key, filter.environment)).transpose()?;
    let targets = story.as_ref().map(|story| story.targets.as_slice());
    let mut found = false;
    // Under what was typed there are also workspaces and other things of that name, which support does not open.
    let all = story.is_none() || tx.capabilities().admin.is_some();
    let wanted = |facts: &PublicFacts| (all || facts.of_key) && filter.public(facts);
    let first = first.max(filter.after.saturating_add(1));
    let last = last.min(filter.upto.unwrap_or(u64::MAX));
    tx.each_entry(Selection { targets, first, last, wanted: &wanted }, |entry| {
        let event = &entry.recorded;
        let belongs = story.as_ref().is_none_or(|story| story.tells(event, cx));
        if !(belongs && may_see(cx, event) && filter.private(event)) {
            return Ok(());
        }
        tx.vouch_for(&entry)?;
        found = true;
        take(entry)
    })?;
    match (&filter.key, &story) {
        // A slip must not pass for a key of which nothing is told.
        (Some(key), Some(story)) if !found && !story.is_told(tx, cx)? => {
            lookup::known_key(tx, &cx.workspace, key, filter.environment).map_err(|error| match tx.first_event() {
                ..=1 => error,
                _ => error
                    .cause("events of the trail were archived; what became of the keys of that time is in the archive"),
            })
        }
        _ => Ok(()),
    }
}

/// Whether the caller may know of an event: whoever is bound to a workspace sees what happened in it.
pub(super) fn may_see(cx: &Context, event: &Recorded) -> bool {
    cx.authority.bound_to().is_none_or(|own| event.event.workspace.as_deref() == Some(own))
}

/// What the trail calls a key: by its id, and in refusals by whatever was typed.
struct Story {
    targets: Vec<String>,
    typed: Option<String>,
}

impl Story {
    /// The story of a reference. A name tells of the key that has it, and of those that had it before.
    fn of(tx: &View<'_>, cx: &Context, key: &KeyRef, environment: Option<Environment>) -> Result<Self> {
        if environment.is_some() && !matches!(key, KeyRef::Name(_)) {
            return Err(Error::usage("the environment decides between keys of one name, and an id names one key")
                .hint("leave out --env"));
        }
        let mut targets = match key {
            KeyRef::Id(id) => return Ok(Self { targets: vec![id.to_string()], typed: None }),
            KeyRef::Prefix(prefix) => tx.targets_with_prefix(prefix)?,
            KeyRef::Name(name) => {
                let alive = tx.find_keys(key, &cx.workspace, environment)?;
                if alive.len() > 1 {
                    return Err(lookup::ambiguous(key, &alive));
                }
                bearers(tx, cx, name, environment)?
            }
        };
        let typed = key.to_string();
        targets.push(typed.clone());
        targets.sort();
        targets.dedup();
        Ok(Self { targets, typed: Some(typed) })
    }

    /// Whether the trail tells anything of the key.
    fn is_told(&self, tx: &View<'_>, cx: &Context) -> Result<bool> {
        let mut told = false;
        let all = tx.capabilities().admin.is_some();
        let wanted = |facts: &PublicFacts| all || facts.of_key;
        let every = Selection { targets: Some(&self.targets), first: 1, last: tx.trail_size(), wanted: &wanted };
        tx.each_entry(every, |entry| {
            told |= self.tells(&entry.recorded, cx) && may_see(cx, &entry.recorded);
            Ok::<_, Error>(())
        })?;
        Ok(told)
    }

    /// Whether an event is about the key: under what was typed there are also workspaces and other things of that name.
    fn tells(&self, event: &Recorded, cx: &Context) -> bool {
        let Recorded { event, .. } = event;
        self.typed.as_ref() != Some(&event.target)
            || (event.action.is_of_key()
                && event.outcome != Outcome::Ok
                && event.workspace.as_ref().is_none_or(|workspace| *workspace == cx.workspace))
    }
}

/// The ids of the keys of the workspace that have or had a name, by the events of creation, renaming and deletion.
fn bearers(tx: &View<'_>, cx: &Context, name: &str, environment: Option<Environment>) -> Result<Vec<String>> {
    let wanted = |facts: &PublicFacts| {
        matches!(facts.action, Action::KeyCreate | Action::KeyImport | Action::KeyUpdate | Action::KeyDelete)
            && facts.outcome == Outcome::Ok
    };
    // A change of the name alone does not say of which environment the key is.
    let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
    tx.each_entry(Selection { targets: None, first: 1, last: tx.trail_size(), wanted: &wanted }, |entry| {
        let event = entry.recorded.event;
        let changes = &event.changes;
        let names = [&changes["key"]["name"], &changes["name"], &changes["name"]["from"], &changes["name"]["to"]];
        if event.workspace.as_ref().is_none_or(|workspace| *workspace == cx.workspace)
            && names.iter().any(|value| value.as_str() == Some(name))
        {
            let environments = [&changes["key"]["environment"], &changes["environment"]];
            let told = environments.into_iter().find_map(|value| value.as_str()).map(str::to_owned);
            let known = found.entry(event.target).or_default();
            *known = known.take().or(told);
        }
        Ok::<_, Error>(())
    })?;
    let mut ids = Vec::new();
    for (id, told) in found {
        let told = match (environment, told) {
            (Some(_), None) => match id.parse() {
                Ok(id) => tx.key(&id)?.map(|key| key.environment.to_string()),
                Err(_) => None,
            },
            (_, told) => told,
        };
        if environment.is_none_or(|wanted| told.is_none_or(|told| told == wanted.as_str())) {
            ids.push(id);
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_sources() {
        for (source, address) in [
            ("cli", None),
            ("journal", None),
            ("http 203.0.113.9", Some("203.0.113.9")),
            ("http:203.0.113.9", Some("203.0.113.9")),
            ("203.0.113.9:443", Some("203.0.113.9")),
            ("http from [2001:db8::1]:443", Some("2001:db8::1")),
            ("server 2001:db8::1", Some("2001:db8::1")),
        ] {
            let found = addresses(source).next();
            assert_eq!(found, address.map(|address: &str| address.parse().unwrap()), "{source}");
        }
    }
}
