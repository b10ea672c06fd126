//! Finding what a request names: one key, a project, customers, a workspace.

use super::error::{Error, Result};
use crate::{
    domain::{Action, Environment, Key, KeyRef, closest, text::same},
    store::View,
};

/// What lists the keys that could have been meant.
const LIST: &str = "keyward list --status any";

/// So many names that mean no key are answered with what could have been meant.
const SUGGESTED: usize = 3;

/// The one key a reference names.
///
/// # Errors
/// `NotFound` with suggestions, `Conflict` with the candidates when it names several.
pub(super) fn key(tx: &View<'_>, workspace: &str, key: &KeyRef, environment: Option<Environment>) -> Result<Key> {
    one_of(tx, workspace, key, environment, LIST)
}

/// Refuses a reference to no key; one to several is none of its business.
///
/// # Errors
/// `NotFound`, with what could have been meant.
pub(super) fn known_key(tx: &View<'_>, workspace: &str, key: &KeyRef, environment: Option<Environment>) -> Result<()> {
    let mut finder = Finder::new(tx, workspace);
    match finder.find(key, environment)?.is_empty() {
        true => Err(finder.not_found(key, environment)?.hint(LIST)),
        false => Ok(()),
    }
}

/// [`key`], where another command lists what could have been meant.
///
/// # Errors
/// As [`key`].
pub(super) fn one_of(
    tx: &View<'_>,
    workspace: &str,
    key: &KeyRef,
    environment: Option<Environment>,
    list: &str,
) -> Result<Key> {
    Finder::new(tx, workspace).one_of(key, environment, list)
}

/// Finds keys, one after another. A name that no index finds takes a look at every key of the workspace: it is taken once
/// for all of them, for others wait to write meanwhile.
pub(super) struct Finder<'t, 'v> {
    tx: &'t View<'v>,
    workspace: &'t str,
    /// Every key, once it was looked at.
    all: Option<Vec<Key>>,
    suggested: usize,
}

impl<'t, 'v> Finder<'t, 'v> {
    /// One that has looked at nothing yet.
    pub(super) fn new(tx: &'t View<'v>, workspace: &'t str) -> Self {
        Self { tx, workspace, all: None, suggested: 0 }
    }

    /// See [`key`].
    ///
    /// # Errors
    /// As [`key`].
    pub(super) fn key(&mut self, key: &KeyRef, environment: Option<Environment>) -> Result<Key> {
        self.one_of(key, environment, LIST)
    }

    fn one_of(&mut self, key: &KeyRef, environment: Option<Environment>, list: &str) -> Result<Key> {
        let mut found = self.find(key, environment)?;
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(self.not_found(key, environment)?.hint(list)),
            _ => Err(ambiguous(key, &found)),
        }
    }

    fn find(&mut self, key: &KeyRef, environment: Option<Environment>) -> Result<Vec<Key>> {
        let found = self.tx.find_keys(key, self.workspace, environment)?;
        let KeyRef::Name(name) = key else { return Ok(found) };
        if !found.is_empty() || name.is_ascii() {
            return Ok(found);
        }
        // An older vault may hold the name in a form that mixes the usual ones.
        let of_it = |key: &&Key| same(&key.name, name) && environment.is_none_or(|wanted| wanted == key.environment);
        Ok(self.all()?.iter().filter(of_it).cloned().collect())
    }

    fn all(&mut self) -> Result<&[Key]> {
        let all = match self.all.take() {
            Some(all) => all,
            None => self.tx.all_keys(self.workspace)?,
        };
        Ok(self.all.insert(all))
    }

    fn not_found(&mut self, key: &KeyRef, environment: Option<Environment>) -> Result<Error> {
        let place = environment.map(|environment| format!(" in {environment}")).unwrap_or_default();
        let error = Error::not_found(format!("no key '{key}'{place}"));
        // Whoever was wrong about the environment was right about the name: the same name again would be no advice.
        let elsewhere = if environment.is_some() { self.find(key, None)? } else { Vec::new() };
        if !elsewhere.is_empty() {
            let shown = |one: &Key| format!("keyward show {0}  (in {1}: --env {1})", one.id, one.environment);
            return Ok(elsewhere.iter().map(shown).fold(error, Error::hint));
        }
        let KeyRef::Name(name) = key else { return Ok(error) };
        self.suggested += 1;
        if self.suggested > SUGGESTED {
            return Ok(error);
        }
        let of_it = |key: &&Key| environment.is_none_or(|wanted| wanted == key.environment);
        let names: Vec<&str> = self.all()?.iter().filter(of_it).map(|key| key.name.as_str()).collect();
        Ok(error.suggest(&closest(name, &names)))
    }
}

