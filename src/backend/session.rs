//! Sessions of the local vault: a copy of what a slot holds, for a while.

use super::{
    Dirs,
    local::Local,
    unlock::{LocalVault, OpenedBy},
};
use crate::{
    domain::{
        Action, Time,
        time::{format_time, parse_time},
    },
    files,
    ops::{Context, Error, Result, commit::commit},
    store::{self, Store},
    vault::session,
};
use chrono::TimeDelta;
use serde_json::json;
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
        Ok(session::create(&self.dirs.runtime, self.store().capabilities(), id, until, rng)?)
    }
}

impl LocalVault {
    /// Ends a session: its file is removed, and the vault remembers that a copy of it opens nothing any more. A session of
    /// a support slot can tell the vault nothing: this machine remembers it.
    ///
    /// # Errors
    /// `Unavailable` when its file cannot be removed.
    pub fn lock(&self, cx: &Context, token: &str) -> Result<()> {
        let told = self.end_session(cx, token);
        session::end(&self.dirs().runtime, token)?;
        if let Err(error) = told {
            tracing::warn!(%error, "the vault could not be told that the session ended: a copy of its file still opens it");
        }
        Ok(())
    }

    fn end_session(&self, cx: &Context, token: &str) -> Result<()> {
        if cx.read_only || cx.dry_run || !self.exists()? {
            return Ok(());
        }
        let locked = Store::open(&self.dirs().keystore())?;
        let vault_id = locked.meta().vault_id.clone();
        // One that is over, or was ended, has nothing to end.
        let Ok(session) = session::open(&self.dirs().runtime, token, &vault_id, cx.now) else { return Ok(()) };
        if session.caps.admin.is_none() {
            return self.mark_ended(&session.id, session.until, cx.now);
        }
        let store = match locked.unlock(session.caps, self.pins(), cx.now) {
            // It opens the vault no more.
            Err(store::Error::Rekeyed) => return Ok(()),
            opened => opened?,
        };
        let mut tx = store.begin(cx.now)?;
        tx.end_session(&session.id, session.until)?;
        commit(tx, cx, vec![cx.event(Action::VaultLock, "vault", json!({ "until": format_time(session.until) }))])
    }

    /// Whether this machine remembers that a session was ended.
    pub(super) fn is_marked_ended(&self, id: &str) -> bool {
        self.dirs().ended_sessions().join(id).exists()
    }

    /// Remembers it until the session would have ended by itself, and forgets those that have.
    fn mark_ended(&self, id: &str, until: Time, now: Time) -> Result<()> {
        let dir = self.dirs().ended_sessions();
        Dirs::make(&dir)?;
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let text = files::read_limited(&entry.path(), 64).unwrap_or_default();
            let over =
                std::str::from_utf8(&text).ok().and_then(|text| parse_time(text).ok()).is_some_and(|end| end <= now);
            if over {
                // One that stays is in nobody's way.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        let mark = dir.join(id);
        files::write_private_atomic(&mark, format_time(until).as_bytes())
            .map_err(|error| Error::cannot_write(&mark, &error))
    }
}
