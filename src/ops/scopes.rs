//! The catalogue of scopes: declared by hand or by first use, closed against typos.

use super::{
    Done,
    case::{Ask, Change, Method, Route, UseCase},
    context::Context,
    entitlement,
    error::{Error, Result},
    free_text,
};
use crate::{
    domain::{Action, Catalogue, Event, Permission, Scope, ScopeEntry, counted, serde_text},
    store::{Tx, View},
    vault::Capabilities,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A scope as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = ScopeEntry))]
pub struct ScopeView {
    /// `resource:level`.
    pub name: String,
    /// What it allows, in words.
    pub description: Option<String>,
    /// The scopes it includes.
    pub implies: Vec<String>,
    /// How many keys hold it.
    pub keys: usize,
}

/// The catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeList {
    /// Its scopes, by name.
    pub items: Vec<ScopeView>,
    /// A closed catalogue takes no scope by first use.
    pub closed: bool,
}

/// What came of changing the catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ScopesChanged {
    /// How many of the changes changed anything.
    pub changed: usize,
    /// What became of scopes that were declared before, in words.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A change of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScopeChange {
    /// Declares a scope, or changes what is told of one that is declared; what is `None` stays.
    Add {
        /// The scope.
        scope: Scope,
        /// What it allows, in words; `Some(None)` clears it.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::change")]
        description: Option<Option<String>>,
        /// All the scopes it includes; none of them clears it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        implies: Option<BTreeSet<Scope>>,
    },
    /// Takes a scope out of the catalogue that no key holds, by itself or by implication.
    Remove(Scope),
    /// Refuses scopes that are not declared.
    Close,
    /// Declares scopes by first use again.
    Open,
}

/// The catalogue of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ListScopes {}

/// One scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ShowScope {
    /// The scope.
    pub scope: Scope,
}

/// Changes of the catalogue, all in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ChangeScopes {
    /// The changes, in order.
    pub changes: Vec<ScopeChange>,
}

impl UseCase for ListScopes {
    type Outcome = ScopeList;
    const PERMISSION: Permission = Permission::ReadWorkspace;
    const ROUTE: Route = Route {
        summary: "The catalogue of scopes",
        answers: &[(200, "The scopes, by name.")],
        ..Route::new(Method::Get, "/v1/scopes", "list_scopes", "workspace")
    };

    fn target(&self) -> String {
        "scopes".to_owned()
    }
}

impl Ask for ListScopes {
    fn ask(&self, tx: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<ScopeList> {
        entitlement::workspace(tx, &cx.workspace)?;
        let catalogue = tx.catalogue(&cx.workspace)?;
        let held = tx.scope_uses(&cx.workspace)?;
        let one = |(scope, entry)| view(scope, entry, held.get(scope).copied().unwrap_or(0));
        Ok(ScopeList { items: catalogue.entries.iter().map(one).collect(), closed: catalogue.closed })
    }
}

impl UseCase for ShowScope {
    type Outcome = ScopeView;
    const PERMISSION: Permission = Permission::ReadWorkspace;
    const ROUTE: Route = Route {
        summary: "One scope",
        answers: &[(200, "The scope.")],
        ..Route::new(Method::Get, "/v1/scopes/{scope}", "show_scope", "workspace")
    };

    fn target(&self) -> String {
        self.scope.to_string()
    }
}

impl Ask for ShowScope {
    fn ask(&self, tx: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<ScopeView> {
        let (catalogue, scope) = (tx.catalogue(&cx.workspace)?, &self.scope);
        let entry = catalogue.entries.get(scope).ok_or_else(|| unknown(&catalogue, scope))?;
        Ok(view(scope, entry, tx.scope_uses(&cx.workspace)?.get(scope).copied().unwrap_or(0)))
    }
}

impl UseCase for ChangeScopes {
    type Outcome = ScopesChanged;
    const PERMISSION: Permission = Permission::ChangeWorkspace;
    const ROUTE: Route = Route {
        summary: "Change the catalogue of scopes, all or nothing",
        answers: &[(200, "How many changes changed anything, and what became of scopes that were declared before.")],
        ..Route::new(Method::Post, "/v1/scopes", "change_scopes", "workspace")
    };

