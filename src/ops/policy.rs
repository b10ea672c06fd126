//! The policy of keys: what a workspace prescribes, and what a key says for itself.

use super::{
    context::Context,
    create::Create,
    error::{Error, Result},
};
use crate::domain::{
    Demand, Expiry, Key, KeyPolicy, SelfService, Time,
    time::{format_duration, format_time, later},
};
use chrono::TimeDelta;

/// How long a key lives when nothing is said.
const DEFAULT_LIFETIME: TimeDelta = TimeDelta::days(90);

/// When a new key ends that says nothing of it: after 90 days, or less where the workspace says so. One that is to be rotated
/// lives as long as it is rotated, for its secrets end instead; or as long as the workspace lets any key live.
pub(super) fn default_expiry(policy: &KeyPolicy, every: Option<TimeDelta>) -> Expiry {
    match (policy.max_lifetime, every) {
        (None, None) => Expiry::In(DEFAULT_LIFETIME),
        (None, Some(_)) => Expiry::Never,
        (Some(longest), None) => Expiry::In(longest.min(DEFAULT_LIFETIME)),
        (Some(longest), Some(_)) => Expiry::In(longest),
    }
}

/// When a new key ends: as asked for, else by [`default_expiry`].
pub(super) fn expires_at(
    asked: Option<Expiry>,
    policy: &KeyPolicy,
    every: Option<TimeDelta>,
    now: Time,
) -> Result<Option<Time>> {
    let asked = asked.unwrap_or_else(|| default_expiry(policy, every));
    let expires_at = asked.resolve(now).map_err(Error::usage)?;
    let longest = match policy.max_lifetime {
        Some(longest) if expires_at.is_none_or(|at| at - now > longest) => format_duration(longest),
        _ => return Ok(expires_at),
    };
    Err(Error::forbidden("max_lifetime", format!("keys of this workspace live at most {longest}"))
        .hint(format!("--expires-in {longest}"))
        .hint("keyward workspaces update NAME --max-lifetime D  (for those who may)"))
}

/// Refuses a new key without what its workspace demands of each.
pub(super) fn demanded_of_new(policy: &KeyPolicy, cx: &Context, request: &Create) -> Result<()> {
    let missing = of_key(policy, request.owner.as_deref(), request.description.as_deref());
    lacking(policy, &cx.workspace, missing.chain(of_call(policy, cx)), "a new key")
}

/// Refuses a change of a key without what its workspace demands: a reason, a ticket, and that an owner or a description is not
/// cleared. A key that had none may be changed otherwise.
pub(super) fn demanded_of_change(policy: &KeyPolicy, cx: &Context, before: &Key, after: &Key) -> Result<()> {
    let cleared = cleared(policy, before, after.owner.as_deref(), after.description.as_deref());
    lacking(policy, &cx.workspace, cleared.chain(of_call(policy, cx)), "a change of a key")
}

/// The same of a file that declares a key, which says nothing of who applies it and why.
pub(super) fn demanded_of_declared(
    policy: &KeyPolicy,
    workspace: &str,
    key: Option<&Key>,
    wanted: &Create,
) -> Result<()> {
    let (owner, description) = (wanted.owner.as_deref(), wanted.description.as_deref());
    match key {
        None => lacking(policy, workspace, of_key(policy, owner, description), "a new key"),
        Some(key) => lacking(policy, workspace, cleared(policy, key, owner, description), "a change of a key"),
    }
}

/// Refuses a call without a reason or a ticket that its workspace demands.
pub(super) fn demanded_of_call(policy: &KeyPolicy, cx: &Context, what: &str) -> Result<()> {
    lacking(policy, &cx.workspace, of_call(policy, cx), what)
}

fn is_empty(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}

fn of_key(policy: &KeyPolicy, owner: Option<&str>, description: Option<&str>) -> impl Iterator<Item = Demand> {
    demanded(policy, [(Demand::Owner, is_empty(owner)), (Demand::Description, is_empty(description))])
}

/// What a key had, and is to have no more.
fn cleared(
    policy: &KeyPolicy,
    before: &Key,
    owner: Option<&str>,
    description: Option<&str>,
) -> impl Iterator<Item = Demand> {
    let lacked: Vec<Demand> = of_key(policy, before.owner.as_deref(), before.description.as_deref()).collect();
    of_key(policy, owner, description).filter(move |demand| !lacked.contains(demand))
}

