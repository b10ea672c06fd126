//! What the holder of a key does with it. Possession of the secret is the only authority: it reaches this one key, and of it
//! only what the key and its workspace let their holders do.
//!
//! Who has shown a secret is found in memory, as a verdict finds it; here, in the transaction, it is judged again by what
//! stands in the keystore. A secret that has ended meanwhile is answered as one that nobody ever had.

use super::{
    Done,
    authority::Authority,
    case::{Ask, Change, Method, Route, UseCase},
    context::Context,
    delivery::Step,
    entitlement,
    error::{Error, Kind, Result},
    rotation::{Abort, RotationRef, ShowRotation},
};
use crate::{
    domain::{
        Action, Environment, Key, KeyId, Lookup, Permission, RateLimit, Rotation, RotationId, Scope, Secret,
        SecretState, SelfDeed, SelfService, Status, Time, time::format_time,
    },
    store::{Tx, View},
    vault::Capabilities,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Who has shown the secret of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The key.
    pub key: KeyId,
    /// The public id of the version of its secret that was shown.
    pub secret: Lookup,
    /// The workspace of the key.
    pub workspace: String,
}

impl Holder {
    /// What the trail calls it.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("{PREFIX}{}", self.key)
    }
}

/// What the names of holders in the trail begin with; no operator is called so.
pub(super) const PREFIX: &str = "holder:";

/// What a holder has to say of a rotation is short.
pub const HELD_BYTES: usize = 16 * 1024;
/// The rotation that the holder of a key began, and its steps: those of any rotation, of this one key.
pub const SHOW_OWN: Route = Route {
    query: &["environment"],
    summary: "A rotation that the holder of the key began",
    answers: ShowRotation::ROUTE.answers,
    ..Route::new(Method::Get, "/v1/self/rotations/{rotation}", "show_own_rotation", "self")
};
/// A step of its delivery.
pub const STEP_OWN: Route = Route {
    summary: "Record a step of the delivery of the key that is held",
    answers: Step::ROUTE.answers,
    most_bytes: HELD_BYTES,
    ..Route::new(Method::Post, "/v1/self/rotations/{rotation}/steps", "step_own_rotation", "self")
};
/// Its end without the new secret.
pub const ABORT_OWN: Route = Route {
    query: &["environment"],
    summary: "Void the new secret of the key that is held; the old one is untouched",
    answers: Abort::ROUTE.answers,
    most_bytes: HELD_BYTES,
    ..Route::new(Method::Post, "/v1/self/rotations/{rotation}/abort", "abort_own_rotation", "self")
};

/// The answer to a secret that is no good: nobody is told what is wrong with it.
#[must_use]
pub fn outsider() -> Error {
    Error::new(Kind::Auth, "key", "the key is missing or not valid here")
}

/// The key of whoever calls, and the version of its secret that was shown, if its holder may do this with it.
///
/// # Errors
/// `Auth` when it works no more; `Forbidden` when its holder may not; `Usage` for whoever calls with another authority.
pub(super) fn held(view: &View<'_>, cx: &Context, deed: SelfDeed) -> Result<(Key, Secret)> {
    let Authority::Holder(holder) = &cx.authority else {
        return Err(Error::usage("this is for the holder of a key, who shows its secret to a server")
            .hint("keyward self show --server URL --secret-file FILE"));
    };
    let key = view.key(&holder.key)?.filter(|key| key.status_at(cx.now) == Status::Active).ok_or_else(outsider)?;
    let shown = key.secrets.iter().find(|secret| secret.lookup == holder.secret && secret.works_at(cx.now));
    let shown = shown.cloned().ok_or_else(outsider)?;
    let may = allowed(view, &key)?;
    if !may.allows(deed) {
        let word = deed.as_str();
        return Err(Error::forbidden("self", format!("the holder of this key may not {word} it"))
            .cause(format!("its holder may: {may}"))
            .hint(format!("keyward update {} --self LIST  (for those who may)", key.id)));
    }
    Ok((key, shown))
}

