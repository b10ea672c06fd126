//! A rotation that has been staged: committed, aborted, and looked at. The steps of its deliveries are in
//! [`super::delivery`].

use super::{
    Done,
    authority::Authority,
    case::{Ask, Change, Method, Route, UseCase},
    context::Context,
    entitlement,
    error::{Error, Result},
    holder,
    idle::{self, Seen},
    lookup,
    rotation_view::{RotationView, refused},
    view::KeyView,
};
use crate::{
    domain::{
        Action, DeliveryState, Environment, Illegal, Key, KeyId, KeyRef, Permission, Phase, RefError, Rotation,
        RotationId, SecretState, Time,
        serde_text::{self, as_text},
        time::format_time,
    },
    store::{Tx, View},
    vault::Capabilities,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{fmt, str::FromStr};

/// What a user types to mean a rotation: its id, or the key it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationRef {
    /// Its id.
    Id(RotationId),
    /// The running or last rotation of a key.
    Of(KeyRef),
}

impl FromStr for RotationRef {
    type Err = RefError;

    fn from_str(text: &str) -> std::result::Result<Self, RefError> {
        text.parse().map(Self::Id).or_else(|_| text.parse().map(Self::Of))
    }
}

as_text!(RotationRef);

impl fmt::Display for RotationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Of(key) => key.fmt(f),
        }
    }
}

/// How to commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = CommitBody))]
pub struct Commit {
    /// The id of the rotation, or the key it belongs to.
    #[cfg_attr(test, schema(value_type = String))]
    pub rotation: RotationRef,
    /// The environment, where keys of several have the name.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// Sinks whose receipt comes with the commit.
    #[serde(default)]
    pub receipts: Vec<String>,
    /// Commits without receipt or use.
    #[serde(default)]
    pub force: bool,
    /// Refuses while the old secret was seen in use within so many seconds.
    #[serde(default, with = "serde_text::optional_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub only_if_idle: Option<TimeDelta>,
}

impl Commit {
    /// The commit of a rotation with the receipts that come with it.
    #[must_use]
    pub fn of(rotation: RotationId, receipts: Vec<String>) -> Self {
        Self { rotation: RotationRef::Id(rotation), environment: None, receipts, force: false, only_if_idle: None }
    }
}

/// What came of a [`Commit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The key, with its new secret current.
    pub key: KeyView,
    /// The rotation.
    pub rotation: RotationView,
    /// Until when the old secret works; `None` when it stopped at once.
    pub old_valid_until: Option<Time>,
}

/// How to abort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = AbortBody))]
pub struct Abort {
    /// The id of the rotation, or the key it belongs to.
    #[cfg_attr(test, schema(value_type = String))]
    pub rotation: RotationRef,
    /// The environment, where keys of several have the name.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// Aborts even where a sink holds the new secret, or may.
    #[serde(default)]
    pub force: bool,
    /// Why, for the trail.
    #[serde(default)]
    pub because: Option<String>,
}

impl UseCase for Commit {
    type Outcome = Rotated;
    const PERMISSION: Permission = Permission::RotateKeys;
    const ROUTE: Route = Route {
        query: &["environment"],
        summary: "Make the new secret the current one",
        description: "Refused without a receipt or a use of the new secret, unless forced.",
        answers: &[(200, "The key and its rotation.")],
        ..Route::new(Method::Post, "/v1/rotations/{rotation}/commit", "commit_rotation", "rotations")
    };

    fn target(&self) -> String {
        self.rotation.to_string()
    }
}

impl Change for Commit {
    const ACTION: Action = Action::KeyRotate;

    fn environment(&self) -> Option<Environment> {
        self.environment
    }

    fn looks_at_use(&self) -> bool {
        self.only_if_idle.is_some()
    }

    fn lets_go(rotated: &Rotated) -> Option<KeyId> {
        rotated.rotation.key_id.parse().ok()
    }

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<Rotated>> {
        commit(tx, cx, &self)
    }
}

