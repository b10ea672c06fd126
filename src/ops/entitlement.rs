//! What a workspace's plan allows; every door goes through here.

use super::error::{Error, Result};
use crate::{
    domain::{Feature, Plan, Workspace, closest, text::same},
    store::View,
};

/// The workspace of a name.
///
/// # Errors
/// `NotFound` with suggestions.
pub(super) fn workspace(tx: &View<'_>, name: &str) -> Result<Workspace> {
    if let Some(workspace) = tx.workspace(name)? {
        return Ok(workspace);
    }
    let all = tx.workspaces()?;
    if let Some(workspace) = all.iter().find(|workspace| same(&workspace.name, name)) {
        return Ok(workspace.clone());
    }
    let names: Vec<&str> = all.iter().map(|workspace| workspace.name.as_str()).collect();
    Err(Error::not_found(format!("no workspace '{name}'"))
        .suggest(&closest(name, &names))
        .hint("keyward workspaces list"))
}

/// The plan of a workspace.
///
/// # Errors
/// `NotFound` when the workspace does not exist.
pub(super) fn plan_of(tx: &View<'_>, name: &str) -> Result<Plan> {
    plan(tx, &workspace(tx, name)?.plan)
}

/// The plan of a name.
///
/// # Errors
/// `NotFound` with suggestions.
pub(super) fn plan(tx: &View<'_>, name: &str) -> Result<Plan> {
    if let Some(plan) = tx.plan(name)? {
        return Ok(plan);
    }
    let all = tx.plans()?;
    if let Some(plan) = all.iter().find(|plan| same(&plan.name, name)) {
        return Ok(plan.clone());
    }
    let names: Vec<&str> = all.iter().map(|plan| plan.name.as_str()).collect();
    Err(Error::not_found(format!("no plan '{name}'")).suggest(&closest(name, &names)).hint("keyward plans list"))
}

/// Refuses what the plan does not allow, naming the plan and the feature.
///
/// # Errors
/// `Forbidden` with the reason `plan`.
pub(super) fn require(plan: &Plan, feature: Feature) -> Result<()> {
    plan.permits(feature).map_err(|refusal| {
        Error::forbidden("plan", refusal.to_string()).hint("keyward plans list  (what each plan allows)")
    })
}
