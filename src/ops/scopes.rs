//! The catalogue of scopes: declared by hand or by first use, closed against typos.

use super::{
    Done,
    context::Context,
    entitlement,
    error::{Error, Result},
};
use crate::{
    domain::{Action, Catalogue, Scope, ScopeEntry, counted},
    store::{Tx, View},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;

/// A scope as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(as = ScopeEntry))]
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

/// A change of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScopeChange {
    /// Declares a scope, or replaces its description and implications.
    Add {
        /// The scope.
        scope: Scope,
        /// What it allows, in words.
        #[serde(default)]
        description: Option<String>,
        /// The scopes it includes.
        #[serde(default)]
        implies: BTreeSet<Scope>,
    },
    /// Takes a scope that no key holds out of the catalogue.
    Remove(Scope),
    /// Refuses scopes that are not declared.
    Close,
    /// Declares scopes by first use again.
    Open,
}

impl ScopeChange {
    /// The action and target the trail records of it.
    #[must_use]
    pub fn describes(&self, workspace: &str) -> (Action, String) {
        match self {
            Self::Add { scope, .. } => (Action::ScopeAdd, scope.to_string()),
            Self::Remove(scope) => (Action::ScopeRemove, scope.to_string()),
            Self::Close => (Action::ScopeClose, workspace.to_owned()),
            Self::Open => (Action::ScopeOpen, workspace.to_owned()),
        }
    }
}

/// The catalogue of the workspace.
///
/// # Errors
/// `NotFound` for an unknown workspace.
pub fn list(tx: &View<'_>, cx: &Context) -> Result<ScopeList> {
    entitlement::workspace(tx, &cx.workspace)?;
    let catalogue = tx.catalogue(&cx.workspace)?;
    let mut items = Vec::new();
    let held = tx.scope_uses(&cx.workspace)?;
    for (scope, entry) in &catalogue.entries {
        items.push(view(scope, entry, held.get(scope).copied().unwrap_or(0)));
    }
    Ok(ScopeList { items, closed: catalogue.closed })
}

/// One scope.
///
/// # Errors
/// `NotFound` with suggestions.
pub fn show(tx: &View<'_>, cx: &Context, scope: &Scope) -> Result<ScopeView> {
    let catalogue = tx.catalogue(&cx.workspace)?;
    let entry = catalogue.entries.get(scope).ok_or_else(|| unknown(&catalogue, scope))?;
    Ok(view(scope, entry, tx.scope_uses(&cx.workspace)?.get(scope).copied().unwrap_or(0)))
}

/// Changes the catalogue; the outcome says whether anything changed.
///
/// # Errors
/// `NotFound` for a scope to remove, `Conflict` when keys hold it.
pub fn change(tx: &mut Tx<'_>, cx: &Context, change: ScopeChange) -> Result<Done<bool>> {
    if let ScopeChange::Add { implies, .. } = &change {
        // Whoever has a ceiling would raise it by letting a scope that is in it imply more.
        let implied: Vec<Scope> = implies.iter().cloned().collect();
        cx.authority.may_grant(&tx.catalogue(&cx.workspace)?, &implied)?;
    }
    match change {
        ScopeChange::Add { scope, description, implies } => add(tx, cx, &scope, ScopeEntry { description, implies }),
        ScopeChange::Remove(scope) => remove(tx, cx, &scope),
        ScopeChange::Close => switch(tx, cx, true),
        ScopeChange::Open => switch(tx, cx, false),
    }
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
) -> Result<Vec<crate::domain::Event>> {
    if let Some(error) = outside(catalogue, scopes) {
        return Err(error);
    }
    let mut events = Vec::new();
    for scope in scopes {
        if is_declared(catalogue, scope) {
            continue;
        }
        let done = add(tx, cx, scope, ScopeEntry::default())?;
        events.extend(done.events);
        catalogue.entries.insert(scope.clone(), ScopeEntry::default());
        let added = if cx.dry_run { "would be" } else { "was" };
        notes.push(format!("scope '{scope}' is new and {added} added to the catalogue"));
    }
    Ok(events)
}

fn add(tx: &mut Tx<'_>, cx: &Context, scope: &Scope, entry: ScopeEntry) -> Result<Done<bool>> {
    let catalogue = tx.catalogue(&cx.workspace)?;
    if catalogue.entries.get(scope) == Some(&entry) {
        return Ok(Done::unchanged(false));
    }
    tx.put_scope(&cx.workspace, scope, &entry)?;
    let implies: Vec<String> = entry.implies.iter().map(ToString::to_string).collect();
    let changes = json!({ "description": entry.description, "implies": implies });
    Ok(Done { outcome: true, events: vec![cx.event(Action::ScopeAdd, scope.to_string(), changes)] })
}

fn remove(tx: &mut Tx<'_>, cx: &Context, scope: &Scope) -> Result<Done<bool>> {
    let catalogue = tx.catalogue(&cx.workspace)?;
    if !catalogue.entries.contains_key(scope) {
        return Err(unknown(&catalogue, scope));
    }
    if let Some(holders) = tx.scope_uses(&cx.workspace)?.get(scope).copied() {
        return Err(Error::conflict("in_use", format!("the scope '{scope}' is held by {}", counted(holders, "key")))
            .hint(format!("keyward list --status any --scope {scope}")));
    }
    tx.delete_scope(&cx.workspace, scope)?;
    Ok(Done { outcome: true, events: vec![cx.event(Action::ScopeRemove, scope.to_string(), json!(null))] })
}

fn switch(tx: &mut Tx<'_>, cx: &Context, closed: bool) -> Result<Done<bool>> {
    if tx.catalogue(&cx.workspace)?.closed == closed {
        return Ok(Done::unchanged(false));
    }
    tx.set_catalogue_closed(&cx.workspace, closed)?;
    let action = if closed { Action::ScopeClose } else { Action::ScopeOpen };
    Ok(Done { outcome: true, events: vec![cx.event(action, cx.workspace.clone(), json!(null))] })
}

fn unknown(catalogue: &Catalogue, scope: &Scope) -> Error {
    Error::not_found(format!("no scope '{scope}' in the catalogue"))
        .suggest(&catalogue.suggest(&scope.to_string()))
        .hint("keyward scopes list")
}

fn view(scope: &Scope, entry: &ScopeEntry, keys: usize) -> ScopeView {
    ScopeView {
        name: scope.to_string(),
        description: entry.description.clone(),
        implies: entry.implies.iter().map(ToString::to_string).collect(),
        keys,
    }
}
