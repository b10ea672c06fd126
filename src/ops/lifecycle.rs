//! The switches of a key's life: activate, deactivate, revoke.

use super::{
    Done,
    case::{Change, Method, Route, UseCase},
    context::Context,
    entitlement,
    error::{Error, Result},
    idle::{self, Seen},
    lookup, policy,
    rotation_view::refused,
    view::KeyView,
};
use crate::{
    domain::{Action, Environment, KeyRef, Permission, serde_text, time::format_time},
    store::Tx,
    vault::Capabilities,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
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

/// A key that is to work again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Activate {
    /// The id of the key, its name, or a prefix of its id.
    #[cfg_attr(test, schema(value_type = String))]
    pub key: KeyRef,
    /// The environment, where keys of several have the name.
    #[serde(default)]
    pub environment: Option<Environment>,
}

/// How to stop a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = StopBody))]
pub struct Stop<const FOR_EVER: bool> {
    /// The id of the key, its name, or a prefix of its id.
    #[cfg_attr(test, schema(value_type = String))]
    pub key: KeyRef,
    /// The environment, where keys of several have the name.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// Refuses while the key was seen in use within so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::optional_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub only_if_idle: Option<TimeDelta>,
}

/// A key that is to stop until it is activated.
pub type Deactivate = Stop<false>;
/// A key that is to stop for ever.
pub type Revoke = Stop<true>;

/// What came of a switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switched {
    /// The key afterwards.
    pub key: KeyView,
    /// Whether anything changed; switching twice is no error.
    pub changed: bool,
}

impl UseCase for Activate {
    type Outcome = Switched;
    const PERMISSION: Permission = Permission::ActivateKeys;
    const ROUTE: Route = Route {
        query: &["environment"],
        if_match: true,
        summary: "Switch a key on again",
        answers: &[(200, "The key, and whether anything changed.")],
        ..Route::new(Method::Post, "/v1/keys/{key}/activate", "activate_key", "keys")
    };

    fn target(&self) -> String {
        self.key.to_string()
    }
}

impl Change for Activate {
    const ACTION: Action = Action::KeyActivate;

    fn environment(&self) -> Option<Environment> {
        self.environment
    }

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<Switched>> {
        switch(tx, cx, &SwitchKey { environment: self.environment, ..SwitchKey::of(self.key, Switch::Activate) })
    }
}

impl<const FOR_EVER: bool> UseCase for Stop<FOR_EVER> {
    type Outcome = Switched;
    const PERMISSION: Permission = Permission::StopKeys;
    const ROUTE: Route = Route {
        query: &["environment"],
        optional_body: true,
        if_match: true,
        summary: if FOR_EVER { "Cut a key off for good" } else { "Switch a key off" },
        answers: &[(200, "The key, and whether anything changed.")],
        ..if FOR_EVER {
            Route::new(Method::Post, "/v1/keys/{key}/revoke", "revoke_key", "keys")
        } else {
            Route::new(Method::Post, "/v1/keys/{key}/deactivate", "deactivate_key", "keys")
        }
    };

    fn target(&self) -> String {
        self.key.to_string()
    }
}

impl<const FOR_EVER: bool> Change for Stop<FOR_EVER> {
    const ACTION: Action = if FOR_EVER { Action::KeyRevoke } else { Action::KeyDeactivate };

    fn environment(&self) -> Option<Environment> {
        self.environment
    }

    fn looks_at_use(&self) -> bool {
        self.only_if_idle.is_some()
    }

    fn once_more(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<Switched>> {
        let Self { key, environment, only_if_idle } = self;
        let switch = if FOR_EVER { Switch::Revoke } else { Switch::Deactivate };
        self::switch(tx, cx, &SwitchKey { key, environment, switch, only_if_idle })
    }
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
