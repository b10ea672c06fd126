//! The policy of keys: what a workspace prescribes, and what a key says for itself.

use super::error::{Error, Result};
use crate::domain::{
    Expiry, Key, KeyPolicy, Time,
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

/// Whether a rotation starts the lifetime of a key again: as the key says, else its workspace.
pub(super) fn renews(key: &Key, policy: &KeyPolicy) -> bool {
    key.rotation.renew.or(policy.renew_on_rotation).unwrap_or(false)
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