/// Refuses to begin a rotation or to go on with one for whoever shows a secret that another one has replaced, and beside a
/// rotation that somebody else began. Operators are not meant.
///
/// # Errors
/// `Conflict`.
pub(super) fn may_rotate(cx: &Context, key: &Key) -> Result<()> {
    let Authority::Holder(holder) = &cx.authority else { return Ok(()) };
    let shown = key.secrets.iter().find(|secret| secret.lookup == holder.secret).ok_or_else(outsider)?;
    if let SecretState::Retiring { until } = shown.state {
        let what = format!("another secret has replaced this one, which works until {}", format_time(until));
        return Err(Error::conflict("replaced", what).cause("a rotation takes the current secret"));
    }
    if key.running().is_some_and(|run| run.actor != cx.actor) {
        return Err(Error::conflict(
            "begun_by_others",
            "a rotation of this key that somebody else began has not ended",
        ));
    }
    Ok(())
}

/// The key of whoever calls, and the rotation of that id, if its holder began it.
///
/// # Errors
/// `NotFound`; those of [`held`].
pub(super) fn own_rotation(
    view: &View<'_>,
    cx: &Context,
    wanted: &RotationRef,
    environment: Option<Environment>,
) -> Result<(Key, Rotation)> {
    let (key, _) = held(view, cx, SelfDeed::Rotate)?;
    let is_it = |run: &Rotation| run.actor == cx.actor && *wanted == RotationRef::Id(run.id.clone());
    let run = key.run.clone().filter(is_it).filter(|_| environment.is_none_or(|wanted| wanted == key.environment));
    let run = run.ok_or_else(|| Error::not_found("the holder of this key began no such rotation"))?;
    Ok((key, run))
}

/// Refuses to mint for a holder where the secret before may be in a place that was not asked: it would be a third one that
/// works, or the end of one that somebody uses. Only the process that handed it over knows which place was meant.
///
/// # Errors
/// `Conflict`.
pub(super) fn refuse_third(cx: &Context, run: &Rotation, asked: bool) -> Result<()> {
    if !matches!(cx.authority, Authority::Holder(_)) || run.may_hold().is_empty() {
        return Ok(());
    }
    if !asked && cx.client.as_ref() == Some(&run.lease.id) {
        return Ok(());
    }
    Err(Error::conflict("in_doubt", "the new secret of the rotation that was interrupted may have arrived")
        .cause(format!("it may be in {}", run.may_hold().join(", ")))
        .cause("whoever shows it ends that rotation with it"))
}

fn allowed(view: &View<'_>, key: &Key) -> Result<SelfService> {
    let policy = entitlement::workspace(view, &key.workspace)?.policy;
    Ok(SelfService::of(key.self_service.as_ref(), policy.self_service.as_ref()))
}

/// The key whose secret is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ShowSelf {}

/// What the holder of a key is told of it. The order of the fields is the order in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = HeldKey))]
pub struct SelfView {
    /// The id of the key.
    #[cfg_attr(test, schema(value_type = String))]
    pub key_id: KeyId,
    /// Its name.
    pub name: String,
    /// Its workspace.
    pub workspace: String,
    /// Where it works.
    pub environment: Environment,
    /// The one project of a project-level key.
    pub project: Option<String>,
    /// The customers it is narrowed to; all when empty.
    pub customers: Vec<String>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// How often it may be used; null for no limit.
    pub rate_limit: Option<RateLimit>,
    /// Where it may be used from; anywhere when empty.
    pub allow_ips: Vec<String>,
    /// `active`: of any other, nobody is told anything.
    pub status: Status,
    /// When it was made.
    pub created_at: String,
    /// When the key ends, however often it is rotated; null for never.
    pub expires_at: Option<String>,
    /// When any of its secrets was last let in.
    pub last_used_at: Option<String>,
    /// When its rotation is due.
    pub due_at: Option<String>,
    /// The version of its secret that was shown.
    pub version: HeldVersion,
    /// The rotation that its holder began and that has not ended.
    pub rotation: Option<RotationId>,
    /// What its holder may do with it.
    pub may: SelfService,
}

/// A version of a secret, as its holder is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct HeldVersion {
    /// Its public id, which stands in the secret.
    pub lookup: Lookup,
    /// `current`; `retiring`, when a rotation has replaced it; `staged`, when a rotation is about to make it the current one.
    pub state: VersionState,
    /// When it was made.
    pub created_at: String,
    /// Until when it works; null when neither the key nor its rotation ends it.
    pub works_until: Option<String>,
}

/// Where a version of a secret stands that works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub enum VersionState {
    /// The one to use.
    Current,
    /// A rotation has replaced it.
    Retiring,
    /// A rotation is about to make it the current one.
    Staged,
}

