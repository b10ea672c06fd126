//! Who acts, when, from where and why: passed into every use case as plain values.

use super::{
    authority::Authority,
    error::{Error, Result},
};
use crate::domain::{Action, Event, Key, Lease, Outcome, Time, text::same};
use chrono::TimeDelta;
use rand::CryptoRng;
use serde_json::Value;

/// How long whoever works on a rotation is left alone with it between two steps.
const LEASE: TimeDelta = TimeDelta::minutes(5);

/// The reason of a change that was meant for another version of a key.
pub const VERSION_CHANGED: &str = "version_changed";

/// The circumstances of one call.
#[derive(Debug, Clone)]
pub struct Context {
    /// The time of the call; rules never look at a clock.
    pub now: Time,
    /// Who acts, such as `alice@host`.
    pub actor: String,
    /// Through which door, such as `cli`.
    pub source: String,
    /// Why, in the actor's words.
    pub reason: Option<String>,
    /// The ticket that asked for it.
    pub ticket: Option<String>,
    /// The workspace the call works in.
    pub workspace: String,
    /// The process that calls, where it is behind a server and says so: what it began is its own for a while.
    pub client: Option<String>,
    /// On whose authority.
    pub authority: Authority,
    /// The version that the key to be changed must have; any when `None`.
    pub expected_version: Option<u64>,
    /// Every change is refused.
    pub read_only: bool,
    /// Changes are worked out and shown, then thrown away.
    pub dry_run: bool,
    /// It is tried before it is done in earnest: nothing of it is kept but its refusal, which is an event.
    pub rehearses: bool,
}

impl Context {
    /// The event of an action that succeeded.
    pub fn event(&self, action: Action, target: impl Into<String>, changes: Value) -> Event {
        self.outcome(action, target, Outcome::Ok, changes)
    }

    /// The event of an action that was refused, with the refusal's reason.
    pub fn refusal(&self, action: Action, target: impl Into<String>, error: &Error) -> Event {
        self.outcome(
            action,
            target,
            Outcome::Refused,
            match &self.authority {
                Authority::Vault | Authority::Holder(_) => {
                    serde_json::json!({ "refused": error.reason, "kind": error.kind.name() })
                }
                Authority::Operator(operator) => serde_json::json!({
                    "refused": error.reason, "kind": error.kind.name(), "role": operator.role.as_str(),
                }),
            },
        )
    }

    /// The event of an action that ended in such a way.
    pub(super) fn outcome(&self, action: Action, target: impl Into<String>, outcome: Outcome, changes: Value) -> Event {
        Event {
            action,
            target: target.into(),
            outcome,
            actor: self.actor.clone(),
            source: self.source.clone(),
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            workspace: self.workspace_of(action),
            changes,
        }
    }

    /// The workspace that an event of this call belongs to. What an operator of a workspace does elsewhere, such as to
    /// the operators below it, is that workspace's affair too.
    fn workspace_of(&self, action: Action) -> Option<String> {
        let bound = self.authority.bound_to().map(str::to_owned);
        if action.is_of_workspace() { Some(self.workspace.clone()) } else { bound }
    }

    /// The same, tried before it is done in earnest. What is refused here is not done at all, and the trail is to know of it;
    /// a dry run that somebody asked for is no attempt.
    #[must_use]
    pub fn rehearsal(&self) -> Self {
        Self { dry_run: true, rehearses: !self.dry_run, ..self.clone() }
    }

    /// Refuses to change a key that has changed since the caller saw it.
    ///
    /// # Errors
    /// `Conflict`.
    pub fn expects(&self, key: &Key) -> Result<()> {
        match self.expected_version {
            Some(expected) if expected != key.version => Err(Error::conflict(
                VERSION_CHANGED,
                format!("{} has changed: it is at version {}", key.id, key.version),
            )
            .hint(format!("keyward show {}", key.id))),
            _ => Ok(()),
        }
    }

    /// Whether that is the name of whoever calls: of the operator, or of the user of this machine, with its host or without.
    #[must_use]
    pub fn goes_by(&self, name: &str) -> bool {
        goes_by(&self.actor, !matches!(self.authority, Authority::Vault), name)
    }

    /// Whether a key is of whoever calls: made by it, or owned by it.
    #[must_use]
    pub fn has(&self, key: &Key) -> bool {
        self.goes_by(&key.created_by) || key.owner.as_ref().is_some_and(|owner| self.goes_by(owner))
    }

    /// A lease on the rotation of a key for whoever calls.
    pub(super) fn lease(&self, rng: &mut impl CryptoRng) -> Lease {
        let drawn = Lease::draw(rng, self.now.checked_add_signed(LEASE).unwrap_or(self.now));
        let id = self.client.clone().unwrap_or(drawn.id);
        Lease { id, remote: !matches!(self.authority, Authority::Vault), ..drawn }
    }

    /// Refuses when changes are switched off. A dry run changes nothing.
    ///
    /// # Errors
    /// `Forbidden` in read-only mode.
    pub fn writable(&self) -> Result<()> {
        if self.read_only && !self.dry_run {
            return Err(Error::forbidden("read_only", "read-only mode refuses every change")
                .hint("leave out --read-only and unset KEYWARD_READ_ONLY"));
        }
        Ok(())
    }
}

/// Whether an actor is the one of that name. The user of a machine, `alice@host`, is `alice` for short; an operator that
/// calls itself so is not.
pub(super) fn goes_by(actor: &str, is_operator: bool, name: &str) -> bool {
    let user = actor.split_once('@').map(|(user, _)| user).filter(|_| !is_operator);
    same(actor, name) || user.is_some_and(|user| same(user, name))
}