/// Commits a rotation.
///
/// # Errors
/// `NotFound`; `Conflict` when it is over, when nothing shows that the secret arrived, and when the old one is in use
/// but was to be idle.
pub fn commit(tx: &mut Tx<'_>, cx: &Context, request: &Commit) -> Result<Done<Rotated>> {
    let (mut key, run) = find_to_change(tx, cx, &request.rotation, request.environment)?;
    if run.is_running() {
        super::stage::may_decide(tx, cx, &key, false, false)?;
    }
    if let Some(period) = request.only_if_idle {
        refuse_busy_secret(tx, cx, &key, period)?;
    }
    for sink in &request.receipts {
        key.receive(sink, cx.now).map_err(|illegal| refused(illegal, &key))?;
    }
    // Who shows the new secret uses it.
    let used = cx.authority.has_shown(&run.secret) || was_used(tx, &key, &run)?;
    let (expiry_before, revoked_at) = (key.expires_at, key.revoked_at);
    // The end of a creation rotates nothing: its secret is the first that the key has.
    let action = if never_lived(&key, &run) { Action::KeyDeliver } else { Action::KeyRotate };
    let committed = key.commit_rotation(cx.now, used || request.force).map_err(|illegal| refused(illegal, &key))?;
    tx.put_key(&key)?;
    key.version += 1;
    let proof = match run.phase == Phase::Delivered || !request.receipts.is_empty() {
        true => "receipts",
        false if used => "use",
        false => "forced",
    };
    let mut changes = json!({
        "rotation": run.id.as_str(), "lookup": run.secret.as_str(),
        "old_valid_until": committed.old_until.map(format_time), "proof": proof,
    });
    if key.expires_at != expiry_before {
        changes["renewed"] = json!({
            "expires_at": { "from": expiry_before.map(format_time), "to": key.expires_at.map(format_time) }
        });
    }
    let mut events = vec![cx.event(action, key.id.to_string(), changes)];
    if let Some(since) = revoked_at {
        let changes = json!({ "rotation": run.id.as_str(), "revoked_at": { "from": format_time(since), "to": null } });
        events.push(cx.event(Action::KeyReinstate, key.id.to_string(), changes));
    }
    let rotation = RotationView::of(&key, cx.now).ok_or_else(nothing_left)?;
    let key = KeyView::new(&key, &tx.usage(&key.id)?, cx.now);
    Ok(Done { outcome: Rotated { key, rotation, old_valid_until: committed.old_until }, events })
}

impl UseCase for Abort {
    type Outcome = RotationView;
    const PERMISSION: Permission = Permission::RotateKeys;
    const ROUTE: Route = Route {
        query: &["environment"],
        summary: "Void the new secret; the old one is untouched",
        answers: &[(200, "The rotation.")],
        ..Route::new(Method::Post, "/v1/rotations/{rotation}/abort", "abort_rotation", "rotations")
    };

    fn target(&self) -> String {
        self.rotation.to_string()
    }
}

impl Change for Abort {
    const ACTION: Action = Action::KeyAbort;

    fn environment(&self) -> Option<Environment> {
        self.environment
    }

    fn lets_go(aborted: &RotationView) -> Option<KeyId> {
        aborted.key_id.parse().ok()
    }

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<RotationView>> {
        abort(tx, cx, &self)
    }
}

/// Aborts a rotation. A key that was still being created, and so never had a secret of its own, goes with it.
///
/// # Errors
/// `NotFound`; `Conflict` when it is over, and unless forced when a sink holds the new secret, or may.
fn abort(tx: &mut Tx<'_>, cx: &Context, request: &Abort) -> Result<Done<RotationView>> {
    let (mut key, run) = find_to_change(tx, cx, &request.rotation, request.environment)?;
    let held = run.may_hold();
    if run.is_running() && !(held.is_empty() && run.in_doubt.is_none()) && !request.force {
        let sinks = if held.is_empty() { "an earlier sink".to_owned() } else { held.join(", ") };
        return Err(Error::conflict(
            "may_be_delivered",
            format!("{sinks} may hold the new secret, which an abort would end at once"),
        )
        .hint(format!("keyward rotation commit {} --force  (keep the new secret)", run.id))
        .hint(format!("keyward rotation abort {} --force  (keep the old secret)", run.id)));
    }
    key.abort_rotation(cx.now).map_err(|illegal| refused(illegal, &key))?;
    let view = RotationView::of(&key, cx.now).ok_or_else(nothing_left)?;
    let changes = json!({ "rotation": run.id.as_str(), "lookup": run.secret.as_str(), "because": request.because });
    let mut events = vec![cx.event(Action::KeyAbort, key.id.to_string(), changes)];
    if never_lived(&key, &run) {
        tx.delete_key(&key)?;
        // Nobody ever had a secret of it: repeating the request is to make the key.
        tx.forget_idempotency(|_, made| made == key.id.as_str())?;
        events.push(cx.event(Action::KeyDelete, key.id.to_string(), json!({ "name": key.name, "undelivered": true })));
    } else {
        tx.put_key(&key)?;
    }
    Ok(Done { outcome: view, events })
}

/// Whether a key is still being created: it had no secret before this rotation began.
fn never_lived(key: &Key, run: &Rotation) -> bool {
    key.secrets.iter().all(|secret| {
        let of_this = secret.lookup == run.secret
            || run.in_doubt.as_ref() == Some(&secret.lookup)
            || secret.created_at > run.started_at;
        of_this && !matches!(secret.state, SecretState::Current { .. })
    })
}

/// The running rotations of a workspace, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ListRotations {
    /// Those that have ended, too.
    // Of every key the last one, if it has had more than the secret that it was created with.
    #[serde(default)]
    pub ended: bool,
}