impl UseCase for ShowSelf {
    type Outcome = SelfView;
    const PERMISSION: Permission = Permission::OwnKey;
    const ROUTE: Route = Route {
        summary: "What is the key good for that I hold, and until when?",
        description: "Asked with the key alone. It takes nothing from the limit of the key, and is no use of it.",
        answers: &[(200, "The key, and the version of its secret that was shown.")],
        ..Route::new(Method::Get, "/v1/self", "show_self", "self")
    };

    fn target(&self) -> String {
        "self".to_owned()
    }
}

impl Ask for ShowSelf {
    fn ask(&self, view: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<SelfView> {
        let (key, shown) = held(view, cx, SelfDeed::Show)?;
        let usage = view.usage(&key.id)?;
        let may = allowed(view, &key)?;
        let until = works_until(&key, &shown);
        let rotation = key.running().filter(|run| run.actor == cx.actor).map(|run| run.id.clone());
        let state = match shown.state {
            SecretState::Staged => VersionState::Staged,
            SecretState::Current { .. } => VersionState::Current,
            SecretState::Retiring { .. } | SecretState::Dead { .. } => VersionState::Retiring,
        };
        let created_at = format_time(shown.created_at);
        Ok(SelfView {
            status: key.status_at(cx.now),
            key_id: key.id,
            name: key.name,
            workspace: key.workspace,
            environment: key.environment,
            project: key.project,
            customers: key.customers,
            scopes: key.scopes,
            rate_limit: key.rate_limit,
            allow_ips: key.allow_ips.to_strings(),
            created_at: format_time(key.created_at),
            expires_at: key.expires_at.map(format_time),
            last_used_at: usage.last_used_at.map(format_time),
            due_at: key.rotation.due_at.map(format_time),
            version: HeldVersion { lookup: shown.lookup, state, created_at, works_until: until.map(format_time) },
            rotation,
            may,
        })
    }
}

/// Until when a version of a secret works: by its own state, and no longer than its key.
fn works_until(key: &Key, secret: &Secret) -> Option<Time> {
    let own = match secret.state {
        SecretState::Current { until } => until,
        SecretState::Retiring { until } => Some(until),
        SecretState::Dead { since } => Some(since),
        SecretState::Staged => None,
    };
    own.into_iter().chain(key.expires_at).min()
}

/// The secret that is shown is to end at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(example = json!({"reason": "it was in a public repository"})))]
pub struct RevokeSelf {
    /// Why, for the trail; the header `Keyward-Reason` says it, too.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What a holder has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct SelfRevoked {
    /// The id of the key.
    #[cfg_attr(test, schema(value_type = String))]
    pub key_id: KeyId,
    /// Its name.
    pub name: String,
    /// The public id of the version of its secret that works no more.
    pub lookup: Lookup,
    /// Whether the key is revoked with it: no other version worked.
    pub key_revoked: bool,
}

impl UseCase for RevokeSelf {
    type Outcome = SelfRevoked;
    const PERMISSION: Permission = Permission::OwnKey;
    const ROUTE: Route = Route {
        optional_body: true,
        summary: "End the secret that is shown",
        description: "At once and for good. Another version of the secret that works goes on working; where there is none, the key is \
            revoked. A secret that was found somewhere can be ended by whoever found it.",
        answers: &[(200, "What works no more.")],
        ..Route::new(Method::Post, "/v1/self/revoke", "revoke_self", "self")
    };

    fn target(&self) -> String {
        "self".to_owned()
    }
}

impl Change for RevokeSelf {
    const ACTION: Action = Action::KeyRevoke;
    fn once_more(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<SelfRevoked>> {
        let (mut key, shown) = held(tx, cx, SelfDeed::Revoke)?;
        let cx = Context { reason: self.reason.or_else(|| cx.reason.clone()), ..cx.clone() };
        cx.recordable()?;
        let before = key.status_at(cx.now);
        let key_revoked = key.revoke_secret(&shown.lookup, cx.now);
        tx.put_key(&key)?;
        key.version += 1;
        let action = if key_revoked { Action::KeyRevoke } else { Action::KeyRevokeSecret };
        let after = key.status_at(cx.now);
        let mut changes = json!({ "lookup": shown.lookup.as_str() });
        if before != after {
            changes["status"] = json!({ "from": before.as_str(), "to": after.as_str() });
        }
        let events = vec![cx.event(action, key.id.to_string(), changes)];
        let outcome = SelfRevoked { key_id: key.id, name: key.name, lookup: shown.lookup, key_revoked };
        Ok(Done { outcome, events })
    }
}
