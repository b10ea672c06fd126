//! The switches of a key's life: activate, deactivate, revoke.

use super::{
    Done,
    context::Context,
    entitlement,
    error::{Error, Result},
    idle::{self, Seen},
    lookup, policy,
    rotation_view::refused,
    view::KeyView,
};
use crate::{
    domain::{Action, Environment, KeyRef, time::format_time},
    store::Tx,
};
use chrono::TimeDelta;
use serde_json::json;

/// Which way a key is switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// It works again.
    Activate,
    /// It stops until activated.
    Deactivate,
    /// All its secrets stop for ever; only a reinstatement gives it a new one.
    Revoke,
}

impl Switch {
    /// The action the audit trail records.
    #[must_use]
    pub fn action(self) -> Action {
        match self {
            Self::Activate => Action::KeyActivate,
            Self::Deactivate => Action::KeyDeactivate,
            Self::Revoke => Action::KeyRevoke,
        }
    }
}

/// A key to be switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchKey {
    /// Which key.
    pub key: KeyRef,
    /// Decides between keys of one name.
    pub environment: Option<Environment>,
    /// Which way.
    pub switch: Switch,
    /// Refuses to stop a key that was used within so long.
    pub only_if_idle: Option<TimeDelta>,
}

impl SwitchKey {
    /// A switch that asks nothing more.
    #[must_use]
    pub fn of(key: KeyRef, switch: Switch) -> Self {
        Self { key, environment: None, switch, only_if_idle: None }
    }
}

/// What came of a switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switched {
    /// The key afterwards.
    pub key: KeyView,
    /// Whether anything changed; switching twice is no error.
    pub changed: bool,
}

/// Switches one key.
///
/// # Errors
/// `NotFound`, or `Conflict` when a revoked key is to be activated or deactivated, an expired one to be activated, or one
/// to be stopped that is in use and was to be idle.
pub fn switch(tx: &mut Tx<'_>, cx: &Context, request: &SwitchKey) -> Result<Done<Switched>> {
    let switch = request.switch;
    let mut key = lookup::key(tx, &cx.workspace, &request.key, request.environment)?;
    cx.expects(&key)?;
    let before = key.status_at(cx.now);
    if let (Switch::Activate, None, Some(at)) = (switch, key.revoked_at, key.expires_at.filter(|at| *at <= cx.now)) {
        // Whoever is told that it is done goes on as if the key worked.
        let (name, id) = (&key.name, &key.id);
        return Err(Error::conflict("illegal_state", format!("{name} ({id}) expired {}", format_time(at)))
            .cause("it would not work when it is active either")
            .hint(format!("keyward rotate {id} --renew  (a new secret, and its lifetime starts again)")));
    }
    let changed = match switch {
        Switch::Activate => key.activate(),
        Switch::Deactivate => key.deactivate(),
        Switch::Revoke => Ok(key.revoke(cx.now)),
    }
    .map_err(|illegal| refused(illegal, &key))?;
    let mut events = Vec::new();
    if changed && switch == Switch::Activate {
        // What stops a key waits for nothing.
        let workspace = entitlement::workspace(tx, &key.workspace)?;
        policy::demanded_of_call(&workspace.policy, cx, "the activation of a key")?;
    }
    if changed {
        if let (Some(period), Switch::Deactivate | Switch::Revoke) = (request.only_if_idle, switch) {
            idle::refuse_busy(cx, &key, &key.name, Seen::of_key(tx, &key)?.as_ref(), period)?;
        }
        tx.put_key(&key)?;
        key.version += 1;
        let changes = json!({ "status": { "from": before.as_str(), "to": key.status_at(cx.now).as_str() } });
        events.push(cx.event(switch.action(), key.id.to_string(), changes));
    }
    let usage = tx.usage(&key.id)?;
    Ok(Done { outcome: Switched { key: KeyView::new(&key, &usage, cx.now), changed }, events })
}
