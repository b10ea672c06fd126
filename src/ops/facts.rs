//! What the verdict engine of a server keeps in memory: every key, and what verdicts on them depend on.
//!
//! Read whole once, then by what the trail says has changed: no key changes without an event that names it.

use super::{entitlement, error::Result, verify};
use crate::{
    domain::{Catalogue, Form, Key, KeyId, Operator, Plan, Trust},
    store::View,
};

/// A workspace, as far as verdicts on its keys depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceFacts {
    /// Its name.
    pub name: String,
    /// What it is entitled to.
    pub plan: Plan,
    /// Which scope implies which.
    pub catalogue: Catalogue,
    /// Its projects, sorted.
    pub projects: Vec<String>,
    /// Its customers, sorted.
    pub customers: Vec<String>,
}

/// Everything but the keys, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The last event they take into account.
    pub seq: u64,
    /// How many keys there are.
    pub keys: usize,
    /// What there is little of.
    pub rest: Rest,
}

/// What has changed between two moments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// The last event they take into account.
    pub seq: u64,
    /// The keys that something else happened to than that they were made, as they are now; `None` for one that is gone.
    pub keys: Vec<(KeyId, Option<Key>)>,
    /// The keys that were made, by id: to be read by [`some`]. They may be very many, and until they are read a verdict on
    /// them is no more than late; what takes a right away is in `keys`.
    pub made: Vec<KeyId>,
    /// What is read whole, as it is few; `None` when nothing happened at all: use is written without an event.
    pub rest: Option<Rest>,
}

/// What there is little of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// All workspaces.
    pub workspaces: Vec<WorkspaceFacts>,
    /// All operators.
    pub operators: Vec<Operator>,
    /// All trusts.
    pub trusts: Vec<Trust>,
    /// The forms of imported digests.
    pub forms: Vec<Form>,
}

/// Reads everything but the keys.
///
/// # Errors
/// Those of the store.
pub fn all(view: &View<'_>) -> Result<Facts> {
    Ok(Facts { seq: view.trail_size(), keys: view.count_of_keys()?, rest: rest(view)? })
}

fn rest(view: &View<'_>) -> Result<Rest> {
    Ok(Rest {
        workspaces: workspaces(view)?,
        operators: view.operators()?,
        trusts: view.trusts()?,
        forms: view.import_forms()?,
    })
}

/// Hands over all keys of all workspaces, with every version of their secrets: an old one is named as what it was. They
/// come in any order and on several threads, and hold only once this returns.
///
/// # Errors
/// `Integrity` when the rows are not those that the head signs; those of the store.
pub fn keys(view: &View<'_>, taker: &(dyn Fn(Key) + Sync)) -> Result<()> {
    Ok(view.every_key_with_retired(taker)?)
}

/// Reads what events after `seq` were about; `None` when the trail is shorter than that, and everything must be read.
///
/// # Errors
/// Those of the store.
pub fn since(view: &View<'_>, seq: u64) -> Result<Option<Changed>> {
    if view.trail_size() < seq {
        return Ok(None);
    }
    if view.trail_size() == seq {
        return Ok(Some(Changed { seq, ..Changed::default() }));
    }
    let touched = view.keys_touched_after(seq)?;
    let changed: Vec<KeyId> = touched.changed.into_iter().collect();
    Ok(Some(Changed {
        seq: view.trail_size(),
        keys: view.keys_with_retired(&changed)?,
        made: touched.made.into_iter().collect(),
        rest: Some(rest(view)?),
    }))
}

/// Reads some keys; `None` for one that is gone.
///
/// # Errors
/// Those of the store.
pub fn some(view: &View<'_>, ids: &[KeyId]) -> Result<Vec<(KeyId, Option<Key>)>> {
    Ok(view.keys_with_retired(ids)?)
}

fn workspaces(view: &View<'_>) -> Result<Vec<WorkspaceFacts>> {
    view.workspaces()?
        .into_iter()
        .map(|workspace| {
            Ok(WorkspaceFacts {
                plan: entitlement::plan_of(view, &workspace.name)?,
                catalogue: view.catalogue(&workspace.name)?,
                projects: verify::project_names(view, &workspace.name)?,
                customers: verify::customer_names(view, &workspace.name)?,
                name: workspace.name,
            })
        })
        .collect()
}
