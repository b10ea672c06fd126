//! Sessions of the local vault: a copy of what a slot holds, for a while.

use super::{local::Local, unlock::OpenedBy};
use crate::{
    domain::Time,
    ops::{Context, Error, Result},
    vault,
};
use chrono::TimeDelta;
use zeroize::Zeroizing;

/// No session lasts longer.
pub const LONGEST_SESSION: TimeDelta = TimeDelta::days(7);

impl Local {
    /// Opens a session of the slot that opened the vault.
    pub(super) fn session_until(&self, cx: &Context, until: Time) -> Result<Zeroizing<String>> {
        if until - cx.now > LONGEST_SESSION {
            return Err(Error::usage(format!("a session lasts {} days at most", LONGEST_SESSION.num_days())));
        }
        let OpenedBy::Slot { id, .. } = &self.opened_by else {
            // It would never have to end.
            return Err(Error::forbidden("session", "a session opens no further session")
                .hint("unset KEYWARD_SESSION, and open the vault with a slot"));
        };
        let rng = &mut rand::rng();
        Ok(vault::session::create(&self.dirs.runtime, self.store().capabilities(), id, until, rng)?)
    }
}
