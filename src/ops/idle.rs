//! Evidence of use before something ends: what was used a moment ago is not ended by whoever asked for idleness.

use super::{
    context::Context,
    error::{Error, Result},
};
use crate::{
    domain::{Key, Lookup, Time, counted, time::format_time},
    store::View,
};
use chrono::TimeDelta;
use std::net::IpAddr;

/// When something was last let in, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) at: Time,
    pub(super) address: Option<IpAddr>,
    pub(super) user_agent: Option<String>,
    uses: u64,
}

impl Seen {
    /// The last use of a key by any of its secrets.
    pub(super) fn of_key(tx: &View<'_>, key: &Key) -> Result<Option<Self>> {
        let usage = tx.usage(&key.id)?;
        Ok(usage.last_used_at.map(|at| Self {
            at,
            address: usage.last_used_ip,
            user_agent: usage.last_user_agent,
            uses: usage.uses,
        }))
    }

    /// The last use of one secret of a key. What its client called itself is known where no other secret was used since.
    pub(super) fn of_secret(tx: &View<'_>, key: &Key, lookup: &Lookup) -> Result<Option<Self>> {
        let uses = tx.secret_uses(&key.id)?;
        let found = uses.into_iter().find(|one| &one.lookup == lookup);
        let Some((at, found)) = found.and_then(|found| found.last_used_at.map(|at| (at, found))) else {
            return Ok(None);
        };
        let usage = tx.usage(&key.id)?;
        let user_agent = usage.last_user_agent.filter(|_| usage.last_used_at == Some(at));
        Ok(Some(Self { at, address: found.last_ip, user_agent, uses: found.uses }))
    }

    /// Whether that was within so long.
    pub(super) fn is_within(&self, period: TimeDelta, now: Time) -> bool {
        now.checked_sub_signed(period).is_none_or(|since| self.at >= since)
    }

    /// From where, and by what.
    pub(super) fn whom(&self) -> String {
        let from = self.address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
        self.user_agent.as_ref().map_or(from.clone(), |agent| format!("{from} ({agent})"))
    }
}

/// Refuses to end what was used within a period.
pub(super) fn refuse_busy(cx: &Context, key: &Key, what: &str, seen: Option<&Seen>, period: TimeDelta) -> Result<()> {
    let Some(seen) = seen.filter(|seen| seen.is_within(period, cx.now)) else { return Ok(()) };
    Err(Error::conflict("still_used", format!("{what} is still in use"))
        .cause(format!(
            "last seen at {} from {}, {} in all",
            format_time(seen.at),
            seen.whom(),
            counted(seen.uses, "use")
        ))
        .hint(format!("keyward usage {}  (who uses which secret)", key.id)))
}