    /// The scope, where there is one change of one.
    fn target(&self) -> String {
        match self.changes.first() {
            Some(ScopeChange::Add { scope, .. } | ScopeChange::Remove(scope)) => scope.to_string(),
            _ => "scopes".to_owned(),
        }
    }
}

impl Change for ChangeScopes {
    const ACTION: Action = Action::ScopeAdd;

    fn action(&self) -> Action {
        match self.changes.first() {
            Some(ScopeChange::Remove(_)) => Action::ScopeRemove,
            Some(ScopeChange::Close) => Action::ScopeClose,
            Some(ScopeChange::Open) => Action::ScopeOpen,
            _ => Self::ACTION,
        }
    }

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<ScopesChanged>> {
        change(tx, cx, self.changes)
    }
}

/// Changes the catalogue, in order.
///
/// # Errors
/// `NotFound` for a scope to remove, `Conflict` when keys hold it or what implies it; the caller must then drop the
/// transaction.
fn change(tx: &mut Tx<'_>, cx: &Context, changes: Vec<ScopeChange>) -> Result<Done<ScopesChanged>> {
    let (mut outcome, mut events) = (ScopesChanged::default(), Vec::new());
    for change in changes {
        let event = match change {
            ScopeChange::Add { scope, mut description, implies } => {
                if let Some(Some(text)) = &mut description {
                    free_text::lines("description", text)?;
                }
                let declared = tx.catalogue(&cx.workspace)?.entries.remove(&scope);
                let before = declared.clone().unwrap_or_default();
                if let Some(implied) = &implies {
                    // Whoever has a ceiling would raise it by letting a scope that is in it imply more.
                    let implied: Vec<Scope> = implied.iter().cloned().collect();
                    cx.authority.may_grant(&tx.catalogue(&cx.workspace)?, &implied)?;
                }
                let entry = ScopeEntry {
                    description: description
                        .unwrap_or_else(|| before.description.clone())
                        .filter(|text| !text.is_empty()),
                    implies: implies.unwrap_or_else(|| before.implies.clone()),
                };
                match declared {
                    Some(before) if before == entry => None,
                    Some(before) => {
                        outcome.notes.extend(told(cx, &scope, &before, &entry));
                        Some(put(tx, cx, &scope, &entry)?)
                    }
                    None => Some(put(tx, cx, &scope, &entry)?),
                }
            }
            ScopeChange::Remove(scope) => Some(remove(tx, cx, &scope)?),
            ScopeChange::Close => switch(tx, cx, true)?,
            ScopeChange::Open => switch(tx, cx, false)?,
        };
        outcome.changed += usize::from(event.is_some());
        events.extend(event);
    }
    Ok(Done { outcome, events })
}

/// Whether a scope means something by the catalogue as it is. In an open one a wildcard may mean what is declared later; in
/// a closed one it would mean nothing.
fn is_declared(catalogue: &Catalogue, scope: &Scope) -> bool {
    let known = catalogue.entries.contains_key(scope) || catalogue.entries.keys().any(|entry| scope.covers(entry));
    known || scope.to_string() == "*" || (scope.has_wildcard() && !catalogue.closed)
}

/// Why these scopes cannot be granted: the first that a closed catalogue does not have.
pub(super) fn outside<'s>(catalogue: &Catalogue, scopes: impl IntoIterator<Item = &'s Scope>) -> Option<Error> {
    let scope = scopes.into_iter().find(|scope| catalogue.closed && !is_declared(catalogue, scope))?;
    let message = format!("scope '{scope}' is not in the closed catalogue");
    let error = Error::new(super::Kind::Usage, "catalogue_closed", message);
    Some(error.suggest(&catalogue.suggest(&scope.to_string())).hint(format!("keyward scopes add {scope}")))
}

/// Declares the scopes that are new to an open catalogue; answers with the events to commit.
pub(super) fn declare_missing(
    tx: &mut Tx<'_>,
    cx: &Context,
    catalogue: &mut Catalogue,
    scopes: &[Scope],
    notes: &mut Vec<String>,
) -> Result<Vec<Event>> {
    if let Some(error) = outside(catalogue, scopes) {
        return Err(error);
    }
    let mut events = Vec::new();
    for scope in scopes {
        if is_declared(catalogue, scope) {
            continue;
        }
        events.push(put(tx, cx, scope, &ScopeEntry::default())?);
        catalogue.entries.insert(scope.clone(), ScopeEntry::default());
        let added = if cx.dry_run { "would be" } else { "was" };
        notes.push(format!("scope '{scope}' is new and {added} added to the catalogue"));
    }
    Ok(events)
}

fn put(tx: &mut Tx<'_>, cx: &Context, scope: &Scope, entry: &ScopeEntry) -> Result<Event> {
    tx.put_scope(&cx.workspace, scope, entry)?;
    let changes = json!({ "description": entry.description, "implies": names(&entry.implies) });
    Ok(cx.event(Action::ScopeAdd, scope.to_string(), changes))
}

/// How a declared scope changes, a line a field.
fn told(cx: &Context, scope: &Scope, before: &ScopeEntry, after: &ScopeEntry) -> Vec<String> {
    let verb = if cx.dry_run { "would change" } else { "changed" };
    let implied = |entry: &ScopeEntry| Some(names(&entry.implies).join(" ")).filter(|names| !names.is_empty());
    let line = |field: &str, from: Option<String>, to: Option<String>| {
        let word = |value: Option<String>| value.unwrap_or_else(|| "(none)".to_owned());
        (from != to).then(|| format!("{scope}: {verb} {field}: {} -> {}", word(from), word(to)))
    };
    let description = line("description", before.description.clone(), after.description.clone());
    description.into_iter().chain(line("implies", implied(before), implied(after))).collect()
}

fn remove(tx: &mut Tx<'_>, cx: &Context, scope: &Scope) -> Result<Event> {
    let catalogue = tx.catalogue(&cx.workspace)?;
    if !catalogue.entries.contains_key(scope) {
        return Err(unknown(&catalogue, scope));
    }
    refuse_held(&catalogue, &tx.scope_uses(&cx.workspace)?, scope)?;
    tx.delete_scope(&cx.workspace, scope)?;
    Ok(cx.event(Action::ScopeRemove, scope.to_string(), json!(null)))
}

/// Refuses to remove what a key holds, by itself or by implication, and what lets a key do more than it is told to hold.
fn refuse_held(catalogue: &Catalogue, uses: &BTreeMap<Scope, usize>, scope: &Scope) -> Result<()> {
    let in_use = |held: &Scope, message: String| {
        Err(Error::conflict("in_use", message).hint(format!("keyward list --status any --scope {held}")))
    };
    if let Some(holders) = uses.get(scope) {
        return in_use(scope, format!("the scope '{scope}' is held by {}", counted(*holders, "key")));
    }
    let mut without = catalogue.clone();
    without.entries.remove(scope);
    for (held, holders) in uses {
        let reached = catalogue.reach(std::slice::from_ref(held));
        let holders = counted(*holders, "key");
        if reached.contains(scope) {
            return in_use(held, format!("the scope '{scope}' is implied by '{held}', which is held by {holders}"));
        }
        if let Some(lost) = reached.iter().find(|reached| !without.grants(std::slice::from_ref(held), reached)) {
            let message = format!("the scope '{scope}' lets '{held}', which is held by {holders}, include '{lost}'");
            return in_use(held, message);
        }
    }
    Ok(())
}

fn switch(tx: &mut Tx<'_>, cx: &Context, closed: bool) -> Result<Option<Event>> {
    if tx.catalogue(&cx.workspace)?.closed == closed {
        return Ok(None);
    }
    tx.set_catalogue_closed(&cx.workspace, closed)?;
    let action = if closed { Action::ScopeClose } else { Action::ScopeOpen };
    Ok(Some(cx.event(action, cx.workspace.clone(), json!(null))))
}

fn unknown(catalogue: &Catalogue, scope: &Scope) -> Error {
    Error::not_found(format!("no scope '{scope}' in the catalogue"))
        .suggest(&catalogue.suggest(&scope.to_string()))
        .hint("keyward scopes list")
}

fn view(scope: &Scope, entry: &ScopeEntry, keys: usize) -> ScopeView {
    ScopeView { name: scope.to_string(), description: entry.description.clone(), implies: names(&entry.implies), keys }
}

fn names(scopes: &BTreeSet<Scope>) -> Vec<String> {
    scopes.iter().map(ToString::to_string).collect()
}
