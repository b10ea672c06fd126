//! Workspaces, projects, customers and plans in the keystore: listed, created, shown, updated, deleted.

use super::{
    Done, audit_review,
    context::Context,
    entitlement,
    error::{Error, Result},
    existing,
    objects::{ObjectChange, ObjectKind, ObjectView},
    repetition,
};
use crate::{
    domain::{
        Action, Catalogue, Customer, Key, ObjectName, Operator, Plan, Project, Trust, Workspace, closest, counted,
        text::same,
    },
    store::{Tx, View},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

/// All objects of a kind, by name.
///
/// # Errors
/// `NotFound` for the members of an unknown workspace.
pub(super) fn list(tx: &View<'_>, cx: &Context, kind: ObjectKind) -> Result<Vec<ObjectView>> {
    if matches!(kind, ObjectKind::Project | ObjectKind::Customer) {
        entitlement::workspace(tx, &cx.workspace)?;
    }
    let mut all: Vec<ObjectView> = match kind {
        ObjectKind::Workspace => tx.workspaces()?.iter().map(workspace_view).collect(),
        ObjectKind::Plan => tx.plans()?.iter().map(plan_view).collect(),
        ObjectKind::Project => tx
            .projects(&cx.workspace)?
            .iter()
            .map(|p| member_view(&p.name, &p.workspace, p.description.as_ref()))
            .collect(),
        ObjectKind::Customer => tx
            .customers(&cx.workspace)?
            .iter()
            .map(|c| member_view(&c.name, &c.workspace, c.description.as_ref()))
            .collect(),
    };
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// One object.
///
/// # Errors
/// `NotFound` with suggestions.
pub(super) fn show(tx: &View<'_>, cx: &Context, kind: ObjectKind, name: &str) -> Result<ObjectView> {
    let all = list(tx, cx, kind)?;
    if let Some(found) = all.iter().find(|object| same(&object.name, name)) {
        return Ok(found.clone());
    }
    let names: Vec<&str> = all.iter().map(|object| object.name.as_str()).collect();
    Err(Error::not_found(format!("no {} '{name}'", kind.noun()))
        .suggest(&closest(name, &names))
        .hint(format!("keyward {}s list", kind.noun())))
}

/// Creates an object.
///
/// # Errors
/// `Conflict` when the name is taken, `NotFound` for an unknown plan.
pub(super) fn create(
    tx: &mut Tx<'_>,
    cx: &Context,
    kind: ObjectKind,
    name: &str,
    mut change: ObjectChange,
) -> Result<Done<ObjectView>> {
    let name = &name.parse::<ObjectName>().map_err(Error::usage)?.into_string();
    change.write_down()?;
    if list(tx, cx, kind)?.iter().any(|object| same(&object.name, name)) {
        return Err(Error::conflict("exists", format!("the {} '{name}' exists", kind.noun()))
            .hint(format!("keyward {}s show {name}  (what it is; `update` changes it)", kind.noun())));
    }
    match kind {
        ObjectKind::Workspace => {
            let fresh = Workspace { name: name.to_owned(), plan: "unlimited".to_owned(), ..Workspace::default() };
            put_workspace(tx, cx, fresh, change)?;
        }
        ObjectKind::Plan => tx.put_plan(&changed_plan(Plan::unrestricted(name), change))?,
        ObjectKind::Project | ObjectKind::Customer => put_member(tx, cx, kind, name, change.description.flatten())?,
    }
    finish(tx, cx, kind, name, kind.actions()[0], Value::Null)
}

/// Updates an object; nothing is recorded when everything was so already.
///
/// # Errors
/// `NotFound`; `Forbidden` for a built-in plan.
pub(super) fn update(
    tx: &mut Tx<'_>,
    cx: &Context,
    kind: ObjectKind,
    name: &str,
    mut change: ObjectChange,
) -> Result<Done<ObjectView>> {
    change.write_down()?;
    let before = show(tx, cx, kind, name)?;
    let name = before.name.as_str();
    match kind {
        ObjectKind::Workspace => put_workspace(tx, cx, entitlement::workspace(tx, name)?, change)?,
        ObjectKind::Plan => {
            let plan = entitlement::plan(tx, name)?;
            refuse_builtin(&plan)?;
            tx.put_plan(&changed_plan(plan, change))?;
        }
        ObjectKind::Project | ObjectKind::Customer => {
            let described = || before.fields["description"].as_str().map(str::to_owned);
            let description = change.description.unwrap_or_else(described);
            put_member(tx, cx, kind, name, description)?;
        }
    }
    if show(tx, cx, kind, name)? == before {
        return Ok(Done::unchanged(before));
    }
    let was = before.fields.clone();
    finish(tx, cx, kind, name, kind.actions()[1], was)
}

/// Deletes an object that nothing refers to; a workspace with its catalogue of scopes and the idempotency keys used in it.
///
/// # Errors
/// `NotFound`; `Conflict` when keys, projects, customers, webhooks, operators or workspaces still refer to it; `Forbidden` for a built-in plan and
/// the workspace `default`.
pub(super) fn delete(tx: &mut Tx<'_>, cx: &Context, kind: ObjectKind, name: &str) -> Result<Done<ObjectView>> {
    let before = show(tx, cx, kind, name)?;
    let name = before.name.as_str();
    let users = users(tx, cx, kind, name)?;
    if !users.is_empty() {
        let refused =
            Error::conflict("in_use", format!("the {} '{name}' is in use by {}", kind.noun(), users.join(", ")));
        return Err(match kind {
            ObjectKind::Project | ObjectKind::Customer => {
                refused.hint(format!("keyward list --{} {} --status any", kind.noun(), shell_words::quote(name)))
            }
            ObjectKind::Workspace | ObjectKind::Plan => refused,
        });
    }
    let mut changes = json!({ "was": before.fields });
    match kind {
        ObjectKind::Workspace => {
            let Catalogue { entries, closed } = tx.catalogue(name)?;
            if closed || !entries.is_empty() {
                changes["scopes"] = entries.keys().map(ToString::to_string).collect();
            }
            let within = [existing::named(name, ""), repetition::named(name, "")];
            tx.forget_idempotency(|key, _| within.iter().any(|beginning| key.starts_with(beginning)))?;
            tx.delete_workspace(name)?;
        }
        ObjectKind::Plan => tx.delete_plan(name)?,
        ObjectKind::Project => tx.delete_project(&cx.workspace, name)?,
        ObjectKind::Customer => tx.delete_customer(&cx.workspace, name)?,
    }
    let events = vec![cx.event(kind.actions()[2], name, changes)];
    Ok(Done { outcome: before, events })
}

/// What refers to an object and keeps it from being deleted, in words. Operators that are revoked or expired never work
/// again, and are in nobody's way.
fn users(tx: &View<'_>, cx: &Context, kind: ObjectKind, name: &str) -> Result<Vec<String>> {
    let users = match kind {
        ObjectKind::Workspace => {
            if name == "default" {
                return Err(Error::forbidden("builtin", "the workspace 'default' cannot be deleted"));
            }
            let bound =
                |operator: &&Operator| operator.workspace.as_deref() == Some(name) && operator.active_at(cx.now);
            let trusted = |trust: &&Trust| trust.workspace.as_deref() == Some(name) && trust.holds_at(cx.now);
            vec![
                (usize::try_from(tx.count_keys(name)?).unwrap_or(usize::MAX), "key"),
                (tx.projects(name)?.len(), "project"),
                (tx.customers(name)?.len(), "customer"),
                (tx.webhooks()?.iter().filter(|webhook| webhook.workspace == name).count(), "webhook"),
                (tx.operators()?.iter().filter(bound).count(), "operator"),
                (tx.trusts()?.iter().filter(trusted).count(), "trust"),
            ]
        }
        ObjectKind::Plan => {
            refuse_builtin(&entitlement::plan(tx, name)?)?;
            vec![(tx.workspaces()?.iter().filter(|workspace| workspace.plan == name).count(), "workspace")]
        }
        ObjectKind::Project => {
            return keys_of(tx, cx, &|key| key.project.as_deref().is_some_and(|own| same(own, name)));
        }
        ObjectKind::Customer => {
            return keys_of(tx, cx, &|key| key.customers.iter().any(|customer| same(customer, name)));
        }
    };
    Ok(users.into_iter().filter(|(count, _)| *count > 0).map(|(count, noun)| counted(count, noun)).collect())
}

/// The keys that are in the way, by name; of many the first, and how many more there are.
fn keys_of(tx: &View<'_>, cx: &Context, of: &dyn Fn(&Key) -> bool) -> Result<Vec<String>> {
    const NAMED: usize = 5;
    let keys = tx.all_keys(&cx.workspace)?;
    let mut names: Vec<&str> = keys.iter().filter(|key| of(key)).map(|key| key.name.as_str()).collect();
    names.sort_unstable();
    let Some(more) = names.len().checked_sub(NAMED).filter(|more| *more > 0) else {
        let count = counted(names.len(), "key");
        return Ok(if names.is_empty() { Vec::new() } else { vec![format!("{count}: {}", names.join(", "))] });
    };
    Ok(vec![format!("{}: {} and {more} more", counted(names.len(), "key"), names[..NAMED].join(", "))])
}

fn finish(
    tx: &View<'_>,
    cx: &Context,
    kind: ObjectKind,
    name: &str,
    action: Action,
    was: Value,
) -> Result<Done<ObjectView>> {
    let after = show(tx, cx, kind, name)?;
    let events = vec![cx.event(action, name, json!({ "from": was, "to": after.fields }))];
    Ok(Done { outcome: after, events })
}

fn put_workspace(tx: &mut Tx<'_>, cx: &Context, mut workspace: Workspace, change: ObjectChange) -> Result<()> {
    if let Some(plan) = change.plan {
        workspace.plan = entitlement::plan(tx, &plan)?.name;
    }
    workspace.description = change.description.unwrap_or(workspace.description).filter(|text| !text.is_empty());
    let policy = &mut workspace.policy;
    policy.rotate_every = change.rotate_every.unwrap_or(policy.rotate_every);
    policy.overlap = change.overlap.unwrap_or(policy.overlap);
    policy.max_lifetime = change.max_lifetime.unwrap_or(policy.max_lifetime);
    policy.renew_on_rotation = change.renew_on_rotation.or(policy.renew_on_rotation);
    policy.self_service = change.self_service.unwrap_or_else(|| policy.self_service.take());
    policy.required = change.required.map_or_else(|| std::mem::take(&mut policy.required), once);
    let review = &mut workspace.review;
    review.every = change.review_every.unwrap_or(review.every);
    if let Some(mut reviewers) = change.reviewers {
        reviewers.retain(|reviewer| !reviewer.trim().is_empty());
        for new in reviewers.iter().filter(|new| !review.reviewers.contains(new)) {
            audit_review::may_be_named(tx, cx, &workspace.name, new)?;
        }
        review.reviewers = once(reviewers);
    }
    if let Some(scopes) = change.default_scopes {
        if let Some(error) = super::scopes::outside(&tx.catalogue(&workspace.name)?, &scopes) {
            return Err(error);
        }
        workspace.policy.scopes = once(scopes);
    }
    super::policy::shorter(workspace.policy.overlap, workspace.policy.rotate_every)?;
    Ok(tx.put_workspace(&workspace)?)
}

/// Sorted, each once.
fn once<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values.dedup();
    values
}

fn put_member(tx: &mut Tx<'_>, cx: &Context, kind: ObjectKind, name: &str, description: Option<String>) -> Result<()> {
    let workspace = entitlement::workspace(tx, &cx.workspace)?.name;
    let (name, description) = (name.to_owned(), description.filter(|text| !text.is_empty()));
    match kind {
        ObjectKind::Customer => tx.put_customer(&Customer { workspace, name, description })?,
        _ => tx.put_project(&Project { workspace, name, description })?,
    }
    Ok(())
}

fn changed_plan(plan: Plan, change: ObjectChange) -> Plan {
    Plan {
        api_access: change.api_access.unwrap_or(plan.api_access),
        max_keys: change.max_keys.unwrap_or(plan.max_keys),
        max_rate_limit: change.max_rate_limit.unwrap_or(plan.max_rate_limit),
        audit_view: change.audit_view.unwrap_or(plan.audit_view),
        audit_export: change.audit_export.unwrap_or(plan.audit_export),
        ..plan
    }
}

fn refuse_builtin(plan: &Plan) -> Result<()> {
    if plan.builtin {
        return Err(Error::forbidden("builtin", format!("the plan '{}' is built in", plan.name))
            .hint("keyward plans create NAME  (a plan of your own)"));
    }
    Ok(())
}

fn workspace_view(workspace: &Workspace) -> ObjectView {
    let seconds = |period: Option<TimeDelta>| period.map(|period| period.num_seconds());
    let fields = json!({
        "name": workspace.name, "description": workspace.description, "plan": workspace.plan,
        "rotate_every_seconds": seconds(workspace.policy.rotate_every),
        "overlap_seconds": seconds(workspace.policy.overlap),
        "max_lifetime_seconds": seconds(workspace.policy.max_lifetime),
        "renew_on_rotation": workspace.policy.renew_on_rotation.unwrap_or(false),
        "self": workspace.policy.self_service,
        "default_scopes": workspace.policy.scopes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "required": workspace.policy.required,
        "review_every_seconds": seconds(workspace.review.every),
        "reviewers": workspace.review.reviewers,
    });
    ObjectView { name: workspace.name.clone(), fields }
}

fn member_view(name: &str, workspace: &str, description: Option<&String>) -> ObjectView {
    let fields = json!({ "name": name, "workspace": workspace, "description": description });
    ObjectView { name: name.to_owned(), fields }
}

fn plan_view(plan: &Plan) -> ObjectView {
    let rate = plan.max_rate_limit.map(super::view::RateLimitView::from);
    let fields = json!({
        "name": plan.name, "api_access": plan.api_access, "max_keys": plan.max_keys, "max_rate_limit": rate,
        "audit_view": plan.audit_view, "audit_export": plan.audit_export, "builtin": plan.builtin,
    });
    ObjectView { name: plan.name.clone(), fields }
}