/// The key that a refused action was about, by what was typed: by its id or name, or by a rotation of it. `None` where that
/// names no key or several, and for actions that are about none that is there yet.
///
/// # Errors
/// Those of the store.
pub fn refused_key(
    tx: &View<'_>,
    workspace: &str,
    action: Action,
    typed: &str,
    environment: Option<Environment>,
) -> Result<Option<Key>> {
    if !action.is_of_key() || matches!(action, Action::KeyCreate | Action::KeyImport | Action::KeyApply) {
        return Ok(None);
    }
    if let Ok(rotation) = typed.parse() {
        return Ok(tx.key_rotating(&rotation)?.filter(|key| key.workspace == workspace));
    }
    let Ok(key) = typed.parse::<KeyRef>() else { return Ok(None) };
    let mut found = tx.find_keys(&key, workspace, environment)?;
    Ok(if found.len() == 1 { found.pop() } else { None })
}

pub(super) fn ambiguous(key: &KeyRef, found: &[Key]) -> Error {
    let candidates: Vec<String> =
        found.iter().map(|key| format!("{} ({}, {})", key.id, key.name, key.environment)).collect();
    Error::conflict("ambiguous", format!("'{key}' names {} keys", found.len()))
        .cause(candidates.join("; "))
        .hint("name the environment with --env, or use the id")
}

/// Refuses a project that does not exist in the workspace.
pub(super) fn project_exists(tx: &View<'_>, workspace: &str, project: Option<&str>) -> Result<()> {
    let Some(wanted) = project else { return Ok(()) };
    let projects = tx.projects(workspace)?;
    let names: Vec<&str> = projects.iter().map(|project| project.name.as_str()).collect();
    known("project", workspace, wanted, &names)
}

/// Refuses a customer that does not exist in the workspace.
pub(super) fn customers_exist(tx: &View<'_>, workspace: &str, customers: &[String]) -> Result<()> {
    if customers.is_empty() {
        return Ok(());
    }
    let known_ones = tx.customers(workspace)?;
    let names: Vec<&str> = known_ones.iter().map(|customer| customer.name.as_str()).collect();
    customers.iter().try_for_each(|wanted| known("customer", workspace, wanted, &names))
}

/// [`project_exists`], for a key that is to be narrowed to it: then it may have to be created first.
pub(super) fn project_to_name(tx: &View<'_>, workspace: &str, project: Option<&str>) -> Result<()> {
    let create = format!("keyward projects create {}", project.unwrap_or_default());
    project_exists(tx, workspace, project).map_err(|error| error.hint(create))
}

/// [`customers_exist`], for a key that is to be narrowed to them: then one may have to be created first.
pub(super) fn customers_to_name(tx: &View<'_>, workspace: &str, customers: &[String]) -> Result<()> {
    customers.iter().try_for_each(|wanted| {
        customers_exist(tx, workspace, std::slice::from_ref(wanted))
            .map_err(|error| error.hint(format!("keyward customers create {wanted}")))
    })
}

fn known(what: &str, workspace: &str, wanted: &str, names: &[&str]) -> Result<()> {
    if names.iter().any(|name| same(name, wanted)) {
        return Ok(());
    }
    Err(Error::not_found(format!("no {what} '{wanted}' in workspace '{workspace}'"))
        .suggest(&closest(wanted, names))
        .hint(format!("keyward {what}s list")))
}
