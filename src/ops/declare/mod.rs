//! Keys as a file declares them: the plan that makes a workspace like the file, its execution, and the way back; and what
//! is carried from one keystore to another.
//!
//! A key is known by its environment and name, and one that is carried between keystores by its id. What a file does not declare is left alone, unless a label selector says
//! that it is to be switched off. Nothing here deletes, a file revokes nothing, and no secret is part of a file or a plan.

mod apply;
mod carry;
mod export;
mod plan;

pub use apply::{Applied, Apply, PlanKeys, apply};
pub use carry::{Agreed, Carried, Carrying, Prefer, carry};
pub use export::{CarryKeys, ExportKeys};
pub use plan::{Plan, PlanStep, Rules, Verb, plan};

use super::{context::Context, entitlement, error::Result, free_text, lookup};
use crate::{
    domain::{
        Key, Workspace, closest,
        text::{composed, composed_owned, same},
    },
    ops::{Create, Error},
    store::View,
};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// A key as a file declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Declared {
    /// What would be created. Of a key that exists, an expiry or rotation period that is not given is left as it is, and
    /// everything else that is not given is its default.
    pub key: Create,
    /// Whether it is switched on.
    #[serde(default = "yes")]
    #[cfg_attr(test, schema(required = false))]
    pub active: bool,
}

fn yes() -> bool {
    true
}

/// What a workspace would have to become like the file.
///
/// # Errors
/// `Usage` when the file declares a key twice or selects by a label that no key has; those of the store.
fn plan_in(tx: &View<'_>, cx: &Context, request: &Apply) -> Result<Plan> {
    let mut seen = HashSet::new();
    let declared: Vec<Declared> = request.keys.iter().cloned().map(Declared::composed).collect();
    for Declared { key, .. } in &declared {
        if !seen.insert((key.environment, key.name.as_str())) {
            return Err(Error::usage(format!("the file declares '{}' twice in {}", key.name, key.environment)));
        }
        free_text::refuse_in_key(key)?;
        lookup::project_to_name(tx, &cx.workspace, key.project.as_deref())?;
    }
    let keys = tx.all_keys(&cx.workspace)?;
    if let Some(selector) = &request.prune {
        selects(&keys, selector)?;
    }
    let declared = settled(tx, cx, &declared)?;
    let mut plan = plan(&keys, &declared, request.prune.as_deref(), &rules(tx, cx)?, cx.now);
    refuse_spent_ids(tx, &declared, &mut plan)?;
    let alive = |key: &&Key| key.revoked_at.is_none() && request.revoke.contains(&key.id);
    plan.steps.extend(keys.iter().filter(alive).map(|key| plan::step(Verb::Revoke, key)));
    // What an older vault holds may stand in a file that was exported from it; what is new may not.
    let looked_at = |step: &&PlanStep| step.action == Verb::Update || step.key_id.is_none();
    let steps: HashSet<_> =
        plan.steps.iter().filter(looked_at).map(|step| (&*step.environment, composed(&step.name))).collect();
    for Declared { key, .. } in &declared {
        if steps.contains(&(key.environment.as_str(), composed(&key.name))) {
            free_text::of_key(&mut key.clone())?;
        }
    }
    Ok(plan)
}

/// A key that was deleted is not made again: what its id stands for in the trail must not come to be another key. The rest of
/// the plan is none the worse for it.
fn refuse_spent_ids(tx: &View<'_>, declared: &[Declared], plan: &mut Plan) -> Result<()> {
    let with_id = declared.iter().filter_map(|one| one.key.id.as_ref().map(|id| (one, id)));
    let with_id: HashMap<_, _> =
        with_id.map(|(one, id)| ((one.key.environment.as_str(), composed(&one.key.name)), id)).collect();
    for step in plan.steps.iter_mut().filter(|step| step.creates()) {
        let Some(id) = with_id.get(&(step.environment.as_str(), composed(&step.name))) else { continue };
        if tx.key(id)?.is_none() && tx.newest_on(id.as_str(), &|_| true)?.is_some() {
            let why = "the key of this id was deleted, and an id is given once".to_owned();
            let (key_id, changes) = (Some(id.to_string()), Vec::new());
            *step = PlanStep { action: Verb::Blocked, key_id, changes, why: Some(why), ..step.clone() };
        }
    }
    Ok(())
}

/// The keys with all that a file may leave out: it declares them whole, and the usual limit is that of the plan.
fn settled(tx: &View<'_>, cx: &Context, keys: &[Declared]) -> Result<Vec<Declared>> {
    let usual = entitlement::plan_of(tx, &cx.workspace)?.usual_limit();
    let settle = |one: &Declared| {
        let key = Create { declared: true, rate_limit: one.key.rate_limit.or(Some(Some(usual))), ..one.key.clone() };
        Declared { key, ..one.clone() }
    };
    Ok(keys.iter().map(settle).collect())
}

impl Declared {
    /// The declaration with every text in the form that is kept.
    fn composed(mut self) -> Self {
        let key = &mut self.key;
        let texts = [&mut key.owner, &mut key.description, &mut key.project].into_iter().flatten();
        for text in texts.chain(&mut key.customers).chain(std::iter::once(&mut key.name)) {
            *text = composed_owned(std::mem::take(text));
        }
        let labels = std::mem::take(&mut key.labels).into_iter();
        key.labels = labels.map(|(label, value)| (composed_owned(label), composed_owned(value))).collect();
        self
    }
}

fn rules(tx: &View<'_>, cx: &Context) -> Result<Rules> {
    let Workspace { policy, name: workspace, .. } = entitlement::workspace(tx, &cx.workspace)?;
    Ok(Rules { policy, catalogue: tx.catalogue(&workspace)?, workspace })
}

/// A misspelt label would quietly prune nothing.
fn selects(keys: &[Key], selector: &[(String, String)]) -> Result<()> {
    for (label, _) in selector {
        let known: std::collections::BTreeSet<&str> =
            keys.iter().flat_map(|key| key.labels.keys().map(String::as_str)).collect();
        if !known.iter().any(|known| same(known, label)) && !keys.is_empty() {
            let known: Vec<&str> = known.into_iter().collect();
            return Err(Error::usage(format!("no key has the label '{label}'")).suggest(&closest(label, &known)));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "declare_tests.rs"]
mod declare_tests;
