//! The policy of keys: what a workspace prescribes, and what a key says for itself.

use super::error::{Error, Result};
use crate::domain::{
    Expiry, KeyPolicy, Time,
    time::{format_duration, later},
};
use chrono::TimeDelta;

/// How long a key lives when nothing is said.
const DEFAULT_LIFETIME: TimeDelta = TimeDelta::days(90);

/// How long a new key lives that says nothing of it.
pub(super) fn default_lifetime(policy: &KeyPolicy) -> TimeDelta {
    policy.max_lifetime.map_or(DEFAULT_LIFETIME, |longest| longest.min(DEFAULT_LIFETIME))
}

/// When a new key ends: as asked for, else after 90 days or the workspace's longest lifetime, whichever is shorter.
pub(super) fn expires_at(asked: Option<Expiry>, policy: &KeyPolicy, now: Time) -> Result<Option<Time>> {
    let expires_at = asked.unwrap_or(Expiry::In(default_lifetime(policy))).resolve(now).map_err(Error::usage)?;
    let longest = match policy.max_lifetime {
        Some(longest) if expires_at.is_none_or(|at| at - now > longest) => format_duration(longest),
        _ => return Ok(expires_at),
    };
    Err(Error::forbidden("max_lifetime", format!("keys of this workspace live at most {longest}"))
        .hint(format!("--expires-in {longest}"))
        .hint("keyward workspaces update NAME --max-lifetime D  (for those who may)"))
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
