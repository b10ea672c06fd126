//! The steps of the delivery of a new secret: intent, receipt, failure.
//!
//! Each is one transaction. A step names the rotation and the version of the secret it is about: if another process has
//! minted again in the meantime, the step is refused, whatever any lease says.

use super::{
    Done,
    case::{Change, Method, Route, UseCase},
    context::Context,
    error::{Error, Result},
    rotation::{RotationRef, find_to_change, nothing_left},
    rotation_view::{RotationView, refused},
};
use crate::{
    domain::{Action, Key, Lookup, Outcome, Permission, PlainToken, Rotation, RotationId},
    store::Tx,
    vault::Capabilities,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// One step of a delivery.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = StepBody))]
pub struct Step {
    /// The id of the rotation.
    pub rotation: RotationId,
    /// The version of the secret that is delivered.
    pub secret: Lookup,
    /// The sink.
    pub sink: String,
    /// What happened, or is about to.
    pub progress: Progress,
}

/// What a [`Step`] records of a sink.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Progress {
    /// The secret is about to be handed over.
    Intended,
    /// The sink has acknowledged it; what it said, without any value.
    Delivered(String),
    /// The sink does not hold it; why.
    Failed(String),
    /// What was read back from the sink after an interruption: the staged secret is a receipt, anything else is none.
    ReadBack(#[serde(with = "held")] Option<PlainToken>),
    /// The caller goes on no further although the sink holds the secret, or may; why. The next caller need not wait.
    Unproven(String),
}

/// What a sink holds, on its way. What is no token is no receipt, as in a sink that is read locally.
mod held {
    use crate::domain::PlainToken;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(held: &Option<PlainToken>, serializer: S) -> Result<S::Ok, S::Error> {
        held.as_ref().map(PlainToken::expose_plaintext).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PlainToken>, D::Error> {
        let text = Option::<Zeroizing<String>>::deserialize(deserializer)?;
        Ok(text.and_then(|text| PlainToken::parse(&text).ok()))
    }
}

impl UseCase for Step {
    type Outcome = RotationView;
    const PERMISSION: Permission = Permission::RotateKeys;
    const ROUTE: Route = Route {
        summary: "Record a step of a delivery",
        answers: &[(200, "The rotation.")],
        ..Route::new(Method::Post, "/v1/rotations/{rotation}/steps", "step_rotation", "rotations")
    };

    fn target(&self) -> String {
        self.rotation.to_string()
    }
}

impl Change for Step {
    const ACTION: Action = Action::KeyDeliver;

    fn change(self, tx: &mut Tx<'_>, caps: &Capabilities, cx: &Context) -> Result<Done<RotationView>> {
        step(tx, caps, cx, self)
    }
}

/// Records one step of a delivery.
///
/// # Errors
/// `NotFound`; `Conflict` when the rotation is over, or another process minted again.
fn step(tx: &mut Tx<'_>, caps: &Capabilities, cx: &Context, step: Step) -> Result<Done<RotationView>> {
    let (mut key, run) = find_to_change(tx, cx, &RotationRef::Id(step.rotation), None)?;
    if run.secret != step.secret {
        return Err(Error::conflict("taken_over", format!("another process goes on with the rotation {}", run.id))
            .hint(format!("keyward rotation show {}", run.id)));
    }
    // Whoever met a failure hands this secret to nobody else: the next run need not wait until the lease runs out.
    let ends_turn = matches!(step.progress, Progress::Failed(_) | Progress::Unproven(_));
    let (state, detail) = match step.progress {
        Progress::Intended => ("intended", None),
        Progress::Delivered(detail) => ("delivered", Some(detail)),
        Progress::Failed(why) => ("failed", Some(why)),
        Progress::ReadBack(found) if holds(&key, &run, caps, found.as_ref())? => {
            ("delivered", Some("read back".to_owned()))
        }
        Progress::ReadBack(_) => ("failed", Some("read back: it holds another value".to_owned())),
        Progress::Unproven(why) => ("unproven", Some(why)),
    };
    let (stepped, outcome) = match state {
        "intended" => (key.intend(&step.sink, cx.now), Outcome::Ok),
        "delivered" => (key.receive(&step.sink, cx.now), Outcome::Ok),
        "unproven" => (Ok(()), Outcome::Failed),
        _ => (key.fail_delivery(&step.sink, cx.now), Outcome::Failed),
    };
    let stepped = stepped.and_then(|()| if ends_turn { key.end_turn(cx.now) } else { Ok(()) });
    stepped.map_err(|illegal| refused(illegal, &key))?;
    tx.put_key(&key)?;
    key.version += 1;
    let mut changes = json!({
        "rotation": run.id.as_str(), "lookup": run.secret.as_str(), "sink": step.sink, "state": state, "detail": detail,
    });
    if outcome == Outcome::Failed {
        changes["name"] = json!(key.name);
    }
    let event = cx.outcome(Action::KeyDeliver, key.id.to_string(), outcome, changes);
    let view = RotationView::of(&key, cx.now).ok_or_else(nothing_left)?;
    Ok(Done { outcome: view, events: vec![event] })
}

/// Whether a value read back from a sink is the secret being delivered; decided by its verifier, never by its look-up id.
fn holds(key: &Key, run: &Rotation, caps: &Capabilities, found: Option<&PlainToken>) -> Result<bool> {
    let Some(token) = found else { return Ok(false) };
    let verifier = caps.verifier_of(token).ok_or_else(super::support_refused)?;
    Ok(key.secrets.iter().any(|secret| secret.lookup == run.secret && secret.verifier.matches(&verifier)))
}
