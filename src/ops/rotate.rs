//! Rotation: a new secret for the same logical key.

use super::{
    Done,
    context::Context,
    create::mint,
    entitlement,
    error::{Error, Result},
    lookup,
    view::KeyView,
};
use crate::{
    domain::{
        Action, DEFAULT_OVERLAP, Environment, Feature, Illegal, KeyRef, Overlap, PlainToken, SecretState, Time,
        time::format_time,
    },
    store::Tx,
    vault::Capabilities,
};
use rand::CryptoRng;
use serde_json::json;

/// A key whose secret is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotate {
    /// Which key.
    pub key: KeyRef,
    /// Decides between keys of one name.
    pub environment: Option<Environment>,
    /// How long the old secret goes on working; the key's own overlap, else 24 hours, when not given.
    pub overlap: Option<Overlap>,
    /// Starts the key's original lifetime again.
    pub renew: bool,
    /// Ends a rotation that still runs, oldest secret first.
    pub supersede: bool,
}

/// What came of a [`Rotate`].
pub struct Rotated {
    /// The key, with its new secret current.
    pub key: KeyView,
    /// The new secret, the only time it is seen; absent in a dry run.
    pub secret: Option<PlainToken>,
    /// Until when the old secret works; `None` when it stopped at once.
    pub old_valid_until: Option<Time>,
}

/// Rotates a key.
///
/// # Errors
/// `NotFound`, `Conflict` for an expired key without `renew` or while a rotation still runs, `Forbidden` by the plan.
pub fn rotate(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    request: &Rotate,
) -> Result<Done<Rotated>> {
    let mut key = lookup::key(tx, &cx.workspace, &request.key, request.environment)?;
    cx.authority.may_grant(&tx.catalogue(&key.workspace)?, &key.scopes)?;
    entitlement::require(&entitlement::plan_of(tx, &key.workspace)?, Feature::ApiAccess)?;
    let overlap = request.overlap.unwrap_or_else(|| Overlap::For(key.rotation.overlap.unwrap_or(DEFAULT_OVERLAP)));
    let (token, secret) = mint(&tx.meta().brand.clone(), caps, rng, key.environment, SecretState::Current, cx.now)?;
    let lookup_id = secret.lookup.to_string();
    let expiry_before = key.expires_at;
    let effect = key
        .rotate(secret, overlap, cx.now, request.renew, request.supersede)
        .map_err(|illegal| refused(illegal, &key.id.to_string()))?;
    tx.put_key(&key)?;
    let usage = tx.usage(&key.id)?;
    let mut changes = json!({ "lookup": lookup_id, "old_valid_until": effect.old_until.map(format_time) });
    if key.expires_at != expiry_before {
        changes["renewed"] = json!({
            "expires_at": { "from": expiry_before.map(format_time), "to": key.expires_at.map(format_time) }
        });
    }
    let events = vec![cx.event(Action::KeyRotate, key.id.to_string(), changes)];
    let secret = (!cx.dry_run).then_some(token);
    let key = KeyView::new(&key, &usage, cx.now);
    Ok(Done { outcome: Rotated { key, secret, old_valid_until: effect.old_until }, events })
}

/// The error of a transition the key's state does not allow, with the command that helps.
pub(super) fn refused(illegal: Illegal, id: &str) -> Error {
    let error = Error::conflict("illegal_state", format!("{id}: {illegal}"));
    match illegal {
        Illegal::Expired { .. } => error.hint(format!("keyward rotate {id} --renew")),
        Illegal::RotationRunning { .. } => {
            error.hint(format!("keyward rotate {id} --supersede  (ends the oldest secret at once)"))
        }
        Illegal::Revoked { .. } => {
            error.hint(format!("keyward rotate {id}  (only a new secret revives a revoked key)"))
        }
        _ => error,
    }
}