/// One rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ShowRotation {
    /// The id of the rotation, or the key it belongs to.
    #[cfg_attr(test, schema(value_type = String))]
    pub rotation: RotationRef,
    /// The environment, where keys of several have the name.
    #[serde(default)]
    pub environment: Option<Environment>,
}

impl ShowRotation {
    /// The rotation of an id.
    #[must_use]
    pub fn of(rotation: RotationId) -> Self {
        Self { rotation: RotationRef::Id(rotation), environment: None }
    }
}

impl UseCase for ListRotations {
    type Outcome = Vec<RotationView>;
    const PERMISSION: Permission = Permission::ReadKeys;
    const OR: Option<Permission> = Some(Permission::RotateKeys);
    const ROUTE: Route = Route {
        query: &["ended"],
        summary: "Rotations that run",
        answers: &[(200, "The rotations.")],
        ..Route::new(Method::Get, "/v1/rotations", "list_rotations", "rotations")
    };
}

impl Ask for ListRotations {
    fn ask(&self, tx: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<Vec<RotationView>> {
        entitlement::workspace(tx, &cx.workspace)?;
        let keys = if self.ended { tx.all_keys(&cx.workspace)? } else { tx.keys_rotating(&cx.workspace)? };
        let rotated = |key: &&Key| key.running().is_some() || key.secrets.len() > 1;
        let mut all: Vec<RotationView> =
            keys.iter().filter(rotated).filter_map(|key| RotationView::of(key, cx.now)).collect();
        all.sort_by(|a, b| (&a.started_at, &a.id).cmp(&(&b.started_at, &b.id)));
        Ok(all)
    }
}

impl UseCase for ShowRotation {
    type Outcome = RotationView;
    const PERMISSION: Permission = Permission::ReadKeys;
    const OR: Option<Permission> = Some(Permission::RotateKeys);
    const ROUTE: Route = Route {
        query: &["environment"],
        summary: "One rotation",
        answers: &[(200, "The rotation.")],
        ..Route::new(Method::Get, "/v1/rotations/{rotation}", "show_rotation", "rotations")
    };

    fn target(&self) -> String {
        self.rotation.to_string()
    }
}

impl Ask for ShowRotation {
    fn ask(&self, tx: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<RotationView> {
        let (key, _) = find(tx, cx, &self.rotation, self.environment)?;
        RotationView::of(&key, cx.now).ok_or_else(nothing_left)
    }
}

/// Lists what a reference to a rotation can mean.
const LIST: &str = "keyward rotation list --all";

/// The key and the rotation that a reference names.
pub(super) fn find(
    tx: &View<'_>,
    cx: &Context,
    rotation: &RotationRef,
    environment: Option<Environment>,
) -> Result<(Key, Rotation)> {
    if let Authority::Holder(_) = cx.authority {
        return holder::own_rotation(tx, cx, rotation, environment);
    }
    let (key, name) = match rotation {
        RotationRef::Id(id) => (tx.key_rotating(id)?.filter(|key| key.workspace == cx.workspace), id.to_string()),
        RotationRef::Of(key) => (Some(lookup::one_of(tx, &cx.workspace, key, environment, LIST)?), format!("of {key}")),
    };
    let found = key.and_then(|key| key.run.clone().map(|run| (key, run)));
    found.ok_or_else(|| Error::not_found(format!("no rotation {name}")).hint(LIST))
}

/// The same for whoever decides about it: as with minting, of no key beyond the caller's ceiling.
pub(super) fn find_to_change(
    tx: &View<'_>,
    cx: &Context,
    rotation: &RotationRef,
    environment: Option<Environment>,
) -> Result<(Key, Rotation)> {
    let (key, run) = find(tx, cx, rotation, environment)?;
    holder::may_rotate(cx, &key)?;
    cx.authority.may_grant(&tx.catalogue(&key.workspace)?, &key.scopes)?;
    Ok((key, run))
}

/// Whether use shows that the secret has arrived: it was let in, and only one sink owes its receipt. Where several do,
/// another consumer may still hold the old secret.
pub(super) fn was_used(tx: &View<'_>, key: &Key, run: &Rotation) -> Result<bool> {
    let owing = run.deliveries.iter().filter(|delivery| delivery.state != DeliveryState::Delivered).count();
    if owing != 1 {
        return Ok(false);
    }
    Ok(tx.secret_uses(&key.id)?.iter().any(|seen| seen.lookup == run.secret && seen.uses > 0))
}

fn refuse_busy_secret(tx: &View<'_>, cx: &Context, key: &Key, period: TimeDelta) -> Result<()> {
    let old = key.secrets.iter().find(|secret| matches!(secret.state, SecretState::Current { .. }));
    let seen = old.map(|old| Seen::of_secret(tx, key, &old.lookup)).transpose()?.flatten();
    idle::refuse_busy(cx, key, &format!("the old secret of {}", key.name), seen.as_ref(), period)
}

pub(super) fn nothing_left() -> Error {
    Error::conflict("illegal_state", Illegal::NoRotation.to_string())
}
