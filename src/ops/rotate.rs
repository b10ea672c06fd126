//! A rotation in one call, for whoever is answered with the secret: staged and committed in one transaction.

use super::{
    Done,
    case::{Method, Route, UseCase},
    context::Context,
    error::{Error, Kind, Result},
    rotation::{self, Commit},
    rotation_view::RotationView,
    stage::{self, Stage},
    view::KeyView,
};
use crate::{
    domain::{Environment, KeyRef, Overlap, Permission, PlainToken, Time},
    store::Tx,
    vault::Capabilities,
};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

/// What the answer of such a call is named among the sinks of its rotation.
const ANSWER: &str = "answer";

/// How to rotate in one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = RotateBody, example = json!({"overlap": {"for": 86_400}})))]
pub struct Rotate {
    /// The id of the key, its name, or a prefix of its id.
    #[cfg_attr(test, schema(value_type = String))]
    pub key: KeyRef,
    /// The environment, where keys of several have the name.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// How long the old secret goes on working; the key's own overlap, else its workspace's, else 24 hours.
    #[serde(default)]
    pub overlap: Option<Overlap>,
    /// Starts the key's original lifetime again.
    #[serde(default)]
    pub renew: bool,
    /// Brings a revoked key back: an administrator's own word, with a reason.
    #[serde(default)]
    pub reinstate: bool,
    /// Ends an overlap or a rotation that still runs. `overlap: "now"` needs it not.
    #[serde(default)]
    pub supersede: bool,
    /// The same idempotency key within 24 hours names the same rotation; a header has it.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

impl Rotate {
    /// A plain rotation of a key.
    #[must_use]
    pub fn of(key: KeyRef) -> Self {
        Self {
            key,
            environment: None,
            overlap: None,
            renew: false,
            reinstate: false,
            supersede: false,
            idempotency_key: None,
        }
    }
}

impl From<Rotate> for Stage {
    fn from(request: Rotate) -> Self {
        let Rotate { key, environment, overlap, renew, reinstate, supersede, idempotency_key } = request;
        let sinks = vec![ANSWER.to_owned()];
        Self {
            environment,
            overlap,
            renew,
            reinstate,
            supersede,
            idempotency_key,
            sinks,
            intend: true,
            ..Self::of(key)
        }
    }
}

/// What came of a [`Rotate`].
pub struct Reissued {
    /// The key, with its new secret current.
    pub key: KeyView,
    /// The new secret, the only time it is seen; absent when nothing was minted, and in a dry run.
    pub secret: Option<PlainToken>,
    /// Until when the old secret works; `None` when it stopped at once.
    pub old_valid_until: Option<Time>,
    /// The rotation.
    pub rotation: Option<RotationView>,
    /// What the caller should know, such as that the idempotency key names a rotation that was done.
    pub note: Option<String>,
}

impl UseCase for Rotate {
    type Outcome = Reissued;
    const PERMISSION: Permission = Permission::RotateKeys;
    const ROUTE: Route = Route {
        query: &["environment"],
        idempotent: true,
        summary: "Rotate a key in one call",
        description: "The answer is the only one that ever holds the new secret, which is the current one by then; the old \
            one goes on working for its overlap, or stops at once with `\"overlap\": \"now\"`. Whoever delivers a secret \
            stages a rotation instead, so that nothing ends before it has arrived.",
        answers: &[
            (201, "The key with its new secret."),
            (200, "Nothing was minted: the rotation was done before, or its secret had arrived."),
        ],
        ..Route::new(Method::Post, "/v1/keys/{key}/rotate", "rotate_key", "rotations")
    };

    fn idempotency_key(&mut self) -> Option<&mut Option<String>> {
        Some(&mut self.idempotency_key)
    }

    fn target(&self) -> String {
        self.key.to_string()
    }
}

/// Rotates a key; its secret is in the outcome, the only time it is seen. Where the answer is lost, the secret is: another
/// call mints another, and the old one works for its overlap.
///
/// # Errors
/// Those of [`stage::stage`] and [`rotation::commit`].
pub fn rotate(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    request: &Stage,
    alone: bool,
) -> Result<Done<Reissued>> {
    let Done { outcome: staged, mut events } = stage::stage(tx, caps, rng, cx, request, alone)?;
    let mut outcome = Reissued {
        key: staged.key,
        secret: staged.secret,
        old_valid_until: staged.old_valid_until,
        rotation: staged.rotation,
        note: staged.note,
    };
    let Some(rotation) = outcome.rotation.as_ref().filter(|_| staged.lookup.is_some()) else {
        return Ok(Done { outcome, events });
    };
    let id = rotation.id.parse().map_err(|why: String| Error::new(Kind::Internal, "rotation", why))?;
    let receipts = if staged.ready { Vec::new() } else { request.sinks.clone() };
    let committed = rotation::commit(tx, cx, &Commit::of(id, receipts))?;
    outcome.key = committed.outcome.key;
    outcome.rotation = Some(committed.outcome.rotation);
    outcome.old_valid_until = committed.outcome.old_valid_until;
    events.extend(committed.events);
    Ok(Done { outcome, events })
}
