//! Finding what a request names: one key, a project, customers, a workspace.

use super::error::{Error, Result};
use crate::{
    domain::{Environment, Key, KeyRef, closest},
    store::View,
};

/// The one key a reference names.
///
/// # Errors
/// `NotFound` with suggestions, `Conflict` with the candidates when it names several.
pub(super) fn key(tx: &View<'_>, workspace: &str, key: &KeyRef, environment: Option<Environment>) -> Result<Key> {
    let mut found = tx.find_keys(key, workspace, environment)?;
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(not_found(tx, workspace, key, environment)?),
        _ => Err(ambiguous(key, &found)),
    }
}

fn not_found(tx: &View<'_>, workspace: &str, key: &KeyRef, environment: Option<Environment>) -> Result<Error> {
    let place = environment.map(|environment| format!(" in {environment}")).unwrap_or_default();
    let error = Error::not_found(format!("no key '{key}'{place}"));
    let KeyRef::Name(name) = key else { return Ok(error.hint("keyward list --status any")) };
    let names = tx.key_names(workspace)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Ok(error.suggest(&closest(name, &names)).hint("keyward list --status any"))
}

fn ambiguous(key: &KeyRef, found: &[Key]) -> Error {
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
    if projects.iter().any(|project| project.name == wanted) {
        return Ok(());
    }
    let names: Vec<&str> = projects.iter().map(|project| project.name.as_str()).collect();
    Err(Error::not_found(format!("no project '{wanted}' in workspace '{workspace}'"))
        .suggest(&closest(wanted, &names))
        .hint(format!("keyward projects create {wanted}")))
}

/// Refuses a customer that does not exist in the workspace.
pub(super) fn customers_exist(tx: &View<'_>, workspace: &str, customers: &[String]) -> Result<()> {
    if customers.is_empty() {
        return Ok(());
    }
    let known = tx.customers(workspace)?;
    let names: Vec<&str> = known.iter().map(|customer| customer.name.as_str()).collect();
    for wanted in customers {
        if !names.contains(&wanted.as_str()) {
            return Err(Error::not_found(format!("no customer '{wanted}' in workspace '{workspace}'"))
                .suggest(&closest(wanted, &names))
                .hint(format!("keyward customers create {wanted}")));
        }
    }
    Ok(())
}