fn of_call(policy: &KeyPolicy, cx: &Context) -> impl Iterator<Item = Demand> {
    let (reason, ticket) = (is_empty(cx.reason.as_deref()), is_empty(cx.ticket.as_deref()));
    demanded(policy, [(Demand::Reason, reason), (Demand::Ticket, ticket)])
}

fn demanded(policy: &KeyPolicy, missing: [(Demand, bool); 2]) -> impl Iterator<Item = Demand> {
    let missing = missing.map(|(demand, missing)| (missing && policy.required.contains(&demand)).then_some(demand));
    missing.into_iter().flatten()
}

fn lacking(policy: &KeyPolicy, workspace: &str, missing: impl Iterator<Item = Demand>, what: &str) -> Result<()> {
    let missing: Vec<Demand> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    let words = |demands: &[Demand]| demands.iter().map(|demand| demand.as_str()).collect::<Vec<_>>().join(", ");
    let options: Vec<String> = missing.iter().map(|demand| format!("--{} TEXT", demand.as_str())).collect();
    Err(Error::forbidden("required", format!("{what} of the workspace '{workspace}' needs: {}", words(&missing)))
        .cause(format!("the workspace requires: {}", words(&policy.required)))
        .hint(options.join(" "))
        .hint(format!(
            "keyward workspaces update {} --require LIST  (for those who may)",
            shell_words::quote(workspace)
        )))
}

/// Whether a rotation starts the lifetime of a key again: as the key says, else its workspace.
pub(super) fn renews(key: &Key, policy: &KeyPolicy) -> bool {
    key.rotation.renew.or(policy.renew_on_rotation).unwrap_or(false)
}

/// Refuses to let the holder of a key do more with it than its workspace lets any.
pub(super) fn within(policy: &KeyPolicy, wanted: Option<&SelfService>, workspace: &str) -> Result<()> {
    match (wanted, &policy.self_service) {
        (Some(wanted), Some(most)) if !wanted.is_within(most) => Err(Error::forbidden(
            "self",
            format!("the workspace '{workspace}' lets the holders of its keys do no more with them than: {most}"),
        )
        .hint(format!("--self {most}"))
        .hint(format!("keyward workspaces update {} --self LIST  (for those who may)", shell_words::quote(workspace)))),
        _ => Ok(()),
    }
}

/// What whoever prescribes a rotation should know of how the key ends all the same.
pub(super) fn what_ends_it(key: &Key, policy: &KeyPolicy) -> Option<String> {
    let (_, due) = key.rotation.every.zip(key.rotation.due_at)?;
    match (key.expires_at, key.secret_ends_at()) {
        (None, Some(end)) => Some(format!(
            "it has no end of its own, and lives as long as it is rotated: without a rotation its secret ends {}",
            format_time(end)
        )),
        (Some(at), _) if at <= due => Some(format!(
            "it expires {}, before its rotation is due {}: no schedule ever rotates it",
            format_time(at),
            format_time(due)
        )),
        (Some(at), _) if !renews(key, policy) => Some(format!(
            "it expires {}, however often it is rotated: --renew-on-rotation yes lets each rotation start its lifetime again",
            format_time(at)
        )),
        _ => None,
    }
}

/// The first due date of a rotation policy that begins now.
pub(super) fn first_due(every: Option<TimeDelta>, now: Time) -> Result<Option<Time>> {
    let Some(every) = every else { return Ok(None) };
    let due = later(now, every).map_err(|_| Error::usage("--rotate-every reaches beyond the year 9999"))?;
    Ok(Some(due))
}

/// An overlap as long as the period would still run when the next rotation is due.
pub(super) fn shorter(overlap: Option<TimeDelta>, every: Option<TimeDelta>) -> Result<()> {
    match (overlap, every) {
        (Some(overlap), Some(every)) if overlap >= every => {
            Err(Error::usage("the overlap must be shorter than the time between rotations")
                .hint(format!("--rotate-every is {}: take a shorter --overlap", format_duration(every))))
        }
        _ => Ok(()),
    }
}
